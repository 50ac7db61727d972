//! Requests on their way: each is served within its span, on its connection, and answered with the pool's date.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, DATE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::web::Bytes;
use actix_web::{Error, web};
use tracing::{Instrument, Level, Span};

use super::client;
use super::connections::line::{Attending, Line};
use super::problem::Refusing;
use super::state::HttpState;

/// The span of a request. Its route is the pattern of its path, of which there are few.
fn span_of(req: &ServiceRequest, state: Option<&web::Data<HttpState>>) -> Span {
    let client = || match state {
        Some(state) => client::address(req.request(), state).to_string(),
        None => "unknown".to_owned(),
    };
    dwarves_actors::span!(
        Level::DEBUG,
        "request",
        method = %req.method(),
        route = req.match_pattern().as_deref().unwrap_or("none"),
        client = client()
    )
}

/// Where the rest of a path is a token, which is a secret.
const BEFORE_TOKENS: [&str; 2] = ["/watch/", "/v1/watch/"];

/// A path as the log has it: without tokens.
fn shown_path(path: &str) -> &str {
    let before = BEFORE_TOKENS.iter().find(|before| path.starts_with(**before));
    before.map_or(path, |before| *before)
}

/// Hands a request on to the routes, and knows meanwhile that it is being handled. For `App::wrap_fn`.
pub(crate) fn attend<S>(
    req: ServiceRequest,
    routes: &S,
    refusing: Refusing,
) -> impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let line = req.conn_data::<Line>().cloned();
    let state = req.app_data::<web::Data<HttpState>>().cloned();
    let span = span_of(&req, state.as_ref());
    let _said_of_it = span.clone().entered();
    let client = || Some(client::address(req.request(), state.as_ref()?));
    let begun = line
        .as_ref()
        .map(|line| Attending::begin(line, &req, client))
        .transpose();
    let answer = match begun {
        Ok(attending) => Ok((attending, routes.call(req))),
        Err(problem) => Err(req.into_response(refusing(&problem))),
    };
    let answered = async move {
        let mut response = match answer {
            Ok((attending, answer)) => attended(answer.await?, attending),
            Err(refused) => refused,
        };
        guard(&mut response);
        if let Some(state) = state {
            if let Some(date) = state.date().of(state.deps().clock.date()) {
                response.headers_mut().insert(DATE, date);
            }
            if state.deps().privacy.hides_anything() {
                depends_on_asker(&mut response);
            }
        }
        if line.is_some_and(|line| line.is_reserved()) {
            // Others need the place.
            let head = response.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        tracing::debug!(
            method = %response.request().method(),
            path = shown_path(response.request().path()),
            status = response.status().as_u16(),
            "request is answered"
        );
        Ok(response)
    };
    answered.instrument(span)
}

/// Says of what can be read again that it is of this moment and for whom it was sent, unless it says something else: no
/// proxy and no browser is to keep a figure, or what only the operator may see. Nor is it taken for anything but what it
/// says that it is.
fn guard(response: &mut ServiceResponse<BoxBody>) {
    if ![Method::GET, Method::HEAD].contains(response.request().method()) {
        return;
    }
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Says of an answer of the API that it may depend on who asks, which proxies that keep answers all the same must know.
fn depends_on_asker(response: &mut ServiceResponse<BoxBody>) {
    let is_read = [Method::GET, Method::HEAD].contains(response.request().method());
    if is_read && response.request().path().starts_with("/v1/") {
        let headers = response.headers_mut();
        headers.append(
            VARY,
            HeaderValue::from_static("authorization, cookie, x-bittensor-signature"),
        );
    }
}

/// A body that is still being made while it is sent. For as long as it goes on, so does its request.
struct Attended {
    body: BoxBody,
    _attending: Option<Attending>,
}

/// An answer whose request is over when all of it is made.
fn attended(response: ServiceResponse<BoxBody>, attending: Option<Attending>) -> ServiceResponse<BoxBody> {
    if response.response().body().size() != BodySize::Stream {
        return response;
    }
    let mut response = response;
    if response.request().version() < Version::HTTP_11 {
        // Its client knows no chunks: the answer ends with the connection.
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    response.map_body(|_, body| {
        BoxBody::new(Attended {
            body,
            _attending: attending,
        })
    })
}

impl MessageBody for Attended {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_is_not_logged() {
        for (path, shown) in [
            ("/watch/00ff", "/watch/"),
            ("/v1/watch/00ff", "/v1/watch/"),
            ("/v1/watch/00ff/more", "/v1/watch/"),
            ("/v1/watch", "/v1/watch"),
            ("/miners/5x", "/miners/5x"),
            ("/", "/"),
        ] {
            assert_eq!(shown_path(path), shown);
        }
    }
}
