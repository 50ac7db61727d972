//! Where a node is and how to log in.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error::RpcError;

/// The longest cookie file worth reading, in bytes. The node's own have about 80.
const COOKIE_LEN_MAX: u64 = 4096;
/// What a wallet's name may hold in a path as it is (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why an address is none of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not of the right form. The address is not repeated: it may hold a password.
    #[error("not a node's address such as http://127.0.0.1:8332 or http://user:password@127.0.0.1:8332")]
    Form,
    /// User or password are not text once their percent signs are resolved.
    #[error("user or password in the node's address are not UTF-8; write special characters as %XX")]
    Login,
}

/// How to log in. `Debug` leaves out what is secret.
#[derive(Clone, PartialEq, Eq)]
enum Login {
    /// Not at all.
    None,
    /// With this `user:password`.
    Fixed(String),
    /// With the `user:password` in this file, which the node writes anew at every start.
    Cookie(PathBuf),
}

/// A node's address and login. `Debug` and `Display` leave out what is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, authority and path, without login and without a slash at its end.
    url: String,
    login: Login,
}

impl Endpoint {
    /// The node at `url`. User and password in the address (special characters as `%XX`) come before
    /// `cookie_file`.
    ///
    /// # Errors
    /// If `url` is no such address.
    pub fn new(url: &str, cookie_file: Option<&Path>) -> Result<Self, EndpointError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(EndpointError::Form)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        let is_plain = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if !matches!(scheme, "http" | "https")
            || host.is_empty()
            || path.contains(['?', '#'])
            || !is_plain(rest)
        {
            return Err(EndpointError::Form);
        }
        let login = match (login, cookie_file) {
            (Some(login), _) => Login::Fixed(decoded(login)?),
            (None, Some(file)) => Login::Cookie(file.to_owned()),
            (None, None) => Login::None,
        };
        let path = path.trim_end_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Ok(Self {
            url: format!("{scheme}://{host}{slash}{path}"),
            login,
        })
    }

    /// Whether both are the same node, however one logs in.
    pub fn is_at(&self, other: &Self) -> bool {
        self.url == other.url
    }

    /// The address for calls about `wallet`, or about none.
    pub(super) fn url_for(&self, wallet: Option<&str>) -> String {
        match wallet {
            None => format!("{}/", self.url),
            Some(wallet) => format!("{}/wallet/{}", self.url, utf8_percent_encode(wallet, ESCAPED)),
        }
    }

    /// Whether the login is read from a file, so that it may be another the next time.
    pub(super) fn has_cookie(&self) -> bool {
        matches!(self.login, Login::Cookie(_))
    }

    /// The value of the `Authorization` header (RFC 7617); a cookie is read anew. `None`: without login.
    pub(super) fn authorization(&self) -> Result<Option<String>, RpcError> {
        let basic = |login: &str| format!("Basic {}", BASE64_STANDARD.encode(login));
        match &self.login {
            Login::None => Ok(None),
            Login::Fixed(login) => Ok(Some(basic(login))),
            Login::Cookie(path) => {
                let cookie = read_cookie(path).map_err(|error| {
                    let path = path.display();
                    RpcError::Unauthorized(format!(
                        "the cookie file {path} cannot be read ({error}); is the node running?"
                    ))
                })?;
                Ok(Some(basic(cookie.trim_end_matches(['\r', '\n']))))
            }
        }
    }

    /// What may be wrong with the login, for people.
    pub(super) fn login_hint(&self) -> String {
        match &self.login {
            Login::None => "give a user and password in the node's url, or its cookie file".to_owned(),
            Login::Fixed(_) => "user or password in the node's url are wrong".to_owned(),
            Login::Cookie(path) => format!("the cookie in {} is not this node's", path.display()),
        }
    }
}

fn read_cookie(path: &Path) -> std::io::Result<String> {
    let mut cookie = String::new();
    std::fs::File::open(path)?
        .take(COOKIE_LEN_MAX)
        .read_to_string(&mut cookie)?;
    Ok(cookie)
}

fn decoded(login: &str) -> Result<String, EndpointError> {
    let login = percent_decode_str(login).decode_utf8();
    login.map(Into::into).map_err(|_| EndpointError::Login)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_never_shows_its_password() {
        let node = Endpoint::new("http://rpc:p%40ss%3Aw%2Fd@127.0.0.1:8332/", None).unwrap();
        assert_eq!(node.url_for(None), "http://127.0.0.1:8332/");
        assert_eq!(
            node.url_for(Some("po ol/1")),
            "http://127.0.0.1:8332/wallet/po%20ol%2F1"
        );
        let header = format!("Basic {}", BASE64_STANDARD.encode("rpc:p@ss:w/d"));
        assert_eq!(node.authorization().unwrap(), Some(header));
        assert_eq!(
            format!("{node} {node:?}"),
            "http://127.0.0.1:8332 Endpoint(http://127.0.0.1:8332)"
        );

        let behind_proxy = Endpoint::new("https://host/btc/", None).unwrap();
        assert_eq!(behind_proxy.url_for(None), "https://host/btc/");
        assert_eq!(behind_proxy.authorization().unwrap(), None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for bad in [
            "",
            "127.0.0.1:8332",
            "ftp://host",
            "http://",
            "http://u:p@",
            "http://h/?q",
            "http://h h",
        ] {
            assert_eq!(Endpoint::new(bad, None), Err(EndpointError::Form), "{bad}");
        }
        assert_eq!(
            Endpoint::new("http://%ff:x@host", None),
            Err(EndpointError::Login)
        );
    }

    #[test]
    fn a_cookie_is_read_each_time_and_a_missing_one_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".cookie");
        let node = Endpoint::new("http://host:1", Some(&file)).unwrap();
        let error = node.authorization().unwrap_err().to_string();
        assert!(
            error.contains(".cookie") && error.contains("is the node running?"),
            "{error}"
        );
        for secret in ["__cookie__:aa\n", "__cookie__:bb"] {
            std::fs::write(&file, secret).unwrap();
            let header = format!("Basic {}", BASE64_STANDARD.encode(secret.trim()));
            assert_eq!(node.authorization().unwrap(), Some(header));
        }
    }
}
