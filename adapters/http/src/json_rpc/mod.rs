//! Work over JSON-RPC, for miners that know no other way: `getblocktemplate` as a pool gives it (BIP22, BIP23), and
//! `getwork` before it. Their shares take the same way as `POST /v1/work`.
//!
//! `POST /` and `POST /rpc` take one call each; who mines is the user of Basic authorization, `HOTKEY[.worker]` or,
//! if Stratum takes them too, `PAYOUT_ADDRESS[.worker]`. The password does not matter: whoever mines for another one
//! gives work away. Errors have the form that makes `minerd` do the right thing: it tries again after a status
//! that is no success, and falls back from `getblocktemplate` to `getwork` only after status 200 with an error.
//!
//! | module | its one job |
//! |---|---|
//! | `call` | a call, and the forms of its answers |
//! | `caller` | who is calling |
//! | `block_template` | `getblocktemplate` and `submitblock` |
//! | `getwork` | `getwork` and its long poll |
//! | `fuzzing` | entry points for fuzzing, for tests and `fuzz/` alone |
//! | `share` | one share on its way, and BIP22's words for what came of it |

use std::net::Ipv6Addr;

use actix_web::http::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::body;
use super::resource::{get, post, resource};
use super::routes::pages;
use super::state::HttpState;

mod block_template;
mod call;
mod caller;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod getwork;
mod share;

use call::{Call, Failure, Given};
use caller::Caller;

/// Where calls go.
const PATH: &str = "/rpc";
/// Calls may also go where browsers find the first page.
const FIRST_PATH: &str = "/";
/// Where `getwork` waits for newer work.
const LONG_POLL_PATH: &str = "/rpc/longpoll";

static X_STRATUM: HeaderName = HeaderName::from_static("x-stratum");
static X_LONG_POLLING: HeaderName = HeaderName::from_static("x-long-polling");
static X_REJECT_REASON: HeaderName = HeaderName::from_static("x-reject-reason");

/// Mounts the paths of JSON-RPC.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(PATH, &["post"]).route(post().to(answer)));
    cfg.service(
        resource(FIRST_PATH, &["get", "post"])
            .route(post().to(answer))
            .route(get().to(pages::first)),
    );
    cfg.service(
        resource(LONG_POLL_PATH, &["get", "post"])
            .route(post().to(answer_later))
            .route(get().to(answer_later)),
    );
}

async fn answer(req: HttpRequest, state: web::Data<HttpState>, payload: web::Payload) -> HttpResponse {
    let response = respond(&req, &state, payload).await;
    with_stratum(response, &req, &state)
}

/// The long poll of `getwork`. Some miners ask with GET and without a body.
async fn answer_later(req: HttpRequest, state: web::Data<HttpState>, payload: web::Payload) -> HttpResponse {
    let waited = async {
        let caller = Caller::of(&req, &state)?;
        let body = read(&req, payload, &state).await?;
        if body.is_empty() {
            return Ok((getwork::wait(&state, &caller).await?, Value::Null));
        }
        let call = Call::parse(&body)?;
        let id = call.id.clone();
        let result = match call.method.as_str() {
            "getwork" => getwork::wait(&state, &caller).await,
            _ => dispatch(&state, &caller, &call).await,
        };
        result
            .map(|given| (given, id.clone()))
            .map_err(|failure| failure.answering(id))
    };
    let response = match waited.await {
        Ok((given, id)) => given.into_response(id),
        Err(failure) => failure.into_response(),
    };
    with_stratum(response, &req, &state)
}

async fn respond(req: &HttpRequest, state: &HttpState, payload: web::Payload) -> HttpResponse {
    let answered = async {
        let caller = Caller::of(req, state)?;
        let body = read(req, payload, state).await?;
        let call = Call::parse(&body)?;
        let given = dispatch(state, &caller, &call).await;
        given
            .map(|given| given.into_response(call.id.clone()))
            .map_err(|failure| failure.answering(call.id))
    };
    answered.await.unwrap_or_else(Failure::into_response)
}

async fn read(req: &HttpRequest, payload: web::Payload, state: &HttpState) -> Result<web::Bytes, Failure> {
    Ok(body::read_any(req, payload, state).await?)
}

async fn dispatch(state: &HttpState, caller: &Caller, call: &Call) -> Result<Given, Failure> {
    match (call.method.as_str(), call.params.as_slice()) {
        ("getblocktemplate", params) => block_template::get(state, caller, params).await,
        ("submitblock", params) => block_template::submit(state, caller, params).await,
        ("getwork", []) => getwork::get(state, caller).await,
        ("getwork", params) => getwork::submit(state, caller, params).await,
        (method, _) => Err(Failure::unknown_method(method)),
    }
}

/// How miners introduce themselves that follow the header well: pooler's minerd. Others do not know it, or crash.
const FOLLOWS_X_STRATUM: &str = "cpuminer/";

/// Tells miners that are known to follow the header where they are served better. They never come back, so only one
/// that is served here is told.
fn with_stratum(mut response: HttpResponse, req: &HttpRequest, state: &HttpState) -> HttpResponse {
    let agent = req
        .headers()
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    let is_told = response.status().is_success() && agent.is_some_and(|a| a.starts_with(FOLLOWS_X_STRATUM));
    if is_told
        && let Some(port) = state.deps().json_rpc.stratum_port
        && let Some(host) = req.headers().get(HOST).and_then(|host| host.to_str().ok())
        && let Some(host) = host_of(host)
        && let Ok(url) = HeaderValue::from_str(&format!("stratum+tcp://{host}:{port}"))
    {
        response.headers_mut().insert(X_STRATUM.clone(), url);
    }
    response
}

/// The name or address in a `Host` header, without its port, if it is one. An IPv6 address has colons inside its
/// brackets.
fn host_of(header: &str) -> Option<&str> {
    let host = match header.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => header,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.chars().all(is_name),
    };
    is_host.then_some(host)
}
