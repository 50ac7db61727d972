//! The PROXY protocol (v1 and v2): which address a proxy that the operator trusts speaks for.
//!
//! The header is read byte-exactly, because what follows it is the miner's (or its TLS).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ppp::v2::Command;
use ppp::{HeaderResult, PartialResult, v1, v2};

/// The longest header that is read. Version 1 has at most 107 bytes; version 2 may carry more than an address.
const HEADER_LEN_MAX: usize = 1_024;
/// The shortest header of version 1, `PROXY UNKNOWN\r\n`: so much belongs to any header.
const HEADER_LEN_MIN: usize = 15;
/// How version 1 begins and ends.
const V1_BEGIN: &[u8] = b"PROXY ";
const V1_END: &[u8] = b"\r\n";
/// The longest header of version 1.
const V1_LEN_MAX: usize = 107;
/// Bytes of version 2 before its addresses.
const V2_FIXED_LEN: usize = 16;

/// What a header said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The client's address.
    Client(SocketAddr),
    /// The proxy speaks for itself (a health check), or does not know.
    Nothing,
}

/// Not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PROXY protocol header")]
pub struct NotAHeader;

/// A header on its way.
#[derive(Debug, Default)]
pub struct HeaderReader {
    bytes: Vec<u8>,
}

impl HeaderReader {
    /// Whether what begins so was meant as a header.
    pub fn may_begin(bytes: &[u8]) -> bool {
        bytes.starts_with(v2::PROTOCOL_PREFIX) || bytes.starts_with(V1_BEGIN)
    }

    /// How many bytes to read next: never more than surely belong to the header.
    pub fn wanted(&self) -> usize {
        let have = self.bytes.len();
        if have < HEADER_LEN_MIN {
            return HEADER_LEN_MIN - have;
        }
        if !self.bytes.starts_with(v2::PROTOCOL_PREFIX) {
            return 1;
        }
        if have < V2_FIXED_LEN {
            return V2_FIXED_LEN - have;
        }
        let rest = usize::from(u16::from_be_bytes([self.bytes[14], self.bytes[15]]));
        (V2_FIXED_LEN + rest).saturating_sub(have).max(1)
    }

    /// Takes what was read. `None`: the header goes on.
    ///
    /// # Errors
    /// If it is none, or too long.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Said>, NotAHeader> {
        self.bytes.extend_from_slice(bytes);
        if !self.bytes.starts_with(v2::PROTOCOL_PREFIX) && !self.bytes.ends_with(V1_END) {
            // A part of version 1's line cannot be told from a wrong one; its beginning and length can.
            let may_go_on = self.bytes.len() < HEADER_LEN_MIN
                || self.bytes.starts_with(V1_BEGIN) && self.bytes.len() < V1_LEN_MAX;
            return if may_go_on { Ok(None) } else { Err(NotAHeader) };
        }
        let result = HeaderResult::parse(&self.bytes);
        if result.is_incomplete() {
            return if self.bytes.len() >= HEADER_LEN_MAX {
                Err(NotAHeader)
            } else {
                Ok(None)
            };
        }
        match result {
            HeaderResult::V1(Ok(header)) => Ok(Some(said_by_v1(&header.addresses))),
            HeaderResult::V2(Ok(header)) => Ok(Some(said_by_v2(&header))),
            HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => Err(NotAHeader),
        }
    }
}

/// A header of version 2: `client` is who the connection is from, and `reached` is where it came to.
pub fn header(client: SocketAddr, reached: SocketAddr) -> Vec<u8> {
    let mut header = v2::PROTOCOL_PREFIX.to_vec();
    // Version 2, a connection that is passed on; then the family over TCP, the length, both addresses and both ports.
    header.push(0x21);
    let (family, addresses) = match (client.ip().to_canonical(), reached.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(reached)) => (0x11, [client.octets(), reached.octets()].concat()),
        (client, reached) => (0x21, [in_six(client).octets(), in_six(reached).octets()].concat()),
    };
    header.push(family);
    // 12 or 36 bytes.
    header.extend_from_slice(&[0, addresses.len() as u8 + 4]);
    header.extend_from_slice(&addresses);
    header.extend_from_slice(&client.port().to_be_bytes());
    header.extend_from_slice(&reached.port().to_be_bytes());
    header
}

fn in_six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn said_by_v1(addresses: &v1::Addresses) -> Said {
    match addresses {
        v1::Addresses::Tcp4(ip) => client(ip.source_address, ip.source_port),
        v1::Addresses::Tcp6(ip) => client(ip.source_address, ip.source_port),
        v1::Addresses::Unknown => Said::Nothing,
    }
}

fn said_by_v2(header: &v2::Header<'_>) -> Said {
    match (header.command, header.addresses) {
        (Command::Proxy, v2::Addresses::IPv4(ip)) => client(ip.source_address, ip.source_port),
        (Command::Proxy, v2::Addresses::IPv6(ip)) => client(ip.source_address, ip.source_port),
        _ => Said::Nothing,
    }
}

fn client(ip: impl Into<IpAddr>, port: u16) -> Said {
    Said::Client(SocketAddr::new(ip.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads as a socket would give it, and returns what was said and what is left.
    fn read(mut bytes: &[u8]) -> Result<(Option<Said>, &[u8]), NotAHeader> {
        let mut reader = HeaderReader::default();
        loop {
            let n = reader.wanted().min(bytes.len());
            if n == 0 {
                return Ok((None, bytes));
            }
            let (now, later) = bytes.split_at(n);
            bytes = later;
            if let Some(said) = reader.take(now)? {
                return Ok((Some(said), bytes));
            }
        }
    }

    #[test]
    fn version_1_tells_the_client_and_leaves_what_follows() {
        let (said, rest) = read(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 3333\r\n{\"id\":1}\n").unwrap();
        assert_eq!(said, Some(Said::Client("192.0.2.7:4711".parse().unwrap())));
        assert_eq!(rest, b"{\"id\":1}\n");
        let (said, _) = read(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 3333\r\n").unwrap();
        assert_eq!(said, Some(Said::Client("[2001:db8::7]:4711".parse().unwrap())));
        assert_eq!(
            read(b"PROXY UNKNOWN\r\nx").unwrap(),
            (Some(Said::Nothing), &b"x"[..])
        );
    }

    #[test]
    fn version_2_tells_the_client_and_leaves_what_follows() {
        let mut header =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x67\x0d\x05".to_vec();
        header.extend_from_slice(b"\x16\x03\x01");
        let (said, rest) = read(&header).unwrap();
        assert_eq!(said, Some(Said::Client("192.0.2.7:4711".parse().unwrap())));
        assert_eq!(rest, b"\x16\x03\x01");
        // LOCAL: a health check of the proxy itself.
        header[12] = 0x20;
        assert_eq!(read(&header).unwrap().0, Some(Said::Nothing));
    }

    #[test]
    fn anything_else_is_no_header_and_an_endless_one_is_cut() {
        assert_eq!(
            read(b"{\"id\": 1, \"method\": \"mining.subscribe\"}\n"),
            Err(NotAHeader)
        );
        assert_eq!(
            read(b"PROXY TCP4 999.0.2.7 192.0.2.1 4711 3333\r\n"),
            Err(NotAHeader)
        );
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 2_000]].concat();
        assert_eq!(read(&endless), Err(NotAHeader));
        let mut long = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec();
        long.extend_from_slice(&[0; 4_000]);
        assert_eq!(read(&long), Err(NotAHeader));
    }

    proptest! {
        #[test]
        fn a_header_of_ours_is_read_as_it_was_meant(
            client in any::<(IpAddr, u16)>(), reached in any::<(IpAddr, u16)>(), data in any::<[u8; 9]>(),
        ) {
            let (client, reached) = (SocketAddr::from(client), SocketAddr::from(reached));
            let bytes = [header(client, reached), data.to_vec()].concat();
            let (said, rest) = read(&bytes).unwrap();
            let Some(Said::Client(told)) = said else { panic!("{said:?}") };
            prop_assert_eq!((told.ip().to_canonical(), told.port()), (client.ip().to_canonical(), client.port()));
            prop_assert_eq!(rest, data);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), v2 in any::<bool>()) {
            let head: &[u8] = if v2 { b"\r\n\r\n\0\r\nQUIT\n" } else { b"PROXY " };
            let _ = read(&[head, &bytes].concat());
            let _ = read(&bytes);
        }
    }
}
