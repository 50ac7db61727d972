//! What happens to a pool: blocks of others, reorganisations, a chain that is down, behind, refuses or forks, a clock
//! that jumps, a wallet that is away, and operators who change their minds.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use dwarves_actors::ask::Port;
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::miner_manager::messages::MinerControl;
use dwarves_actors::paymaster::messages::PaymasterControl;
use dwarves_actors::pool_manager::messages::{ControlMessage, Deliver, PoolControl};
use dwarves_actors::reward_distributor::messages::DistributorControl;
use dwarves_actors::work_manager::messages::WorkControl;
use dwarves_domain::payouts::Txid;
use dwarves_domain::time::Span;
use dwarves_domain::units::BasisPoints;
use dwarves_ports::clock::Clock;
use dwarves_ports::wallet::WalletState;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::chain::Submissions;
use dwarves_testkit::{Prng, SimClock, TestChain, TestWallet};

use crate::backup::{Backup, Shelf, word};
use crate::fork::Fork;
use crate::miner::{self, MinerState};
use crate::money;
use crate::notes::Notes;
use crate::peer;
use crate::plan::{Simulation, TOLERANCE};

fn pay_now(dry_run: bool) -> ControlMessage {
    ControlMessage::Payouts(PaymasterControl::PayNow { dry_run, plan: None })
}

/// Blocks that others find in the end: more than a block needs to be forgotten.
const BURIAL: u32 = 25;
/// How many times five seconds the last rounds may take.
const PATIENCE: u32 = 100;

/// A payout that is gone from blocks as deep as this, or deeper, is not sent again: it was forgotten.
const FORGOTTEN: u32 = 9;
/// A script of the owner's: to a witness of 20 bytes.
const OWNERS: [u8; 22] = [
    0x00, 0x14, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77,
    0x77, 0x77, 0x77, 0x77, 0x77,
];

/// What makes things happen.
pub(crate) struct Chaos {
    pub(crate) chain: TestChain,
    pub(crate) wallet: TestWallet,
    pub(crate) memory: InlineStore,
    pub(crate) fork: Fork,
    pub(crate) clock: SimClock,
    pub(crate) deliver: Port<Deliver>,
    pub(crate) notes: Notes,
    pub(crate) prng: Prng,
    pub(crate) miners: Vec<Rc<RefCell<MinerState>>>,
    pub(crate) strange: Rc<RefCell<BTreeSet<Txid>>>,
    pub(crate) shelf: Shelf,
}

impl Chaos {
    /// What happens in the simulation's next life.
    pub(crate) fn new(sim: &Simulation, clock: &SimClock, deliver: &Port<Deliver>, prng: Prng) -> Self {
        Self {
            chain: sim.chain.clone(),
            wallet: sim.wallet.clone(),
            memory: sim.memory.clone(),
            fork: sim.fork.clone(),
            clock: clock.clone(),
            deliver: deliver.clone(),
            notes: sim.notes.clone(),
            prng,
            miners: sim.miners.clone(),
            strange: sim.strange.clone(),
            shelf: sim.shelf.clone(),
        }
    }

    /// Undoes what the life before may have left behind, so that this one can work.
    pub(crate) async fn calm(&self, ports: &PoolPorts) {
        self.fork.end(&self.chain, &self.wallet);
        self.wallet.set_state(WalletState::Ready);
        self.chain.set_down(false);
        self.chain.set_synced(true);
        self.chain.set_unsound(false);
        self.chain.set_submissions(Submissions::Arrive);
        for control in [
            ControlMessage::Pool(PoolControl::Resume),
            ControlMessage::Rewards(DistributorControl::Resume),
            ControlMessage::Payouts(PaymasterControl::Resume),
            ControlMessage::Miners(MinerControl::OpenRegistration),
        ] {
            // A store that fails by plan may refuse it; then this life has less to do.
            let outcome = ports.deliver.ask(Deliver(control), Duration::from_secs(5)).await;
            self.notes.event(format!("calm: {outcome:?}"));
        }
        for n in (0..self.miners.len() as u8).chain([peer::PEER]) {
            let unban = MinerControl::Unban {
                hotkey: miner::hotkey_of(n),
            };
            let unban = Deliver(ControlMessage::Miners(unban));
            let _unknown_or_done = ports.deliver.ask(unban, Duration::from_secs(5)).await;
        }
    }

    /// Goes on for as long as the life does.
    pub(crate) async fn rage(mut self) {
        loop {
            let wait = 100 + self.prng.below(2_000);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            match self.prng.below(100) {
                0..35 => self.others_find_blocks(),
                35..42 => self.reorganise(),
                42..48 => self.chain_goes_down().await,
                48..55 => self.submissions_get_lost().await,
                55..60 => self.clock_jumps().await,
                60..80 => self.operator_acts().await,
                80..84 => self.node_falls_behind().await,
                84..87 => self.node_refuses().await,
                87..91 => self.node_forks(|| true).await,
                91..93 => self.wallet_goes_away().await,
                93..98 => self.back_up(),
                98..99 => self.owner_spends(),
                _ => {}
            }
        }
    }

    pub(crate) fn event(&self, what: &str) {
        self.notes.event(format!(
            "{} {what} tip={}",
            self.clock.now(),
            self.chain.tip().height
        ));
    }

    pub(crate) fn others_find_blocks(&mut self) {
        let blocks = 1 + self.prng.below(2) as u32;
        self.chain.others_find(blocks);
        self.wallet.mine(blocks);
        self.event("others found blocks");
    }

    pub(crate) fn reorganise(&mut self) {
        // Rarely deeper than a coinbase needs to mature, and then by enough that some seeds of each test get there.
        let depth = if self.prng.chance(20) { 16 } else { 3 };
        let depth = 1 + self.prng.below(depth) as u32;
        // Only what somebody sends again may get lost: not the owner's payments, nor what a ledger does not know any more.
        let may_lose = depth < FORGOTTEN && money::strangers(&self.memory, &self.wallet).is_empty();
        let lost = may_lose && self.prng.chance(30);
        self.reorganise_both(depth, lost);
        self.event(&format!("reorganisation depth={depth} lost={lost}"));
    }

    /// Reorganises the pool's chain and, as far as payouts go, the wallet's.
    pub(crate) fn reorganise_both(&self, depth: u32, lost: bool) {
        self.chain.reorganise(depth);
        self.wallet.reorganise(depth as usize, lost);
        if lost {
            self.wallet.lose_mempool();
        }
        self.wallet.mine(depth + 1);
    }

    /// A copy of the ledger is taken at this very moment.
    fn back_up(&self) {
        let backup = Backup::take(&self.memory, &self.notes, &self.miners);
        self.shelf.replace(Some(backup));
        self.event("backup taken");
    }

    async fn wallet_goes_away(&mut self) {
        self.wallet
            .set_state(WalletState::NotLoaded("it was not loaded again".to_owned()));
        self.event("wallet away");
        let away = self.prng.below(20_000);
        tokio::time::sleep(Duration::from_millis(away)).await;
        self.wallet.set_state(WalletState::Ready);
        self.event("wallet is back");
    }

    /// The owner of the wallet pays somebody from it, past the pool.
    fn owner_spends(&self) {
        let txid = self.wallet.pay_elsewhere(&[(OWNERS.to_vec(), 1_000_000)]);
        self.strange.borrow_mut().insert(txid);
        self.event("owner spends");
    }

    async fn chain_goes_down(&mut self) {
        self.chain.set_down(true);
        self.event("chain down");
        let down = self.prng.below(30_000);
        tokio::time::sleep(Duration::from_millis(down)).await;
        self.chain.set_down(false);
        self.event("chain up");
    }

    /// The node says that it has not all blocks: what it says of any does not count.
    async fn node_falls_behind(&mut self) {
        self.chain.set_synced(false);
        self.event("node behind");
        let behind = self.prng.below(15_000);
        tokio::time::sleep(Duration::from_millis(behind)).await;
        self.chain.set_synced(true);
        self.event("node synced");
    }

    /// The node says that it would not take the pool's blocks, or that it is on another chain.
    async fn node_refuses(&mut self) {
        self.chain.set_unsound(true);
        self.event("node refuses");
        let refuses = self.prng.below(10_000);
        tokio::time::sleep(Duration::from_millis(refuses)).await;
        self.chain.set_unsound(false);
        self.event("node takes blocks");
    }

    async fn submissions_get_lost(&mut self) {
        let lost = if self.prng.chance(50) {
            Submissions::LostBefore
        } else {
            Submissions::LostAfter
        };
        self.chain.set_submissions(lost);
        self.event(&format!("submissions {lost:?}"));
        let lost_for = self.prng.below(15_000);
        tokio::time::sleep(Duration::from_millis(lost_for)).await;
        self.chain.set_submissions(Submissions::Arrive);
        self.event("submissions arrive");
    }

    /// The machine's clock is set wrong: by little, by hours or by a year. Mostly somebody sees it soon.
    pub(crate) async fn clock_jumps(&mut self) {
        let most = match self.prng.below(10) {
            0..6 => 30_000,
            6..8 => 3 * 3_600_000,
            _ => 365 * 24 * 3_600_000,
        };
        let millis = self.prng.below(most) as i64;
        let millis = if self.prng.chance(50) { millis } else { -millis };
        self.notes.clock_showed(self.clock.date());
        self.clock.jump(millis);
        if millis.unsigned_abs() <= TOLERANCE.millis() {
            self.notes.clock_is_off(Span::from_millis(millis.unsigned_abs()));
        }
        self.event(&format!("clock jumped by {millis} ms"));
        if self.prng.chance(70) {
            let wrong_for = self.prng.below(12_000);
            tokio::time::sleep(Duration::from_millis(wrong_for)).await;
            self.notes.clock_showed(self.clock.date());
            self.clock.jump(-millis);
            self.event("clock is right again");
        }
    }

    pub(crate) async fn operator_acts(&mut self) {
        let honest = self.prng.below(self.miners.len() as u64) as u8;
        let hotkey = miner::hotkey_of(if self.prng.chance(50) { peer::PEER } else { honest });
        let fee = BasisPoints::new(self.prng.below(500) as u16).expect("below one whole");
        let interval = Span::from_secs(1 + self.prng.below(5));
        let (control, undo) = match self.prng.below(13) {
            0 => (
                ControlMessage::Pool(PoolControl::Pause),
                Some(ControlMessage::Pool(PoolControl::Resume)),
            ),
            1 => (
                ControlMessage::Rewards(DistributorControl::Pause),
                Some(ControlMessage::Rewards(DistributorControl::Resume)),
            ),
            2 => (
                ControlMessage::Miners(MinerControl::CloseRegistration),
                Some(ControlMessage::Miners(MinerControl::OpenRegistration)),
            ),
            3 => (
                ControlMessage::Miners(MinerControl::Ban {
                    hotkey,
                    reason: "by chance".to_owned(),
                    until: Some(self.clock.date().plus(Span::from_secs(5))),
                }),
                None,
            ),
            4 => (ControlMessage::Rewards(DistributorControl::SetFee(fee)), None),
            5 => (
                ControlMessage::Rewards(DistributorControl::SetRunInterval(interval)),
                None,
            ),
            6 => (ControlMessage::Work(WorkControl::Refresh), None),
            7 => (ControlMessage::Pool(PoolControl::Status), None),
            8 => (
                ControlMessage::Payouts(PaymasterControl::Pause),
                Some(ControlMessage::Payouts(PaymasterControl::Resume)),
            ),
            9 | 10 => (pay_now(self.prng.chance(30)), None),
            11 => {
                let last = self.memory.payouts().last().map(|payout| payout.id);
                let cancel = last.map(|id| ControlMessage::Payouts(PaymasterControl::Cancel(id)));
                (cancel.unwrap_or(pay_now(true)), None)
            }
            _ => (ControlMessage::Rewards(DistributorControl::DistributeNow), None),
        };
        self.act(control).await;
        if let Some(undo) = undo {
            let later = self.prng.below(4_000);
            tokio::time::sleep(Duration::from_millis(later)).await;
            self.act(undo).await;
        }
    }

    async fn act(&self, control: ControlMessage) {
        if control == ControlMessage::Rewards(DistributorControl::DistributeNow) {
            self.notes.round_ordered();
        }
        let what = format!("{control:?}");
        let outcome = self.deliver.ask(Deliver(control), Duration::from_secs(30)).await;
        let word = word(outcome.ok().as_ref());
        self.event(&format!("operator: {what}: {word}"));
    }

    /// Others find blocks one by one until everything is deep, and then rounds close until nothing is due.
    pub(crate) async fn bury_everything(&self, nothing_is_due: impl Fn() -> bool) {
        for _ in 0..BURIAL {
            self.chain.others_find(1);
            self.wallet.mine(1);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // Time for the last look at the blocks.
        tokio::time::sleep(Duration::from_secs(7)).await;
        for _ in 0..PATIENCE {
            if nothing_is_due() {
                break;
            }
            self.wallet.mine(1);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        self.event("all is buried");
    }
}
