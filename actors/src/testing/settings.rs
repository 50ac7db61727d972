//! The settings of a small pool, at which everything is easy to mine, and shares that were checked.

use std::sync::Arc;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::evaluation::Measure;
use dwarves_domain::miners::{Quotas, RegistryLimits};
use dwarves_domain::payouts::{Depths, FeePayer, FeeRate};
use dwarves_domain::rewards::evaluated::EvaluatedTerms;
use dwarves_domain::rewards::{Scheme, Source, Unearned};
use dwarves_domain::share::ProvenShare;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::{BasisPoints, Units};
use dwarves_domain::vardiff;
use dwarves_domain::work::{FrontEnd, Job};
use dwarves_testkit::build::{job_key, mine, sats};

use crate::assembly::{BlockSettings, PoolSettings, RewardSettings, WorkSettings};
use crate::ledger::Acknowledge;
use crate::miner_manager::messages::CheckedShare;
use crate::miner_manager::restore::MemorySettings;
use crate::paymaster::PaymasterSettings;
use crate::paymaster::holds::Holds;
use crate::reward_distributor::Terms;

/// The share of the first nonce at or after `from` that is no block, checked.
pub fn checked(job: &Arc<Job>, from: u32) -> CheckedShare {
    Ok(ProvenShare {
        job: Arc::clone(job),
        proof: mine(job, from, false).1,
    })
}

/// PPLNS over one block's work, with a fee of one percent.
pub fn terms() -> Terms {
    Terms {
        scheme: Scheme::Pplns,
        source: Source::Blocks,
        fee: BasisPoints::new(100).expect("one percent is a part"),
        window: Units::ONE,
        emission: sats(1_000_000),
        unearned: Unearned::Carry,
        evaluated: EvaluatedTerms {
            measure: Measure::Loss,
            loss_floor: "0.000001".parse().expect("a loss"),
            winner: BasisPoints::new(6_000).expect("a part"),
            max_age: Span::from_secs(60),
        },
    }
}

/// Room for a few miners, at the easiest difficulty.
///
/// # Panics
/// Never: the settings are right.
pub fn memory_settings() -> MemorySettings {
    let hardest = Difficulty::from_f64(1e-6).expect("a difficulty");
    MemorySettings {
        limits: RegistryLimits {
            miners: 100,
            address_miners: 100,
            workers_per_miner: 10,
            worker_idle: Span::from_secs(30 * 86_400),
            names_waiting: 100,
        },
        new_addresses_per_hour: 100,
        new_miners_per_hour: 100,
        addresses: AddressFormat::BitcoinRegtest,
        vardiff: vardiff::Settings::new(Span::from_secs(1), Difficulty::MIN, hardest)
            .expect("the limits are in order"),
        start_difficulty: Difficulty::MIN,
        nonces_max: 1_000,
        recent_shares_max: 100_000,
        quotas: Quotas::NONE,
        window: Units::ONE,
        seed: 0x6a09_e667_bb67_ae85_3c6e_f372_a54f_f53a,
    }
}

/// Payouts of 10,000 sats and more, every minute, deep with 3 confirmations; the pool pays the network.
///
/// # Panics
/// Never: the settings are right.
pub fn payout_settings() -> PaymasterSettings {
    PaymasterSettings {
        threshold: sats(10_000),
        threshold_min: sats(1_000),
        dust: sats(546),
        payer: FeePayer::Pool,
        fee_rate: FeeRate::new(1).expect("a rate"),
        fee_max: BasisPoints::new(5_000).expect("a half is a part"),
        outputs_max: 100,
        vbytes_max: 99_000,
        depths: Depths {
            confirm: 3,
            forget: 9,
        },
        interval: Span::from_secs(60),
        look_every: Span::from_secs(5),
        stuck_after: PaymasterSettings::STUCK_AFTER,
        addresses: AddressFormat::BitcoinRegtest,
    }
}

/// A small pool that closes a round every 10 seconds.
///
/// # Panics
/// Never: the settings are right.
pub fn pool_settings() -> PoolSettings {
    PoolSettings {
        job_key: job_key(),
        work: WorkSettings {
            payout_script: vec![0x51],
            tag: "/test/".to_owned(),
            front_end: FrontEnd::default(),
            refresh_every: Span::from_secs(30),
            job_lifetime: Span::from_secs(120),
            previous_tip: Span::from_secs(60),
            past_templates_max: 64,
            let_go_after: Span::from_secs(30),
        },
        miners: memory_settings(),
        miners_mailbox: 1_024,
        ledger_mailbox: 1_024,
        difficulty_range: (Difficulty::MIN, Difficulty::from_f64(1e-6).expect("a difficulty")),
        rewards: RewardSettings {
            terms: terms(),
            run_interval: Span::from_secs(10),
            retention: None,
            history: None,
            missed_per_minute: 1_000,
        },
        blocks: BlockSettings {
            maturity: 10,
            forget_after: 20,
            candidates_max: 8,
        },
        payouts: payout_settings(),
        clock: dwarves_domain::timekeeping::Rules {
            tolerance: Span::from_secs(7_200),
            settle: Span::from_secs(60),
        },
        effective: Vec::new(),
        payout_holds: Holds::default(),
        acknowledge: Acknowledge::Durable,
        notifier: None,
        miner_notifier: None,
        notary: None,
    }
}
