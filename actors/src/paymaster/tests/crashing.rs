//! The process dies between every two steps, the wallet lies and stalls, the chain reorganises: whatever
//! happens, what left the wallet is what was debited, for every miner.

use super::*;
use dwarves_testkit::{Prng, fresh_seeds};

/// Looks of a life that is not to die.
const LOOKS: u64 = 12;
/// Seconds between two looks.
const LOOK_SECS: u64 = 61;

/// What outlives a life.
struct World {
    memory: InlineStore,
    wallet: TestWallet,
    clock: ManualClock,
    settings: PaymasterSettings,
    credited: [u64; 4],
    /// Somebody else spends from the wallet: a payout that was given back may come back after all, and then the
    /// reserve bears what was paid twice.
    has_rivals: bool,
}

impl World {
    fn new(payer: FeePayer) -> Self {
        let system = actix_rt::System::new();
        let credited = [50_000, 20_000, 30_000, 12_345];
        Self {
            memory: system.block_on(rich(credited)),
            wallet: TestWallet::with_coins(&[70_000, 300_000, 400_000]),
            clock: ManualClock::at(at(100)),
            settings: PaymasterSettings {
                payer,
                ..payout_settings()
            },
            credited,
            has_rivals: false,
        }
    }

    /// One life: it looks again and again while `chain` happens between the looks, until a fault ends it.
    /// Answers how many calls of the wallet and how many commits there were.
    fn live(
        &mut self,
        wallet_plan: &[(u64, WalletFault)],
        store_plan: &[(u64, Fault)],
        looks: u64,
        mut chain: impl FnMut(&TestWallet, u64),
    ) -> (u64, u64) {
        // A restart: the ledger is opened and checked anew.
        self.memory = self.memory.reopen().unwrap();
        let plan = FaultPlan {
            at: store_plan.to_vec(),
            disk_full: None,
        };
        let store = FaultyStore::new(Arc::new(self.memory.clone()), plan);
        let wallet = FaultyWallet::new(Arc::new(self.wallet.clone()), wallet_plan.iter().copied());
        let system = actix_rt::System::new();
        system.block_on(async {
            tokio::time::pause();
            let shared: SharedWallet = Arc::new(wallet.clone());
            let shared_store: SharedStore = Arc::new(store.clone());
            let settings = self.settings.clone();
            let (paymaster, halt) = live(&self.memory, shared_store, shared, settings, &self.clock).await;
            settle().await;
            for look in 0..looks {
                if wallet.is_dead() || !halt.reasons().is_empty() {
                    break;
                }
                chain(&self.wallet, look);
                self.clock.advance(Span::from_secs(LOOK_SECS));
                Outbox::new(&paymaster).tell(Poke).unwrap();
                settle().await;
            }
        });
        // Dropping the system drops every actor and every future, as a crash does.
        drop(system);
        (wallet.calls(), store.commits())
    }

    /// Lets the chain calm down and looks until nothing moves any more, then checks the books.
    fn settle_and_check(&mut self, what: &str) {
        self.live(&[], &[], LOOKS, |wallet, _| wallet.mine(1));
        self.check(what);
        let payable = of_miners(&self.memory, Balance::Payable);
        assert_eq!(
            payable, [0; 4],
            "{what}: everything that is due is paid in the end"
        );
        assert_eq!(of_miners(&self.memory, Balance::InFlight), [0; 4], "{what}");
    }

    /// What the books say is what the chain says.
    fn check(&self, what: &str) {
        let paid = of_miners(&self.memory, Balance::Paid);
        let balances = self.memory.balances();
        assert_eq!(balances.sum(), 0, "{what}");
        let chain = self.wallet.paid();
        let on_chain = |miner: u8| chain.get(&script_of(miner)).copied().unwrap_or(0) as i64;
        assert_eq!(
            [on_chain(1), on_chain(2), on_chain(3)],
            [paid[0], paid[1], paid[2] + paid[3]],
            "{what}"
        );
        let fees = balances.get(Account::NetworkFees);
        assert_eq!(fees, self.wallet.fees() as i64, "{what}: the network's part");
        let reserve = balances.get(Account::Reserve);
        let credited: u64 = self.credited.iter().sum();
        assert_eq!(
            paid.iter().sum::<i64>() + fees,
            credited as i64 - reserve,
            "{what}: what left was debited"
        );
        if self.has_rivals {
            let mut more = paid.iter().zip(self.credited);
            assert!(
                self.settings.payer == FeePayer::Miners || more.all(|(paid, due)| *paid as u64 >= due),
                "{what}"
            );
        } else if self.settings.payer == FeePayer::Pool {
            assert_eq!(
                paid.map(|paid| paid as u64),
                self.credited,
                "{what}: everybody got all, and once"
            );
        } else {
            assert_eq!(reserve, 0, "{what}: the miners paid the network");
        }
    }
}

/// A quiet chain: a block between every two looks.
fn quiet(wallet: &TestWallet, _: u64) {
    wallet.mine(1);
}

#[test]
fn a_crash_before_or_after_every_call_of_the_wallet_and_every_commit_pays_everybody_once() {
    for payer in [FeePayer::Pool, FeePayer::Miners] {
        let (calls, commits) = World::new(payer).live(&[], &[], LOOKS, quiet);
        assert!(
            calls > 15 && commits > 5,
            "{calls} calls and {commits} commits are too few to prove anything"
        );
        for call in 1..=calls {
            for fault in WalletFault::DEADLY.into_iter().chain(WalletFault::SURVIVED) {
                let mut world = World::new(payer);
                world.live(&[(call, fault)], &[], LOOKS, quiet);
                world.settle_and_check(&format!("{payer}: call {call} {fault:?}"));
            }
        }
        for commit in 1..=commits {
            for fault in [Fault::Refuse, Fault::LoseBefore, Fault::LoseAfter] {
                let mut world = World::new(payer);
                world.live(&[], &[(commit, fault)], LOOKS, quiet);
                world.settle_and_check(&format!("{payer}: commit {commit} {fault:?}"));
            }
        }
    }
}

#[test]
fn two_crashes_in_a_row_at_every_pair_of_steps_pay_everybody_once() {
    let (calls, _) = World::new(FeePayer::Pool).live(&[], &[], 4, quiet);
    for first in 1..=calls {
        for second in 1..=calls {
            let mut world = World::new(FeePayer::Pool);
            let fault = WalletFault::DEADLY[usize::from((first + second) % 2 == 0)];
            world.live(&[(first, WalletFault::DieAfter)], &[], 4, quiet);
            world.live(&[(second, fault)], &[], 4, quiet);
            world.settle_and_check(&format!("calls {first} and {second} {fault:?}"));
        }
    }
}

/// One random history: lives that die, a wallet that lies, a store that fails, reorganisations that are not
/// deeper than a payout is followed, lost mempools, and more credits now and then.
fn history(seed: u64) {
    let mut prng = Prng::new(seed);
    let payer = if prng.chance(50) {
        FeePayer::Pool
    } else {
        FeePayer::Miners
    };
    let mut world = World::new(payer);
    let has_rivals = prng.chance(30);
    world.has_rivals = has_rivals;
    let lives = 2 + prng.below(5);
    let mut highest = 0;
    for life in 0..lives {
        let mut faults: Vec<(u64, WalletFault)> = Vec::new();
        for _ in 0..prng.below(6) {
            let fault = WalletFault::SURVIVED[prng.below(4) as usize];
            faults.push((1 + prng.below(60), fault));
        }
        let deadly = WalletFault::DEADLY[prng.below(2) as usize];
        faults.push((1 + prng.below(60), deadly));
        let mut commits = Vec::new();
        for _ in 0..prng.below(3) {
            let fault = [Fault::Refuse, Fault::LoseBefore, Fault::LoseAfter][prng.below(3) as usize];
            commits.push((1 + prng.below(20), fault));
        }
        let mut chain = prng.fork();
        let forget = world.settings.depths.forget as usize;
        let highest = &mut highest;
        world.live(&faults, &commits, LOOKS, |wallet, _| {
            *highest = (*highest).max(wallet.height());
            // One reorganisation upon the other must not reach below what is followed, either.
            let deepest = (wallet.height() + forget - 1).saturating_sub(*highest);
            match chain.below(10) {
                0 => wallet.lose_mempool(),
                1 => wallet.reorganise(deepest.min(1 + chain.below(8) as usize), chain.chance(50)),
                2 if has_rivals && chain.chance(30) => {
                    if let Some(inputs) = wallet.inputs_waiting() {
                        wallet.spend_elsewhere(&inputs);
                    }
                }
                2 => {}
                _ => wallet.mine(1),
            };
        });
        if prng.chance(50) {
            let more = [0; 4].map(|_: u64| prng.below(40_000));
            actix_rt::System::new().block_on(credit(&world.memory, 2 + life, more));
            for (sum, more) in world.credited.iter_mut().zip(more) {
                *sum += more;
            }
        }
    }
    // Nobody's balance is below the threshold in the end, so that all of it must be paid.
    let last = [20_000; 4];
    actix_rt::System::new().block_on(credit(&world.memory, 100, last));
    for (sum, last) in world.credited.iter_mut().zip(last) {
        *sum += last;
    }
    world.wallet.give(2_000_000);
    world.live(&[], &[], 20, quiet);
    world.settle_and_check(&format!("seed {seed}"));
}

#[test]
fn hundreds_of_random_histories_pay_everybody_once() {
    for seed in 0..400 {
        history(seed);
    }
}

#[test]
fn random_histories_of_fresh_seeds_pay_everybody_once() {
    fresh_seeds(60).for_each(history);
}
