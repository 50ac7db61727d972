//! A pool's books and the chain that they are compared with: what outlives a life of the paymaster.

use std::sync::Arc;
use std::time::Duration;

use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::paymaster::messages::{PayoutsView, Poke, ReadPayouts};
use dwarves_actors::paymaster::{Paymaster, PaymasterSettings};
use dwarves_actors::testing::payouts::{crediting_round, start_paymaster};
use dwarves_actors::testing::settings::payout_settings;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{FeePayer, FeeRate, Payout, PayoutState};
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_node::NodeWallet;
use dwarves_ports::store::{MinerBalances, SharedStore, Write};
use dwarves_ports::wallet::SharedWallet;
use dwarves_store_sqlite::{SqliteOptions, SqliteStore};
use dwarves_testkit::build::{BEGIN, hotkey, sats};
use dwarves_testkit::{FaultyWallet, ManualClock, WalletFault};
use serde_json::json;

use super::nodes::{Chain, WALLET, call};

const MINERS: u8 = 3;
/// A look has ended when the wallet was not asked for this many times 25 ms.
const QUIET_POLLS: u32 = 8;
/// Looks of one life.
pub(crate) const LOOKS: u32 = 8;

/// What outlives a life of the pool.
pub(crate) struct World {
    pub(crate) chain: Chain,
    _directory: tempfile::TempDir,
    pub(crate) store: SharedStore,
    clock: ManualClock,
    pub(crate) settings: PaymasterSettings,
    pub(crate) since: u64,
    rounds: u64,
    credited: [u64; MINERS as usize],
}

/// What a life came to.
pub(crate) struct Life {
    /// How often the wallet was asked.
    pub(crate) calls: u64,
    /// How payouts are at its end.
    pub(crate) view: PayoutsView,
}

impl Life {
    /// What hinders payouts, in words.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.view.troubles.iter().map(ToString::to_string).collect()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let chain = Chain::start().await;
        let directory = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open(&directory.path().join("dwarves.db"), SqliteOptions::default()).unwrap();
        let store: SharedStore = Arc::new(store);
        store.start(BEGIN).await.unwrap();
        for (miner, address) in (1..).zip(&chain.addresses) {
            let write = Write::RegisterMiner {
                hotkey: hotkey(miner),
                payout_address: Some(address.clone()),
                at: BEGIN,
            };
            store.commit(vec![write]).await.unwrap();
        }
        let since = call(&chain.client, "getblockcount", json!([])).await;
        Self {
            chain,
            _directory: directory,
            store,
            clock: ManualClock::at(BEGIN.plus(Span::from_secs(1_000))),
            settings: PaymasterSettings {
                addresses: AddressFormat::LitecoinRegtest,
                dust: sats(5_460),
                fee_rate: FeeRate::new(10).unwrap(),
                // A look every hour of real time: the test alone says when.
                look_every: Span::from_secs(3_600),
                ..payout_settings()
            },
            since,
            rounds: 0,
            credited: [0; MINERS as usize],
        }
    }

    /// Makes this many sats of each miner payable.
    pub(crate) async fn credit(&mut self, amounts: [u64; MINERS as usize]) {
        self.rounds += 1;
        for (sum, amount) in self.credited.iter_mut().zip(amounts) {
            *sum += amount;
        }
        let write = crediting_round(self.rounds, BEGIN, &amounts);
        self.store.commit(vec![write]).await.unwrap();
    }

    pub(crate) fn wallet(&self) -> NodeWallet {
        NodeWallet::start(self.chain.node.endpoint(), Some(WALLET)).unwrap()
    }

    /// One life of the paymaster, with a block between every two looks. A fault may end it. It has a system of
    /// its own, which is dropped with every actor and every future in it, as a crash does.
    pub(crate) fn live(&self, plan: &[(u64, WalletFault)], looks: u32) -> Life {
        let life = || actix_rt::System::new().block_on(self.live_inside(plan, looks));
        std::thread::scope(|scope| scope.spawn(life).join().unwrap())
    }

    async fn live_inside(&self, plan: &[(u64, WalletFault)], looks: u32) -> Life {
        let wallet = FaultyWallet::new(Arc::new(self.wallet()), plan.iter().copied());
        let shared: SharedWallet = Arc::new(wallet.clone());
        let stored = self.store.start(BEGIN).await.unwrap();
        let settings = self.settings.clone();
        let (paymaster, halt) = start_paymaster(&stored, self.store.clone(), shared, settings, &self.clock);
        for _ in 0..looks {
            if !self.is_quiet(&paymaster, &wallet).await {
                break;
            }
            self.chain.mine(1).await;
            self.clock.advance(Span::from_secs(61));
            Outbox::new(&paymaster).tell(Poke).unwrap();
        }
        self.is_quiet(&paymaster, &wallet).await;
        assert_eq!(halt.reasons(), [""; 0]);
        let view = Port::new(&paymaster)
            .ask(ReadPayouts, Duration::from_secs(5))
            .await;
        Life {
            calls: wallet.calls(),
            view: view.unwrap(),
        }
    }

    /// Waits until a look has ended: until the wallet was not asked for a while. False if the process died in it.
    async fn is_quiet(&self, paymaster: &actix::Addr<Paymaster>, wallet: &FaultyWallet) -> bool {
        let (mut calls, mut quiet) = (wallet.calls(), 0);
        for _ in 0..1_200 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            if wallet.is_dead() {
                return false;
            }
            let _view = Port::new(paymaster)
                .ask(ReadPayouts, Duration::from_secs(5))
                .await
                .unwrap();
            // Signing many inputs takes longer than a few polls.
            let is_quiet = wallet.calls() == calls && wallet.is_idle();
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet == QUIET_POLLS {
                return true;
            }
            calls = wallet.calls();
        }
        panic!("a look does not end");
    }

    pub(crate) async fn balances(&self) -> Vec<MinerBalances> {
        let mut all = Vec::new();
        for miner in 1..=MINERS {
            all.push(self.store.miner_balances(hotkey(miner)).await.unwrap());
        }
        all
    }

    /// Looks until everything is paid and deep, then compares chain and books to the last unit.
    pub(crate) async fn settle_and_check(&self, what: &str) {
        self.live(&[], LOOKS);
        let (paid, fees) = self.chain.paid_since(self.since).await;
        let books: Vec<u64> = self.balances().await.iter().map(|b| b.paid.sats()).collect();
        assert_eq!(paid, books, "{what}: the chain pays what the books say");
        let totals = self.store.totals().await.unwrap();
        assert_eq!(totals.ledger_sum, 0, "{what}");
        for balances in self.balances().await {
            let left = [balances.payable, balances.in_flight, balances.immature];
            assert_eq!(left, [Amount::ZERO; 3], "{what}: everything is paid");
        }
        let (paid, credited): (u64, u64) = (paid.iter().sum(), self.credited.iter().sum());
        match self.settings.payer {
            FeePayer::Pool => assert_eq!(paid, credited, "{what}"),
            FeePayer::Miners => assert_eq!(paid + fees, credited, "{what}: what left the wallet was debited"),
        }
    }

    /// After payouts of both kinds: what left the wallet is what was debited, of every miner.
    pub(crate) async fn compare_books_with_chain(&self) {
        self.live(&[], LOOKS);
        let (paid, _) = self.chain.paid_since(self.since).await;
        let mut fees = [0; MINERS as usize];
        let mut id = PayoutId::new(1);
        while let Some(payout) = self.store.payout(id).await.unwrap() {
            let confirmed = payout.state == PayoutState::Confirmed;
            for part in payout.parts.iter().filter(|_| confirmed) {
                fees[usize::from(part.hotkey.as_bytes()[0]) - 1] += part.fee.sats();
            }
            id = id.next();
        }
        for (miner, balances) in self.balances().await.iter().enumerate() {
            assert_eq!(
                balances.paid.sats(),
                paid[miner],
                "the chain pays what the books say"
            );
            assert_eq!(
                (balances.payable, balances.in_flight),
                (Amount::ZERO, Amount::ZERO)
            );
            let debited = paid[miner] + fees[miner];
            assert_eq!(
                debited, self.credited[miner],
                "debited is paid and fee, and nothing else"
            );
        }
        assert_eq!(self.store.totals().await.unwrap().ledger_sum, 0);
    }

    pub(crate) async fn last_payout(&self) -> Payout {
        let (id, _) = self.store.start(BEGIN).await.unwrap().last_payout.unwrap();
        self.store.payout(id).await.unwrap().unwrap()
    }
}
