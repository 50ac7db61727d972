//! The bearer token with which the operator of this machine steers the pool.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::secret_file::{self, SecretFileError};
use dwarves_system::entropy::{EntropyError, Randomness};

/// The file's name in the data directory.
pub const FILE_NAME: &str = "admin.token";
const LEN: usize = 32;

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// Writing or reading failed.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Something else is in the file.
    #[error("{path} is not an admin token: expected 64 lower-case hex digits{hint}")]
    Format {
        /// The file in question, as it was given.
        path: String,
        /// What can be done, if that is known.
        hint: &'static str,
    },
}

/// 32 random bytes as 64 hex digits. Whoever has it may send every control message.
#[derive(Clone)]
pub struct AdminToken {
    text: String,
    warning: Option<String>,
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

impl AdminToken {
    /// Reads the token in `data_dir`, or makes one if there is none.
    ///
    /// # Errors
    /// If it cannot be read or made. A file that is there but wrong is never replaced.
    pub fn open_or_create(data_dir: &Path, randomness: &dyn Randomness) -> Result<Self, AdminTokenError> {
        let path = data_dir.join(FILE_NAME);
        if !path.exists() {
            let mut bytes = [0; LEN];
            randomness.fill(&mut bytes)?;
            let text = format!("{}\n", hex::encode(bytes));
            match secret_file::create(&path, text.as_bytes(), randomness) {
                Ok(()) | Err(SecretFileError::Exists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Self::read(&path).map_err(|error| match error {
            // Only this file is the pool's own, to be made anew.
            AdminTokenError::Format { path, .. } => AdminTokenError::Format {
                path,
                hint: "; move it away, and the next start makes a new one",
            },
            other => other,
        })
    }

    /// Reads a token file.
    ///
    /// # Errors
    /// If it cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, AdminTokenError> {
        let file = secret_file::read(path)?;
        let text = file.text.trim();
        let hex_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * LEN || !text.bytes().all(hex_digit) {
            let is_key_file = text.starts_with('{');
            return Err(AdminTokenError::Format {
                path: path.display().to_string(),
                hint: if is_key_file {
                    "; it looks like a key file, which is given with --hotkey"
                } else {
                    ""
                },
            });
        }
        Ok(Self {
            text: text.to_owned(),
            warning: file.warning,
        })
    }

    /// The token, to be sent as `Authorization: Bearer`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the operator should know about the file, if anything.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Whether `candidate` is the token. How long this takes tells nothing about the token: what is compared
    /// are two digests, whose common beginning the sender of a guess cannot choose.
    pub fn matches(&self, candidate: &str) -> bool {
        let (ours, theirs) = (Sha256::digest(&self.text), Sha256::digest(candidate));
        let difference = ours
            .iter()
            .zip(theirs.iter())
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_system::entropy::SystemRandomness;
    use dwarves_system::entropy::testing::Constant;

    #[test]
    fn the_token_outlives_a_restart_and_matches_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let token = AdminToken::open_or_create(folder.path(), &SystemRandomness).unwrap();
        let again = AdminToken::open_or_create(folder.path(), &SystemRandomness).unwrap();
        assert!(again.matches(token.text()));
        assert_eq!(token.text().len(), 64);
        let upper = token.text().to_uppercase() + "G";
        for wrong in ["", "x", &token.text()[1..], &upper] {
            assert!(!token.matches(wrong), "{wrong}");
        }
        assert!(!format!("{token:?}").contains(token.text()));
    }

    #[test]
    fn nobody_is_told_to_do_away_with_a_file_that_is_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.hotkey");
        for (text, hint) in [
            ("{\"secretSeed\":\"0x11\"}", "--hotkey"),
            ("something", "hex digits"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = AdminToken::read(&path).unwrap_err().to_string();
            assert!(error.ends_with(hint), "{error}");
            assert!(!error.contains("delete") && !error.contains("move"), "{error}");
        }
    }

    #[test]
    fn a_file_with_something_else_is_reported_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        for wrong in ["", "secret", &"F".repeat(64)] {
            std::fs::write(&path, wrong).unwrap();
            let error = AdminToken::open_or_create(folder.path(), &Constant(7)).unwrap_err();
            assert!(error.to_string().contains("64 lower-case hex digits"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), wrong);
        }
    }
}
