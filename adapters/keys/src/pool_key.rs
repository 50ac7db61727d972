//! The pool's own hotkey, and the secrets that are derived from it.
//!
//! `DATA_DIR/pool.key` is made at the first start. Its secret also gives the keys of job ids and of session
//! tokens, so that both outlive a restart without more files to keep safe.

use std::path::{Path, PathBuf};

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::key::NotificationKey;
use dwarves_domain::session::SessionKey;
use dwarves_domain::signature::{BatchKey, KeyType};
use dwarves_domain::watch::WatchKey;
use dwarves_domain::work::JobKey;

use super::hotkey_file::{HotkeyFile, HotkeyFileError, PhraseWords};
use super::secret_file::SecretFileError;
use dwarves_system::entropy::Randomness;

/// The file's name in the data directory.
pub const FILE_NAME: &str = "pool.key";

/// The pool's key is not there, but a ledger is that was made with one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is missing beside the ledger {}: {REMEDY}", key.display(), ledger.display())]
pub struct KeyMissing {
    key: PathBuf,
    ledger: PathBuf,
}

/// What to do about a missing key.
pub const REMEDY: &str = "restore pool.key from a backup. Miners know the pool by it, sessions and jobs are sealed with \
                          it, and on the devnet it is the wallet. If it is lost for good, `dwarves hotkey new` makes a \
                          new one in its place: then it is another pool with this ledger, and the devnet's coins stay \
                          where they are";

/// Makes sure that no new key is made beside a ledger that has a history: a start makes the key before the ledger, so
/// it was there.
///
/// # Errors
/// [`KeyMissing`].
pub fn must_be_there(data_dir: &Path, ledger: &Path) -> Result<(), KeyMissing> {
    let has_history = std::fs::metadata(ledger).is_ok_and(|ledger| ledger.len() > 0);
    must_be_there_if(data_dir, ledger, has_history)
}

/// The same beside a ledger of which it is known otherwise whether it has a history; `ledger` is what it is called.
///
/// # Errors
/// [`KeyMissing`].
pub fn must_be_there_if(data_dir: &Path, ledger: &Path, has_history: bool) -> Result<(), KeyMissing> {
    let key = data_dir.join(FILE_NAME);
    if key.exists() || !has_history {
        return Ok(());
    }
    Err(KeyMissing {
        key,
        ledger: ledger.to_owned(),
    })
}

/// The key by which miners know the pool.
#[derive(Clone, Debug)]
pub struct PoolKey(HotkeyFile);

impl PoolKey {
    /// Reads the key in `data_dir`, or makes one if there is none.
    ///
    /// # Errors
    /// If it cannot be read or made. A file that is there but wrong is never replaced.
    pub fn open_or_create(data_dir: &Path, randomness: &dyn Randomness) -> Result<Self, HotkeyFileError> {
        let path = data_dir.join(FILE_NAME);
        if !path.exists() {
            let key = HotkeyFile::generate(PhraseWords::Twelve, randomness)?;
            match key.create(&path, randomness) {
                Ok(()) => {}
                // Another process was first; its key is the one on disk.
                Err(SecretFileError::Exists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Read back what is on disk in every case: that is the key after the next restart.
        let key = HotkeyFile::read(&path)?;
        if key.scheme() != KeyType::Sr25519 {
            return Err(HotkeyFileError::Format {
                path: path.display().to_string(),
                what: "cryptoType: a pool's key is sr25519".to_owned(),
            });
        }
        Ok(Self(key))
    }

    /// The pool's hotkey: the receiver of signed requests.
    pub fn hotkey(&self) -> Hotkey {
        self.0.hotkey()
    }

    /// What the operator should know about the file, if anything.
    pub fn warning(&self) -> Option<&str> {
        self.0.warning()
    }

    /// The key pair, with which the pool signs.
    pub fn pair(&self) -> &HotkeyFile {
        &self.0
    }

    /// The key of job ids.
    pub fn job_key(&self) -> JobKey {
        JobKey::new(&self.0.derive(b"dwarves/job-key/1"))
    }

    /// The key of session tokens.
    pub fn session_key(&self) -> SessionKey {
        SessionKey::new(&self.0.derive(b"dwarves/session-key/1"))
    }

    /// What makes checking many signatures at once safe.
    pub fn batch_key(&self) -> BatchKey {
        BatchKey::new(&self.0.derive(b"dwarves/batch-key/1"))
    }

    /// The key of watch tokens.
    pub fn watch_key(&self) -> WatchKey {
        WatchKey::new(&self.0.derive(b"dwarves/watch-key/1"))
    }

    /// The key of what miners' notifications need to be kept from others.
    pub fn notification_key(&self) -> NotificationKey {
        NotificationKey::new(&self.0.derive(b"dwarves/notification-key/1"))
    }

    /// The secret by which the pool's fronts know each other.
    pub fn link_secret(&self) -> [u8; 32] {
        self.0.derive(b"dwarves/link/1")
    }

    /// The secret of the pool's wallet on the devnet.
    pub fn devnet_wallet_secret(&self) -> [u8; 32] {
        self.0.derive(b"dwarves/devnet-wallet/1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_domain::session::Session;
    use dwarves_domain::time::Timestamp;
    use dwarves_system::entropy::SystemRandomness;
    use dwarves_system::entropy::testing::Constant;

    #[test]
    fn the_key_and_what_is_derived_from_it_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = PoolKey::open_or_create(folder.path(), &SystemRandomness).unwrap();
        let again = PoolKey::open_or_create(folder.path(), &SystemRandomness).unwrap();
        assert_eq!(first.hotkey(), again.hotkey());
        let session = Session {
            hotkey: Hotkey::from_bytes([1; 32]),
            expires_at: Timestamp::from_secs(9),
        };
        let token = first.session_key().seal(&session);
        assert_eq!(again.session_key().open(&token, Timestamp::EPOCH), Ok(session));
    }

    #[test]
    fn no_key_is_made_beside_a_ledger_that_had_one() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("dwarves.db");
        assert_eq!(must_be_there(folder.path(), &ledger), Ok(()), "a first start");
        std::fs::write(&ledger, "").unwrap();
        assert_eq!(must_be_there(folder.path(), &ledger), Ok(()), "nothing is in it");
        std::fs::write(&ledger, "SQLite format 3").unwrap();
        let missing = must_be_there(folder.path(), &ledger).unwrap_err().to_string();
        assert!(missing.contains("restore pool.key from a backup"), "{missing}");
        PoolKey::open_or_create(folder.path(), &SystemRandomness).unwrap();
        assert_eq!(must_be_there(folder.path(), &ledger), Ok(()));
    }

    #[test]
    fn each_label_gives_another_secret_and_each_pool_too() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let one = PoolKey::open_or_create(a.path(), &Constant(1)).unwrap();
        let two = PoolKey::open_or_create(b.path(), &Constant(2)).unwrap();
        assert_ne!(one.pair().derive(b"x"), one.pair().derive(b"y"));
        assert_ne!(one.pair().derive(b"x"), two.pair().derive(b"x"));
    }

    #[test]
    fn a_damaged_key_is_reported_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "{\"secretSeed\":").unwrap();
        assert!(PoolKey::open_or_create(folder.path(), &SystemRandomness).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"secretSeed\":");
    }
}
