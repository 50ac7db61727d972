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

use actix::{Actor, Addr};
use dwarves_domain::ids::Sequence;
use dwarves_domain::units::Units;
use dwarves_ports::store::SharedStore;
use dwarves_testkit::RecordingHalt;

use crate::ledger::{Acknowledge, Ledger, LedgerParts};

pub use recorder::{Inbox, recorded_outbox, recorded_port};

/// A ledger that goes on in this store behind the last share and the work of all of them.
pub fn ledger(store: SharedStore, halt: &RecordingHalt, position: (Sequence, Units)) -> Addr<Ledger> {
    let parts = LedgerParts {
        store,
        halt: halt.shared(),
        acknowledge: Acknowledge::Durable,
        position,
        mailbox_capacity: 1_024,
    };
    Ledger::new(parts).start()
}
