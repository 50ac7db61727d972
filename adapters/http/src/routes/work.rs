//! Work and shares: the routes that miners use all the time.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::handlers::submission::messages::{FetchWork, SharesAnswer, SubmitShares};
use dwarves_actors::work_evaluator::messages::SubmitWork;
use dwarves_actors::work_manager::messages::IssuedJob;
use dwarves_api_types::object::Object;
use dwarves_api_types::submissions::{
    EvaluateBody, EvaluatedTask, Json, Submission, WorkAnswer, WorkBody, WorkOrTask,
};
use dwarves_api_types::work::{SubmitAnswer, SubmitBody, Work};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_domain::work::JobId;

use crate::EvaluationDeps;
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::{self, Params};
use crate::state::HttpState;
use crate::{answers, auth, body, client};

/// Gives a worker a job that nobody else has; or says what is wanted, where work is evaluated.
///
/// With `longpoll` it answers when there is newer work than that job, or after the long poll's time.
#[utoipa::path(
    get, path = "/v1/work", operation_id = "fetch_work", tag = "miners",
    params(
        ("worker" = Option<String>, Query, description = "The worker's name: 1 to 64 letters, digits, '.', '_', '-'; `default` if absent", pattern = "^[A-Za-z0-9._-]{1,64}$"),
        ("longpoll" = Option<String>, Query, description = "A job_id: answer when there is newer work", pattern = "^[0-9a-f]{56}$"),
    ),
    responses(
        (status = 200, description = "Work, ready to hash; where work is evaluated, what is", body = WorkOrTask),
        (status = "default", description = "Refused; codes: banned, miner_unknown, no_work, paused", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn fetch(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let claim = auth::session(&req, &state)?;
    let (miner, _) = claim.with_body(&req, payload, &state).await?;
    let mut params = Params::of(&req)?;
    let worker: Option<WorkerName> = params.take("worker")?;
    let newer_than: Option<JobId> = params.take("longpoll")?;
    params.finish()?;
    if let Some(evaluation) = &state.deps().evaluation {
        return body::ok(&task(evaluation));
    }
    let question = FetchWork {
        miner,
        from: client::address(&req, &state),
        worker: worker.unwrap_or_else(WorkerName::unnamed),
        client: Client::Owner(miner),
        newer_than,
    };
    let port = &state.worker().fetch_work;
    let reply = if newer_than.is_some() {
        state.ask_long(&req, port, question).await?
    } else {
        state.ask(port, question).await?
    };
    body::ok(&shown(&state, reply?))
}

/// A job as its miner sees it.
pub fn shown(state: &HttpState, issued: IssuedJob) -> Work {
    let IssuedJob { job, expires_at } = issued;
    let expires_at = state.deps().clock.date_of(expires_at);
    let difficulty = state.difficulties().of(job.share_difficulty());
    Work::new(&job, state.deps().algorithm, difficulty, expires_at)
}

/// Takes shares and answers once every accepted one is on disk; or takes work to be evaluated, and answers with its result, or
/// once it is on disk and its result takes longer.
///
/// A client that got no answer may send the same again: a share that counted already answers `duplicate`, and the same work is
/// the same submission.
#[utoipa::path(
    post, path = "/v1/work", operation_id = "submit_work", tag = "miners",
    request_body = WorkBody,
    responses(
        (status = 200, description = "A verdict for each share, in order; or the submission", body = WorkAnswer),
        (status = "default", description = "Refused, and no share was judged; codes: body_invalid, too_many_shares, too_many_waiting, banned, miner_unknown, kept_out, busy, unavailable, paused", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn submit(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let claim = auth::session(&req, &state)?;
    let (miner, sent) = claim.with_body(&req, payload, &state).await?;
    query::none(&req)?;
    if let Some(evaluation) = &state.deps().evaluation {
        let EvaluateBody { worker, work } = body::parse(&sent)?;
        let worker = worker.map(|worker| worker.0);
        let submitted = evaluate(&state, evaluation, (miner, worker), work.0.get(), evaluation.wait);
        return body::ok(&submitted.await?);
    }
    let submitted: SubmitBody = body::parse(&sent)?;
    body::ok(&judge(&state, miner, client::address(&req, &state), submitted).await?)
}

/// What a pool that evaluates work wants.
pub fn task(evaluation: &EvaluationDeps) -> EvaluatedTask {
    EvaluatedTask {
        kind: "evaluated".into(),
        pays_by: evaluation.measure,
        work_bytes_max: evaluation.work_bytes as u64,
        answer_within_secs: evaluation.wait.millis() as f64 / 1_000.0,
        max_age_secs: evaluation.max_age.secs(),
        task: evaluation.task.as_deref().and_then(Json::of),
    }
}

/// How much longer than its miner an evaluation's first answer is waited for.
const EVALUATION_GRACE: Duration = Duration::from_secs(5);

/// Has work evaluated; the answer comes with its result, or once it is on disk and `wait` is over.
///
/// # Errors
/// What [`submit`] answers; the work was not taken.
pub async fn evaluate(
    state: &HttpState,
    evaluation: &EvaluationDeps,
    (hotkey, worker): (Hotkey, Option<WorkerName>),
    work: &str,
    wait: Span,
) -> Result<Submission, Problem> {
    if work.len() > evaluation.work_bytes {
        let most = evaluation.work_bytes;
        let detail = format!("work: {} bytes; the pool takes at most {most}", work.len());
        return Err(Problem::new(Code::BodyTooLarge, detail).of_field("work"));
    }
    if !work.starts_with('{') {
        return Err(Problem::new(Code::BodyInvalid, "work: expected an object").of_field("work"));
    }
    let question = SubmitWork {
        hotkey,
        worker: worker.unwrap_or_else(WorkerName::unnamed),
        work: work.to_owned(),
        wait,
    };
    let patience = state.limits().ask_deadline.max(wait.to_std()) + EVALUATION_GRACE;
    let submitted = evaluation.submit.ask(question, patience).await??;
    Ok(submitted.row.into())
}

/// Has shares judged; the answer comes once every accepted one is on disk.
///
/// # Errors
/// What [`submit`] answers; no share was judged.
pub async fn judge(
    state: &HttpState,
    miner: Hotkey,
    from: IpAddr,
    submitted: SubmitBody,
) -> Result<SubmitAnswer, Problem> {
    let limit = state.limits().shares_max;
    if submitted.shares.len() > limit {
        let detail = format!("{} shares; one request may bring {limit}", submitted.shares.len());
        return Err(Problem::new(Code::TooManyShares, detail).of_field("shares"));
    }
    let question = SubmitShares {
        miner,
        from,
        worker: submitted.worker.map(|worker| worker.0),
        shares: submitted
            .shares
            .into_iter()
            .map(|Object(share)| share.into())
            .collect(),
    };
    // The submission handler answers every request within its own deadline. A busy moment is waited out: there may be a
    // block among the shares.
    let patience = state.limits().ask_deadline;
    let reply = state.worker().submit.ask_patiently(question, patience).await?;
    let SharesAnswer { judged, blocks } = reply;
    let refused = |refusal: Refusal| {
        let problem = match refusal {
            Refusal::Paused => Problem::new(
                Code::Paused,
                "the operator paused the pool, or it is stopping; no share was judged",
            ),
            refusal => refusal.into(),
        };
        if blocks.is_empty() {
            problem
        } else {
            problem.with_block()
        }
    };
    let results = judged.map_err(refused)?.into_iter().enumerate();
    Ok(SubmitAnswer {
        results: results
            .map(|(place, verdict)| {
                answers::share_result(verdict, blocks.contains(&place), state.difficulties())
            })
            .collect(),
    })
}
