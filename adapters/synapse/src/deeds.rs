//! What calls are for: the same messages to the same actors, and the same verdicts, as the API's.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::HttpResponse;
use dwarves_actors::handlers::registration::messages::Register;
use dwarves_actors::handlers::submission::messages::FetchWork;
use dwarves_actors::miner_manager::messages::Registered;
use dwarves_api_types::scalars::Worker;
use dwarves_api_types::work::{ShareResult, SubmitBody};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::miners::Client;
use dwarves_domain::privacy::{Asker, View};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_http::problem::{Code, Problem};
use dwarves_http::routes::{miners, work};
use dwarves_http::{EvaluationDeps, HttpState, body};
use serde::Serialize;

use crate::answer::Answer;
use crate::body::{Body, Said};
use crate::class::Class;
use crate::fault::Fault;

/// Who calls, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) hotkey: Hotkey,
    pub(crate) from: IpAddr,
    pub(crate) worker: Option<WorkerName>,
    /// How long the answer may take.
    pub(crate) waits: Duration,
}

/// Does what a call asks for, and answers it.
pub(crate) async fn act(
    class: Class,
    state: &HttpState,
    caller: Caller,
    body: &Body<'_>,
    said: &Said<'_>,
) -> Result<HttpResponse, Fault> {
    let answer = Answer::to(class, body);
    let filled = match class {
        Class::Register => register(state, caller, said, answer).await?,
        Class::GetWork => get_work(state, caller, answer).await?,
        Class::SubmitWork => submit_work(state, caller, said, answer).await?,
        Class::MinerStatus => {
            // Who calls is the miner itself.
            let view = View::new(state.deps().privacy, Asker::Miner(caller.hotkey));
            let status = miners::status(state, caller.hotkey, view).await?;
            answer.with("status", text(&status)?)
        }
        Class::Ping => answer,
    };
    Ok(filled.response())
}

/// An answer of the API as one text.
fn text(answer: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(answer).map_err(|error| {
        log::error!("an answer could not be written: {error}");
        let detail = "the answer could not be written; the log says why";
        Problem::new(Code::Internal, detail).into()
    })
}

/// Whether a refusal is the pool's verdict on a registration, which the synapse has a field for. Who is banned, or may try
/// again, is refused like everybody else.
fn is_verdict(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::RegistrationClosed | Refusal::PoolFull | Refusal::PayoutAddressInvalid(_)
    )
}

async fn register(
    state: &HttpState,
    caller: Caller,
    said: &Said<'_>,
    answer: Answer,
) -> Result<Answer, Fault> {
    let address = said.text("payout_address");
    let question = Register {
        hotkey: caller.hotkey,
        payout_address: (!address.is_empty()).then(|| address.to_owned()),
        payout_threshold: None,
        from: caller.from,
    };
    let (success, detail) = match state.ask(&state.worker().register, question).await? {
        Ok(Registered { is_new, .. }) => (true, if is_new { "registered" } else { "known" }.to_owned()),
        Err(refusal) if is_verdict(&refusal) => {
            let problem = Problem::from(refusal);
            (
                false,
                format!("{}: {}", problem.code().as_str(), problem.detail()),
            )
        }
        Err(refusal) => return Err(refusal.into()),
    };
    Ok(answer
        .with("registration_success", success)
        .with("detail", detail))
}

async fn get_work(state: &HttpState, caller: Caller, answer: Answer) -> Result<Answer, Fault> {
    if let Some(evaluation) = &state.deps().evaluation {
        let task = text(&work::task(evaluation))?;
        return Ok(answer.with("work", task).with("detail", ""));
    }
    let question = FetchWork {
        miner: caller.hotkey,
        from: caller.from,
        worker: caller.worker.unwrap_or_else(WorkerName::unnamed),
        client: Client::Owner(caller.hotkey),
        newer_than: None,
    };
    let issued = state.ask(&state.worker().fetch_work, question).await??;
    Ok(answer
        .with("work", text(&work::shown(state, issued))?)
        .with("detail", ""))
}

async fn submit_work(
    state: &HttpState,
    caller: Caller,
    said: &Said<'_>,
    answer: Answer,
) -> Result<Answer, Fault> {
    if let Some(evaluation) = &state.deps().evaluation {
        return submit_evaluated(state, evaluation, caller, said, answer).await;
    }
    let mut submitted: SubmitBody = body::parse(said.text("work").as_bytes())
        .map_err(|problem| Fault::malformed(format_args!("work: {}", problem.detail())))?;
    let worker = caller.worker.map(Worker);
    if submitted.worker.is_some() && submitted.worker != worker {
        return Err(Fault::malformed(
            "work.worker: expected the synapse's own worker, or none",
        ));
    }
    submitted.worker = worker;
    let judged = work::judge(state, caller.hotkey, caller.from, submitted).await?;
    let accepted = judged
        .results
        .iter()
        .filter(|result| matches!(result, ShareResult::Accepted { .. }))
        .count();
    let first_refused = judged.results.iter().find_map(|result| match result {
        ShareResult::Rejected { detail, .. } => Some(detail.as_str()),
        ShareResult::Accepted { .. } => None,
    });
    Ok(answer
        .with("result", text(&judged)?)
        .with("accepted", accepted)
        .with("detail", first_refused.unwrap_or_default()))
}

/// How long before its answer must be out an evaluation is waited for no longer.
const TO_ANSWER: Duration = Duration::from_secs(1);

/// Work whose loss or score comes back on the synapse, if it is known while the caller waits. Else `detail` is `queued`, and
/// `result` says under which name its result is found later.
async fn submit_evaluated(
    state: &HttpState,
    evaluation: &EvaluationDeps,
    caller: Caller,
    said: &Said<'_>,
    answer: Answer,
) -> Result<Answer, Fault> {
    let sent = said.text("work");
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(sent);
    is_json.map_err(|error| Fault::malformed(format_args!("work: {error}")))?;
    let wait = evaluation
        .wait
        .to_std()
        .min(caller.waits.saturating_sub(TO_ANSWER).max(caller.waits / 2));
    let wait = Span::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    let owner = (caller.hotkey, caller.worker);
    let submission = work::evaluate(state, evaluation, owner, sent.trim(), wait).await?;
    let mut answer = answer
        .with("result", text(&submission)?)
        .with("accepted", u32::from(submission.state == "evaluated"));
    // What is not known does not come back: it is the class's default, null.
    if let Some(loss) = submission.loss {
        answer = answer.with("loss", loss);
    }
    if let Some(score) = submission.score {
        answer = answer.with("score", score);
    }
    let detail = match &submission.fault {
        Some(fault) => format!("{fault}: {}", submission.detail),
        None => submission.detail.clone(),
    };
    Ok(answer.with("detail", detail))
}
