//! Network addresses: what one client is, and which networks it is part of.
//!
//! An address says little by itself: whoever has one of IPv6 has billions of them. So everything that is shared out
//! among clients, or kept from them, goes by one of the networks here.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

pub mod public;

/// The network around an address that has so many bits for IPv4, or for IPv6. An IPv4 address is one however it is
/// written.
fn around(ip: IpAddr, v4_bits: u8, v6_bits: u8) -> IpNet {
    let ip = ip.to_canonical();
    let bits = if ip.is_ipv4() { v4_bits } else { v6_bits };
    IpNet::new(ip, bits)
        .expect("each number of bits here fits its addresses")
        .trunc()
}

/// What one machine can have as many of as it likes counts as one: an IPv4 address, however it is written, or the
/// first address of an IPv6 network of 64 bits.
pub fn host(ip: IpAddr) -> IpAddr {
    around(ip, 32, 64).addr()
}

/// What one client can have as many of as it likes counts as one where all share what there is: an IPv4 address, or
/// the first address of an IPv6 network of 48 bits.
pub fn site(ip: IpAddr) -> IpAddr {
    around(ip, 32, 48).addr()
}

/// The first address of the network that connections are counted in beside their hosts: 24 bits of IPv4, 48 bits of
/// IPv6.
pub fn subnet(ip: IpAddr) -> IpAddr {
    around(ip, 24, 48).addr()
}

/// The networks of one client from the smallest on, and how many times a machine's allowance each has. One client is
/// given 64 bits of IPv6, often 56 or 48 of them, and whoever rents machines soon has 32: their parts are no strangers
/// to each other. An IPv4 address is alone.
pub fn neighbourhoods(ip: IpAddr) -> impl Iterator<Item = (IpNet, u32)> {
    const OF_V6: [(u8, u32); 3] = [(64, 1), (48, 4), (32, 16)];
    let count = if ip.to_canonical().is_ipv4() {
        1
    } else {
        OF_V6.len()
    };
    let networks = OF_V6.into_iter().take(count);
    networks.map(move |(bits, times)| (around(ip, 32, bits), times))
}

/// A network of addresses as operators write it: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet(IpNet);

/// Not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network, such as \"127.0.0.1\" or \"10.0.0.0/8\"")]
pub struct ParseSubnetError;

impl FromStr for Subnet {
    type Err = ParseSubnetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(|_| alone());
        network.map(Self).map_err(|_| ParseSubnetError)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Subnet {
    /// Whether the address lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_way_of_counting_has_its_own_bits() {
        for (from, host_of, site_of, subnet_of) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.0"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.0"),
            (
                "2001:db8:1:2:3:4:5:6",
                "2001:db8:1:2::",
                "2001:db8:1::",
                "2001:db8:1::",
            ),
            ("::1", "::", "::", "::"),
        ] {
            assert_eq!(host(ip(from)), ip(host_of), "{from}");
            assert_eq!(site(ip(from)), ip(site_of), "{from}");
            assert_eq!(subnet(ip(from)), ip(subnet_of), "{from}");
        }
        let around = |from| {
            let networks = neighbourhoods(ip(from));
            networks
                .map(|(network, times)| format!("{network} {times}"))
                .collect::<Vec<_>>()
        };
        for from in ["192.0.2.7", "::ffff:192.0.2.7"] {
            assert_eq!(around(from), ["192.0.2.7/32 1"]);
        }
        let six = ["2001:db8:1:2::/64 1", "2001:db8:1::/48 4", "2001:db8::/32 16"];
        assert_eq!(around("2001:db8:1:2:3:4:5:6"), six);
    }

    #[test]
    fn subnets_contain_their_addresses() {
        let contains = |subnet: &str, address: &str| {
            let subnet: Subnet = subnet.parse().unwrap();
            subnet.contains(ip(address))
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(
            contains("10.1.2.3/8", "10.255.0.1"),
            "the rest of the bits says nothing"
        );
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("127.0.0.1", "127.0.0.1") && !contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("2001:db8::/32", "2001:db8:7::1") && !contains("2001:db8::/32", "10.0.0.1"));
        assert!(contains("0.0.0.0/0", "192.0.2.1") && contains("::/0", "2001:db8::1"));
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/64",
            "10.0.0.0/x",
            "10.0.0.0/",
            "pool.example",
            "::/129",
        ] {
            assert_eq!(bad.parse::<Subnet>(), Err(ParseSubnetError), "{bad}");
        }
    }

    proptest! {
        /// Bit by bit.
        #[test]
        fn a_subnet_contains_what_has_the_same_first_bits(
            base in any::<u128>(), flipped in 0u32..128, noise in any::<u128>(), bits in 0u32..=128,
        ) {
            let subnet: Subnet = format!("{}/{bits}", std::net::Ipv6Addr::from_bits(base)).parse().unwrap();
            // The same up to one bit, and any bits from there on.
            let behind = u128::MAX.checked_shr(flipped + 1).unwrap_or(0);
            let other = base ^ 1 << (127 - flipped) ^ noise & behind;
            let is_v4 = |bits: u128| std::net::Ipv6Addr::from_bits(bits).to_ipv4_mapped().is_some();
            prop_assume!(!is_v4(base) && !is_v4(other));
            let other = IpAddr::V6(std::net::Ipv6Addr::from_bits(other));
            prop_assert_eq!(subnet.contains(other), flipped >= bits);
        }
    }
}
