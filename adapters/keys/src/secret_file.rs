//! Writing a secret so that it is whole, private and never replaces another.
//!
//! The bytes go into a new file beside the wanted one, are synced, and get their name by a hard link, which
//! fails if the name is taken. A crash leaves the secret whole under its name or not there at all; at worst
//! a `.tmp` file stays behind, which nothing reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use dwarves_system::entropy::{EntropyError, Randomness};

/// The longest secret file worth reading, in bytes; real ones are below 1 KiB.
const LEN_MAX: u64 = 16 * 1024;

/// How encrypted key files of Bittensor begin: NaCl, Ansible Vault, Fernet. What follows may be any bytes.
const ENCRYPTED: [&[u8]; 3] = [b"$NACL", b"$ANSIBLE_VAULT", b"gAAAA"];

/// Why a secret could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// There is a file of this name; it is left as it is.
    #[error("{} exists already and is never overwritten; choose another name or move it away", .0.display())]
    Exists(PathBuf),
    /// The operating system refused.
    #[error("cannot {verb} {}", .path.display())]
    Io {
        /// What was tried, such as `read`.
        verb: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Too large or not text.
    #[error("{} is not a file of this kind: {what}", .path.display())]
    NotText {
        /// The file in question, as it was given.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

fn io_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SecretFileError {
    let path = path.to_owned();
    move |source| SecretFileError::Io { verb, path, source }
}

/// Writes `bytes` to a new file that only its owner may read. Missing folders are made, mode 0700.
///
/// # Errors
/// [`SecretFileError::Exists`] if there is a file of this name; it is not touched.
pub fn create(path: &Path, bytes: &[u8], randomness: &dyn Randomness) -> Result<(), SecretFileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    let mut suffix = [0; 8];
    randomness.fill(&mut suffix)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", hex::encode(suffix)));
    let written = write_synced(&temporary, bytes).and_then(|()| name_it(&temporary, path));
    // The temporary name goes in every case; a failure to remove it must not hide what happened before.
    let _left_behind = fs::remove_file(&temporary);
    written?;
    sync_folder(folder)
}

fn create_folder(folder: &Path) -> Result<(), SecretFileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(io_error("make the folder", folder))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io_error("create", path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(io_error("write", path))
}

fn name_it(temporary: &Path, path: &Path) -> Result<(), SecretFileError> {
    match fs::hard_link(temporary, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(SecretFileError::Exists(path.to_owned()))
        }
        // Some file systems (FAT, some network shares) know no hard links. Renaming replaces an existing
        // file, so its absence is checked first; two first starts at the same instant are the gap that stays.
        Err(_) if !path.exists() => fs::rename(temporary, path).map_err(io_error("create", path)),
        Err(_) => Err(SecretFileError::Exists(path.to_owned())),
    }
}

/// Makes the new name durable.
fn sync_folder(folder: &Path) -> Result<(), SecretFileError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io_error("sync the folder", folder))?;
    }
    Ok(())
}

/// A secret as it was read.
#[derive(Debug)]
pub struct ReadSecret {
    /// The file's text.
    pub text: String,
    /// What the operator should know about the file, if anything: that others can read it.
    pub warning: Option<String>,
}

/// Reads a secret file.
///
/// # Errors
/// If it cannot be read, is far too large or not UTF-8.
pub fn read(path: &Path) -> Result<ReadSecret, SecretFileError> {
    let not_text = |what| SecretFileError::NotText {
        path: path.to_owned(),
        what,
    };
    let file = File::open(path).map_err(io_error("read", path))?;
    let metadata = file.metadata().map_err(io_error("read", path))?;
    let mut bytes = Vec::new();
    file.take(LEN_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    if bytes.len() as u64 > LEN_MAX {
        return Err(not_text("it is larger than 16 KiB"));
    }
    if ENCRYPTED.iter().any(|begin| bytes.starts_with(begin)) {
        return Err(not_text(
            "it is encrypted; decrypt it with btcli first (hotkeys are not encrypted by default)",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| not_text("it is not UTF-8 text"))?;
    Ok(ReadSecret {
        text,
        warning: loose_permissions(path, &metadata),
    })
}

#[cfg(unix)]
fn loose_permissions(path: &Path, metadata: &fs::Metadata) -> Option<String> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    (mode & 0o077 != 0).then(|| {
        let path = path.display();
        format!("{path} has mode {mode:04o}: others on this machine can use it; run: chmod 600 {path}")
    })
}

#[cfg(not(unix))]
fn loose_permissions(_: &Path, _: &fs::Metadata) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_system::entropy::testing::{Broken, Constant};

    #[cfg(unix)]
    #[test]
    fn a_new_secret_is_private_and_leaves_nothing_beside_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/secret");
        create(&path, b"words", &Constant(1)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let read_back = read(&path).unwrap();
        assert_eq!((read_back.text.as_str(), read_back.warning), ("words", None));
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create(&path, b"first", &Constant(1)).unwrap();
        let refused = create(&path, b"second", &Constant(2)).unwrap_err();
        assert!(matches!(refused, SecretFileError::Exists(_)), "{refused}");
        assert_eq!(read(&path).unwrap().text, "first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_encrypted_file_is_named_so_whatever_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for begin in ENCRYPTED {
            for rest in [&b""[..], b"plain text", &[0xcd, 0xff, 0x00, 0x1f], &[0xf0, 0x9f]] {
                fs::write(&path, [begin, rest].concat()).unwrap();
                let error = read(&path).unwrap_err().to_string();
                assert!(
                    error.contains("it is encrypted; decrypt it with btcli"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn what_a_crash_left_behind_hinders_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(folder.path().join(".secret.0101010101010101.tmp"), "half").unwrap();
        create(&path, b"whole", &Constant(2)).unwrap();
        assert_eq!(read(&path).unwrap().text, "whole");
    }

    #[test]
    fn without_randomness_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(matches!(
            create(&path, b"x", &Broken),
            Err(SecretFileError::Entropy(_))
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_can_read_gives_a_warning_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create(&path, b"x", &Constant(1)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let warning = read(&path).unwrap().warning.unwrap();
        assert!(
            warning.contains("0640") && warning.contains("chmod 600"),
            "{warning}"
        );
    }

    #[test]
    fn what_can_not_be_a_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, vec![b'x'; 20_000]).unwrap();
        assert!(matches!(read(&path), Err(SecretFileError::NotText { .. })));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path), Err(SecretFileError::NotText { .. })));
        assert!(matches!(read(folder.path()), Err(SecretFileError::Io { .. })));
    }
}
