//! `[http]` and `[auth]`: the server, and signed requests to it.

use std::net::{Ipv4Addr, SocketAddr};

use dwarves_domain::network::Subnet;
use dwarves_domain::time::Span;
use serde::Deserialize;

use crate::config::readers::{self, Secs, Whole};

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where to listen; port 0 picks a free one.
    #[serde(deserialize_with = "readers::address")]
    pub listen: SocketAddr,
    /// Worker threads as configured; 0 stands for [`HttpConfig::worker_threads`]'s choice.
    #[serde(with = "Whole::<0, 1024>")]
    pub workers: usize,
    /// Longest body in bytes.
    #[serde(with = "Whole::<1024, 67_108_864>")]
    pub body_limit_bytes: usize,
    /// Bytes of bodies on their way of one worker.
    #[serde(with = "Whole::<1024, 17_179_869_184>")]
    pub bodies_bytes: usize,
    /// Time for the head of a request.
    #[serde(rename = "header_timeout_secs", with = "Secs::<1, 300>")]
    pub header_timeout: Span,
    /// Time for closing a connection.
    #[serde(rename = "disconnect_timeout_secs", with = "Secs::<1, 300>")]
    pub disconnect_timeout: Span,
    /// Time for which idle connections are kept.
    #[serde(rename = "keep_alive_secs", with = "Secs::<16, 3600>")]
    pub keep_alive: Span,
    /// Open connections over all workers.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub max_connections: usize,
    /// More connections over all workers, for operators alone.
    #[serde(with = "Whole::<1, 10_000>")]
    pub reserved_connections: usize,
    /// How long an answer may wait for a client that does not read on.
    #[serde(rename = "unread_output_secs", with = "Secs::<1, 3600>")]
    pub unread_output: Span,
    /// Longest wait of a long poll.
    #[serde(rename = "longpoll_secs", with = "Secs::<1, 60>")]
    pub longpoll: Span,
    /// Requests at once of one worker.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub requests_in_flight: usize,
    /// Event streams over all workers.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub event_streams: usize,
    /// Proxies whose word for a client's address is taken.
    #[serde(deserialize_with = "readers::subnets")]
    pub proxies: Vec<Subnet>,
    /// Signed requests a second of one worker.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub signed_requests_per_sec: u32,
    /// Shares after which a worker's wrong ones are looked at.
    #[serde(with = "Whole::<10, 10_000>")]
    pub reject_window: u16,
    /// The most of them that may be wrong, in percent.
    #[serde(with = "Whole::<1, 100>")]
    pub reject_percent: u16,
    /// How long a worker is kept out after three windows with more.
    #[serde(rename = "ban_secs", with = "Secs::<1, 86_400>")]
    pub ban: Span,
}

impl HttpConfig {
    /// How many worker threads to start on a machine with `cores` cores.
    pub fn worker_threads(&self, cores: usize) -> usize {
        match self.workers {
            0 => cores.saturating_sub(1).max(1),
            chosen => chosen,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            body_limit_bytes: 1_048_576,
            bodies_bytes: 33_554_432,
            header_timeout: Span::from_secs(5),
            disconnect_timeout: Span::from_secs(5),
            keep_alive: Span::from_secs(75),
            max_connections: 10_000,
            reserved_connections: 32,
            unread_output: Span::from_secs(60),
            longpoll: Span::from_secs(60),
            requests_in_flight: 2_400,
            event_streams: 2_000,
            proxies: Vec::new(),
            signed_requests_per_sec: 2_000,
            reject_window: 100,
            reject_percent: 50,
            ban: Span::from_secs(600),
        }
    }
}

/// `[auth]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// How old a signed request may be.
    #[serde(rename = "window_back_secs", with = "Secs::<1, 300>")]
    pub window_back: Span,
    /// How far ahead of the pool's clock a signed request may be.
    #[serde(rename = "window_ahead_secs", with = "Secs::<0, 300>")]
    pub window_ahead: Span,
    /// How long a session lasts.
    #[serde(rename = "session_secs", with = "Secs::<60, 2_592_000>")]
    pub session: Span,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            window_back: Span::from_secs(10),
            window_ahead: Span::from_secs(2),
            session: Span::from_secs(86_400),
        }
    }
}
