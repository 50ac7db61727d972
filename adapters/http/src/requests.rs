//! Requests on their way: each is served within its span, on its connection, and answered with the pool's date.

use std::cell::RefCell;
use std::future::Future;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{DATE, HeaderValue, HttpDate, TryIntoHeaderValue};
use actix_web::{Error, ResponseError, web};
use dwarves_domain::time::Timestamp;
use tracing::{Instrument, Level, Span};

use super::client;
use super::connections::line::{Attending, Line};
use super::state::HttpState;

/// The pool's date as HTTP writes it. The server's own would be the wall clock's, which may have been set wrong while
/// every other date in an answer goes by the pool's.
fn http_date(secs: u64) -> Option<HeaderValue> {
    let date = HttpDate::from(UNIX_EPOCH.checked_add(Duration::from_secs(secs))?);
    date.try_into_value().ok()
}

/// The pool's date, written once a second. It is one thread's.
#[derive(Debug, Default)]
pub(crate) struct DateHeader(RefCell<Option<(u64, HeaderValue)>>);

impl DateHeader {
    /// The header that says this date.
    fn of(&self, date: Timestamp) -> Option<HeaderValue> {
        let secs = u64::try_from(date.millis()).ok()? / 1_000;
        let mut written = self.0.borrow_mut();
        if let Some((at, header)) = &*written
            && *at == secs
        {
            return Some(header.clone());
        }
        let header = http_date(secs)?;
        *written = Some((secs, header.clone()));
        Some(header)
    }
}

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

/// Hands a request on to the routes, and knows meanwhile that it is being handled. For `App::wrap_fn`.
pub(crate) fn attend<S>(
    req: ServiceRequest,
    routes: &S,
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
        Err(problem) => Err(req.into_response(problem.error_response())),
    };
    let answered = async move {
        let mut response = match answer {
            Ok((_attending, answer)) => answer.await?,
            Err(refused) => refused,
        };
        if let Some(date) = state.and_then(|state| state.date().of(state.deps().clock.date())) {
            response.headers_mut().insert(DATE, date);
        }
        if line.is_some_and(|line| line.is_reserved()) {
            // Others need the place.
            let head = response.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        tracing::debug!(
            method = %response.request().method(),
            path = response.request().path(),
            status = response.status().as_u16(),
            "request is answered"
        );
        Ok(response)
    };
    answered.instrument(span)
}
