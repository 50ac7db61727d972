//! What came of evaluated work.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::work_evaluator::messages::RemoveSubmission;
use dwarves_api_types::submissions::{Removed, Results, Submission, Submissions};
use dwarves_domain::evaluation::SubmissionId;
use dwarves_domain::hotkey::Hotkey;
use dwarves_ports::store::SubmissionRow;

use super::named_miner::{hotkey_in_path, known_miner};
use super::next_cursor;
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::{self, Params};
use crate::state::HttpState;
use crate::{EvaluationDeps, asker, auth, body};

/// What is known of evaluated work, if this pool evaluates any.
fn evaluation(state: &HttpState) -> Result<&EvaluationDeps, Problem> {
    let detail = "this pool mines a chain: no work is evaluated here";
    let evaluation = state.deps().evaluation.as_ref();
    evaluation.ok_or_else(|| Problem::new(Code::WrongKind, detail))
}

fn unknown() -> Problem {
    Problem::new(
        Code::SubmissionUnknown,
        "this miner has no such submission, or it is not kept any more",
    )
}

/// The submission in a request's path.
fn id_in_path(req: &HttpRequest) -> Result<SubmissionId, Problem> {
    req.match_info().query("id").parse().map_err(|_| unknown())
}

/// A submission as whoever asks sees it.
fn shown(row: SubmissionRow, shows_names: bool) -> Submission {
    let mut submission = Submission::from(row);
    if !shows_names {
        submission.hide_names();
    }
    submission
}

/// A miner's submissions, newest first.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/submissions", operation_id = "list_miner_submissions", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
    ),
    responses(
        (status = 200, description = "A page of submissions", body = Submissions),
        (status = "default", description = "Refused; codes: miner_unknown, query_invalid, wrong_kind", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let params = Params::of(&req)?;
    let page = params.page()?;
    let hotkey = hotkey_in_path(&req, &state)?;
    evaluation(&state)?;
    known_miner(&state, hotkey).await?;
    let view = asker::view(&req, payload, &state).await?;
    let shows_names = view.shows_names_of(&hotkey);
    let page = state.read(|store| store.submissions(hotkey, page)).await?;
    body::ok(&Submissions {
        submissions: page.rows.into_iter().map(|row| shown(row, shows_names)).collect(),
        next_cursor: next_cursor(page.next),
    })
}

/// One submission, and what came of it.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/submissions/{id}", operation_id = "read_submission", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58"),
        ("id" = String, Path, description = "The submission's name, as `POST /v1/work` answered it"),
    ),
    responses(
        (status = 200, description = "The submission", body = Submission),
        (status = "default", description = "Refused; codes: miner_unknown, submission_unknown, wrong_kind", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let hotkey = hotkey_in_path(&req, &state)?;
    evaluation(&state)?;
    let id = id_in_path(&req)?;
    known_miner(&state, hotkey).await?;
    let view = asker::view(&req, payload, &state).await?;
    let row = state.read(|store| store.submission(id)).await?;
    let row = row.filter(|row| row.hotkey == hotkey).ok_or_else(unknown)?;
    body::ok(&shown(row, view.shows_names_of(&hotkey)))
}

/// Removes one of the caller's own submissions with its result.
#[utoipa::path(
    delete, path = "/v1/miners/{hotkey}/submissions/{id}", operation_id = "remove_submission", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The caller's own hotkey in SS58"),
        ("id" = String, Path, description = "The submission's name, as `POST /v1/work` answered it"),
    ),
    responses(
        (status = 200, description = "It is gone", body = Removed),
        (status = "default", description = "Refused; codes: forbidden, submission_unknown, wrong_kind, unavailable", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn remove(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let claim = auth::session(&req, &state)?;
    let (caller, _) = claim.with_body(&req, payload, &state).await?;
    query::none(&req)?;
    let owner = hotkey_in_path(&req, &state)?;
    let evaluation = evaluation(&state)?;
    if owner != caller {
        let detail = "these are another miner's submissions; an operator removes them by a control message";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let id = id_in_path(&req)?;
    let removed = state
        .ask(&evaluation.remove, RemoveSubmission { id, owner })
        .await??;
    if !removed {
        return Err(unknown());
    }
    body::ok(&Removed { removed })
}

/// What a miner's submissions have come to, if this pool evaluates work.
pub(super) async fn results(state: &HttpState, hotkey: Hotkey) -> Result<Option<Results>, Problem> {
    let Some(evaluation) = &state.deps().evaluation else {
        return Ok(None);
    };
    let since = state.deps().clock.date().minus(evaluation.max_age);
    let measure = evaluation.measure;
    let results = state
        .read(|store| store.miner_results(hotkey, measure, since))
        .await?;
    Ok(Some(results.into()))
}
