//! Batches of payouts that somebody else sends.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::batches::{BatchPayout, BatchPayouts, Batches, ListedBatch, SignedBatch, signature};
use dwarves_domain::payouts::{BatchFault, BatchName};
use dwarves_domain::refusal::Refusal;

use super::admin::admins_question;
use super::next_cursor;
use crate::body;
use crate::csv::{self, Form, List};
use crate::problem::{Problem, ProblemBody};
use crate::state::HttpState;

/// The signature of a table, which has no room for it.
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
/// Whose signature it is.
const SIGNER: HeaderName = HeaderName::from_static("x-signer");

/// The columns of batches as CSV.
const BATCHES: List = List {
    field: "batches",
    columns: &[
        "batch",
        "at",
        "first_payout",
        "payouts",
        "total_sats",
        "digest",
        "previous",
        "hotkey",
        "signature",
        "csv_signature",
        "exported",
        "paid",
        "cancelled",
    ],
};

/// The columns of a batch's payouts as CSV.
const PAYOUTS: List = List {
    field: "payouts",
    columns: &[
        "payout_id",
        "state",
        "hotkey",
        "address",
        "amount_sats",
        "reference",
        "first_paid_at",
        "changed_at",
    ],
};

/// Batches of payouts that somebody else sends, newest first. Pools that have a wallet have none.
#[utoipa::path(
    get, path = "/v1/admin/batches", operation_id = "list_batches", tag = "admin",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "A page of batches; the rows are also answered as CSV", content((Batches = "application/json"), (String = "text/csv")), headers(("X-Next-Cursor" = String, description = "With CSV: the cursor of the next page, if there is one"))),
        (status = "default", description = "Refused; codes: forbidden, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn list(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (params, form) = admins_question(&req, &state, payload).await?;
    let page = params.page()?;
    let page = state.read(|store| store.payout_batches(page)).await?;
    let batches = Batches {
        batches: page.rows.into_iter().map(ListedBatch::from).collect(),
        next_cursor: next_cursor(page.next),
    };
    csv::answer(form, BATCHES, &batches)
}

fn unknown() -> Problem {
    Refusal::Batch(BatchFault::Unknown).into()
}

fn name_of(req: &HttpRequest) -> Result<BatchName, Problem> {
    req.match_info().query("batch").parse().map_err(|_| unknown())
}

/// A batch as it was signed: the same bytes for ever. As CSV it is the table that was signed, with its signature in headers.
#[utoipa::path(
    get, path = "/v1/admin/batches/{batch}", operation_id = "read_batch", tag = "admin",
    params(
        ("batch" = String, Path, description = "The batch's name"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "The batch, or its table", content((SignedBatch = "application/json"), (String = "text/csv")), headers(("X-Signature" = String, description = "With CSV: `csv_signature`"), ("X-Signer" = String, description = "With CSV: `hotkey`"))),
        (status = "default", description = "Refused; codes: forbidden, batch_unknown, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (params, form) = admins_question(&req, &state, payload).await?;
    params.finish()?;
    let name = name_of(&req)?;
    let row = state.read(|store| store.payout_batch(name.clone())).await?;
    let row = row.ok_or_else(unknown)?;
    if form == Form::Json {
        return body::ok(&SignedBatch::from(row));
    }
    // The bytes that were signed, and no others: what a spreadsheet might mistake is not in them.
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "text/csv; charset=utf-8; header=present"));
    let file = format!("attachment; filename=\"{name}.csv\"");
    response.insert_header((CONTENT_DISPOSITION, file));
    response.insert_header((SIGNATURE, signature(&row.head.csv_signature)));
    response.insert_header((SIGNER, row.head.signer.to_string()));
    Ok(response.body(row.csv))
}

/// What became of a batch's payouts.
#[utoipa::path(
    get, path = "/v1/admin/batches/{batch}/payouts", operation_id = "list_batch_payouts", tag = "admin",
    params(
        ("batch" = String, Path, description = "The batch's name"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "At most 1,000 payouts; the rows are also answered as CSV", content((BatchPayouts = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: forbidden, batch_unknown, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn payouts(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (params, form) = admins_question(&req, &state, payload).await?;
    params.finish()?;
    let name = name_of(&req)?;
    let rows = state.read(|store| store.batch_payouts(name)).await?;
    if rows.is_empty() {
        return Err(unknown());
    }
    let payouts = rows.iter().filter_map(BatchPayout::of).collect();
    csv::answer(form, PAYOUTS, &BatchPayouts { payouts })
}
