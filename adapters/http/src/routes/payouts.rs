//! Payouts of the pool, and one of them.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::details::{PayoutDetails, PayoutSummary, Payouts};
use dwarves_domain::payouts::{ParseTxidError, Part, Txid};

use super::next_cursor;
use crate::asker;
use crate::csv::{self, Form, List};
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;

/// The columns of payouts as CSV.
const PAYOUTS: List = List {
    field: "payouts",
    columns: &[
        "id",
        "state",
        "txid",
        "confirmations",
        "miners",
        "debited_sats",
        "fee_sats",
        "fee_payer",
        "fee_rate_sats",
        "reserved_at",
        "sent_at",
        "changed_at",
        "note",
        "batch",
        "reference",
    ],
};

/// Payouts, newest first.
#[utoipa::path(
    get, path = "/v1/payouts", operation_id = "list_payouts", tag = "pool",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "A page of payouts; the rows are also answered as CSV", content((Payouts = "application/json"), (String = "text/csv")), headers(("X-Next-Cursor" = String, description = "With CSV: the cursor of the next page, if there is one"))),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    let page = params.page()?;
    let page = state.read(|store| store.payouts(page)).await?;
    csv::answer(
        form,
        PAYOUTS,
        &Payouts {
            payouts: page.rows.into_iter().map(PayoutSummary::from).collect(),
            next_cursor: next_cursor(page.next),
        },
    )
}

/// The columns of parts as CSV.
const PARTS: List = List {
    field: "parts",
    columns: &["hotkey", "address", "amount_sats", "fee_sats", "debited_sats"],
};

/// A payout with its parts, by its transaction.
#[utoipa::path(
    get, path = "/v1/payouts/{txid}", operation_id = "read_payout", tag = "pool",
    params(
        ("txid" = String, Path, description = "The transaction's id in 64 lower-case hex digits, as explorers write it"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "The payout; the rows are also answered as CSV", content((PayoutDetails = "application/json"), (String = "text/csv")), headers(("X-Hidden" = String, description = "With CSV: the list of which rows are hidden from the asker, if any are"))),
        (status = "default", description = "Refused; codes: payout_unknown, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    params.finish()?;
    let unknown =
        |detail: String| Problem::new(Code::PayoutUnknown, format!("txid: {detail}")).of_field("txid");
    let txid: Txid = req
        .match_info()
        .query("txid")
        .parse()
        .map_err(|error: ParseTxidError| unknown(error.to_string()))?;
    let view = asker::view(&req, payload, &state).await?;
    let payout = state.read(|store| store.payout_of(txid)).await?;
    let payout = payout.ok_or_else(|| unknown("no payout of this pool has this transaction".to_owned()))?;
    let is_shown = |part: &Part| view.shows_balances_of(&part.hotkey);
    csv::answer(form, PARTS, &PayoutDetails::new(&payout, is_shown))
}
