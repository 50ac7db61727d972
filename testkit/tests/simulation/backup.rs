//! A copy of the ledger that is taken while the pool runs, and put back between two lives as an operator does who has
//! lost the newer one; and what that operator then does about payouts.
//!
//! What a restore loses is lost: shares, registrations and nonces after the copy. What must hold all the same: whatever
//! miners were told before the copy is there, the books add up, blocks that the chain has are found again, payouts wait
//! until the operator has looked, and nothing that the wallet sent is sent again.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::control::Controlled;
use dwarves_actors::control::hold::Hold;
use dwarves_actors::paymaster::messages::{PaymasterControl, ReadPayouts};
use dwarves_actors::pool_manager::messages::{ControlMessage, Deliver};
use dwarves_domain::refusal::Refusal;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::Prng;

use crate::miner::MinerState;
use crate::money::{self, Watch};
use crate::notes::{Notes, Told};
use crate::plan::Simulation;

/// A copy, with what miners knew when it was taken.
pub(crate) struct Backup {
    store: InlineStore,
    told: Told,
    registered: Vec<bool>,
}

/// Where the latest copy lies.
pub(crate) type Shelf = Rc<RefCell<Option<Backup>>>;

impl Backup {
    /// Copies the ledger as it is at this moment.
    pub(crate) fn take(store: &InlineStore, notes: &Notes, miners: &[Rc<RefCell<MinerState>>]) -> Self {
        let is_registered = |miner: &Rc<RefCell<MinerState>>| miner.borrow().is_registered();
        Self {
            store: store.copy().expect("a ledger in memory can be copied"),
            told: notes.told(),
            registered: miners.iter().map(is_registered).collect(),
        }
    }

    /// Puts it back, in place of the ledger that is there.
    pub(crate) fn put_back(self, sim: &mut Simulation) {
        sim.memory = self.store;
        sim.notes.forget_after(self.told);
        sim.stated.forget_after(&sim.memory);
        sim.wire.borrow_mut().forget();
        sim.peer.borrow_mut().outlive_restore();
        for (miner, was_registered) in sim.miners.iter().zip(self.registered) {
            miner.borrow_mut().outlive_restore(was_registered);
        }
        let strangers = money::strangers(&sim.memory, &sim.wallet);
        let to_miners = money::paying_miners(&sim.memory, &strangers).count();
        sim.notes.event(format!(
            "ledger restored, strangers={} to_miners={to_miners}",
            strangers.len()
        ));
        sim.strange
            .borrow_mut()
            .extend(strangers.iter().map(|spend| spend.txid));
    }
}

/// An operator who looks at payouts now and then and sees to it that they are not held for ever.
pub(crate) async fn see_to_payouts(ports: PoolPorts, watch: Watch, notes: Notes, mut prng: Prng) {
    for tried in 0_u64.. {
        let wait = 1_000 + prng.below(6_000);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let view = ports.read_payouts.ask(ReadPayouts, Duration::from_secs(30)).await;
        let Ok(view) = view else { continue };
        if !view.holds.contains(Hold::Restored) {
            continue;
        }
        watch.nothing_left();
        notes.event("payouts are held as restored");
        // What was paid is booked. If the balances do not cover it, that may change with the blocks that are found again.
        let adopt = PaymasterControl::Adopt {
            only: None,
            reserve_bears: prng.chance(20 + 20 * tried.min(4)),
        };
        match order(&ports, &watch, adopt).await {
            Some(Ok(done)) => {
                notes.event(format!("adopted, left={}", done["left"]));
            }
            Some(Err(Refusal::ControlRefused(why))) if why.contains("nothing to miners") => {
                // The owner's own payments.
                let release = PaymasterControl::Release(Hold::Restored);
                let released = order(&ports, &watch, release).await;
                notes.event(format!("released: {}", word(released.as_ref())));
            }
            outcome => notes.event(format!("not adopted: {}", word(outcome.as_ref()))),
        }
    }
}

async fn order(ports: &PoolPorts, watch: &Watch, control: PaymasterControl) -> Option<Controlled> {
    watch.operator_looked();
    let deliver = Deliver(ControlMessage::Payouts(control));
    ports.deliver.ask(deliver, Duration::from_secs(30)).await.ok()
}

/// What came of an order, in a word.
pub(crate) fn word(outcome: Option<&Controlled>) -> &'static str {
    match outcome {
        Some(Ok(_)) => "done",
        Some(Err(Refusal::ControlRefused(_) | Refusal::Batch(_))) => "refused",
        Some(Err(Refusal::Busy)) => "busy",
        Some(Err(Refusal::Unavailable)) => "unavailable",
        Some(Err(other)) => panic!("an order cannot be refused with {other:?}"),
        None => "no answer",
    }
}
