//! Registration, and what anyone may know of a miner.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::handlers::registration::messages::Register;
use dwarves_actors::miner_manager::messages::{Registered, ThresholdChoice};
use dwarves_actors::paymaster::messages::ReadWaiting;
use dwarves_api_types::credits::{MinerCredit, MinerCredits, MinerPayout, MinerPayouts};
use dwarves_api_types::miners::MinerStatus;
use dwarves_api_types::registration::{RegisterBody, Registration};
use dwarves_api_types::scalars::{Instant, Ss58};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::privacy::View;
use dwarves_domain::rewards::evaluated;
use dwarves_domain::units::Amount;
use dwarves_ports::store::CreditRow;

use super::named_miner::{hotkey_in_path, known_miner};
use super::next_cursor;
use crate::csv::{self, Form, List};
use crate::problem::{Problem, ProblemBody};
use crate::query::{self, Params};
use crate::state::HttpState;
use crate::{answers, asker, auth, body, client, rates};

/// Registers the signer, or changes where and from which balance a known miner is paid.
#[utoipa::path(
    post, path = "/v1/miners", operation_id = "register_miner", tag = "miners",
    request_body(content = RegisterBody, description = "An empty body is `{}`"),
    responses(
        (status = 201, description = "Newly registered", body = Registration),
        (status = 200, description = "Known already", body = Registration),
        (status = "default", description = "Refused; codes: registration_closed, banned, payout_address_invalid, payout_threshold_invalid, too_many_new_miners", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("signature" = [])),
)]
pub async fn register(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let headers = auth::signed(&req, &state)?;
    let sent = body::read(&req, payload, &state).await?;
    let hotkey = auth::verify(&req, &state, headers, &sent).await?;
    query::none(&req)?;
    let RegisterBody {
        payout_address,
        payout_threshold_sats,
    } = body::parse_or_empty(&sent)?;
    let question = Register {
        hotkey,
        payout_address,
        payout_threshold: payout_threshold_sats.map(threshold_choice).transpose()?,
        from: client::address(&req, &state),
    };
    let Registered {
        is_new,
        registered_at,
        payout_address,
    } = state.ask(&state.worker().register, question).await??;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let answer = Registration {
        hotkey: Ss58(hotkey),
        registration_success: true,
        registered_at: Instant(registered_at),
        payout_address,
        payout_threshold_sats,
    };
    body::json(status, &answer)
}

/// What a miner's number of sats means.
fn threshold_choice(sats: u64) -> Result<ThresholdChoice, Problem> {
    match Amount::from_sats(sats) {
        Some(Amount::ZERO) => Ok(ThresholdChoice::Pools),
        Some(threshold) => Ok(ThresholdChoice::Own(threshold)),
        None => Err(Problem::threshold_invalid(&format!("at most {}", Amount::MAX))),
    }
}

/// The columns of workers as CSV.
const WORKERS: List = List {
    field: "workers",
    columns: &[
        "name",
        "hashrate",
        "share_difficulty",
        "last_share_at",
        "last_share_age_secs",
        "shares",
        "rejected.unknown_job",
        "rejected.stale",
        "rejected.duplicate",
        "rejected.low_difficulty",
        "rejected.time_out_of_range",
        "rejected.version_out_of_mask",
    ],
};

/// A miner: its work, its workers and what it is owed.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}", operation_id = "read_miner", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "The miner; its workers are also answered as CSV", content((MinerStatus = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: miner_unknown, hidden, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
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
    let hotkey = hotkey_in_path(&req, &state)?;
    let view = asker::view(&req, payload, &state).await?;
    if form == Form::Csv && !view.shows_names_of(&hotkey) {
        return Err(Problem::hidden("worker names"));
    }
    csv::answer(form, WORKERS, &status(&state, hotkey, view).await?)
}

/// A miner as `GET /v1/miners/{hotkey}` shows it to whoever sees this much.
///
/// # Errors
/// `miner_unknown`, and what reading it says.
pub async fn status(state: &HttpState, hotkey: Hotkey, seen: View) -> Result<MinerStatus, Problem> {
    let view = known_miner(state, hotkey).await?;
    let balances = state.read(|store| store.miner_balances(hotkey)).await?;
    let threshold = state.read(|store| store.payout_threshold(hotkey)).await?;
    let waiting = state
        .ask(&state.deps().ports.waiting, ReadWaiting { hotkey })
        .await?;
    let rates = rates::of_miner(state, &view).await?;
    let now = state.deps().clock.date();
    let window = super::earnings::window_place(state, &view).await?;
    let next_payout = super::earnings::next_payout(state, hotkey, &balances, threshold).await?;
    let mut status = MinerStatus {
        window,
        next_payout: Some(next_payout),
        results: super::submissions::results(state, hotkey).await?,
        ..answers::miner_status(view, rates, now, balances, threshold, waiting)
    };
    if !seen.shows_balances_of(&hotkey) {
        status.hide_money();
    }
    if !seen.shows_names_of(&hotkey) {
        status.hide_names();
    }
    Ok(status)
}

/// The columns of credits as CSV.
const CREDITS: List = List {
    field: "credits",
    columns: &["round_id", "closed_at", "units", "amount_sats", "kind", "block"],
};

/// A miner's credits, newest first.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/credits", operation_id = "list_miner_credits", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "A page of credits; the rows are also answered as CSV", content((MinerCredits = "application/json"), (String = "text/csv")), headers(("X-Next-Cursor" = String, description = "With CSV: the cursor of the next page, if there is one"))),
        (status = "default", description = "Refused; codes: miner_unknown, hidden, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn credits(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    let page = params.page()?;
    let hotkey = hotkey_in_path(&req, &state)?;
    known_miner(&state, hotkey).await?;
    if !asker::view(&req, payload, &state)
        .await?
        .shows_balances_of(&hotkey)
    {
        return Err(Problem::hidden("credits"));
    }
    let page = state.read(|store| store.miner_credits(hotkey, page)).await?;
    let is_evaluated = state.deps().evaluation.is_some();
    let credit = |row: CreditRow| {
        let weight = evaluated::shown(row.units.half_steps());
        let credit = MinerCredit::from(row);
        match is_evaluated {
            true => MinerCredit {
                units: weight,
                ..credit
            },
            false => credit,
        }
    };
    csv::answer(
        form,
        CREDITS,
        &MinerCredits {
            credits: page.rows.into_iter().map(credit).collect(),
            next_cursor: next_cursor(page.next),
        },
    )
}

/// The columns of payouts as CSV.
const PAYOUTS: List = List {
    field: "payouts",
    columns: &[
        "payout_id",
        "state",
        "txid",
        "confirmations",
        "address",
        "amount_sats",
        "fee_sats",
        "debited_sats",
        "reserved_at",
        "sent_at",
        "note",
        "batch",
        "reference",
    ],
};

/// A miner's payouts, newest first.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/payouts", operation_id = "list_miner_payouts", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "A page of payouts; the rows are also answered as CSV", content((MinerPayouts = "application/json"), (String = "text/csv")), headers(("X-Next-Cursor" = String, description = "With CSV: the cursor of the next page, if there is one"))),
        (status = "default", description = "Refused; codes: miner_unknown, hidden, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn payouts(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    let page = params.page()?;
    let hotkey = hotkey_in_path(&req, &state)?;
    known_miner(&state, hotkey).await?;
    if !asker::view(&req, payload, &state)
        .await?
        .shows_balances_of(&hotkey)
    {
        return Err(Problem::hidden("payouts"));
    }
    let page = state.read(|store| store.miner_payouts(hotkey, page)).await?;
    csv::answer(
        form,
        PAYOUTS,
        &MinerPayouts {
            payouts: page.rows.into_iter().map(MinerPayout::from).collect(),
            next_cursor: next_cursor(page.next),
        },
    )
}
