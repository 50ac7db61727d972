//! The configuration in the actors' terms.

use std::sync::Arc;

use dwarves_actors::assembly::{BlockSettings, PoolSettings, RewardSettings, WorkSettings};
use dwarves_actors::control::hold::Hold;
use dwarves_actors::exporter::ExportSettings;
use dwarves_actors::handlers::rate::SharedRate;
use dwarves_actors::handlers::registration::RegistrationSettings;
use dwarves_actors::handlers::submission::SubmissionLimits;
use dwarves_actors::ledger::Acknowledge;
use dwarves_actors::miner_manager::restore::MemorySettings;
use dwarves_actors::notary::NotarySettings;
use dwarves_actors::paymaster::PaymasterSettings;
use dwarves_actors::paymaster::holds::Holds;
use dwarves_actors::reward_distributor::Terms;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::miners::{Quotas, RegistryLimits, rejects};
use dwarves_domain::payouts::{Depths, FeePayer, FeeRate};
use dwarves_domain::signature::Window;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_domain::vardiff;
use dwarves_domain::work::Algorithm;

use super::StartError;
use crate::config::{self, ChainKind, Config};
use dwarves_devnet::chain::DevnetParams;
use dwarves_keys::PoolKey;
use dwarves_ports::signer::Signer;
use dwarves_system::Randomness;

/// Jobs that one HTTP worker keeps ready.
const JOBS_CACHED_MAX: usize = 50_000;
/// How long the miner manager may take to judge shares before their requests are answered without verdicts: well
/// beyond what a healthy disk needs, and together with the wait for the message before it within what clients bear.
pub(super) const JUDGE_DEADLINE: Span = Span::from_secs(5);
/// A block is followed until it is this many times as deep as a spendable one: deeper reorgs are not booked.
const FORGET_AFTER_MATURITIES: u32 = 3;

/// A payout is followed until it is this many times as deep as it must be to count as paid, and at least
/// [`FOLLOW_PAYOUTS_MIN`] blocks deep.
const FOLLOW_PAYOUTS_TIMES: u32 = 3;
/// The least depth at which a payout is no longer followed: reorganisations of a hundred blocks are not seen.
const FOLLOW_PAYOUTS_MIN: u32 = 100;
/// How often open payouts are looked at.
const LOOK_AT_PAYOUTS_EVERY: Span = Span::from_secs(3);

/// How miners are paid.
pub(super) fn payouts(config: &Config, addresses: AddressFormat) -> PaymasterSettings {
    let payouts = &config.payouts;
    if config.is_evaluated() {
        return exported(config, addresses);
    }
    let settings = PaymasterSettings {
        threshold: payouts.threshold,
        threshold_min: payouts.threshold_min,
        dust: payouts.dust_on(config.chain.algorithm),
        payer: payouts.fee_payer,
        fee_rate: payouts.fee_rate,
        fee_max: payouts.fee_max,
        outputs_max: payouts.outputs_max,
        vbytes_max: payouts.vbytes_max,
        depths: Depths {
            confirm: payouts.confirmations,
            forget: payouts
                .confirmations
                .saturating_mul(FOLLOW_PAYOUTS_TIMES)
                .max(FOLLOW_PAYOUTS_MIN),
        },
        interval: payouts.interval,
        look_every: LOOK_AT_PAYOUTS_EVERY,
        stuck_after: PaymasterSettings::STUCK_AFTER,
        addresses,
    };
    let threshold = settings.rules().threshold_of(None);
    if payouts.threshold < threshold {
        log::warn!(
            "payouts.threshold_sats is below what pays for its own output within fee_max_bps; {threshold} holds instead"
        );
    }
    settings
}

/// How miners are paid by somebody else's hand: whole balances, since what the network takes is not the pool's to know.
fn exported(config: &Config, addresses: AddressFormat) -> PaymasterSettings {
    let payouts = &config.payouts;
    let one = Amount::from_sats(1).unwrap_or(Amount::ZERO);
    PaymasterSettings {
        threshold: payouts.threshold,
        threshold_min: payouts.threshold_min.max(one),
        dust: Amount::ZERO,
        payer: FeePayer::Pool,
        fee_rate: FeeRate::LEAST,
        fee_max: payouts.fee_max,
        outputs_max: payouts.outputs_max,
        vbytes_max: payouts.vbytes_max,
        depths: Depths {
            confirm: payouts.confirmations,
            forget: payouts.confirmations,
        },
        interval: payouts.interval,
        look_every: LOOK_AT_PAYOUTS_EVERY,
        stuck_after: PaymasterSettings::STUCK_AFTER,
        addresses,
    }
}

/// What batches of payouts say, where somebody else sends them.
pub(super) fn exports(config: &Config, key: &PoolKey) -> ExportSettings {
    let (unit, decimals) = config.unit();
    ExportSettings {
        unit,
        decimals,
        signer: Arc::new(PoolSigner(key.clone())),
    }
}

/// The devnet as configured.
pub fn devnet_params(config: &Config) -> Result<DevnetParams, StartError> {
    if config.chain.algorithm != Algorithm::Sha256d {
        let detail = "the devnet has sha256d alone; set chain.algorithm = \"sha256d\"";
        return Err(StartError::Settings(detail.to_owned()));
    }
    // One hash in 2^32 meets difficulty 1, within 1.5e-5.
    let difficulty = Difficulty::from_f64(config.chain.devnet_block_hashes as f64 / 4_294_967_296.0);
    let difficulty = difficulty
        .ok_or_else(|| StartError::Settings("chain.devnet_block_hashes makes no difficulty".to_owned()))?;
    Ok(DevnetParams {
        bits: difficulty.target().to_compact(),
        coinbase_maturity: config.chain.maturity(),
        version_mask: config.work.version_rolling.mask(),
        ..DevnetParams::default()
    })
}

/// The pool's own key, where statements are signed.
struct PoolSigner(PoolKey);

impl Signer for PoolSigner {
    fn hotkey(&self) -> Hotkey {
        self.0.hotkey()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.pair().sign(message)
    }
}

/// Everything that the owners of state are started with.
pub(super) fn pool_settings(
    config: &Config,
    key: &PoolKey,
    payout_script: &[u8],
    addresses: AddressFormat,
    randomness: &dyn Randomness,
) -> Result<PoolSettings, StartError> {
    let mut seed = [0; 16];
    randomness.fill(&mut seed)?;
    let work = &config.work;
    let [start_difficulty, min, max] = config.difficulties();
    let vardiff = vardiff::Settings::new(work.share_interval, min, max)
        .map_err(|error| StartError::Settings(format!("[work]: {error}")))?;
    let acknowledge = match config.store.acknowledge {
        config::Acknowledge::Durable => Acknowledge::Durable,
        config::Acknowledge::Queued => {
            log::warn!(
                "store.acknowledge = \"queued\": a crash loses acknowledged shares; for measuring only"
            );
            Acknowledge::Queued
        }
    };
    Ok(PoolSettings {
        job_key: key.job_key(),
        work: WorkSettings {
            payout_script: payout_script.to_vec(),
            tag: config.pool.tag.clone(),
            front_end: config.pool.front_end,
            refresh_every: work.template_refresh,
            job_lifetime: work.job_lifetime,
            previous_tip: work.previous_tip,
            past_templates_max: config.limits.past_templates,
            let_go_after: work.let_go_after,
        },
        miners: MemorySettings {
            limits: RegistryLimits {
                miners: config.limits.miners as usize,
                address_miners: config.limits.address_miners(),
                workers_per_miner: config.limits.workers_per_miner,
                worker_idle: config.limits.worker_idle,
                names_waiting: config.limits.names_without_work,
            },
            new_addresses_per_hour: config.limits.new_addresses_per_hour,
            new_miners_per_hour: config.limits.new_miners_per_hour,
            addresses,
            vardiff,
            start_difficulty,
            nonces_max: config
                .limits
                .used_nonces
                .saturating_add(super::synapse::nonces(config)),
            recent_shares_max: config.limits.recent_shares,
            quotas: quotas(config),
            window: config.rewards.window_units,
            seed: u128::from_le_bytes(seed),
        },
        // Each Stratum session asks one thing at a time; all may connect at once.
        miners_mailbox: config.limits.manager_mailbox.max(stratum_connections(config)),
        ledger_mailbox: config.limits.ledger_mailbox,
        difficulty_range: (min, max),
        rewards: RewardSettings {
            terms: Terms {
                scheme: config.rewards.scheme,
                source: config.rewards.source,
                fee: config.rewards.fee,
                window: config.rewards.window_units,
                emission: config.rewards.emission,
                unearned: config.rewards.unearned,
                evaluated: config.rewards.evaluated(),
            },
            run_interval: config.rewards.run_interval,
            retention: Some(config.store.retention),
            history: Some(config.history.kept()),
            missed_per_minute: config.rewards.missed_rounds_per_minute,
        },
        blocks: BlockSettings {
            maturity: config.chain.maturity(),
            forget_after: config.chain.maturity().saturating_mul(FORGET_AFTER_MATURITIES),
            candidates_max: config.limits.block_candidates,
        },
        payouts: payouts(config, addresses),
        clock: config.clock.rules(),
        effective: Vec::new(),
        payout_holds: payout_holds(config),
        acknowledge,
        notifier: None,
        miner_notifier: None,
        notary: Some(NotarySettings {
            length: config.statements.length(),
            algorithm: config.chain.algorithm,
            signer: Arc::new(PoolSigner(key.clone())),
        }),
    })
}

/// The fewest shares that a job may bring, whatever is its due: as many as one request brings.
const JOB_SHARES_LEAST: u32 = 1_000;

/// How many live shares a miner and a job may have.
fn quotas(config: &Config) -> Quotas {
    let limits = &config.limits;
    let work = &config.work;
    let due = work.job_lifetime.millis() / work.share_interval.millis().max(1);
    let of_job = u64::from(limits.recent_shares_per_job_times).saturating_mul(due);
    Quotas {
        miner_percent: limits.recent_shares_per_miner_percent,
        of_job: (limits.recent_shares_per_job_times > 0)
            .then(|| u32::try_from(of_job).unwrap_or(u32::MAX).max(JOB_SHARES_LEAST)),
    }
}

/// What holds payouts from the start.
fn payout_holds(config: &Config) -> Holds {
    let detail = "the pool was started with payouts held".to_owned();
    let start = config.payouts.start_held.then_some((Hold::Start, detail));
    // Lifted as soon as the node has told its best header's time, or cannot tell it.
    let unchecked = "the clock is not compared with the chain yet".to_owned();
    let clock = (config.chain.kind == ChainKind::Node).then_some((Hold::Clock, unchecked));
    start.into_iter().chain(clock).collect()
}

/// How many Stratum sessions there may be.
fn stratum_connections(config: &Config) -> usize {
    if config.stratum.all_listeners().is_empty() {
        0
    } else {
        config.stratum.max_connections
    }
}

/// How signed requests are judged.
pub(super) fn registration(config: &Config, pool: Hotkey, addresses: AddressFormat) -> RegistrationSettings {
    RegistrationSettings {
        pool,
        window: Window {
            back: config.auth.window_back,
            ahead: config.auth.window_ahead,
        },
        session: config.auth.session,
        addresses,
        threshold_least: payouts(config, addresses).rules().least(),
        signatures_per_sec: SharedRate {
            total: config.http.signed_requests_per_sec,
            per_client: config.limits.share_of(config.http.signed_requests_per_sec),
        },
        mailbox_capacity: config.limits.handler_mailbox,
    }
}

/// When a worker's wrong shares over HTTP are too many.
pub(super) fn rejects(config: &Config) -> rejects::Limits {
    rejects::Limits {
        window: config.http.reject_window,
        percent_max: config.http.reject_percent,
        keep_out: config.http.ban,
    }
}

/// How much a submission handler may hold.
pub(super) fn submission(config: &Config) -> SubmissionLimits {
    SubmissionLimits {
        mailbox_capacity: config.limits.handler_mailbox,
        requests_in_flight: config.limits.shared(config.http.requests_in_flight),
        waiting: config.limits.shared(config.http.max_connections),
        jobs_cached_max: JOBS_CACHED_MAX,
        longpoll: config.http.longpoll,
        judge_deadline: JUDGE_DEADLINE,
    }
}
