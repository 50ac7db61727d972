//! The one place that starts the owners of state, in order: ledger, blocks, miners, work, rewards, payouts,
//! pool.
//!
//! The binary and the simulation start the very same pool. What differs between them is handed in: the world
//! (store, chain, clock, emergency stop) and where the actors run. Everything that an admin changed in an
//! earlier life is put back into force here. Handlers are started by whoever has their threads, with the ports
//! that come out of here. It knows nothing of HTTP or of configuration files.

use dwarves_domain::rewards::pplns::{Window, WindowError};
use dwarves_domain::rounds::{Schedule, ScheduleError};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::work::coinbase::CoinbaseMark;
use dwarves_domain::work::{FrontEnd, JobKey};
use tokio::sync::watch;

use crate::ask::{Outbox, Port};
use crate::block_tracker::Recovery;
use crate::block_tracker::messages::ReadBlocks;
use crate::control::hold::Hold;
use crate::control::hold::HoldPayouts;
use crate::gate::AttachGate;
use crate::handlers::registration::RegistrationPeers;
use crate::handlers::submission::SubmissionPeers;
use crate::http_gate::AttachHttpGate;
use crate::identity::{self, Belonging, Identity, Sides};
use crate::ledger::Acknowledge;
use crate::ledger::messages::{Commit, ReadLedger};
use crate::metagraph::AttachMetagraph;
use crate::miner_manager::bindings::ReadBindings;
use crate::miner_manager::calls::AdmitCall;
use crate::miner_manager::messages::{JoinWorker, ReadBans, ReadMiner, ReadMiners, ReadRecords, WatchMiners};
use crate::miner_manager::restore::{MemorySettings, recent_shares, restore};
use crate::miner_manager::resuming::resume_hashrates;
use crate::miner_notifier::{MinerNotifierPorts, MinerNotifierSettings};
use crate::news::AttachNews;
use crate::notary::NotarySettings;
use crate::notifier::NotifierSettings;
use crate::paymaster::PaymasterSettings;
use crate::paymaster::control::StoredPayoutSettings;
use crate::paymaster::holds::Holds;
use crate::paymaster::messages::{ReadPayouts, ReadWaiting};
use crate::pool_manager::is_paused;
use crate::pool_manager::messages::{Deliver, ReadPool, Stop};
use crate::pool_manager::settings::{self, Configured, Effective};
use crate::reward_distributor::control::StoredTerms;
use crate::reward_distributor::messages::ReadSchedule;
use crate::reward_distributor::{HistoryKept, Terms};
use crate::time_keeper::messages::ReadClock;
use crate::work_manager::messages::{LookForTip, ReadWork};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::halt::SharedHalt;
use dwarves_ports::store::{LedgerPosition, SharedStore, StoreError, StoredState};

mod owners;
mod placement;
mod sides;
#[cfg(test)]
mod tests;
mod trade;

pub use placement::Placement;
pub use trade::{EvaluatorPorts, Trade};

/// How often the chain is asked at the start whether it is the ledger's.
const IDENTITY_TRIES: u32 = 8;

/// How the pool works, from the configuration. What admins changed while running overrides it.
pub struct PoolSettings {
    /// Names jobs; the submission handlers need the same.
    pub job_key: JobKey,
    /// How work is made.
    pub work: WorkSettings,
    /// What the miner manager may hold, and how difficulty follows hashrate. Its window is the rewards' one.
    pub miners: MemorySettings,
    /// Questions that may wait in the miner manager's mailbox.
    pub miners_mailbox: usize,
    /// Questions that may wait in the ledger's mailbox.
    pub ledger_mailbox: usize,
    /// The easiest and the hardest difficulty that an admin may fix.
    pub difficulty_range: (Difficulty, Difficulty),
    /// How rewards are split, and how often.
    pub rewards: RewardSettings,
    /// How long found blocks are followed.
    pub blocks: BlockSettings,
    /// How miners are paid.
    pub payouts: PaymasterSettings,
    /// How much the machine's clock is believed.
    pub clock: dwarves_domain::timekeeping::Rules,
    /// Every setting of the configuration with where it comes from, for `status`.
    pub effective: Vec<Effective>,
    /// What holds payouts from the start, besides what the pool finds out by itself.
    pub payout_holds: Holds,
    /// When shares are acknowledged.
    pub acknowledge: Acknowledge,
    /// Who is told of what happens, if anybody is.
    pub notifier: Option<NotifierSettings>,
    /// How miners are told what they want to know, if they are.
    pub miner_notifier: Option<MinerNotifierSettings>,
    /// How statements of work are made; `None`: epochs are left as they are.
    pub notary: Option<NotarySettings>,
}

/// How work is made.
#[derive(Clone, Debug)]
pub struct WorkSettings {
    /// The output script that coinbases pay the reward to.
    pub payout_script: Vec<u8>,
    /// The pool's tag in coinbases.
    pub tag: String,
    /// Which of the pools on this ledger it is.
    pub front_end: FrontEnd,
    /// How often a new template is fetched on the same tip.
    pub refresh_every: Span,
    /// How long a job's shares are taken at most.
    pub job_lifetime: Span,
    /// How long blocks are taken on a tip that was replaced.
    pub previous_tip: Span,
    /// Templates that are kept for blocks that may still be found on them.
    pub past_templates_max: usize,
    /// After how long without live work miners are let go.
    pub let_go_after: Span,
}

/// How rewards are split, and how often.
#[derive(Clone, Copy, Debug)]
pub struct RewardSettings {
    /// The scheme, its source, fee and window.
    pub terms: Terms,
    /// How often a round closes.
    pub run_interval: Span,
    /// How long shares are kept once every window has passed them; `None`: for ever.
    pub retention: Option<Span>,
    /// How long history is kept; `None`: for ever.
    pub history: Option<HistoryKept>,
    /// Missed rounds that are closed in a minute at most.
    pub missed_per_minute: u32,
}

/// How long found blocks are followed.
#[derive(Clone, Copy, Debug)]
pub struct BlockSettings {
    /// Confirmations at which a coinbase can be spent.
    pub maturity: u32,
    /// Confirmations at which a block is no longer looked at.
    pub forget_after: u32,
    /// Found blocks of one height that are kept.
    pub candidates_max: usize,
}

/// What the pool meets outside of itself.
#[derive(Clone)]
pub struct World {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What the pool lives on.
    pub trade: Trade,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// The emergency stop.
    pub halt: SharedHalt,
    /// Turns true when an admin wants the process to stop.
    pub stop: watch::Sender<bool>,
}

/// Why the pool cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The window of rewards cannot be laid.
    #[error("rewards.window_units: {0}")]
    Window(#[from] WindowError),
    /// The rounds cannot be scheduled.
    #[error("rewards.run_interval_secs: {0}")]
    Schedule(#[from] ScheduleError),
    /// The ledger is of another chain.
    #[error("this is not the ledger's chain: {0}; {remedy}", remedy = crate::identity::REMEDY)]
    OtherChain(String),
    /// The ledger is of a pool of the other kind.
    #[error(
        "work.kind: this ledger is of a pool that {0}; give the other kind a ledger of its own (store.path)"
    )]
    OtherTrade(&'static str),
}

/// The ways to the owners of state.
#[derive(Clone)]
pub struct PoolPorts {
    /// Which life of the pool this is.
    pub life: u32,
    /// For registration handlers.
    pub registration: RegistrationPeers,
    /// For submission handlers.
    pub submission: SubmissionPeers,
    /// Lets workers into sessions.
    pub join: Port<JoinWorker>,
    /// Lets signed calls of dendrites in.
    pub admit_call: Port<AdmitCall>,
    /// Takes an admin's message to its actor.
    pub deliver: Port<Deliver>,
    /// Tells the pool manager of the gate before the Stratum listeners.
    pub attach_gate: Port<AttachGate>,
    /// Tells the pool manager of the gate before HTTP.
    pub attach_http_gate: Port<AttachHttpGate>,
    /// Tells the pool manager of the metagraph.
    pub attach_metagraph: Port<AttachMetagraph>,
    /// How the pool is.
    pub read_pool: Port<ReadPool>,
    /// Stops everything in order.
    pub stop: Port<Stop>,
    /// Keeps things durably, the audit trail for one.
    pub commit: Port<Commit>,
    /// Whether the ledger writes.
    pub read_ledger: Port<ReadLedger>,
    /// Says to whom the ledger tells what happened.
    pub attach_news: Port<AttachNews>,
    /// Tells what operators decide about miners.
    pub watch_miners: Port<WatchMiners>,
    /// Reads one miner's standing, counters and workers.
    pub read_miner: Port<ReadMiner>,
    /// Who is banned.
    pub read_bans: Port<ReadBans>,
    /// Which hotkeys there are, and where each is paid.
    pub read_bindings: Port<ReadBindings>,
    /// All miners together.
    pub read_miners: Port<ReadMiners>,
    /// The present work.
    pub read_work: Port<ReadWork>,
    /// Hears that there is another tip somewhere, if the pool mines a chain.
    pub look_for_tip: Option<Outbox<LookForTip>>,
    /// When rounds are due, and on which terms.
    pub read_schedule: Port<ReadSchedule>,
    /// Which miners find fewer blocks than their work should.
    pub read_records: Port<ReadRecords>,
    /// What miners are told, if they are told anything.
    pub notifications: Option<MinerNotifierPorts>,
    /// How the found blocks are.
    pub read_blocks: Port<ReadBlocks>,
    /// Reads open payouts, holds and troubles.
    pub read_payouts: Port<ReadPayouts>,
    /// How the machine's clock is.
    pub read_clock: Port<ReadClock>,
    /// The paymaster: reads whether a miner's balance is due and waits.
    pub read_waiting: Port<ReadWaiting>,
    /// Holds payouts, for those outside who know a ground.
    pub hold_payouts: Outbox<HoldPayouts>,
    /// The work evaluator, if the pool has work evaluated.
    pub evaluator: Option<EvaluatorPorts>,
}

/// Begins a new life of the pool: reads what the store remembers and starts every owner of state from it.
///
/// # Errors
/// If the store cannot be read, or the window or the interval of rewards is none.
pub async fn start(
    mut settings: PoolSettings,
    world: World,
    placement: &Placement,
) -> Result<PoolPorts, StartError> {
    let now = world.clock.now();
    let stored = world.store.start(now).await?;
    let open_blocks = world.store.open_blocks(settings.blocks.forget_after).await?;

    // An admin's changes outlive the life in which they were made.
    let configured = Configured {
        threshold: settings.payouts.threshold,
        run_interval: settings.rewards.run_interval,
        fee: settings.rewards.terms.fee,
        emission: settings.rewards.terms.emission,
    };
    for setting in settings::stored(&stored.settings) {
        let (key, value) = (&setting.key, &setting.value);
        log::warn!(
            "setting {key} = {value}, stored by an admin, beats what is configured; pool_manager forget_setting takes it back"
        );
    }
    let changed = StoredTerms::read(&stored.settings);
    let mut terms = settings.rewards.terms;
    terms.fee = changed.fee.unwrap_or(terms.fee);
    terms.emission = changed.emission.unwrap_or(terms.emission);
    world.trade.must_fit(&stored)?;
    let identity = Identity::read(&stored.settings);
    let mut payout_holds = settings.payout_holds.clone();
    let sides = world.trade.chain().map(|chain| Sides {
        chain: chain.clone(),
        store: world.store.clone(),
        depth: settings.blocks.maturity,
        is_private: settings.payouts.addresses.is_private(),
    });
    if let Some(sides) = &sides {
        // A first life has nothing to compare; a later one waits a moment for its node, which may just be starting.
        let patience = if stored.life > 1 { IDENTITY_TRIES } else { 1 };
        match identity::ask_patiently(sides, identity, patience).await? {
            Belonging::Ours => {}
            Belonging::NotYet(why) => payout_holds.set(Hold::Identity, why),
            Belonging::Other(why) => return Err(StartError::OtherChain(why)),
        }
    }
    let waiting = match &world.trade {
        Trade::Mining { .. } => Vec::new(),
        Trade::Evaluating { .. } => world.store.waiting_submissions(u32::MAX).await?,
    };
    let payouts = StoredPayoutSettings::read(&stored.settings);
    settings.payouts.threshold = payouts.threshold.unwrap_or(settings.payouts.threshold);
    let last_closed = stored.last_round.as_ref().map(|last| (last.id, last.closed_at));
    let run_interval = changed.run_interval.unwrap_or(settings.rewards.run_interval);
    let mut schedule = Schedule::new(stored.created_at, last_closed, run_interval)?;
    let last_seen = last_closed.map_or(stored.created_at, |(_, closed_at)| closed_at);
    if let Some(reset_at) = changed.reset_at.filter(|at| (last_seen..=now).contains(at)) {
        schedule.reset(reset_at);
    }
    if last_seen > now {
        log::warn!(
            "the last round lies in the future, by a clock that was wrong; the next one is due in an interval"
        );
    }
    let schedule = schedule.not_after(now);

    let window = Window::ending_now(stored.total_units, terms.window)?;
    // Two long readings, each on a thread of the store's.
    let weights = world.store.weights_in_window(window, stored.last_sequence);
    let miners = MemorySettings {
        window: terms.window,
        ..settings.miners
    };
    let recent = recent_shares(&world.store, &stored, &miners).await?;
    let mut memory = restore(&stored, recent, &weights.await?, &miners, now);
    resume_hashrates(&mut memory, &world.store, &stored, now).await?;
    log::info!(
        "the pool's life begins life={} miners={} shares={} open_blocks={}",
        stored.life,
        stored.miners.len(),
        stored.last_sequence,
        open_blocks.len()
    );
    let recovery = recovery(&stored, &settings.work, &world);
    let restored = owners::Restored {
        recovery,
        memory,
        open_blocks,
        terms,
        schedule,
        last_seen,
        rounds_paused: changed.paused,
        payouts_paused: payouts.paused,
        compared: payouts.compared,
        restored_from: payouts.restored,
        payout_holds,
        identity,
        sides,
        waiting,
        configured,
        pool_paused: is_paused(&stored.settings),
        stored,
    };
    Ok(owners::start(settings, world, restored, placement))
}

/// How to find blocks that an earlier life lost in a crash; `None` in the first life.
fn recovery(stored: &StoredState, work: &WorkSettings, world: &World) -> Option<Recovery> {
    if stored.life <= 1 || world.trade.chain().is_none() {
        return None;
    }
    let present = CoinbaseMark {
        payout_script: work.payout_script.clone(),
        tag: work.tag.clone(),
    };
    // The settings may have changed since the crash; the live templates are those of before.
    let before = stored
        .past_templates
        .iter()
        .chain(&stored.templates)
        .map(|template| CoinbaseMark {
            payout_script: template.payout_script.clone(),
            tag: template.tag.clone(),
        });
    Some(Recovery {
        store: world.store.clone(),
        marks: before.chain([present]).collect(),
        place: LedgerPosition {
            sequence: stored.last_sequence,
            total: stored.total_units,
        },
        since: stored.created_at,
        goes_on: work.front_end != FrontEnd::default(),
    })
}
