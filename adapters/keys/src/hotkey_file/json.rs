//! The JSON of an unencrypted Bittensor key file.
//!
//! Fields as `bittensor-wallet` writes them: `accountId` and `publicKey` (the same 32 bytes), `privateKey`
//! (64 bytes of sr25519, 32 of ed25519), `secretPhrase` and `secretSeed` where they are known, `ss58Address`, and
//! `cryptoType` 1 for sr25519 or 0 for ed25519. Byte strings are hex with `0x`. Files of old versions lack `privateKey`
//! and `cryptoType`, and up to `bittensor-wallet` 4.0.1 a `cryptoType` that is a number makes a file unreadable. Without
//! one all versions take it for sr25519, so none is written.

use dwarves_domain::signature::KeyType;
use schnorrkel::SecretKey;
use serde::{Deserialize, Serialize};

use super::HotkeyFile;

/// The kinds of keys, as Substrate's libraries number them.
const ED25519: u8 = 0;
const SR25519: u8 = 1;

/// A number, or a text of it, as old versions want it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum CryptoType {
    Number(u8),
    Text(String),
}

impl CryptoType {
    fn number(&self) -> Option<u8> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    account_id: Option<String>,
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_seed: Option<String>,
    #[serde(rename = "ss58Address")]
    ss58_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crypto_type: Option<CryptoType>,
    /// Of a file that polkadot-js exported, which is always encrypted.
    #[serde(skip_serializing)]
    encoded: Option<serde_json::Value>,
}

fn to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// `N` bytes of hex digits, with or without `0x`.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes).ok()?;
    Some(bytes)
}

/// The file's text.
pub(super) fn write(key: &HotkeyFile) -> String {
    let public = to_hex(key.hotkey().as_bytes());
    let json = Json {
        account_id: Some(public.clone()),
        public_key: Some(public),
        private_key: Some(to_hex(&key.secret_bytes())),
        secret_phrase: key.phrase.clone(),
        secret_seed: key.seed.map(|seed| to_hex(&seed)),
        ss58_address: Some(key.hotkey().to_string()),
        crypto_type: match key.scheme() {
            KeyType::Sr25519 => None,
            KeyType::Ed25519 => Some(CryptoType::Number(ED25519)),
        },
        encoded: None,
    };
    serde_json::to_string(&json).expect("texts and a number are JSON")
}

/// The key pair in a file's text. The error says what is wrong and never repeats a secret.
pub(super) fn read(text: &str) -> Result<HotkeyFile, String> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| format!("expected the JSON of a Bittensor key file ({error})"))?;
    if json.encoded.is_some() {
        return Err("it is encrypted, as polkadot-js exports keys; give its phrase to `dwarves hotkey new FILE --phrase-stdin`".to_owned());
    }
    let scheme = match json.crypto_type.as_ref().map(CryptoType::number) {
        None | Some(Some(SR25519)) => KeyType::Sr25519,
        Some(Some(ED25519)) => KeyType::Ed25519,
        Some(_) => return Err("cryptoType: expected 1 (sr25519) or 0 (ed25519)".to_owned()),
    };
    let key = secret_of(&json, scheme)?;
    check_public(&json, &key)?;
    Ok(key)
}

/// The pair by the best of what the file holds: phrase, seed or private key, which must agree.
fn secret_of(json: &Json, scheme: KeyType) -> Result<HotkeyFile, String> {
    // bittensor-wallet 4.1 writes the bytes of a seed as text when the key was made from the seed alone; the
    // private key beside it is sound, so a seed that is no hex counts as absent if there is one.
    let seed = json.secret_seed.as_deref().and_then(from_hex::<32>);
    let private = json.private_key.as_deref().map(|text| private_key(text, scheme));
    let private = private.transpose()?;
    let key = match (&json.secret_phrase, seed, private) {
        (Some(phrase), seed, _) => {
            let key = HotkeyFile::from_phrase_of(phrase, "", scheme)
                .map_err(|error| format!("secretPhrase: {error}"))?;
            if seed.is_some() && seed != key.seed {
                return Err("secretSeed is not that of secretPhrase".to_owned());
            }
            key
        }
        (None, Some(seed), _) => HotkeyFile::from_seed_of(seed, scheme),
        (None, None, Some(key)) => key,
        (None, None, None) if json.secret_seed.is_some() => {
            return Err("secretSeed: expected 64 hex digits".to_owned());
        }
        (None, None, None) => {
            return Err("it holds no secret: expected secretPhrase, secretSeed or privateKey".to_owned());
        }
    };
    Ok(key)
}

fn private_key(text: &str, scheme: KeyType) -> Result<HotkeyFile, String> {
    match scheme {
        KeyType::Sr25519 => from_hex::<64>(text)
            .and_then(|bytes| SecretKey::from_bytes(&bytes).ok())
            .map(HotkeyFile::from_secret)
            .ok_or_else(|| "privateKey: expected 128 hex digits of an sr25519 secret key".to_owned()),
        KeyType::Ed25519 => from_hex::<32>(text)
            .map(|seed| HotkeyFile::from_seed_of(seed, scheme))
            .ok_or_else(|| "privateKey: expected 64 hex digits of an ed25519 secret key".to_owned()),
    }
}

/// The public parts must be those of the secret: else the file is a mix of two keys.
fn check_public(json: &Json, key: &HotkeyFile) -> Result<(), String> {
    let hotkey = key.hotkey();
    if let Some(address) = &json.ss58_address
        && *address != hotkey.to_string()
    {
        return Err(format!(
            "ss58Address is {address}, but the secret is that of {hotkey}"
        ));
    }
    for (name, field) in [("publicKey", &json.public_key), ("accountId", &json.account_id)] {
        if let Some(text) = field
            && from_hex::<32>(text) != Some(*hotkey.as_bytes())
        {
            return Err(format!(
                "{name} is not that of the secret, whose hotkey is {hotkey}"
            ));
        }
    }
    if let Some(text) = &json.private_key
        && hex::decode(text.strip_prefix("0x").unwrap_or(text)) != Ok(key.secret_bytes())
    {
        return Err(format!(
            "privateKey is not that of the secret, whose hotkey is {hotkey}"
        ));
    }
    Ok(())
}
