//! A network of addresses, as operators write it.

use std::net::IpAddr;

/// A network of addresses, as operators write it: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network, such as \"127.0.0.1\" or \"10.0.0.0/8\"")]
pub struct ParseNetworkError;

impl std::str::FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| ParseNetworkError)?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits
            .map_or(Ok(width), str::parse)
            .map_err(|_| ParseNetworkError)?;
        if bits > width {
            return Err(ParseNetworkError);
        }
        Ok(Self { base, bits })
    }
}

impl Network {
    /// Whether the address lies in it.
    pub fn holds(&self, ip: IpAddr) -> bool {
        let differ = match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => u128::from(base.to_bits() ^ ip.to_bits()) << 96,
            (IpAddr::V6(base), IpAddr::V6(ip)) => base.to_bits() ^ ip.to_bits(),
            _ => return false,
        };
        differ.leading_zeros() >= u32::from(self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let holds = |network: &str, ip: &str| {
            let network: Network = network.parse().unwrap();
            network.holds(ip.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("2001:db8::/32", "2001:db8:7::1") && !holds("2001:db8::/32", "10.0.0.1"));
        assert!(holds("0.0.0.0/0", "192.0.2.1"));
        for bad in ["", "10.0.0.0/33", "10.0.0.0/x", "pool.example", "::/129"] {
            assert_eq!(bad.parse::<Network>(), Err(ParseNetworkError), "{bad}");
        }
    }
}
