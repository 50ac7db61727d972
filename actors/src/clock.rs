//! The clock as the actors see it: handed in from `main`, replaced in tests.

use std::sync::Arc;

use dwarves_domain::time::{Span, Timestamp};

/// Tells the time. Wall time may step back; nothing here may depend on it never doing so.
pub trait Clock: Send + Sync + 'static {
    /// The wall time now.
    fn now(&self) -> Timestamp;
}

/// A clock shared by all actors.
pub type SharedClock = Arc<dyn Clock>;

/// Calls `poke` again and again, `period` after the last call ended, as long as it returns `true`.
///
/// Unlike actix's `run_interval` it never makes up for missed ticks in a burst. A poke is only a hint to
/// look what is due; the clock and the store say what is.
pub async fn poke_every(period: Span, mut poke: impl FnMut() -> bool) {
    loop {
        tokio::time::sleep(period.to_std()).await;
        if !poke() {
            return;
        }
    }
}
