//! What fronts say to each other, so that miners may mine at a front that stands by.
//!
//! Such a front serves Stratum itself: sessions, TLS, extranonces of its own number, work, proofs of work and the ladder of
//! refused shares. What must be true over all fronts, it asks the one that leads: whether a worker may mine, and what
//! becomes of shares that were proven. So duplicates, bans, difficulties and the books have one owner, a share is
//! acknowledged once it is in the ledger, and the hashing and talking is done wherever the miner connects. The actors are
//! asked through the same ports here as there: [`Uplink`] stands for those of the front that leads.
//!
//! | module | its one job |
//! |---|---|
//! | [`uplink`] | the end at a front that stands by |
//! | [`exchange`] | the end at the front that leads: it accepts links |
//! | `downlink` | one of them |
//! | `places` | which fronts have a link, and which extranonces are somebody's |
//! | `channel` | frames that only holders of the pool's key can read and write |
//! | `ends` | what both ends have in common |
//! | `words` | what is said, as it travels |
//! | `plain` | the same as the pool's own types |
//!
//! Fronts trust each other as far as they have one key: a share that one of them calls proven is not hashed again.

mod channel;
mod downlink;
mod ends;
pub mod exchange;
mod places;
mod plain;
pub mod uplink;
mod words;

pub use channel::{LinkError, LinkKey};
pub use downlink::Exchanging;
pub use exchange::Exchange;
pub use uplink::{Dialing, Linked, Uplink};

/// The setting of the listener that takes links, by which other fronts find where it is.
pub const SETTING: &str = dwarves_ports::fronts::FrontRow::LINKS;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests;
