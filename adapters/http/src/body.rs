//! Bodies: read within their limits, parsed strictly, and answers written in one piece.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, dev};
use dwarves_api_types::object::Object;
use dwarves_domain::network::host;
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client;
use super::connections::line;
use super::problem::{Code, Problem};
use super::state::HttpState;

/// The media type of answers. That of refusals is their own.
static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Reads the body of a request. One that arrived in one piece (as most do) is not copied.
///
/// # Errors
/// `unsupported_media_type`, `body_too_large`, `body_timeout`, `busy` if there is no room for it, or `body_invalid` if it
/// breaks off.
pub async fn read(req: &HttpRequest, payload: Payload, state: &HttpState) -> Result<Bytes, Problem> {
    check_media_type(req.headers())?;
    read_any(req, payload, state).await
}

/// As [`read`], whatever the media type: old miners send JSON as a form.
///
/// # Errors
/// As those of [`read`], but for the media type.
pub async fn read_any(req: &HttpRequest, payload: Payload, state: &HttpState) -> Result<Bytes, Problem> {
    let body = read_within(req, payload, state).await;
    line::body_is_read(req);
    body
}

async fn read_within(req: &HttpRequest, payload: Payload, state: &HttpState) -> Result<Bytes, Problem> {
    let limits = state.limits();
    let announced = req
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.body_bytes) {
        return Err(too_large(limits.body_bytes));
    }
    let mut collected = pin!(collect(payload.into_inner(), limits.body_bytes));
    // Most bodies have arrived already, with the head: they need no timer and no room.
    if let Poll::Ready(body) = poll_fn(|cx| Poll::Ready(collected.as_mut().poll(cx))).await {
        return body;
    }
    let length = announced.unwrap_or(limits.body_bytes);
    let Some(_room) = state.bodies().take(host(client::address(req, state)), length) else {
        let detail = "too many bodies are on their way, of this client or in all; try again";
        return Err(Problem::new(Code::Busy, detail));
    };
    tokio::time::timeout(limits.body_deadline, collected)
        .await
        .map_err(|_| {
            let secs = limits.body_deadline.as_secs();
            Problem::new(Code::BodyTimeout, format!("the body must arrive within {secs} s"))
        })?
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        Code::BodyTooLarge,
        format!("a body may have at most {limit} bytes"),
    )
}

async fn next_piece(payload: &mut dev::Payload) -> Result<Option<Bytes>, Problem> {
    match poll_fn(|cx| Pin::new(&mut *payload).poll_next(cx)).await {
        None => Ok(None),
        Some(Ok(piece)) => Ok(Some(piece)),
        Some(Err(PayloadError::Overflow)) => Err(Problem::new(Code::BodyTooLarge, "the body is too large")),
        Some(Err(error)) => Err(Problem::new(
            Code::BodyInvalid,
            format!("the body breaks off: {error}"),
        )),
    }
}

async fn collect(mut payload: dev::Payload, limit: usize) -> Result<Bytes, Problem> {
    let within = |len: usize| {
        if len > limit {
            Err(too_large(limit))
        } else {
            Ok(())
        }
    };
    let Some(first) = next_piece(&mut payload).await? else {
        return Ok(Bytes::new());
    };
    within(first.len())?;
    let Some(second) = next_piece(&mut payload).await? else {
        return Ok(first);
    };
    let mut body = BytesMut::from(&first[..]);
    let mut piece = second;
    loop {
        within(body.len() + piece.len())?;
        body.extend_from_slice(&piece);
        match next_piece(&mut payload).await? {
            Some(next) => piece = next,
            None => return Ok(body.freeze()),
        }
    }
}

/// A body needs no `Content-Type`, but if it has one it must be JSON, and it must not be compressed.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |header: &'static str, detail: &'static str| {
        Err(Problem::new(Code::UnsupportedMediaType, detail).of_field(header))
    };
    if let Some(value) = headers.get(CONTENT_TYPE) {
        let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
        if !is_json(essence.trim_ascii()) {
            return unsupported(
                "content-type",
                "expected application/json (or no Content-Type at all)",
            );
        }
    }
    if let Some(value) = headers.get(CONTENT_ENCODING)
        && !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")
    {
        return unsupported("content-encoding", "a body must not be compressed");
    }
    Ok(())
}

fn is_json(essence: &[u8]) -> bool {
    if essence.eq_ignore_ascii_case(b"application/json") {
        return true;
    }
    let essence = essence.to_ascii_lowercase();
    essence.starts_with(b"application/") && essence.ends_with(b"+json")
}

/// Parses a body. The field that is wrong is looked for only once it is known that one is.
///
/// # Errors
/// `body_invalid`, naming the field by its path.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if let Ok(Object(parsed)) = serde_json::from_slice(body) {
        return Ok(parsed);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let (path, error) = match serde_path_to_error::deserialize::<_, Object<T>>(&mut json) {
        Err(error) => (error.path().to_string(), error.into_inner()),
        Ok(Object(parsed)) => match json.end() {
            Ok(()) => return Ok(parsed),
            Err(error) => (".".to_owned(), error),
        },
    };
    let detail = error.to_string();
    let problem = match field_of(&path, &detail) {
        Some(field) => Problem::new(Code::BodyInvalid, format!("{field}: {detail}")).of_field(&field),
        None => Problem::new(Code::BodyInvalid, detail),
    };
    Err(problem)
}

/// As [`parse`]; an empty body is an empty object.
///
/// # Errors
/// As [`parse`].
pub fn parse_or_empty<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    parse(if body.is_empty() { b"{}" } else { body })
}

/// The path of the field that is wrong. A field that is missing, unknown or there twice has no value whose
/// path there would be: serde names it in its message.
fn field_of(path: &str, detail: &str) -> Option<String> {
    let parent = match path {
        "." | "?" | "" => None,
        path => Some(path),
    };
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .into_iter()
        .find_map(|kind| detail.strip_prefix(kind)?.split('`').next());
    match (parent, named) {
        (None, named) => named.map(str::to_owned),
        (Some(parent), None) => Some(parent.to_owned()),
        (Some(parent), Some(named)) if parent == named => Some(named.to_owned()),
        (Some(parent), Some(named)) if parent.ends_with(&format!(".{named}")) => Some(parent.to_owned()),
        (Some(parent), Some(named)) => Some(format!("{}.{named}", parent.trim_end_matches(".?"))),
    }
}

/// An answer in JSON, written into one buffer, so that it goes out with its length.
///
/// # Errors
/// `internal` if the answer cannot be written as JSON, which no answer type here allows.
pub fn json(status: StatusCode, answer: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut body = Vec::with_capacity(512);
    serde_json::to_writer(&mut body, answer).map_err(|error| {
        log::error!("an answer could not be written: {error}");
        Problem::new(
            Code::Internal,
            "the answer could not be written; the log says why",
        )
    })?;
    Ok(HttpResponseBuilder::new(status)
        .insert_header((CONTENT_TYPE, JSON.clone()))
        .body(body))
}

/// The same of an answer that nobody may keep: it has a secret, or says how somebody is reached. What is only read is not
/// kept either way.
///
/// # Errors
/// As [`json`].
pub fn unkept(status: StatusCode, answer: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut response = json(status, answer)?;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// An answer to a request that found what it asked for.
///
/// # Errors
/// As [`json`].
pub fn ok(answer: &impl Serialize) -> Result<HttpResponse, Problem> {
    json(StatusCode::OK, answer)
}
