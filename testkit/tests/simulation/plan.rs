//! One simulation: what it begins with, how many lives it has, and how each of them goes wrong.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use dwarves_actors::assembly::PoolSettings;
use dwarves_actors::testing::settings::pool_settings;
use dwarves_domain::payouts::{FeePayer, Txid};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::timekeeping::Rules;
use dwarves_domain::units::Units;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, EASY_BITS};
use dwarves_testkit::faulty_store::{Fault, FaultPlan};
use dwarves_testkit::{Prng, TestChain, TestWallet};

use crate::backup::Shelf;
use crate::fork::Fork;
use crate::life::{self, Ending};
use crate::miner::MinerState;
use crate::notes::Notes;
use crate::peer::PeerState;
use crate::statements::Seen;
use crate::wire::Wire;
use crate::{check, money, statements};

/// The wallet's coins, in sats: more than all miners together earn.
const COINS: [u64; 40] = [100_000_000_000; 40];
/// How far the clock may be from the chain's best header.
pub(crate) const TOLERANCE: Span = Span::from_secs(600);

/// How one life goes.
pub(crate) struct LifePlan {
    /// The commits of this life that fail, and how.
    pub(crate) faults: FaultPlan,
    /// How long it lasts if nothing stops it before.
    pub(crate) length: Span,
    /// How it ends, unless a fault ends it before.
    pub(crate) ending: Ending,
    /// Where the random numbers of this life begin.
    pub(crate) seed: u64,
    /// Nothing goes wrong any more, and the chain grows until all is deep.
    pub(crate) is_last: bool,
}

/// What outlives the lives of a pool.
pub(crate) struct Simulation {
    pub(crate) prng: Prng,
    pub(crate) memory: InlineStore,
    pub(crate) chain: TestChain,
    /// The true time.
    pub(crate) now: Timestamp,
    /// By how many milliseconds the machine's clock is wrong when a life begins.
    pub(crate) wrong: i64,
    pub(crate) notes: Notes,
    pub(crate) miners: Vec<Rc<RefCell<MinerState>>>,
    /// It remembers what it sent, whatever ledger there is.
    pub(crate) wallet: TestWallet,
    /// What the wallet sent and a ledger may not know.
    pub(crate) strange: Rc<RefCell<BTreeSet<Txid>>>,
    pub(crate) fork: Fork,
    /// The latest copy of the ledger.
    pub(crate) shelf: Shelf,
    pub(crate) wire: Wire,
    pub(crate) peer: Rc<RefCell<PeerState>>,
    /// The statements that validators have.
    pub(crate) stated: Seen,
    payer: FeePayer,
    scheme: Scheme,
    source: Source,
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Self {
        let mut prng = Prng::new(seed);
        let scheme = Scheme::ALL[(seed % 5) as usize];
        let source = if seed % 7 == 3 {
            Source::Emission
        } else {
            Source::Blocks
        };
        let miners = (0..2 + prng.below(3))
            .map(|n| Rc::new(RefCell::new(MinerState::new(n as u8, prng.fork()))))
            .collect();
        Self {
            memory: InlineStore::fresh(),
            chain: TestChain::new(EASY_BITS),
            now: BEGIN,
            wrong: 0,
            notes: Notes::default(),
            miners,
            wallet: TestWallet::with_coins(&COINS),
            strange: Rc::default(),
            fork: Fork::default(),
            shelf: Shelf::default(),
            wire: Wire::default(),
            peer: Rc::new(RefCell::new(PeerState::new(prng.fork()))),
            stated: Seen::default(),
            payer: if seed % 3 == 1 {
                FeePayer::Miners
            } else {
                FeePayer::Pool
            },
            scheme,
            source,
            prng,
        }
    }

    pub(crate) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) const fn source(&self) -> Source {
        self.source
    }

    /// The settings of each life. They are the same, but not their objects.
    pub(crate) fn settings(&self) -> PoolSettings {
        let mut settings = pool_settings();
        settings.rewards.terms.scheme = self.scheme;
        settings.rewards.terms.source = self.source;
        settings.rewards.terms.window = Units::from_raw(Units::ONE.raw() * 2);
        // Blocks are so easy here that more than a few of one height are found; none is to be left out.
        settings.blocks.candidates_max = 200;
        settings.payouts.payer = self.payer;
        settings.payouts.interval = Span::from_secs(15);
        settings.rewards.run_interval = Span::from_secs(3);
        settings.clock = Rules {
            tolerance: TOLERANCE,
            settle: Span::from_secs(5),
        };
        settings.notary = Some(statements::settings());
        settings.work.refresh_every = Span::from_secs(5);
        settings.work.job_lifetime = Span::from_secs(20);
        settings
    }

    /// Lives through all of it and gives the log.
    pub(crate) fn run(mut self) -> Vec<String> {
        let lives = 2 + self.prng.below(4);
        for life in 1..=lives {
            let plan = self.plan_life(life == lives);
            if plan.is_last {
                // Somebody has set the clock right at last.
                self.wrong = 0;
            }
            let how = life::live(&mut self, &plan);
            self.notes.event(format!("life {life} ended: {how}"));
            crate::nothing_panicked();
            check::books(&self.memory, &self.notes, self.scheme, self.source);
            self.stated.check(&self.memory, &self.notes);
            check::no_round_of_a_wrong_clock(&self.memory, &self.notes, self.now.since(BEGIN), life);
            money::is_booked_once(&self.memory, &self.wallet, &self.strange.borrow());
            if life < lives && self.prng.chance(25) {
                let backup = self.shelf.take();
                if let Some(backup) = backup {
                    backup.put_back(&mut self);
                    check::books(&self.memory, &self.notes, self.scheme, self.source);
                }
            }
            // Time goes on while nobody runs the pool.
            self.now = self.now.plus(Span::from_millis(self.prng.below(20_000)));
        }
        check::came_to_rest(&self.memory, &self.chain);
        assert!(money::all_is_paid(&self.memory), "somebody was not paid");
        for payout in self.memory.payouts() {
            self.notes.event(format!(
                "payout {} is {} {}",
                payout.id, payout.state, payout.note
            ));
        }
        for block in self.memory.found_blocks() {
            let (state, booked) = (block.state, block.accounting);
            self.notes
                .event(format!("block {} is {state}, booked {booked}", block.hash));
        }
        let balances = self.memory.balances();
        for (account, sats) in balances.iter() {
            self.notes.event(format!("{account} {sats}"));
        }
        self.notes.log()
    }

    fn plan_life(&mut self, is_last: bool) -> LifePlan {
        let prng = &mut self.prng;
        let mut faults = FaultPlan::default();
        if !is_last {
            for _ in 0..prng.below(4) {
                faults.at.push((1 + prng.below(200), Fault::Refuse));
            }
            if prng.chance(20) {
                let from = 1 + prng.below(100);
                faults.disk_full = Some(from..from + 1 + prng.below(30));
            }
            if prng.chance(60) {
                let fault = if prng.chance(50) {
                    Fault::LoseBefore
                } else {
                    Fault::LoseAfter
                };
                faults.at.push((1 + prng.below(150), fault));
            }
        }
        let ending = if is_last || prng.chance(25) {
            Ending::Stop
        } else {
            Ending::Crash
        };
        LifePlan {
            faults,
            length: Span::from_millis(3_000 + prng.below(40_000)),
            ending,
            seed: prng.bits(),
            is_last,
        }
    }
}
