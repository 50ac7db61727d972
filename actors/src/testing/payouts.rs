//! Balances that are due, and a paymaster that pays them.

use std::sync::Arc;

use actix::{Actor, Addr};
use dwarves_domain::ids::Sequence;
use dwarves_domain::rewards::{Emission, RoundInput, Scheme, Source, Weights, close};
use dwarves_domain::time::Timestamp;

use crate::ask::Port;
use crate::paymaster::control::StoredPayoutSettings;
use crate::paymaster::holds::Holds;
use crate::paymaster::{Paymaster, PaymasterParts, PaymasterSettings};
use dwarves_ports::store::{SharedStore, StoredState, Write};
use dwarves_ports::wallet::SharedWallet;
use dwarves_testkit::build::{hotkey, quiet_round, sats};
use dwarves_testkit::{ManualClock, RecordingHalt};

/// A round of emission that makes this many sats payable of miners 1, 2, 3, …
///
/// # Panics
/// If they come to more than an amount holds.
pub fn crediting_round(id: u64, closed_at: Timestamp, payable: &[u64]) -> Write {
    let work = (1..).zip(payable);
    let work = work.map(|(miner, amount)| (hotkey(miner), u128::from(*amount)));
    let weights = Weights::sum(work).expect("tests use amounts that fit");
    let input = RoundInput {
        source: Source::Emission,
        emission: Some(Emission::of(sats(payable.iter().sum()), weights)),
        ..quiet_round(id, closed_at, Scheme::Pplns)
    };
    Write::CloseRound {
        round: Box::new(close(&input).expect("tests close rounds that can be closed")),
        blocks: Vec::new(),
        through: Sequence::new(0),
    }
}

/// Starts a ledger on `store`, and on it a paymaster that goes on from what `stored` says, with the settings that an
/// admin changed before.
pub fn start_paymaster(
    stored: &StoredState,
    store: SharedStore,
    wallet: SharedWallet,
    mut settings: PaymasterSettings,
    clock: &ManualClock,
) -> (Addr<Paymaster>, RecordingHalt) {
    let halt = RecordingHalt::default();
    let changed = StoredPayoutSettings::read(&stored.settings);
    settings.threshold = changed.threshold.unwrap_or(settings.threshold);
    let ledger = super::ledger(store.clone(), &halt, (stored.last_sequence, stored.total_units));
    let paymaster = Paymaster::new(PaymasterParts {
        wallet,
        ledger: Port::new(&ledger),
        store,
        clock: Arc::new(clock.clone()),
        halt: halt.shared(),
        settings,
        last_payout: stored.last_payout,
        paused: changed.paused,
        holds: Holds::default(),
        compared: changed.compared,
        restored: changed.restored,
    })
    .start();
    (paymaster, halt)
}
