//! The owners of state, started each after those that it asks.

use dwarves_domain::rounds::Schedule;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::JobExtraNonces;

use super::sides::{MoneyPorts, WorkPorts, money_ports, work_ports};
use super::trade::Trade;
use super::{EvaluatorPorts, Placement, PoolPorts, PoolSettings, World};
use crate::ask::{Outbox, Port};
use crate::block_tracker::{BlockTracker, BlockTrackerParts, Recovery};
use crate::chainless::Chainless;
use crate::control::hold::Hold;
use crate::exporter::{Exporter, ExporterParts};
use crate::handlers::registration::RegistrationPeers;
use crate::handlers::submission::SubmissionPeers;
use crate::identity::{Identity, IdentityKeeper, IdentityKeeperParts, Sides};
use crate::ledger::messages::Commit;
use crate::ledger::{Ledger, LedgerParts};
use crate::miner_manager::{MinerManager, MinerManagerParts, MinerMemory};
use crate::miner_notifier::{self, MinerNotifier, MinerNotifierParts, MinerNotifierPorts};
use crate::notary::{Notary, NotaryParts};
use crate::notifier::{self, Notifier, NotifierParts, Watched};
use crate::paymaster::comparison::Compared;
use crate::paymaster::holds::Holds;
use crate::paymaster::{Paymaster, PaymasterParts};
use crate::pool_manager::settings::Configured;
use crate::pool_manager::{PoolManager, PoolManagerParts, PoolPeers};
use crate::reward_distributor::{RewardDistributor, RewardDistributorParts, Terms};
use crate::time_keeper::{TimeKeeper, TimeKeeperParts};
use crate::work_evaluator::{WorkEvaluator, WorkEvaluatorParts};
use crate::work_manager::messages::Subscribe;
use crate::work_manager::{WorkManager, WorkManagerParts};
use dwarves_ports::store::{BlockRow, StoredState, SubmissionRow};

/// What the store remembers, made ready for the actors.
pub(super) struct Restored {
    pub(super) stored: StoredState,
    pub(super) memory: MinerMemory,
    pub(super) open_blocks: Vec<BlockRow>,
    pub(super) recovery: Option<Recovery>,
    pub(super) terms: Terms,
    pub(super) schedule: Schedule,
    /// The latest date that an earlier life wrote down.
    pub(super) last_seen: Timestamp,
    pub(super) rounds_paused: bool,
    pub(super) payouts_paused: bool,
    pub(super) payout_holds: Holds,
    pub(super) compared: Option<Compared>,
    pub(super) restored_from: Option<String>,
    pub(super) identity: Option<Identity>,
    /// What is compared, if there is a chain.
    pub(super) sides: Option<Sides>,
    /// Submissions that wait to be evaluated.
    pub(super) waiting: Vec<SubmissionRow>,
    pub(super) configured: Configured,
    pub(super) pool_paused: bool,
}

/// Starts all of them and gives the ways to them.
pub(super) fn start(
    settings: PoolSettings,
    world: World,
    restored: Restored,
    placement: &Placement,
) -> PoolPorts {
    let read_store = world.store.clone();
    let has_chain = world.trade.chain().is_some();
    let PoolSettings {
        effective,
        job_key,
        work,
        miners_mailbox,
        ledger_mailbox,
        difficulty_range,
        rewards,
        blocks,
        payouts,
        clock: clock_rules,
        acknowledge,
        notifier,
        miner_notifier,
        notary,
        ..
    } = settings;
    let Restored {
        stored,
        memory,
        open_blocks,
        recovery,
        terms,
        schedule,
        last_seen,
        rounds_paused,
        payouts_paused,
        payout_holds,
        compared,
        restored_from,
        identity,
        sides,
        waiting,
        configured,
        pool_paused,
    } = restored;

    let life = stored.life;
    let of_backup = restored_from.clone();
    let parts = LedgerParts {
        store: world.store.clone(),
        halt: world.halt.clone(),
        acknowledge,
        position: (stored.last_sequence, stored.total_units),
        mailbox_capacity: ledger_mailbox,
    };
    let ledger = placement.start(move || Ledger::new(parts));
    let commit: Port<Commit> = Port::new(&ledger);

    let candidates_max = blocks.candidates_max;
    let mut exporter = None;
    // Early, so that those after it can hold payouts; it asks only the ledger.
    let money = match &world.trade {
        Trade::Mining { chain, wallet } => {
            let parts = PaymasterParts {
                wallet: wallet.clone(),
                ledger: commit.clone(),
                store: world.store.clone(),
                clock: world.clock.clone(),
                halt: world.halt.clone(),
                settings: payouts,
                last_payout: stored.last_payout,
                paused: payouts_paused,
                holds: payout_holds,
                compared,
                restored: restored_from,
            };
            let is_held = parts.holds.contains(Hold::Identity);
            let payouts = placement.start(move || Paymaster::new(parts));
            if let Some(sides) = sides {
                let parts = IdentityKeeperParts {
                    sides,
                    ledger: commit.clone(),
                    payouts: Outbox::new(&payouts),
                    halt: world.halt.clone(),
                    identity,
                    is_held,
                };
                let _keeper = placement.start(move || IdentityKeeper::new(parts));
            }
            let parts = BlockTrackerParts {
                chain: chain.clone(),
                ledger: commit.clone(),
                clock: world.clock.clone(),
                maturity: blocks.maturity,
                forget_after: blocks.forget_after,
                store: world.store.clone(),
                candidates_max,
                open: open_blocks,
                recovery,
            };
            let blocks = placement.start(move || BlockTracker::new(parts));
            let changed = Some(Outbox::new(&blocks));
            money_ports!(&payouts, &blocks, changed)
        }
        Trade::Evaluating { exports, .. } => {
            let parts = ExporterParts {
                ledger: commit.clone(),
                store: world.store.clone(),
                clock: world.clock.clone(),
                exports: exports.clone(),
                settings: payouts,
                paused: payouts_paused,
                holds: payout_holds,
                restored: restored_from,
            };
            let payouts = placement.start(move || Exporter::new(parts));
            exporter = Some(Port::new(&payouts));
            let chainless = placement.start(|| Chainless);
            money_ports!(&payouts, &chainless, None)
        }
    };

    let parts = MinerManagerParts {
        clock: world.clock.clone(),
        ledger: commit.clone(),
        blocks: money.found.clone(),
        candidates_max,
        mailbox_capacity: miners_mailbox,
        difficulty_range,
    };
    let miners = placement.start(move || MinerManager::new(parts, memory));
    let (mut evaluator, mut look_for_tip) = (None, None);
    let work = match &world.trade {
        Trade::Mining { chain, .. } => {
            let parts = WorkManagerParts {
                chain: chain.clone(),
                clock: world.clock.clone(),
                ledger: commit.clone(),
                miners: Outbox::new(&miners),
                payouts: money.hold.clone(),
                job_key,
                payout_script: work.payout_script,
                tag: work.tag,
                refresh_every: work.refresh_every,
                job_lifetime: work.job_lifetime,
                let_go_after: work.let_go_after,
                extranonces: JobExtraNonces::new(work.front_end, stored.life),
                next_template: stored.next_template,
                stored: stored.templates,
                stored_past: stored.past_templates,
                previous_tip: work.previous_tip,
                past_templates_max: work.past_templates_max,
            };
            let work = placement.start(move || WorkManager::new(parts));
            look_for_tip = Some(Outbox::new(&work));
            work_ports!(&work, &work)
        }
        Trade::Evaluating {
            evaluator: settings, ..
        } => {
            // If it cannot be stored now, it is at the next start.
            let _stored = commit.post(Commit {
                writes: vec![Trade::mark()],
            });
            let parts = WorkEvaluatorParts {
                settings: (**settings).clone(),
                clock: world.clock.clone(),
                ledger: commit.clone(),
                store: world.store.clone(),
                standing: Port::new(&miners),
                waiting,
            };
            let works = placement.start(move || WorkEvaluator::new(parts));
            evaluator = Some((
                EvaluatorPorts {
                    submit: Port::new(&works),
                    remove: Port::new(&works),
                    read: Port::new(&works),
                },
                Port::new(&works),
            ));
            let chainless = placement.start(|| Chainless);
            work_ports!(&chainless, &works)
        }
    };
    // Found blocks are looked at whenever the tip moves. If it is not told, the tracker looks by itself before long.
    if let Some(subscriber) = money.changed {
        let _subscribed = work.subscribe.post(Subscribe { subscriber });
    }

    let parts = RewardDistributorParts {
        clock: world.clock.clone(),
        ledger: commit.clone(),
        store: world.store.clone(),
        halt: world.halt.clone(),
        terms,
        schedule,
        last_round: stored.last_round,
        paused: rounds_paused,
        retention: rewards.retention,
        history: rewards.history,
        missed_per_minute: rewards.missed_per_minute,
    };
    let rewards = placement.start(move || RewardDistributor::new(parts));

    let notary = notary.map(|settings| {
        let parts = NotaryParts {
            store: world.store.clone(),
            ledger: commit.clone(),
            clock: world.clock.clone(),
            settings,
            restored: of_backup,
        };
        placement.start(move || Notary::new(parts))
    });
    let parts = TimeKeeperParts {
        clock: world.clock.clone(),
        chain: world.trade.chain().cloned(),
        rules: clock_rules,
        last_seen,
        rounds: Outbox::new(&rewards),
        statements: notary.as_ref().map(Outbox::new),
        payouts: money.hold.clone(),
    };
    let clock = placement.start(move || TimeKeeper::new(parts));

    if let Some(settings) = notifier.filter(|settings| !settings.channels.is_empty()) {
        let parts = NotifierParts {
            store: world.store.clone(),
            ledger: commit.clone(),
            clock: world.clock.clone(),
            settings,
            watched: Watched {
                work: work.read.clone(),
                payouts: money.read.clone(),
                blocks: money.read_blocks.clone(),
            },
            has_chain,
            ledger_name: stored.created_at.millis().to_string(),
            created_at: stored.created_at,
            open_incidents: stored.settings.get(notifier::INCIDENTS_STORED_AS).cloned(),
        };
        let _notifier = placement.start(move || Notifier::new(parts));
    }

    let notifications = miner_notifier.map(|settings| {
        let parts = MinerNotifierParts {
            store: world.store.clone(),
            ledger: commit.clone(),
            clock: world.clock.clone(),
            settings,
            miners: Port::new(&miners),
            work: work.read.clone(),
            evaluator: evaluator.as_ref().map(|(ports, _)| ports.read.clone()),
            payouts: money.read.clone(),
            ledger_name: stored.created_at.millis().to_string(),
            read_through: stored.settings.get(miner_notifier::READ_AS).cloned(),
        };
        MinerNotifierPorts::to(&placement.start(move || MinerNotifier::new(parts)))
    });

    let peers = PoolPeers {
        ledger: Port::new(&ledger),
        commit: commit.clone(),
        close_ledger: Port::new(&ledger),
        miners: Port::new(&miners),
        set_paused: Port::new(&miners),
        drain_miners: Port::new(&miners),
        read_miners: Port::new(&miners),
        work: work.control,
        read_work: work.read,
        hold_work: work.hold,
        rewards: Port::new(&rewards),
        drain_rounds: Port::new(&rewards),
        read_schedule: Port::new(&rewards),
        payouts: money.control,
        exporter,
        drain_payouts: money.drain,
        read_payouts: money.read,
        read_blocks: money.read_blocks,
        evaluator: evaluator
            .as_ref()
            .map(|(ports, control)| (ports.read.clone(), control.clone())),
        read_clock: Port::new(&clock),
        statements: notary.as_ref().map(Port::new),
    };
    let parts = PoolManagerParts {
        peers: peers.clone(),
        clock: world.clock,
        stop: world.stop,
        paused: pool_paused,
        store: read_store,
        effective,
        configured,
    };
    let pool = placement.start(move || PoolManager::new(parts));

    PoolPorts {
        life,
        join: Port::new(&miners),
        admit_call: Port::new(&miners),
        registration: RegistrationPeers {
            nonces: Port::new(&miners),
            register: Port::new(&miners),
            standing: Port::new(&miners),
        },
        submission: SubmissionPeers {
            assign: Port::new(&miners),
            judge: Port::new(&miners),
            issue: work.issue,
            subscribe: work.subscribe,
            watch: Port::new(&miners),
            blocks: money.candidates,
        },
        deliver: Port::new(&pool),
        attach_gate: Port::new(&pool),
        attach_http_gate: Port::new(&pool),
        attach_metagraph: Port::new(&pool),
        read_pool: Port::new(&pool),
        stop: Port::new(&pool),
        commit,
        read_ledger: peers.ledger,
        attach_news: Port::new(&ledger),
        watch_miners: Port::new(&miners),
        read_miner: Port::new(&miners),
        read_bans: Port::new(&miners),
        read_bindings: Port::new(&miners),
        read_miners: peers.read_miners,
        read_work: peers.read_work,
        look_for_tip,
        read_schedule: peers.read_schedule,
        read_records: Port::new(&miners),
        notifications,
        read_blocks: peers.read_blocks,
        read_payouts: peers.read_payouts,
        read_clock: peers.read_clock,
        read_waiting: money.waiting,
        hold_payouts: money.hold,
        evaluator: evaluator.map(|(ports, _)| ports),
    }
}
