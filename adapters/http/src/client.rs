//! Which client a request comes from: the address by which limits are shared out.
//!
//! It is the address of the connection. Only if that is one of the operator's own proxies (`http.proxies`), it is what
//! they say: in a PROXY header before the first request, or in `Forwarded` (RFC 7239) or `X-Forwarded-For` of each
//! request. Hops are read from the nearest to the farthest, for as long as they are the operator's proxies; the first
//! that is none is the client, whatever stands before it, which anybody can write. A proxy that names nobody readable
//! (`unknown`, `_hidden`, junk) is the client itself. So it is if both headers are there and name different clients:
//! one of them was passed on as the client wrote it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR, X_FORWARDED_PROTO};

use super::state::HttpState;
use dwarves_domain::network::Subnet;

/// Proxies in a row whose word is followed.
const HOPS_MAX: usize = 16;

/// The client of a request.
pub fn address(req: &HttpRequest, state: &HttpState) -> IpAddr {
    // Without a socket there is no address either, which tests alone see.
    let peer = req
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    client_of(peer, req.headers(), &state.deps().proxies)
}

/// Whether a request comes through a proxy of the operator's.
pub fn is_through_proxy(req: &HttpRequest, state: &HttpState) -> bool {
    let proxies = &state.deps().proxies;
    let peer = req.peer_addr().map(|peer| peer.ip());
    peer.is_some_and(|peer| proxies.iter().any(|subnet| subnet.contains(peer)))
}

/// Whether a proxy of the operator's says that the request came to it over TLS.
pub fn came_by_tls(req: &HttpRequest, state: &HttpState) -> bool {
    let peer = req.peer_addr().map(|peer| peer.ip());
    peer.is_some_and(|peer| tls_told(peer, req.headers(), &state.deps().proxies))
}

fn tls_told(peer: IpAddr, headers: &HeaderMap, proxies: &[Subnet]) -> bool {
    if !proxies.iter().any(|subnet| subnet.contains(peer)) {
        return false;
    }
    // The nearest proxy's word stands last.
    let last = |name: &HeaderName| headers.get_all(name).last()?.to_str().ok();
    let is_https = |text: &str| text.trim().trim_matches('"').eq_ignore_ascii_case("https");
    let plain = last(&X_FORWARDED_PROTO).and_then(|line| line.rsplit(',').next());
    let element = last(&FORWARDED).and_then(|line| elements(line).pop());
    let forwarded = element.and_then(|element| {
        let pairs = split(element, ';').into_iter();
        let mut named = pairs.filter_map(|pair| pair.split_once('='));
        let proto = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("proto"))?;
        Some(proto.1)
    });
    plain.is_some_and(is_https) || forwarded.is_some_and(is_https)
}

/// The client that a request from `peer` with these headers comes from.
pub fn client_of(peer: IpAddr, headers: &HeaderMap, proxies: &[Subnet]) -> IpAddr {
    let is_proxy = |ip: IpAddr| proxies.iter().any(|subnet| subnet.contains(ip));
    if !is_proxy(peer) {
        return peer;
    }
    let told = |name: &HeaderName, hop: fn(&str) -> Option<IpAddr>| {
        let lines = headers
            .get_all(name)
            .map(|line| line.to_str().unwrap_or_default());
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() {
            return None;
        }
        let mut client = peer;
        let hops = lines
            .iter()
            .rev()
            .flat_map(|line| elements(line).into_iter().rev());
        for text in hops.take(HOPS_MAX) {
            let Some(ip) = hop(text) else { break };
            client = ip.to_canonical();
            if !is_proxy(client) {
                break;
            }
        }
        Some(client)
    };
    match (told(&FORWARDED, of_forwarded), told(&X_FORWARDED_FOR, of_node)) {
        (None, None) => peer,
        (Some(client), None) | (None, Some(client)) => client,
        (Some(one), Some(other)) if one == other => one,
        _ => peer,
    }
}

/// The parts of a list between commas that are not inside quotes.
fn elements(line: &str) -> Vec<&str> {
    split(line, ',')
}

fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|c: char| {
        let is_end = c == separator && !is_quoted;
        if !is_escaped && c == '"' {
            is_quoted = !is_quoted;
        }
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        is_end
    })
    .collect()
}

/// Whom an element of `Forwarded` names: `for=192.0.2.60;proto=http`.
fn of_forwarded(element: &str) -> Option<IpAddr> {
    let pairs = split(element, ';');
    let mut named = pairs.iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let node = named.next()?;
    // Two of them in one element are nobody's form.
    named.next().is_none().then(|| of_node(node)).flatten()
}

/// The address of a node: with a port or without, in brackets or not, in quotes or not.
fn of_node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => text,
    };
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip);
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        return inner.parse().map(IpAddr::V6).ok();
    }
    text.parse::<SocketAddr>().map(|address| address.ip()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    const PROXY: &str = "10.0.0.1";

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let proxies = ["10.0.0.0/8", "2001:db8:aaaa::/48"].map(|network| network.parse().unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        client_of(peer.parse().unwrap(), &map, &proxies).to_string()
    }

    /// Every form of both headers, from a proxy.
    #[test]
    fn a_proxys_word_is_read_in_every_form_and_no_further_than_its_own_hops() {
        for (x_forwarded_for, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("  192.0.2.7\t", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("\"192.0.2.7\"", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            // What the client wrote itself stands before its own address.
            ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
            ("127.0.0.1,10.0.0.9, 192.0.2.7", "192.0.2.7"),
            // Several of the operator's own proxies in a row.
            ("192.0.2.7, 10.0.0.2", "192.0.2.7"),
            ("192.0.2.7, 10.9.9.9:80, 2001:db8:aaaa::1", "192.0.2.7"),
            ("10.0.0.5, 10.0.0.6", "10.0.0.5"),
            // Nobody readable: it is the nearest that can be told.
            ("unknown", PROXY),
            ("_hidden", PROXY),
            ("192.0.2.7, _hidden", PROXY),
            ("192.0.2.7, _hidden, 10.0.0.3", "10.0.0.3"),
            ("", PROXY),
            (",", PROXY),
            ("192.0.2.7,", PROXY),
            ("999.0.2.7", PROXY),
            ("192.0.2.7:99999", PROXY),
            ("[192.0.2.7]", PROXY),
            ("[2001:db8::7", PROXY),
            ("2001:db8::7]:1", PROXY),
            ("\"192.0.2.7", PROXY),
            ("192.0.2.7 192.0.2.8", PROXY),
            ("pool.example", PROXY),
        ] {
            assert_eq!(
                client(PROXY, &[("x-forwarded-for", x_forwarded_for)]),
                expected,
                "{x_forwarded_for}"
            );
        }
        for (forwarded, expected) in [
            ("for=192.0.2.60", "192.0.2.60"),
            ("For=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("proto=https; for=\"192.0.2.60:47011\"", "192.0.2.60"),
            ("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
            ("for=198.51.100.1, for=192.0.2.60", "192.0.2.60"),
            ("for=192.0.2.60, for=10.0.0.2;by=\"a,for=1.2.3.4\"", "192.0.2.60"),
            ("for=192.0.2.60;host=\"x\\\",for=1.1.1.1;y=\"", "192.0.2.60"),
            ("for=unknown", PROXY),
            ("for=_hidden", PROXY),
            ("for=\"_SEVKISEK\"", PROXY),
            ("for=192.0.2.60, for=_gazonk", PROXY),
            ("by=192.0.2.60", PROXY),
            ("for=192.0.2.60;for=192.0.2.61", PROXY),
            ("192.0.2.60", PROXY),
            ("for=", PROXY),
            ("=;;,=", PROXY),
        ] {
            assert_eq!(
                client(PROXY, &[("forwarded", forwarded)]),
                expected,
                "{forwarded}"
            );
        }
        let twice = [
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-for", "192.0.2.7, 10.0.0.2"),
        ];
        assert_eq!(client(PROXY, &twice), "192.0.2.7", "several lines are one list");
        assert_eq!(client(PROXY, &[]), PROXY);
    }

    #[test]
    fn tls_is_what_the_nearest_proxy_says_and_nobody_else() {
        let told = |peer: &str, name: &'static str, value: &str| {
            let mut map = HeaderMap::new();
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
            tls_told(peer.parse().unwrap(), &map, &["10.0.0.0/8".parse().unwrap()])
        };
        for (name, value, expected) in [
            ("x-forwarded-proto", "https", true),
            ("x-forwarded-proto", "HTTPS", true),
            ("x-forwarded-proto", "http", false),
            ("x-forwarded-proto", "https, http", false),
            ("x-forwarded-proto", "http, https", true),
            ("x-forwarded-proto", "", false),
            ("forwarded", "for=192.0.2.7;proto=https", true),
            ("forwarded", "for=192.0.2.7;Proto=\"https\";by=a", true),
            ("forwarded", "proto=https, for=10.0.0.2;proto=http", false),
            ("forwarded", "for=\"a;proto=https\"", false),
            ("forwarded", "proto", false),
        ] {
            assert_eq!(told(PROXY, name, value), expected, "{name}: {value}");
            assert!(!told("192.0.2.7", name, value), "{name}: {value}");
        }
    }

    #[test]
    fn nobody_but_the_operators_proxies_is_believed() {
        let spoofed = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")];
        for peer in ["198.51.100.9", "11.0.0.1", "2001:db8:bbbb::1", "127.0.0.1"] {
            assert_eq!(client(peer, &spoofed), peer);
        }
        assert_eq!(client("::ffff:10.0.0.1", &spoofed), "192.0.2.7");
        assert_eq!(client("2001:db8:aaaa::9", &spoofed), "192.0.2.7");
    }

    #[test]
    fn a_header_that_the_proxy_only_passed_on_is_not_believed() {
        let both = [
            ("x-forwarded-for", "192.0.2.7"),
            ("forwarded", "for=198.51.100.1"),
        ];
        assert_eq!(client(PROXY, &both), PROXY);
        let junk = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "junk")];
        assert_eq!(client(PROXY, &junk), PROXY);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(one in "[ -~]{0,80}", other in "[ -~]{0,80}") {
            client(PROXY, &[("x-forwarded-for", &one)]);
            client(PROXY, &[("forwarded", &other), ("x-forwarded-for", &one)]);
        }
    }
}
