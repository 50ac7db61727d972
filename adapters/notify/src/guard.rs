//! Where the pool goes because a stranger asks it to: an address is judged after its name was looked up, and the connection
//! is made to the very address that was judged. Nothing looks the name up again, so it cannot lead elsewhere by then.

use std::fmt;
use std::net::SocketAddr;

use dwarves_domain::network::Subnet;
use dwarves_domain::network::public::is_public;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Which addresses strangers' channels may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Whether addresses count that do not belong to the public internet. For tests, and for pools among themselves.
    pub allow_private: bool,
    /// Networks to which nothing goes in any case.
    pub refused: Vec<Subnet>,
    /// Ports to which something goes; none named: to every one.
    pub ports: Vec<u16>,
}

impl Bounds {
    /// Whether something may go there.
    pub fn allow(&self, to: SocketAddr) -> bool {
        let ip = to.ip();
        (self.allow_private || is_public(ip))
            && !self.refused.iter().any(|network| network.contains(ip))
            && (self.ports.is_empty() || self.ports.contains(&to.port()))
    }
}

/// A name that leads to where the pool does not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its name leads to an address or a port to which this pool does not go")
    }
}

impl std::error::Error for NotPublic {}

/// Looks names up, and gives the addresses only if all of them are within the bounds: one that leads both ways is not
/// tried on luck.
pub(crate) struct GuardedResolver {
    bounds: Bounds,
    names: DefaultResolver,
}

impl GuardedResolver {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            names: DefaultResolver::default(),
        }
    }
}

impl fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardedResolver")
    }
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        if found.iter().all(|address| self.bounds.allow(*address)) {
            Ok(found)
        } else {
            Err(ureq::Error::Other(Box::new(NotPublic)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds {
            allow_private: false,
            refused: vec!["8.8.8.0/24".parse().unwrap()],
            ports: vec![443],
        }
    }

    #[test]
    fn only_public_addresses_that_are_not_refused_and_ports_that_are_named_are_within_the_bounds() {
        for (to, expected) in [
            ("1.1.1.1:443", true),
            ("[2606:4700::1]:443", true),
            ("1.1.1.1:80", false),
            ("8.8.8.8:443", false),
            ("[::ffff:8.8.8.8]:443", false),
            ("127.0.0.1:443", false),
            ("[::1]:443", false),
            ("[::ffff:127.0.0.1]:443", false),
            ("10.0.0.1:443", false),
            ("169.254.169.254:443", false),
        ] {
            assert_eq!(bounds().allow(to.parse().unwrap()), expected, "{to}");
        }
        let lax = Bounds {
            allow_private: true,
            ports: Vec::new(),
            ..bounds()
        };
        assert!(lax.allow("127.0.0.1:8080".parse().unwrap()));
        assert!(
            !lax.allow("8.8.8.8:443".parse().unwrap()),
            "what is refused is in any case"
        );
    }
}
