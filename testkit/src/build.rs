//! Templates, jobs, mined shares and rounds. Everything is easy to mine.

use std::collections::BTreeMap;
use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, RoundId, TemplateId, WorkerId, WorkerName};
use dwarves_domain::rewards::{RoundInput, Scheme, Source};
use dwarves_domain::share::{self, Proof, Rejection, Submission};
use dwarves_domain::target::{CompactTarget, Difficulty};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, BasisPoints};
use dwarves_domain::work::template::TemplateTransaction;
use dwarves_domain::work::{Algorithm, ChainTemplate, CoinbaseForm, Job, JobKey, Template};
use dwarves_ports::store::TemplateRow;

/// A network on which about one hash in 16 is a block.
pub const EASY_BITS: u32 = 0x200f_ffff;
/// What every block pays, subsidy and fees.
pub const COINBASE_SATS: u64 = 5_000_010_000;
/// The part of it that the chain newly mints.
pub const SUBSIDY_SATS: u64 = 5_000_000_000;
/// When tests begin.
pub const BEGIN: Timestamp = Timestamp::from_secs(1_700_000_000);

/// An amount of sats.
///
/// # Panics
/// If it is more than an amount holds.
pub fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).expect("tests use amounts that fit")
}

/// One of 256 hotkeys.
pub fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

/// A worker's name.
///
/// # Panics
/// If it is none.
pub fn worker_name(name: &str) -> WorkerName {
    name.parse().expect("tests use names that are right")
}

/// The key by which the test pool names jobs.
pub fn job_key() -> JobKey {
    JobKey::new(&[7; 32])
}

/// What a chain proposes on the block `previous`.
pub fn chain_template(height: u32, previous: HeaderHash) -> ChainTemplate {
    ChainTemplate {
        height,
        previous,
        version: 0x2000_0000,
        version_mask: 0x1fff_e000,
        bits: CompactTarget::from_bits(EASY_BITS),
        time: 1_700_000_000 + height,
        time_min: 1_699_999_000,
        time_max: 1_700_007_200,
        subsidy: sats(SUBSIDY_SATS),
        coinbase_value: sats(COINBASE_SATS),
        coinbase_form: CoinbaseForm::Bip54,
        witness_commitment: None,
        transactions: vec![TemplateTransaction {
            data: vec![0x11; 40],
            txid: [0x22; 32],
        }],
        trailer: Vec::new(),
    }
}

/// A stored template with this number, on the block `previous`.
pub fn template_row(id: u32, height: u32, previous: HeaderHash) -> TemplateRow {
    TemplateRow {
        id: TemplateId::new(id),
        received_at: BEGIN,
        chain: chain_template(height, previous),
        payout_script: vec![0x51],
        tag: "/test/".to_owned(),
    }
}

/// The template that a row stands for.
///
/// # Panics
/// If the row is none that the pool stores.
pub fn template_of(row: &TemplateRow) -> Arc<Template> {
    let template = Template::new(
        row.id,
        row.received_at,
        row.chain.clone(),
        &row.payout_script,
        &row.tag,
    );
    Arc::new(template.expect("test templates are right"))
}

/// A template of its own.
pub fn template(id: u32) -> Arc<Template> {
    template_of(&template_row(id, 100 + id, HeaderHash::from_bytes([9; 32])))
}

/// A job at the easiest share target: every hash is a share.
pub fn job(template: &Arc<Template>, extranonce: u64, owner: Hotkey, worker: u32) -> Arc<Job> {
    job_at(template, extranonce, owner, worker, Difficulty::MIN)
}

/// A job at this share difficulty.
pub fn job_at(
    template: &Arc<Template>,
    extranonce: u64,
    owner: Hotkey,
    worker: u32,
    difficulty: Difficulty,
) -> Arc<Job> {
    Arc::new(Job::issue(
        &job_key(),
        Arc::clone(template),
        ExtraNonce::new(extranonce),
        owner,
        WorkerId::new(worker),
        difficulty.target(),
    ))
}

/// What a miner submits for this nonce.
pub fn submission(job: &Job, nonce: u32) -> Submission {
    Submission {
        job_id: job.id(),
        nonce,
        time: None,
        version: None,
    }
}

/// Whether this nonce makes a share.
///
/// # Errors
/// Why it does not.
pub fn prove(job: &Job, nonce: u32) -> Result<Proof, Rejection> {
    share::check(job, &submission(job, nonce), Algorithm::Sha256d, |header| {
        header.hash()
    })
}

/// The first nonce at or after `from` whose share is (or is not) a block.
///
/// # Panics
/// If there is none, which does not happen at the difficulties of tests.
pub fn mine(job: &Job, from: u32, is_block: bool) -> (u32, Proof) {
    (from..)
        .find_map(|nonce| {
            let proof = prove(job, nonce).ok()?;
            (proof.is_block == is_block).then_some((nonce, proof))
        })
        .expect("there are four billion nonces")
}

/// The first nonce at or after `from` whose hash does not meet the job's share target.
///
/// # Panics
/// If there is none, which does not happen at the difficulties of tests.
pub fn miss(job: &Job, from: u32) -> u32 {
    (from..)
        .find(|nonce| prove(job, *nonce) == Err(Rejection::LowDifficulty))
        .expect("there are four billion nonces")
}

/// A round in which nothing happened, without a fee.
pub fn quiet_round(id: u64, closed_at: Timestamp, scheme: Scheme) -> RoundInput {
    RoundInput {
        id: RoundId::new(id),
        closed_at,
        scheme,
        fee: BasisPoints::default(),
        source: Source::Blocks,
        accepted: Vec::new(),
        matured: Vec::new(),
        orphaned: Vec::new(),
        returned: Vec::new(),
        shares: Vec::new(),
        carried: BTreeMap::new(),
        emission: None,
    }
}
