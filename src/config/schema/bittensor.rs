//! `[bittensor]`: the listener for dendrites, and who may call there.

use std::net::SocketAddr;
use std::path::PathBuf;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::metagraph::Rao;
use dwarves_domain::time::Span;
use serde::Deserialize;

use crate::config::readers::{self, Secs, Whole};

/// `[bittensor]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BittensorConfig {
    /// Where to listen; `None`: nowhere.
    #[serde(deserialize_with = "readers::optional_address")]
    pub listen: Option<SocketAddr>,
    /// Threads that serve calls as configured; 0: as many as HTTP has.
    #[serde(with = "Whole::<0, 1024>")]
    pub workers: usize,
    /// Open connections over all workers.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub max_connections: usize,
    /// Signed calls a second of one worker.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub signed_calls_per_sec: u32,
    /// Calls that one worker answers at once.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub calls_at_once: usize,
    /// Calls that wait for their turn with one worker.
    #[serde(with = "Whole::<0, 1_000_000>")]
    pub calls_waiting: usize,
    /// How old a call may be.
    #[serde(rename = "window_back_secs", with = "Secs::<1, 300>")]
    pub window_back: Span,
    /// How far ahead of the pool's clock a call may be.
    #[serde(rename = "window_ahead_secs", with = "Secs::<0, 300>")]
    pub window_ahead: Span,
    /// Who may call; empty: everybody.
    pub allow_hotkeys: Vec<Hotkey>,
    /// The file that says who is registered; `None`: it is not known.
    #[serde(deserialize_with = "readers::optional")]
    pub metagraph: Option<PathBuf>,
    /// What exported weights say of the version of the subnet's software that they are for.
    #[serde(with = "Whole::<0, 9_223_372_036_854_775_807>")]
    pub version_key: u64,
    /// Whether those alone may call who are registered.
    pub require_registration: bool,
    /// The least stake of a caller.
    #[serde(deserialize_with = "readers::stake")]
    pub min_stake: Rao,
}

impl Default for BittensorConfig {
    fn default() -> Self {
        Self {
            listen: None,
            workers: 0,
            max_connections: 10_000,
            signed_calls_per_sec: 8_000,
            calls_at_once: 1_000,
            calls_waiting: 1_000,
            window_back: Span::from_secs(16),
            window_ahead: Span::from_secs(60),
            allow_hotkeys: Vec::new(),
            metagraph: None,
            version_key: 0,
            require_registration: false,
            min_stake: Rao::default(),
        }
    }
}

impl BittensorConfig {
    /// How many calls one worker may have let in whose nonces are still to be remembered.
    pub fn nonces_of_worker(&self) -> usize {
        // A nonce is remembered for a second more than it is fresh, and one more may be under way.
        let secs = self.window_back.secs() + self.window_ahead.secs() + 2;
        usize::try_from(secs.saturating_mul(self.signed_calls_per_sec.into())).unwrap_or(usize::MAX)
    }
}
