//! A standby of the store's server that pages are read from.

use dwarves_domain::time::Span;

/// How a standby is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbyState {
    /// Where it is, for people.
    pub place: String,
    /// Whether it answers; otherwise the primary does.
    pub answers: bool,
    /// By how much it is behind, as it was last measured; `None` while that is not known.
    pub lag: Option<Span>,
    /// By how much it may be.
    pub lag_max: Span,
    /// Why it does not answer.
    pub why: Option<String>,
    /// Questions of pages that it answered since the start.
    pub answered: u64,
    /// Questions of pages that it might have answered, and the primary did.
    pub passed_on: u64,
}
