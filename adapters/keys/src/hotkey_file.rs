//! A hotkey's key pair in the form of Bittensor's key files.
//!
//! The pair comes from a BIP39 phrase as Substrate makes it (`substrate-bip39`): the mini secret is the first
//! 32 bytes of PBKDF2-HMAC-SHA512 over the phrase's entropy (not its words, as BIP39 itself has it) with the
//! salt `mnemonic` and the password, 2048 rounds; it is expanded in Ed25519 mode. The file is the JSON of an
//! unencrypted Bittensor key file, so `bittensor` reads what is written here and the other way round.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bip39::{Language, Mnemonic};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::signature::{KeyType, SignedRequest};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, Mac};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, SecretKey};
use sha2::{Sha256, Sha512};

use super::secret_file::{self, SecretFileError};
use dwarves_system::entropy::{EntropyError, Randomness};

mod json;

/// The rounds of PBKDF2 that BIP39 prescribes.
const ROUNDS: u32 = 2048;
/// The context in which Substrate signs with sr25519.
const SIGNING_CONTEXT: &[u8] = b"substrate";

/// How many words a new phrase has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhraseWords {
    /// 128 bits of entropy, which is what an sr25519 key is worth.
    #[default]
    Twelve,
    /// 256 bits of entropy.
    TwentyFour,
}

/// Why there is no key pair.
#[derive(Debug, thiserror::Error)]
pub enum HotkeyFileError {
    /// The words are no phrase.
    #[error("not a recovery phrase: {0}")]
    Phrase(String),
    /// The file is no key file.
    #[error("{path} is not a key file: {what}")]
    Format {
        /// The file in question, as it was given.
        path: String,
        /// What is wrong, naming the field.
        what: String,
    },
    /// Writing or reading failed.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// A pair of one of the two kinds.
#[derive(Clone)]
enum Pair {
    /// Substrate's default, and what is made here.
    Sr25519(Box<Keypair>),
    /// Read from a file; new ones are never of this kind.
    Ed25519(Box<SigningKey>),
}

/// A key pair with what it was made of.
#[derive(Clone)]
pub struct HotkeyFile {
    pair: Pair,
    /// The phrase, if it is known.
    phrase: Option<String>,
    /// The mini secret, if it is known. Keys that were derived by a path (`//Alice`) have none.
    seed: Option<[u8; 32]>,
    warning: Option<String>,
}

impl std::fmt::Debug for HotkeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HotkeyFile({}, ..)", self.hotkey())
    }
}

/// The headers of a signed request: names and values.
pub type SignedHeaders = Vec<(&'static str, String)>;

impl HotkeyFile {
    /// A new key pair from a new phrase.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn generate(words: PhraseWords, randomness: &dyn Randomness) -> Result<Self, HotkeyFileError> {
        let mut entropy = [0; 32];
        let len = match words {
            PhraseWords::Twelve => 16,
            PhraseWords::TwentyFour => 32,
        };
        randomness.fill(&mut entropy[..len])?;
        let phrase = Mnemonic::from_entropy(&entropy[..len])
            .map_err(|error| HotkeyFileError::Phrase(error.to_string()))?;
        Ok(Self::from_mnemonic(&phrase, "", KeyType::Sr25519))
    }

    /// The key pair of a phrase of English words. Bittensor's hotkeys have an empty `password`.
    ///
    /// # Errors
    /// If a word is unknown, the number of words is wrong or the checksum is.
    pub fn from_phrase(phrase: &str, password: &str) -> Result<Self, HotkeyFileError> {
        Self::from_phrase_of(phrase, password, KeyType::Sr25519)
    }

    fn from_phrase_of(phrase: &str, password: &str, scheme: KeyType) -> Result<Self, HotkeyFileError> {
        let mnemonic = Mnemonic::parse_in(Language::English, phrase.trim().to_lowercase())
            .map_err(|error| HotkeyFileError::Phrase(explain_phrase(&error)))?;
        Ok(Self::from_mnemonic(&mnemonic, password, scheme))
    }

    fn from_mnemonic(mnemonic: &Mnemonic, password: &str, scheme: KeyType) -> Self {
        let mut stretched = [0; 64];
        pbkdf2::pbkdf2::<Hmac<Sha512>>(
            &mnemonic.to_entropy(),
            format!("mnemonic{password}").as_bytes(),
            ROUNDS,
            &mut stretched,
        )
        .expect("HMAC takes keys of any length");
        let mut seed = [0; 32];
        seed.copy_from_slice(&stretched[..32]);
        let mut key = Self::from_seed_of(seed, scheme);
        key.phrase = Some(mnemonic.to_string());
        key
    }

    /// The key pair of a mini secret.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self::from_seed_of(seed, KeyType::Sr25519)
    }

    fn from_seed_of(seed: [u8; 32], scheme: KeyType) -> Self {
        let pair = match scheme {
            KeyType::Sr25519 => {
                let mini = MiniSecretKey::from_bytes(&seed).expect("a mini secret is any 32 bytes");
                Pair::Sr25519(Box::new(mini.expand_to_keypair(ExpansionMode::Ed25519)))
            }
            KeyType::Ed25519 => Pair::Ed25519(Box::new(SigningKey::from_bytes(&seed))),
        };
        Self {
            pair,
            phrase: None,
            seed: Some(seed),
            warning: None,
        }
    }

    fn from_secret(secret: SecretKey) -> Self {
        Self {
            pair: Pair::Sr25519(Box::new(secret.to_keypair())),
            phrase: None,
            seed: None,
            warning: None,
        }
    }

    /// Writes the key pair to a new file of mode 0600.
    ///
    /// # Errors
    /// [`SecretFileError::Exists`] if there is a file of this name; it is not touched.
    pub fn create(&self, path: &Path, randomness: &dyn Randomness) -> Result<(), SecretFileError> {
        secret_file::create(path, json::write(self).as_bytes(), randomness)
    }

    /// Reads a key file, written by this program or by `bittensor` (unencrypted, sr25519 or ed25519).
    ///
    /// # Errors
    /// If it cannot be read, has another form, or if its parts do not belong together.
    pub fn read(path: &Path) -> Result<Self, HotkeyFileError> {
        let file = secret_file::read(path)?;
        let mut key = json::read(&file.text).map_err(|what| HotkeyFileError::Format {
            path: path.display().to_string(),
            what,
        })?;
        key.warning = file.warning;
        Ok(key)
    }

    /// The public key.
    pub fn hotkey(&self) -> Hotkey {
        Hotkey::from_bytes(match &self.pair {
            Pair::Sr25519(pair) => pair.public.to_bytes(),
            Pair::Ed25519(pair) => pair.verifying_key().to_bytes(),
        })
    }

    /// Which kind of signature it makes.
    pub fn scheme(&self) -> KeyType {
        match &self.pair {
            Pair::Sr25519(_) => KeyType::Sr25519,
            Pair::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// The phrase from which the pair can be made again, if it is known. Whoever has it has the key.
    pub fn phrase(&self) -> Option<&str> {
        self.phrase.as_deref()
    }

    /// What the operator should know about the file that was read, if anything.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// A secret of its own for each `label` (HMAC-SHA-256 with the secret key); none tells anything about another or
    /// about the key.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    pub fn derive(&self, label: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.secret_bytes()).expect("HMAC takes keys of any length");
        mac.update(label);
        mac.finalize().into_bytes().into()
    }

    /// The secret key's bytes, 64 of sr25519 and 32 of ed25519.
    pub(crate) fn secret_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Sr25519(pair) => pair.secret.to_bytes().to_vec(),
            Pair::Ed25519(pair) => pair.to_bytes().to_vec(),
        }
    }

    /// A signature over `message`. Those of sr25519 are randomised: two of one message differ.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        match &self.pair {
            Pair::Sr25519(pair) => pair.sign_simple(SIGNING_CONTEXT, message).to_bytes(),
            Pair::Ed25519(pair) => pair.sign(message).to_bytes(),
        }
    }

    /// The headers that make a request signed (`btauth/1`).
    ///
    /// `method` is upper case, `path` with its query and `body` are exactly as they will be sent, and
    /// `receiver` is the pool's hotkey.
    pub fn sign_request(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        nonce: RequestNonce,
        receiver: Hotkey,
    ) -> SignedHeaders {
        let request = SignedRequest {
            scheme: self.scheme(),
            method,
            path,
            body,
            nonce_nanos: nonce.0,
            sender: self.hotkey(),
            receiver,
        };
        let signature = self.sign(&request.payload());
        let mut headers = vec![
            ("X-Bittensor-Version", "1".to_owned()),
            ("X-Bittensor-Hotkey", self.hotkey().to_string()),
            ("X-Bittensor-Receiver", receiver.to_string()),
            ("X-Bittensor-Nonce", nonce.0.to_string()),
            ("X-Bittensor-Signature", format!("0x{}", hex::encode(signature))),
        ];
        if self.scheme() != KeyType::Sr25519 {
            headers.push(("X-Bittensor-Crypto", self.scheme().as_str().to_owned()));
        }
        headers
    }
}

/// The nonce of a signed request: Unix time in nanoseconds, good once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestNonce(u64);

/// The last nonce that this process used. Clocks tick coarsely, so two requests may fall on one instant.
static LAST_NONCE: AtomicU64 = AtomicU64::new(0);

impl RequestNonce {
    /// The nonce of a request made at `now_nanos`, or the next free one if this process used that before.
    pub fn at(now_nanos: u64) -> Self {
        let last = LAST_NONCE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            Some(nonce_after(last, now_nanos))
        });
        let last = last.expect("the update never declines");
        Self(nonce_after(last, now_nanos))
    }

    /// The number.
    pub const fn nanos(self) -> u64 {
        self.0
    }
}

/// The nonce to use at `now` when `last` was used before.
fn nonce_after(last: u64, now: u64) -> u64 {
    // A clock that was set back by more than a second really is back: a nonce of its old time would be
    // refused as too far ahead.
    if last >= now && last - now < 1_000_000_000 {
        last + 1
    } else {
        now
    }
}

/// What is wrong with a phrase, without repeating its secret words.
fn explain_phrase(error: &bip39::Error) -> String {
    match error {
        bip39::Error::BadWordCount(count) => {
            format!("it has {count} words; a phrase has 12, 15, 18, 21 or 24")
        }
        bip39::Error::UnknownWord(index) => {
            format!("word {} is not in the English BIP39 list", index + 1)
        }
        bip39::Error::InvalidChecksum => {
            "its checksum is wrong: a word is mistyped or out of order".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
