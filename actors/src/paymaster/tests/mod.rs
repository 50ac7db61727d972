//! The paymaster on a real ledger, with a wallet that has a little chain behind it and fails as it is told.

use std::sync::Arc;
use std::time::Duration;

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{FeePayer, FeeRate, Payout, PayoutState, Signed};
use dwarves_ports::store::{SharedStore, Store, Write};
use dwarves_ports::wallet::WalletState;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, hotkey, sats};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{FaultyWallet, ManualClock, RecordingHalt, TestWallet, WalletFault, settle};
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::Level;

use super::messages::{DrainPayouts, PaymasterControl, ReadPayouts};
use super::*;
use crate::ask::{Ask, Outbox, Request};
use crate::spans::heard::{Heard, of_span};
use crate::testing::payouts::{crediting_round, start_paymaster};
use crate::testing::settings::payout_settings;

mod comparing;
mod controlling;
mod crashing;
mod holding;
mod paying;
mod refusing;
mod releasing;
mod troubles;

/// Addresses on regtest, one for each of miners 1 to 4; miners 3 and 4 share theirs.
const ADDRESSES: [&str; 3] = [
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
    "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc",
];

fn address_of(miner: u8) -> &'static str {
    ADDRESSES[usize::from(miner.clamp(1, 3)) - 1]
}

fn script_of(miner: u8) -> Vec<u8> {
    let address = PayoutAddress::parse(address_of(miner), AddressFormat::BitcoinRegtest);
    address.unwrap().script()
}

fn at(secs: u64) -> Timestamp {
    BEGIN.plus(Span::from_secs(secs))
}

/// A store in which miners 1 to 4 have this many sats payable.
async fn rich(payable: [u64; 4]) -> InlineStore {
    let memory = InlineStore::fresh();
    memory.start(BEGIN).await.unwrap();
    for miner in 1..=4 {
        let write = Write::RegisterMiner {
            hotkey: hotkey(miner),
            payout_address: Some(address_of(miner).to_owned()),
            at: BEGIN,
        };
        memory.commit(vec![write]).await.unwrap();
    }
    credit(&memory, 1, payable).await;
    memory
}

/// Books a round that makes this many sats of each miner payable.
async fn credit(memory: &InlineStore, round: u64, payable: [u64; 4]) {
    let write = crediting_round(round, at(round), &payable);
    memory.commit(vec![write]).await.unwrap();
}

/// One life of a paymaster.
struct Bench {
    clock: ManualClock,
    memory: InlineStore,
    wallet: TestWallet,
    halt: RecordingHalt,
    paymaster: Addr<Paymaster>,
}

impl Bench {
    /// A wallet with enough coins, and a paymaster that has just begun.
    async fn new(payable: [u64; 4]) -> Self {
        let wallet = TestWallet::with_coins(&[60_000, 500_000, 2_000_000]);
        Self::with(rich(payable).await, wallet, payout_settings()).await
    }

    async fn with(memory: InlineStore, wallet: TestWallet, settings: PaymasterSettings) -> Self {
        tokio::time::pause();
        Self::on(memory, wallet, settings).await
    }

    /// The same, where time is paused already.
    async fn on(memory: InlineStore, wallet: TestWallet, settings: PaymasterSettings) -> Self {
        let shared: SharedWallet = Arc::new(wallet.clone());
        let clock = ManualClock::at(at(100));
        let store: SharedStore = Arc::new(memory.clone());
        let (paymaster, halt) = live(&memory, store, shared, settings, &clock).await;
        settle().await;
        Self {
            clock,
            memory,
            wallet,
            halt,
            paymaster,
        }
    }

    /// The next life, on the same store, wallet and clock.
    async fn restarted(self) -> Self {
        let shared: SharedWallet = Arc::new(self.wallet.clone());
        let store: SharedStore = Arc::new(self.memory.clone());
        let (paymaster, halt) = live(&self.memory, store, shared, payout_settings(), &self.clock).await;
        settle().await;
        Self {
            paymaster,
            halt,
            ..self
        }
    }

    /// A look this many seconds after the beginning.
    async fn look_at(&self, secs: u64) {
        self.clock.set(at(secs));
        self.look().await;
    }

    async fn look(&self) {
        Outbox::new(&self.paymaster).tell(Poke).unwrap();
        settle().await;
    }

    fn post<R: Request>(&self, payload: R) -> oneshot::Receiver<R::Reply>
    where
        Paymaster: Handler<Ask<R>>,
    {
        Port::new(&self.paymaster).post(payload).unwrap()
    }

    async fn ask<R: Request>(&self, payload: R) -> R::Reply
    where
        Paymaster: Handler<Ask<R>>,
    {
        let port = Port::new(&self.paymaster);
        port.ask(payload, Duration::from_secs(300)).await.unwrap()
    }

    async fn view(&self) -> PayoutsView {
        self.ask(ReadPayouts).await
    }

    /// Names of what hinders payouts.
    async fn troubles(&self) -> Vec<&'static str> {
        let view = self.view().await;
        view.troubles.iter().map(|trouble| trouble.kind.name()).collect()
    }

    /// What the last plan left for this reason, in sats.
    async fn held(&self, why: &str) -> u64 {
        let held = self.view().await.held;
        let held = held.into_iter().find(|(known, _)| known.name() == why);
        held.map_or(0, |(_, held)| held.amount.sats())
    }

    /// What would be sent now.
    async fn dry_run(&self) -> Value {
        match self
            .ask(PaymasterControl::PayNow {
                dry_run: true,
                plan: None,
            })
            .await
        {
            Ok(told) => told,
            other => panic!("{other:?}"),
        }
    }

    fn payout(&self, number: usize) -> Payout {
        self.memory.payouts()[number - 1].clone()
    }

    fn states(&self) -> Vec<PayoutState> {
        self.memory.payouts().iter().map(|payout| payout.state).collect()
    }

    fn signed(&self, number: usize) -> Signed {
        self.payout(number).signed.expect("the payout is signed")
    }

    /// Nothing ever made the process stop.
    fn never_halted(&self) -> bool {
        self.halt.reasons().is_empty()
    }

    fn of_miners(&self, balance: Balance) -> [i64; 4] {
        of_miners(&self.memory, balance)
    }

    fn balance(&self, account: Account) -> i64 {
        self.memory.balances().get(account)
    }
}

fn of_miners(memory: &InlineStore, balance: Balance) -> [i64; 4] {
    let balances = memory.balances();
    [1, 2, 3, 4].map(|n| balances.get(Account::Miner(hotkey(n), balance)))
}

/// Starts ledger and paymaster from what the store has.
async fn live(
    memory: &InlineStore,
    store: SharedStore,
    wallet: SharedWallet,
    settings: PaymasterSettings,
    clock: &ManualClock,
) -> (Addr<Paymaster>, RecordingHalt) {
    let stored = memory.start(BEGIN).await.unwrap();
    start_paymaster(&stored, store, wallet, settings, clock)
}
