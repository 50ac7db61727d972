//! Control messages, and the audit trail that keeps them.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::handlers::admin::messages::{Authorize, Control};
use dwarves_actors::miner_manager::messages::ReadRecords;
use dwarves_api_types::books::{Audit, AuditEntry};
use dwarves_api_types::control::ControlBody;
use dwarves_api_types::miners::{Withholding, WithholdingRecord};
use dwarves_domain::refusal::Refusal;

use super::next_cursor;
use crate::csv::{self, Form, List};
use crate::problem::{Problem, ProblemBody};
use crate::query::{self, Params};
use crate::state::HttpState;
use crate::{auth, body};

/// Carries one control message to one actor, and its reply back.
#[utoipa::path(
    post, path = "/v1/admin/control", operation_id = "control", tag = "admin",
    params(("X-CSRF-Token" = Option<String>, Header, description = "The session's token, with the operator's cookie")),
    request_body = ControlBody,
    responses(
        (status = 200, description = "What the actor answers", body = Object),
        (status = "default", description = "Refused; codes: forbidden, control_unknown, control_field_invalid, control_refused", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn control(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let claim = auth::admin(&req, &state).await?;
    let (caller, sent) = claim.with_body(&req, payload, &state).await?;
    query::none(&req)?;
    let ControlBody {
        actor,
        message,
        fields,
    } = body::parse(&sent)?;
    let question = Control {
        caller,
        actor,
        message,
        fields,
    };
    body::ok(&state.ask(&state.deps().ports.control, question).await??)
}

/// The columns of the audit trail as CSV.
const AUDIT: List = List {
    field: "audit",
    columns: &["id", "at", "who", "actor", "message", "fields", "outcome"],
};

/// The audit trail, newest first.
#[utoipa::path(
    get, path = "/v1/admin/audit", operation_id = "list_audit", tag = "admin",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "A page of the trail; the rows are also answered as CSV", content((Audit = "application/json"), (String = "text/csv")), headers(("X-Next-Cursor" = String, description = "With CSV: the cursor of the next page, if there is one"))),
        (status = "default", description = "Refused; codes: forbidden, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn audit(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (params, form) = admins_question(&req, &state, payload).await?;
    let page = params.page()?;
    let page = state.read(|store| store.audit(page)).await?;
    let audit = Audit {
        audit: page.rows.into_iter().map(AuditEntry::from).collect(),
        next_cursor: next_cursor(page.next),
    };
    csv::answer(form, AUDIT, &audit)
}

/// What an admin asks of a route that only reads, and in which form the answer is wanted.
pub(super) async fn admins_question(
    req: &HttpRequest,
    state: &HttpState,
    payload: web::Payload,
) -> Result<(Params, Form), Problem> {
    let_admins_only(req, state, payload).await?;
    let mut params = Params::of(req)?;
    let form = Form::of(req, &mut params)?;
    Ok((params, form))
}

/// Refuses whoever is not an admin, on routes that only read.
pub(super) async fn let_admins_only(
    req: &HttpRequest,
    state: &HttpState,
    payload: web::Payload,
) -> Result<(), Problem> {
    let claim = auth::admin(req, state).await?;
    let (caller, _) = claim.with_body(req, payload, state).await?;
    if state
        .ask(&state.deps().ports.authorize, Authorize { caller })
        .await?
    {
        Ok(())
    } else {
        Err(Refusal::Forbidden.into())
    }
}

/// Miners in the list of those who found the fewest blocks for their work.
const RECORDS_MAX: u32 = 100;

/// The columns of records as CSV.
const RECORDS: List = List {
    field: "miners",
    columns: &[
        "hotkey",
        "found",
        "expected",
        "p_value",
        "power_all",
        "power_half",
    ],
};

/// The miners who found the fewest blocks for their work, the least likely first.
#[utoipa::path(
    get, path = "/v1/admin/withholding", operation_id = "list_withholding", tag = "admin",
    params(
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "At most 100 miners; the rows are also answered as CSV", content((Withholding = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: forbidden, query_invalid, busy", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn withholding(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (params, form) = admins_question(&req, &state, payload).await?;
    params.finish()?;
    let question = ReadRecords { limit: RECORDS_MAX };
    let records = state.ask(&state.deps().ports.records, question).await?;
    let records = records.into_iter();
    let withholding = Withholding {
        miners: records
            .map(|(hotkey, record)| WithholdingRecord::new(hotkey, record))
            .collect(),
    };
    csv::answer(form, RECORDS, &withholding)
}
