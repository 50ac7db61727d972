//! What must hold between the ledger's payouts and what the wallet sent, and that payouts wait after a restore.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{Payees, Payout, PayoutState, Spend, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::store::Store;
use dwarves_ports::wallet::Wallet;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::TestWallet;

use crate::check::now;
use crate::plan::Simulation;

/// From which balance miners are paid.
pub(crate) const THRESHOLD: u64 = 10_000;

fn sats(amount: Amount) -> i128 {
    i128::from(amount.sats())
}

/// What a payout did to the accounts, by the state that it is in.
pub(crate) fn moved_by(payout: &Payout) -> Vec<(Account, i128)> {
    let mut moved = Vec::new();
    let is_confirmed = match payout.state {
        PayoutState::Returned | PayoutState::Cancelled => return moved,
        PayoutState::Reserved | PayoutState::Signed | PayoutState::Broadcast | PayoutState::Exported => false,
        PayoutState::Confirmed | PayoutState::Paid => true,
    };
    let mut fees = 0;
    for part in &payout.parts {
        let of = |balance| Account::Miner(part.hotkey, balance);
        moved.push((of(Balance::Payable), sats(part.borne) - sats(part.amount)));
        moved.push((Account::Reserve, -sats(part.borne)));
        if is_confirmed {
            moved.push((of(Balance::Paid), sats(part.net())));
            moved.push((Account::NetworkFees, sats(part.fee)));
            fees += sats(part.fee);
        } else {
            moved.push((of(Balance::InFlight), sats(part.amount)));
        }
    }
    if let Some(signed) = payout.signed.as_ref().filter(|_| is_confirmed) {
        // What of the fee the miners do not bear, the pool does.
        let by_pool = sats(signed.fee) - fees;
        moved.push((Account::Reserve, -by_pool));
        moved.push((Account::NetworkFees, by_pool));
    }
    moved
}

/// Everything that the wallet paid to others and that is in its chain or waits.
pub(crate) fn spends(wallet: &TestWallet) -> Vec<Spend> {
    now(wallet.spends(None)).spends
}

fn transactions(store: &InlineStore) -> BTreeMap<Txid, Payout> {
    let payouts = store.payouts();
    let count = payouts.iter().filter(|payout| payout.signed.is_some()).count();
    let signed = payouts.into_iter();
    let by_txid: BTreeMap<Txid, Payout> = signed
        .filter_map(|payout| Some((payout.signed.as_ref()?.txid, payout)))
        .collect();
    assert_eq!(by_txid.len(), count, "two payouts have one transaction");
    by_txid
}

/// What the wallet sent and the ledger does not know.
pub(crate) fn strangers(store: &InlineStore, wallet: &TestWallet) -> Vec<Spend> {
    let known = transactions(store);
    let spends = spends(wallet).into_iter();
    spends.filter(|spend| !known.contains_key(&spend.txid)).collect()
}

/// Those of them that pay miners whom the ledger knows.
pub(crate) fn paying_miners<'a>(store: &InlineStore, spends: &'a [Spend]) -> impl Iterator<Item = &'a Spend> {
    let payees = Payees::new(now(store.payees()), AddressFormat::BitcoinRegtest);
    spends.iter().filter(move |spend| payees.are_paid_by(spend))
}

/// Whatever the wallet paid is booked once, to the sat and to whom it went. What it sent and the ledger does not know
/// must be `strange` for a reason: it was sent after the backup of a ledger that was put back, or is the owner's own.
pub(crate) fn is_booked_once(store: &InlineStore, wallet: &TestWallet, strange: &BTreeSet<Txid>) {
    let known = transactions(store);
    for payout in known.values() {
        let borne = payout.parts.iter().any(|part| part.borne > Amount::ZERO);
        assert!(
            !borne || payout.is_adopted(),
            "the reserve bears payout {} that is none of a restore",
            payout.id
        );
        assert!(
            !payout.is_adopted() || !strange.is_empty(),
            "nothing was to be adopted"
        );
    }
    for spend in spends(wallet) {
        let Some(payout) = known.get(&spend.txid) else {
            assert!(strange.contains(&spend.txid), "{} is in no ledger", spend.txid);
            continue;
        };
        let mut booked: BTreeMap<String, i128> = BTreeMap::new();
        for part in &payout.parts {
            *booked.entry(part.address.clone()).or_default() += sats(part.net());
        }
        let mut paid: BTreeMap<String, i128> = BTreeMap::new();
        for (address, amount) in &spend.outputs {
            *paid.entry(address.clone()).or_default() += sats(*amount);
        }
        assert_eq!(paid, booked, "what payout {} paid", payout.id);
        let state = payout.state;
        assert!(
            matches!(
                state,
                PayoutState::Signed | PayoutState::Broadcast | PayoutState::Confirmed
            ),
            "payout {} is {state} and was sent",
            payout.id
        );
    }
}

/// Whether nobody waits for a payout, and none is under way.
pub(crate) fn all_is_paid(store: &InlineStore) -> bool {
    let is_settled = |payout: &Payout| !payout.state.is_in_flight();
    let payees = now(store.payees());
    store.payouts().iter().all(is_settled) && payees.iter().all(|payee| payee.payable.sats() < THRESHOLD)
}

/// Watches that no money leaves a ledger that is older than its wallet before an operator has looked.
#[derive(Clone)]
pub(crate) struct Watch {
    wallet: TestWallet,
    /// What was sent when the life began, or is in the ledger since before and may be sent again.
    known: Rc<BTreeSet<Txid>>,
    /// What is sent past the pool.
    strange: Rc<RefCell<BTreeSet<Txid>>>,
    /// Whether payouts must wait.
    waits: Rc<Cell<bool>>,
}

impl Watch {
    /// At the beginning of a life.
    pub(crate) fn begin(sim: &Simulation) -> Self {
        let (store, wallet) = (&sim.memory, &sim.wallet);
        let mut known = wallet.ever_sent();
        known.extend(transactions(store).into_keys());
        let strangers = strangers(store, wallet);
        let waits = paying_miners(store, &strangers).next().is_some();
        Self {
            wallet: wallet.clone(),
            known: Rc::new(known),
            strange: sim.strange.clone(),
            waits: Rc::new(Cell::new(waits)),
        }
    }

    /// Whether payouts wait for an operator.
    pub(crate) fn waits(&self) -> bool {
        self.waits.get()
    }

    /// The operator has looked, just now.
    pub(crate) fn operator_looked(&self) {
        self.nothing_left();
        self.waits.set(false);
    }

    /// Nothing new was sent while payouts wait.
    pub(crate) fn nothing_left(&self) {
        if self.waits() {
            let sent = self.wallet.ever_sent();
            let strange = self.strange.borrow();
            let new = sent.difference(&self.known);
            let new: Vec<&Txid> = new.filter(|txid| !strange.contains(*txid)).collect();
            assert!(
                new.is_empty(),
                "{new:?} left from a ledger that is older than its wallet"
            );
        }
    }
}
