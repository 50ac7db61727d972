//! Which validator is asking, and how often it may.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dwarves_domain::limits::{Empty, Rate, TokenBucket};
use dwarves_domain::time::Timestamp;
use sha2::{Digest, Sha256};

/// The longest `Authorization` header that is looked at.
const HEADER_LEN_MAX: usize = 1_024;

/// A validator, and the SHA-256 of its token: the token itself is not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Validator {
    /// Its name, for the log.
    pub name: String,
    /// The SHA-256 of its token.
    pub digest: [u8; 32],
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({})", self.name)
    }
}

impl Validator {
    /// The validator with this token.
    pub fn of_token(name: String, token: &str) -> Self {
        Self {
            name,
            digest: Sha256::digest(token.as_bytes()).into(),
        }
    }
}

/// The token in an `Authorization` header: of a bearer, as the password of a basic login (which is what clients make of
/// `http://user:token@host`), or by itself, as Luxor's clients send it. `None`: there is none in it.
pub fn token_in(header: &str) -> Option<String> {
    if header.len() > HEADER_LEN_MAX {
        return None;
    }
    let (scheme, rest) = header.trim_start().split_once(' ').unwrap_or(("", header));
    let token = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest.trim()).ok()?;
        let login = String::from_utf8(decoded).ok()?;
        login.split_once(':')?.1.to_owned()
    } else if scheme.is_empty() || scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
    } else {
        return None;
    };
    (!token.is_empty()).then_some(token)
}

/// Those who may ask, with what each has left.
#[derive(Debug)]
pub struct Doorkeeper {
    known: Vec<(Validator, TokenBucket)>,
}

/// Why somebody may not ask now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Nobody has this token.
    Unknown,
    /// It has asked too often.
    TooOften(Empty),
}

impl Doorkeeper {
    /// Each may ask so many times in a minute.
    pub fn new(validators: Vec<Validator>, per_minute: u32) -> Self {
        let bucket = TokenBucket::full(Rate::per_minute(per_minute));
        Self {
            known: validators
                .into_iter()
                .map(|validator| (validator, bucket))
                .collect(),
        }
    }

    /// Lets one in, and gives its name. Digests are compared, so the time that it takes tells nothing of a token.
    ///
    /// # Errors
    /// If there is none with this token, or it has asked too often.
    pub fn admit(&mut self, token: Option<&str>, now: Timestamp) -> Result<&str, Turned> {
        let digest: [u8; 32] = Sha256::digest(token.ok_or(Turned::Unknown)?.as_bytes()).into();
        let mut known = self.known.iter_mut();
        let known = known.find(|(validator, _)| validator.digest == digest);
        let (validator, bucket) = known.ok_or(Turned::Unknown)?;
        bucket.take(now).map_err(Turned::TooOften)?;
        Ok(&validator.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_comes_in_three_forms() {
        let basic = format!("Basic {}", STANDARD.encode("any:to:ken"));
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("abc", Some("abc")),
            (basic.as_str(), Some("to:ken")),
            ("Basic abc", None),
            ("Digest abc", None),
            ("Bearer ", None),
            ("", None),
        ] {
            assert_eq!(token_in(header).as_deref(), token, "{header}");
        }
        assert_eq!(token_in(&"x".repeat(2_000)), None);
    }

    #[test]
    fn each_has_its_own_rate_and_strangers_none() {
        let validators = ["one", "two"].map(|name| Validator::of_token(name.to_owned(), name));
        let mut door = Doorkeeper::new(validators.to_vec(), 2);
        let now = Timestamp::from_secs(1_700_000_000);
        for _ in 0..2 {
            assert_eq!(door.admit(Some("one"), now), Ok("one"));
        }
        let refused = door.admit(Some("one"), now);
        assert!(
            matches!(refused, Err(Turned::TooOften(Empty { try_again })) if try_again.secs() == 30),
            "{refused:?}"
        );
        assert_eq!(door.admit(Some("two"), now), Ok("two"));
        for stranger in [None, Some("three"), Some("on"), Some("one ")] {
            assert_eq!(door.admit(stranger, now), Err(Turned::Unknown));
        }
        let later = Timestamp::from_secs(1_700_000_030);
        assert_eq!(door.admit(Some("one"), later), Ok("one"));
        assert_eq!(format!("{:?}", validators[0]), "Validator(one)");
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in ".{0,200}") {
            let _ = (token_in(&header), token_in(&format!("Basic {header}")));
        }
    }
}
