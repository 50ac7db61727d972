//! Reward rounds.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::books::{ROUND_COLUMNS, Round, RoundCredit, RoundDetails, Rounds};
use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::evaluated;
use dwarves_ports::store::{CreditRow, RoundRow};

use super::next_cursor;
use crate::asker;
use crate::csv::{self, Form, List};
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::{self, Params};
use crate::state::HttpState;

/// The columns of rounds as CSV.
const ROUNDS: List = List {
    field: "rounds",
    columns: ROUND_COLUMNS,
};

/// Closed rounds, newest first.
#[utoipa::path(
    get, path = "/v1/rounds", operation_id = "list_rounds", tag = "pool",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "A page of rounds; the rows are also answered as CSV", content((Rounds = "application/json"), (String = "text/csv")), headers(("X-Next-Cursor" = String, description = "With CSV: the cursor of the next page, if there is one"))),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    let page = params.page()?;
    let page = state.read(|store| store.rounds(page)).await?;
    csv::answer(
        form,
        ROUNDS,
        &Rounds {
            rounds: page.rows.into_iter().map(Round::from).collect(),
            next_cursor: next_cursor(page.next),
        },
    )
}

/// The round that a request's path names, if it writes a round's number at all.
fn round_in_path(req: &HttpRequest) -> Option<RoundId> {
    let text = req.match_info().query("id");
    let number = query::plain_number(text)?;
    // The store counts in signed 64-bit numbers: there is no round beyond.
    i64::try_from(number).ok()?;
    Some(RoundId::new(number))
}

/// The round that a request's path names, with its credits.
pub(super) async fn closed_round(
    req: &HttpRequest,
    state: &HttpState,
) -> Result<(RoundRow, Vec<CreditRow>), Problem> {
    let unknown = || {
        let detail = "id: there is no closed round with this number";
        Problem::new(Code::RoundUnknown, detail).of_field("id")
    };
    let id = round_in_path(req).ok_or_else(unknown)?;
    state.read(|store| store.round(id)).await?.ok_or_else(unknown)
}

/// The columns of credits as CSV.
const ROUND_CREDITS: List = List {
    field: "credits",
    columns: &["hotkey", "units", "amount_sats", "block"],
};

/// A round with every credit, as far as they are not hidden: reward = fee + credited + kept.
#[utoipa::path(
    get, path = "/v1/rounds/{id}", operation_id = "read_round", tag = "pool",
    params(
        ("id" = u64, Path, description = "The round's number"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "The round; the rows are also answered as CSV", content((RoundDetails = "application/json"), (String = "text/csv")), headers(("X-Hidden" = String, description = "With CSV: the list of which rows are hidden from the asker, if any are"))),
        (status = "default", description = "Refused; codes: round_unknown, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
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
    let view = asker::view(&req, payload, &state).await?;
    let (row, mut credits) = closed_round(&req, &state).await?;
    let all = credits.len();
    credits.retain(|credit| view.shows_balances_of(&credit.hotkey));
    let is_hidden = credits.len() < all;
    let is_evaluated = row.scheme.is_of_evaluated_work();
    let credit = |row: CreditRow| {
        let weight = evaluated::shown(row.units.half_steps());
        let credit = RoundCredit::from(row);
        match is_evaluated {
            true => RoundCredit {
                units: weight,
                ..credit
            },
            false => credit,
        }
    };
    csv::answer(
        form,
        ROUND_CREDITS,
        &RoundDetails {
            round: row.into(),
            credits: credits.into_iter().map(credit).collect(),
            hidden: is_hidden
                .then(|| ROUND_CREDITS.field.to_owned())
                .into_iter()
                .collect(),
        },
    )
}
