//! Where a miner's channel leads, as text: read as strictly as it can be, for it is a stranger's word.
//!
//! Whether the pool may go there is decided when it goes, by the address that the name has then
//! ([`crate::network::public`]). What is refused here is what no receiver needs and what programs read differently.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest address, in bytes.
const LEN_MAX: usize = 512;

/// `https://HOST[:PORT]/PATH`, or the same with `http`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReceiverUrl {
    text: String,
    is_encrypted: bool,
    /// Where the host begins and ends.
    host: (usize, usize),
    port: u16,
}

/// Why an address is none that a channel may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is too long.
    #[error("at most {LEN_MAX} characters")]
    TooLong,
    /// Spaces, control characters, or letters beyond ASCII.
    #[error("expected visible ASCII characters; write a name with other letters as punycode")]
    Letters,
    /// Another scheme, or none.
    #[error("expected an address that begins with https://")]
    Scheme,
    /// A login, a fragment or a backslash.
    #[error("no login, no fragment and no backslash belongs here")]
    Parts,
    /// There is no host, or none that could be one.
    #[error("expected a host's name or address after the scheme")]
    Host,
    /// The port is none.
    #[error("expected a port from 1 to 65535")]
    Port,
}

impl ReceiverUrl {
    /// The whole address. It may hold a secret: it is never logged, and its owner alone reads it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether what is sent there is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// The host, in lower case, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        &self.text[self.host.0..self.host.1]
    }

    /// The port, or the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn is_host(host: &str, is_bracketed: bool) -> bool {
    if is_bracketed {
        return host.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let bare = host.strip_suffix('.').unwrap_or(host);
    host.len() <= 253 && bare.split('.').all(is_label)
}

fn port_of(digits: &str) -> Option<u16> {
    let is_plain = digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| is_plain && *port > 0)
}

impl FromStr for ReceiverUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LEN_MAX {
            return Err(UrlError::TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UrlError::Letters);
        }
        let (is_encrypted, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            (None, None) => return Err(UrlError::Scheme),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') || text.contains(['#', '\\']) {
            return Err(UrlError::Parts);
        }
        let begin = text.len() - rest.len();
        let (host_at, host, port, is_bracketed) = match authority.strip_prefix('[') {
            Some(inside) => {
                let (host, port) = inside.split_once(']').ok_or(UrlError::Host)?;
                (begin + 1, host, port, true)
            }
            None => {
                let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                (begin, host, port, false)
            }
        };
        if !is_host(host, is_bracketed) {
            return Err(UrlError::Host);
        }
        let port = match port.strip_prefix(':') {
            Some(digits) => port_of(digits).ok_or(UrlError::Port)?,
            None if port.is_empty() && is_encrypted => 443,
            None if port.is_empty() => 80,
            None => return Err(UrlError::Port),
        };
        // A host is the same in every spelling, and a limit of each host counts it once.
        let scheme = &text[..begin];
        let lower = authority.to_ascii_lowercase();
        Ok(Self {
            is_encrypted,
            host: (host_at, host_at + host.len()),
            port,
            text: format!("{scheme}{lower}{path}"),
        })
    }
}

impl TryFrom<String> for ReceiverUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ReceiverUrl> for String {
    fn from(url: ReceiverUrl) -> Self {
        url.text
    }
}

impl fmt::Debug for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverUrl({}:{})", self.host(), self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_read_and_kept_as_it_is() {
        for (text, host, port) in [
            ("https://example.org", "example.org", 443),
            ("https://Example.ORG/Hook?Key=V", "example.org", 443),
            ("https://example.org:8443/x", "example.org", 8_443),
            ("http://example.org", "example.org", 80),
            ("https://[2606:4700::1]:444/x", "2606:4700::1", 444),
            ("https://8.8.8.8?x", "8.8.8.8", 443),
            ("https://a_b.example.org./x", "a_b.example.org.", 443),
        ] {
            let url: ReceiverUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!(url.is_encrypted(), text.starts_with("https"));
            let stored = serde_json::to_string(&url).unwrap();
            assert_eq!(serde_json::from_str::<ReceiverUrl>(&stored).unwrap(), url);
            assert!(!format!("{url:?}").contains("Key"), "a path may be a secret");
        }
        let url: ReceiverUrl = "https://Example.ORG/Hook?Key=V".parse().unwrap();
        assert_eq!(url.as_str(), "https://example.org/Hook?Key=V");
    }

    #[test]
    fn what_is_no_address_is_refused_by_what_is_wrong() {
        let long = format!("https://example.org/{}", "x".repeat(512));
        for (text, wrong) in [
            ("", UrlError::Scheme),
            ("example.org", UrlError::Scheme),
            ("ftp://example.org", UrlError::Scheme),
            ("HTTPS://example.org", UrlError::Scheme),
            ("file:///etc/passwd", UrlError::Scheme),
            ("https://exa mple.org", UrlError::Letters),
            ("https://exämple.org", UrlError::Letters),
            ("https://example.org/\r\nx: y", UrlError::Letters),
            ("https://me:pw@example.org", UrlError::Parts),
            ("https://example.org/#x", UrlError::Parts),
            ("https://example.org\\@x.org/", UrlError::Parts),
            ("https://", UrlError::Host),
            ("https:///x", UrlError::Host),
            ("https://a..b", UrlError::Host),
            ("https://%31.example.org", UrlError::Host),
            ("https://[::1", UrlError::Host),
            ("https://[example.org]", UrlError::Host),
            ("https://example.org:", UrlError::Port),
            ("https://example.org:0", UrlError::Port),
            ("https://example.org:65536", UrlError::Port),
            ("https://example.org:+80", UrlError::Port),
            ("https://[2606:4700::1]443", UrlError::Port),
            (long.as_str(), UrlError::TooLong),
        ] {
            assert_eq!(text.parse::<ReceiverUrl>().err(), Some(wrong), "{text}");
        }
    }

    proptest! {
        /// Whatever is read is read the same when it was stored, and nothing panics.
        #[test]
        fn what_is_read_once_is_read_the_same_again(text in "https?://[a-zA-Z0-9.:\\[\\]_@/?#-]{0,40}") {
            if let Ok(url) = text.parse::<ReceiverUrl>() {
                prop_assert_eq!(url.as_str().parse::<ReceiverUrl>().unwrap(), url);
            }
        }
    }
}
