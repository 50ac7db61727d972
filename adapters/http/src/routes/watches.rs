//! Watch tokens: a miner hands them out, and takes them back.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize};
use dwarves_actors::handlers::watches::messages::{HandOut, HandedOut, OrderedBy, TakeBack};
use dwarves_api_types::scalars::{Instant, Ss58};
use dwarves_api_types::watches::{HandOutBody, HandedOutWatch, OpenedWatch, TakenBackWatch, Watch, Watches};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::privacy::Asker;
use dwarves_domain::time::Span;
use dwarves_domain::watch::{ParseWatchIdError, WatchId, WatchName, WatchNameError};

use super::named_miner::{hotkey_in_path, known_miner};
use crate::problem::{Code, Problem, ProblemBody};
use crate::state::HttpState;
use crate::{asker, auth, body, query};

/// The longest that a token may be good for, in seconds, if an end is given: ten years.
const LASTS_SECS_MAX: u64 = 316_224_000;

/// Who orders something about this miner, if they may: the miner itself by a signature, or an operator.
async fn ordered_by(state: &HttpState, caller: AdminCaller, miner: Hotkey) -> Result<OrderedBy, Problem> {
    if caller == AdminCaller::Hotkey(miner) {
        return Ok(OrderedBy::Owner);
    }
    match state
        .ask(&state.deps().ports.authorize, Authorize { caller })
        .await?
    {
        false => Err(not_theirs()),
        true => Ok(OrderedBy::Operator(match caller {
            AdminCaller::Token => "token".to_owned(),
            AdminCaller::Hotkey(hotkey) => hotkey.to_string(),
        })),
    }
}

fn not_theirs() -> Problem {
    Problem::new(
        Code::Forbidden,
        "only the miner itself and the operator hand out, list and take back its watch tokens",
    )
}

fn name_of(name: Option<&str>) -> Result<WatchName, Problem> {
    name.unwrap_or_default().parse().map_err(|error: WatchNameError| {
        Problem::new(Code::BodyInvalid, format!("name: {error}")).of_field("name")
    })
}

fn lasts(secs: Option<u64>) -> Result<Option<Span>, Problem> {
    let is_wrong = secs.is_some_and(|secs| !(1..=LASTS_SECS_MAX).contains(&secs));
    if is_wrong {
        let detail = format!("expires_in_secs: expected a number from 1 to {LASTS_SECS_MAX}, or none");
        return Err(Problem::new(Code::BodyInvalid, detail).of_field("expires_in_secs"));
    }
    Ok(secs.map(Span::from_secs))
}

/// Hands out a watch token, which shows this miner to whoever has it as the miner sees itself, until it is taken back. The
/// miner signs the request; for one that has no key, and for any other, an operator may.
#[utoipa::path(
    post, path = "/v1/miners/{hotkey}/watches", operation_id = "hand_out_watch", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("X-CSRF-Token" = Option<String>, Header, description = "The session's token, with the operator's cookie"),
    ),
    request_body(content = HandOutBody, description = "An empty body is `{}`"),
    responses(
        (status = 201, description = "The token, which is shown once", body = HandedOutWatch),
        (status = "default", description = "Refused; codes: miner_unknown, forbidden, banned, watches_full, body_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("signature" = []), ("admin" = []), ("operator" = [])),
)]
pub async fn hand_out(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let claim = auth::admin(&req, &state).await?;
    let (caller, sent) = claim.with_body(&req, payload, &state).await?;
    query::none(&req)?;
    let hotkey = hotkey_in_path(&req, &state)?;
    let by = ordered_by(&state, caller, hotkey).await?;
    let HandOutBody {
        name,
        expires_in_secs,
    } = body::parse_or_empty(&sent)?;
    let question = HandOut {
        hotkey,
        name: name_of(name.as_deref())?,
        lasts: lasts(expires_in_secs)?,
        by,
    };
    let HandedOut { row, token } = state
        .ask(&state.deps().ports.watches.hand_out, question)
        .await??;
    let answer = HandedOutWatch {
        watch: row.into(),
        path: format!("/watch/{token}"),
        token,
    };
    body::unkept(StatusCode::CREATED, &answer)
}

/// A miner's watch tokens, oldest first, without the tokens.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/watches", operation_id = "list_watches", tag = "miners",
    params(("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum")),
    responses(
        (status = 200, description = "Those that were not taken back", body = Watches),
        (status = "default", description = "Refused; codes: miner_unknown, forbidden, session_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = []), ("admin" = []), ("operator" = [])),
)]
pub async fn list(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let asker = asker::asker(&req, payload, &state).await?;
    if asker == Asker::Anybody {
        let detail = "this route needs the miner's session or signature, or an operator";
        return Err(Problem::new(Code::SignatureMissing, detail));
    }
    let hotkey = hotkey_in_path(&req, &state)?;
    match asker {
        Asker::Operator => {}
        Asker::Miner(asker) if asker == hotkey => {}
        Asker::Miner(_) | Asker::Watcher(_) | Asker::Anybody => return Err(not_theirs()),
    }
    known_miner(&state, hotkey).await?;
    let rows = state.read(|store| store.watches_of(hotkey)).await?;
    body::ok(&Watches {
        watches: rows.into_iter().map(Watch::from).collect(),
    })
}

/// Takes a watch token back: from now on it shows nothing.
#[utoipa::path(
    delete, path = "/v1/miners/{hotkey}/watches/{id}", operation_id = "take_back_watch", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("id" = String, Path, description = "The token's number, as the list has it"),
        ("X-CSRF-Token" = Option<String>, Header, description = "The session's token, with the operator's cookie"),
    ),
    responses(
        (status = 200, description = "It is taken back", body = TakenBackWatch),
        (status = "default", description = "Refused; codes: miner_unknown, forbidden, watch_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("signature" = []), ("admin" = []), ("operator" = [])),
)]
pub async fn take_back(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let claim = auth::admin(&req, &state).await?;
    let (caller, _) = claim.with_body(&req, payload, &state).await?;
    query::none(&req)?;
    let hotkey = hotkey_in_path(&req, &state)?;
    let by = ordered_by(&state, caller, hotkey).await?;
    known_miner(&state, hotkey).await?;
    let id: WatchId = req
        .match_info()
        .query("id")
        .parse()
        .map_err(|error: ParseWatchIdError| {
            Problem::new(Code::WatchUnknown, format!("id: {error}")).of_field("id")
        })?;
    let question = TakeBack { hotkey, id, by };
    state
        .ask(&state.deps().ports.watches.take_back, question)
        .await??;
    body::ok(&TakenBackWatch {
        id: id.to_string(),
        taken_back: true,
    })
}

/// Which miner a watch token shows. What it shows, the routes about that miner tell whoever asks with
/// `Authorization: Watch TOKEN`.
#[utoipa::path(
    get, path = "/v1/watch/{token}", operation_id = "open_watch", tag = "miners",
    params(("token" = String, Path, description = "The token, as it was handed out")),
    responses(
        (status = 200, description = "The miner", body = OpenedWatch),
        (status = "default", description = "Refused; codes: watch_unknown, too_many_guesses", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn open(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let token = req.match_info().query("token");
    let row = asker::watch(&req, &state, token, Code::WatchUnknown).await?;
    known_miner(&state, row.hotkey).await?;
    body::ok(&OpenedWatch {
        hotkey: Ss58(row.hotkey),
        expires_at: row.expires_at.map(Instant),
    })
}
