//! Ports for servers of tests that must be told theirs.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to connections (from 32768 on Linux, from 49152 elsewhere): a port of those that is
/// free now may belong to anybody's connection before the server binds it, which then ends at once.
const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

/// Counts what this process was given.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// A port of this machine's loopback that is free, and that no connection takes meanwhile. Processes begin at places of
/// their own, so that two tests at once hardly ever try the same.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let place = |tried: u16| {
        let begin = std::process::id().wrapping_mul(97) % u32::from(COUNT);
        let offset = (begin + u32::from(tried)) % u32::from(COUNT);
        FIRST + u16::try_from(offset).expect("it is below COUNT")
    };
    (0..COUNT)
        .map(|_| place(GIVEN.fetch_add(1, Ordering::Relaxed)))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_differ_and_are_none_that_connections_get() {
        let held: Vec<_> = (0..50)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).unwrap())
            .collect();
        for listener in held {
            assert!(listener.local_addr().unwrap().port() < 32_768);
        }
    }
}
