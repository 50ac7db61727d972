//! The headers of a call, in their form; what they claim is not checked yet.
//!
//! Those that a dendrite sends beside them (`name`, `header_size`, `total_size`, `bt_header_input_obj_...`) are nothing
//! that a server needs, and prove nothing.

use std::time::Duration;

use dwarves_domain::hotkey::Hotkey;
use dwarves_http::problem::Code;

use crate::fault::Fault;

/// The least version of a dendrite: those before it sign no time that can be compared with a clock.
pub const VERSION_LEAST: u64 = 7_002_000;
/// What a dendrite waits for if it does not say.
pub const TIMEOUT: Duration = Duration::from_secs(12);
/// The longest that is waited for anybody.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// The longest uuid; a real one has 36 characters.
const UUID_LEN_MAX: usize = 64;
/// The longest text of a number.
const DIGITS_MAX: usize = 20;
const HASH_LEN: usize = 64;

/// How often a header is there, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent<'a> {
    /// It is not there.
    Never,
    /// It is there once, as text.
    Once(&'a str),
    /// It is there more than once, or is no text.
    Unclear,
}

/// A hotkey with a text that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The hotkey.
    pub hotkey: Hotkey,
    /// Its text.
    pub text: &'a str,
}

impl Named<'_> {
    /// Whether this text names it, too. Most do letter by letter, which spares reading them.
    pub fn is(self, text: &str) -> bool {
        text == self.text || text.parse() == Ok(self.hotkey)
    }
}

/// The headers of a call that say who signed what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallHeaders<'a> {
    /// When it was signed, in Unix nanoseconds.
    pub nonce_nanos: u64,
    /// The dendrite that signed.
    pub uuid: &'a str,
    /// Who signed, as text.
    pub hotkey: &'a str,
    /// The signature.
    pub signature: [u8; 64],
    /// The hash of the signed fields, as text.
    pub body_hash: &'a str,
    /// How long the caller waits. It is not signed.
    pub timeout: Duration,
}

/// Plain digits without a sign, a leading zero or anything else that Python would also take for a number.
fn digits(text: &str) -> Option<u64> {
    let plain = text.len() <= DIGITS_MAX && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if plain && !leading_zero {
        text.parse().ok()
    } else {
        None
    }
}

/// A number of seconds as Python writes a float.
fn secs(text: &str) -> Option<Duration> {
    let is_plain = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'-' | b'+');
    if text.len() > DIGITS_MAX || !text.bytes().all(is_plain) {
        return None;
    }
    let secs: f64 = text.parse().ok().filter(|secs| *secs > 0.0)?;
    let timeout = Duration::from_secs_f64(secs.min(TIMEOUT_MAX.as_secs_f64()));
    // What is less than a nanosecond is no time.
    (!timeout.is_zero()).then_some(timeout)
}

impl<'a> CallHeaders<'a> {
    /// Reads them; `header` looks one up by its name. `pool` is whom the call must be meant for.
    ///
    /// # Errors
    /// 401 if what proves the caller is missing or not in its form, 400 for all else that is wrong.
    pub fn read(header: impl Fn(&'static str) -> Sent<'a>, pool: Named<'_>) -> Result<Self, Fault> {
        let text = |name: &'static str| match header(name) {
            Sent::Never => Ok(None),
            Sent::Once(text) => Ok(Some(text)),
            Sent::Unclear => Err(Fault::malformed(format_args!(
                "{name}: expected once, as visible ASCII"
            ))),
        };
        let proof = |name: &'static str| {
            text(name)?.ok_or_else(|| {
                Fault::unverified(
                    Code::AuthMalformed,
                    format_args!("{name}: this header is missing"),
                )
            })
        };
        let Some(signature) = text("bt_header_dendrite_signature")? else {
            return Err(Fault::unverified(Code::SignatureMissing, "Missing Signature"));
        };
        let version = proof("bt_header_dendrite_version")?;
        if digits(version).is_none_or(|version| version < VERSION_LEAST) {
            return Err(Fault::unverified(
                Code::AuthMalformed,
                format_args!(
                    "bt_header_dendrite_version: expected {VERSION_LEAST} (bittensor 7.2.0) or more"
                ),
            ));
        }
        let hotkey = proof("bt_header_dendrite_hotkey")?;
        let uuid = proof("bt_header_dendrite_uuid")?;
        let is_uuid = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if uuid.is_empty() || uuid.len() > UUID_LEN_MAX || !uuid.bytes().all(is_uuid) {
            return Err(Fault::malformed(format_args!(
                "bt_header_dendrite_uuid: expected at most {UUID_LEN_MAX} letters, digits and '-'"
            )));
        }
        let nonce_nanos = digits(proof("bt_header_dendrite_nonce")?).ok_or_else(|| {
            Fault::malformed(
                "bt_header_dendrite_nonce: expected Unix time in nanoseconds in plain decimal digits",
            )
        })?;
        let mut bytes = [0; 64];
        let hex = signature.strip_prefix("0x");
        if hex.is_none_or(|hex| hex::decode_to_slice(hex, &mut bytes).is_err()) {
            return Err(Fault::unverified(
                Code::AuthMalformed,
                "bt_header_dendrite_signature: expected 0x and 128 hex digits",
            ));
        }
        let body_hash = text("computed_body_hash")?.unwrap_or_default();
        if body_hash.len() != HASH_LEN || !body_hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Fault::malformed(
                "computed_body_hash: expected 64 lower-case hex digits",
            ));
        }
        let timeout = match text("timeout")? {
            None => TIMEOUT,
            Some(text) => {
                secs(text).ok_or_else(|| Fault::malformed("timeout: expected a number of seconds above 0"))?
            }
        };
        // It is no proof: the signature is. But it says better what is wrong.
        let receiver = text("bt_header_axon_hotkey")?;
        if receiver.is_some_and(|receiver| !pool.is(receiver)) {
            return Err(Fault::unverified(
                Code::WrongReceiver,
                format_args!(
                    "the call is for another axon; this pool's hotkey is {}",
                    pool.text
                ),
            ));
        }
        Ok(Self {
            nonce_nanos,
            uuid,
            hotkey,
            signature: bytes,
            body_hash,
            timeout,
        })
    }

    /// What is signed.
    pub fn message(&self, pool: Named<'_>) -> Vec<u8> {
        let pool = pool.text;
        let Self {
            nonce_nanos,
            uuid,
            hotkey,
            body_hash,
            ..
        } = self;
        format!("{nonce_nanos}.{hotkey}.{pool}.{uuid}.{body_hash}").into_bytes()
    }
}
