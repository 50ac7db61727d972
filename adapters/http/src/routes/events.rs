//! What happens, as it happens.

use std::str::FromStr;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::events::Event;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::network::host;
use dwarves_domain::privacy::Visibility;

use crate::client;
use crate::connections::line::Line;
use crate::events::kept::Wanted;
use crate::events::stream::EventStream;
use crate::events::topic::{Topic, Topics};
use crate::problem::{Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;

/// The id of the last event that a client had, which browsers send by themselves.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx not to wait for more.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What happens, as server-sent events: each with `event:` (its kind) and `data:` (JSON).
///
/// The first is `hello`. Come back with the last `id:` as `Last-Event-ID`, as browsers do by themselves: what was
/// missed follows, or `hello` says that it is not known any more (`"resumed":false`), also in the middle of a stream; then
/// read anew what you show. `block`, `round` and `payout` have ids and are told once the ledger has them. `pool` (every
/// 5 s) and `chain` (when something about it changed) have none, since only the last of each is of interest. A comment
/// comes every 15 s. A stream that is not read is ended. Where balances are hidden (`[privacy]`), no payouts are told with
/// `miner`, and `hello` says so (`"hidden":["payout"]`); without it all of them are, each without its parts.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listen", tag = "pool",
    params(
        ("topics" = Option<String>, Query, description = "Some of pool, block, round, payout, chain, with commas between; all if absent", pattern = "^(pool|block|round|payout|chain)(,(pool|block|round|payout|chain))*$"),
        ("miner" = Option<String>, Query, description = "A hotkey: of blocks and payouts, only those that are about this miner", pattern = "^[1-9A-HJ-NP-Za-km-z]{40,64}$"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that you had"),
    ),
    responses(
        (status = 200, description = "A stream without end", body = Event, content_type = "text/event-stream"),
        (status = "default", description = "Refused; codes: query_invalid, too_many_streams, stopping", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn listen(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let topics = params.take("topics")?.unwrap_or(Topics::ALL);
    let miner = params.take("miner")?.map(|MinerParam(miner)| miner);
    params.finish()?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ACCEL_BUFFERING, "no"));
    if req.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let client = host(client::address(&req, &state));
    let last = req.headers().get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let stream = EventStream::open(state.events(), client, wanted(&state, topics, miner), last)?;
    Ok(response.body(stream.on(req.conn_data::<Line>().cloned())))
}

/// What a stream is told. Of which payouts a miner has a part is its own business, where its balances are; a stream that
/// asks for all of them hears of all of them, and of nobody's part.
fn wanted(state: &HttpState, topics: Topics, miner: Option<Hotkey>) -> Wanted {
    let is_hidden = miner.is_some() && state.deps().privacy.balances == Visibility::Owner;
    let hidden = if is_hidden {
        topics.only(Topic::Payout)
    } else {
        Topics::NONE
    };
    let topics = match is_hidden {
        true => topics.without(Topic::Payout),
        false => topics,
    };
    Wanted {
        topics,
        miner,
        hidden,
    }
}

struct MinerParam(Hotkey);

impl FromStr for MinerParam {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "expected a hotkey in SS58")
    }
}
