//! The operator's bearer token, compared without telling how much of it was right.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The bearer token that lets its holder send control messages. Only a keyed hash of it is kept.
#[derive(Clone)]
pub struct AdminToken(Hmac<Sha256>);

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

/// The keyed hash of a token. The token is the message, not the key: HMAC pads short keys, so that a key
/// and the same key with a zero byte behind it are one.
fn keyed(token: &str) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(b"dwarves admin token").expect("HMAC takes keys of any length");
    mac.update(token.as_bytes());
    mac
}

impl AdminToken {
    /// The token with this text. An empty text matches nothing.
    pub fn new(token: &str) -> Self {
        Self(keyed(token))
    }

    /// Whether `presented` is the token. Takes the same time for every wrong one of the same length.
    pub fn matches(&self, presented: &str) -> bool {
        let expected = self.0.clone().finalize().into_bytes();
        keyed(presented).verify(&expected).is_ok() && !presented.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_token_matches_and_it_never_prints() {
        let token = AdminToken::new("sesame-0123456789");
        assert!(token.matches("sesame-0123456789"));
        for wrong in [
            "",
            "sesame-012345678",
            "sesame-01234567890",
            "sesame-0123456789\0",
            "Sesame-0123456789",
        ] {
            assert!(!token.matches(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "AdminToken(..)");
        assert!(!AdminToken::new("").matches(""));
    }
}
