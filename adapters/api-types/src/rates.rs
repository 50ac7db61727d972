//! Hashrates.

use dwarves_domain::history::Sums;
use dwarves_domain::time::Span;
use serde::{Deserialize, Serialize};

/// A hashrate over a time that ends now, from the shares in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WindowHashrate {
    /// The length of that time: 600, 3600 or 86400. It begins with the minute (of the longest one with the hour), so it
    /// may be a little longer; and where pool, miner or worker began later, it is shorter.
    pub window_secs: u64,
    /// So many seconds the hashes are divided by: those from the beginning of that time, or of the work, to now.
    #[serde(default)]
    pub over_secs: u64,
    /// Hashes per second.
    pub hashrate: f64,
    /// One standard deviation of it by chance alone, as a part of it; null without a share.
    pub error: Option<f64>,
}

impl WindowHashrate {
    /// What shares say of the `span` in which they came.
    pub fn new(window: Span, sums: &Sums, span: Span) -> Self {
        Self {
            window_secs: window.secs(),
            over_secs: span.secs(),
            hashrate: sums.hashrate(span),
            error: sums.relative_error(),
        }
    }
}
