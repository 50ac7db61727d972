//! One share on its way, and BIP22's words for what came of it.

use std::borrow::Cow;
use std::sync::Arc;

use dwarves_actors::handlers::header_book::messages::{FindJob, HeaderGiven, MerkleRoot};
use dwarves_actors::handlers::submission::messages::{FetchWork, SharesAnswer, SubmitShares};
use dwarves_actors::work_manager::messages::IssuedJob;
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{Rejection, ShareVerdict, Submission};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{Header, Job, JobId};

use super::call::Failure;
use super::caller::Caller;
use crate::problem::{BLOCK_SUBMITTED, Code, Problem};
use crate::state::HttpState;

/// A job for the caller, newer than `newer_than` if that is given, and until when it is good at the latest. Its
/// header is written down, so that it is known without its name.
pub(super) async fn fetch(
    state: &HttpState,
    caller: &Caller,
    newer_than: Option<JobId>,
) -> Result<(Arc<Job>, Timestamp), Failure> {
    caller.let_in(state).await?;
    let question = FetchWork {
        miner: caller.miner,
        from: caller.from,
        worker: caller.worker.clone(),
        // Whoever names a hotkey here need not be its owner.
        client: Client::at(caller.from),
        newer_than,
    };
    let port = &state.worker().fetch_work;
    let reply = if newer_than.is_some() {
        state.ask_long(&caller.request, port, question).await?
    } else {
        state.ask(port, question).await?
    };
    let IssuedJob { job, expires_at } = reply?;
    let given = HeaderGiven {
        root: MerkleRoot::of(&job),
        job: job.id(),
        from: caller.from,
    };
    state.deps().json_rpc.given.tell(given)?;
    Ok((job, expires_at))
}

/// What came of a share: `None` if it counts and is on disk, or BIP22's word for why not.
pub(super) type Outcome = Option<Cow<'static, str>>;

/// Submits a header that was solved. `named` is the job's name, if the miner sent it along; the header's merkle root
/// is as good.
pub(super) async fn submit(
    state: &HttpState,
    caller: &Caller,
    header: &Header,
    named: Option<JobId>,
) -> Result<Outcome, Failure> {
    let question = FindJob {
        root: MerkleRoot(header.merkle_root()),
    };
    // It may be a block, so a busy moment is waited out.
    let patience = state.limits().ask_deadline;
    let find = &state.deps().json_rpc.find;
    let written_down = find.ask_patiently(question, patience).await?;
    let Some(job_id) = written_down.or(named) else {
        return Ok(Some("unknown-work".into()));
    };
    let question = SubmitShares {
        miner: caller.miner,
        from: caller.from,
        worker: None,
        // Everything else in the header is the job's: what differs there makes another hash, which does not do.
        shares: vec![Some(Submission {
            job_id,
            nonce: header.nonce(),
            time: Some(header.time()),
            version: Some(header.version()),
        })],
    };
    let reply = state.worker().submit.ask_patiently(question, patience).await?;
    let SharesAnswer { judged, blocks } = reply;
    let is_block = !blocks.is_empty();
    let verdicts = judged.map_err(|refusal| {
        let failure = match refusal {
            Refusal::Paused => Problem::new(
                Code::Paused,
                "the operator paused the pool, or it is stopping; the share was not judged",
            )
            .into(),
            refusal => Failure::from(refusal),
        };
        if is_block {
            failure.also(BLOCK_SUBMITTED)
        } else {
            failure
        }
    })?;
    Ok(match verdicts.first().and_then(word) {
        Some(word) if is_block => Some(format!("{word} ({BLOCK_SUBMITTED})").into()),
        word => word.map(Cow::Borrowed),
    })
}

/// BIP22's word for a verdict.
fn word(verdict: &ShareVerdict) -> Option<&'static str> {
    verdict.err().map(|rejection| match rejection {
        Rejection::UnknownJob | Rejection::OtherWorker => "unknown-work",
        // Of a job that is full: it fetches new work then, which is harder.
        Rejection::Stale | Rejection::JobFull { .. } => "stale-work",
        Rejection::Duplicate(_) => "duplicate",
        Rejection::LowDifficulty => "high-hash",
        Rejection::TimeOutOfRange => "time-invalid",
        Rejection::VersionOutOfMask => "bad-version",
    })
}
