//! What the server is told about connections. The routes' own limits are in [`HttpLimits`].
//!
//! Beyond these, actix-web itself refuses a request head of more than 131,072 bytes or 96 headers.
//!
//! [`HttpLimits`]: super::HttpLimits

use std::time::Duration;

/// Limits of connections, for `HttpServer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// For `keep_alive`. Bittensor's clients keep idle connections for 15 s and fail if the server closes
    /// them sooner; proxies in front commonly keep theirs for 60 s.
    pub keep_alive: Duration,
    /// For `client_request_timeout`: how long a request's head may take to arrive.
    pub request_head_timeout: Duration,
    /// For `client_disconnect_timeout`: how long a closed connection may linger.
    pub disconnect_timeout: Duration,
    /// For `max_connections`: connections per worker; more wait in the backlog. Long polls hold one each.
    pub connections_per_worker: usize,
    /// For `backlog`: connections that wait to be accepted.
    pub backlog: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(75),
            request_head_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(2),
            connections_per_worker: 10_000,
            backlog: 1_024,
        }
    }
}
