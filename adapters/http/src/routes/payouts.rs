//! Payouts of the pool, and one of them.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::details::{PayoutDetails, PayoutSummary, Payouts};
use dwarves_domain::payouts::{ParseTxidError, Txid};

use super::next_cursor;
use crate::body;
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::{self, Params};
use crate::state::HttpState;

/// Payouts, newest first.
#[utoipa::path(
    get, path = "/v1/payouts", operation_id = "list_payouts", tag = "pool",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,19}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
    ),
    responses(
        (status = 200, description = "A page of payouts", body = Payouts),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let page = Params::of(&req)?.page()?;
    let page = state.read(|store| store.payouts(page)).await?;
    body::ok(&Payouts {
        payouts: page.rows.into_iter().map(PayoutSummary::from).collect(),
        next_cursor: next_cursor(page.next),
    })
}

/// A payout with its parts, by its transaction.
#[utoipa::path(
    get, path = "/v1/payouts/{txid}", operation_id = "read_payout", tag = "pool",
    params(("txid" = String, Path, description = "The transaction's id in 64 lower-case hex digits, as explorers write it")),
    responses(
        (status = 200, description = "The payout", body = PayoutDetails),
        (status = "default", description = "Refused; codes: payout_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let unknown =
        |detail: String| Problem::new(Code::PayoutUnknown, format!("txid: {detail}")).of_field("txid");
    let txid: Txid = req
        .match_info()
        .query("txid")
        .parse()
        .map_err(|error: ParseTxidError| unknown(error.to_string()))?;
    let payout = state.read(|store| store.payout_of(txid)).await?;
    let payout = payout.ok_or_else(|| unknown("no payout of this pool has this transaction".to_owned()))?;
    body::ok(&PayoutDetails::new(&payout, |_| true))
}
