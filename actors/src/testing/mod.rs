//! What tests of actors need beside `dwarves-testkit`: settings of a small pool, actors that only listen, and a
//! paymaster with somebody to pay.
//!
//! | module | its one job |
//! |---|---|
//! | [`settings`] | the settings of a small pool, and checked shares |
//! | [`payouts`] | balances that are due, and a paymaster that pays them |
//! | [`recorder`] | an actor that hands everything that it is told to the test |

pub mod payouts;
pub mod recorder;
pub mod settings;

pub use recorder::{Inbox, recorded_outbox, recorded_port};
