//! Requests on their way: who is being served on which connection, and what reserved places serve.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{DATE, HeaderValue, HttpDate, TryIntoHeaderValue};
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError, web};
use dwarves_domain::network::host;
use dwarves_domain::time::Timestamp;
use tracing::{Instrument, Level, Span};

use super::{BODY_OF_UNKNOWN_LENGTH, Connection, Connections};
use crate::client;
use crate::problem::{Code, Problem};
use crate::state::HttpState;

/// What is served on every connection, also on reserved ones: what operators and their tools ask.
const OPERATORS_PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
const ADMIN_PATHS: &str = "/v1/admin/";

/// A request's connection, among all of its worker.
#[derive(Clone, Debug)]
pub struct Line {
    connections: Rc<Connections>,
    connection: Rc<Connection>,
}

impl Line {
    pub(crate) fn new(connections: Rc<Connections>, connection: Rc<Connection>) -> Self {
        Self {
            connections,
            connection,
        }
    }
}

/// Ends when the client of this request has gone: nobody will have the answer. Without a connection it never ends.
pub async fn gone(req: &HttpRequest) {
    let line = req.conn_data::<Line>();
    poll_fn(|cx| match line {
        Some(line) if line.connection.is_gone.get() => Poll::Ready(()),
        Some(line) => {
            *line.connection.gone_waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }
        None => Poll::Pending,
    })
    .await;
}

/// Tells a request's connection that its body has been read.
pub fn body_is_read(req: &HttpRequest) {
    if let Some(line) = req.conn_data::<Line>() {
        line.connection.body_is_read();
    }
}

/// A request that is being handled. When it is dropped, its connection is quiet.
struct Attending {
    line: Line,
    /// The client for whom a proxy sent it.
    through_proxy: Option<IpAddr>,
}

impl Attending {
    fn begin(line: &Line, req: &ServiceRequest) -> Result<Self, Problem> {
        let is_operators = is_operators(req.path());
        let Line {
            connections,
            connection,
        } = line;
        connection.is_awaited.set(false);
        if connection.is_reserved && !is_operators {
            let detail = "there are as many connections as there may be, of this client or in all; close some, or try again";
            return Err(Problem::new(Code::Busy, detail));
        }
        let mut through_proxy = None;
        if connection.is_proxys
            && !is_operators
            && let Some(state) = req.app_data::<web::Data<HttpState>>()
        {
            let client = host(client::address(req.request(), state));
            if !connections.through_proxies.borrow_mut().take(client) {
                let detail = "this client has as many requests under way as it may; try again";
                return Err(Problem::new(Code::Busy, detail));
            }
            through_proxy = Some(client);
        }
        connection.is_busy.set(true);
        if connection.is_unframed.get() && req.chunked().unwrap_or(true) {
            connection.body_left.set(BODY_OF_UNKNOWN_LENGTH);
        }
        Ok(Self {
            line: line.clone(),
            through_proxy,
        })
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        let Line {
            connections,
            connection,
        } = &self.line;
        if let Some(client) = self.through_proxy {
            connections.through_proxies.borrow_mut().give_back(client);
        }
        connection.is_busy.set(false);
        if connection.is_unframed.get() {
            connection.body_left.set(0);
        }
        connection.quiet_since.set(connections.looks.get());
        connection.wake();
    }
}

fn is_operators(path: &str) -> bool {
    OPERATORS_PATHS.contains(&path) || path.starts_with(ADMIN_PATHS)
}

/// The pool's date as HTTP writes it. The server's own would be the wall clock's, which may have been set wrong while
/// every other date in an answer goes by the pool's.
fn http_date(date: Timestamp) -> Option<HeaderValue> {
    let since_epoch = Duration::from_millis(u64::try_from(date.millis()).ok()?);
    let date = HttpDate::from(UNIX_EPOCH.checked_add(since_epoch)?);
    date.try_into_value().ok()
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
pub fn attend<S>(
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
    let begun = line.as_ref().map(|line| Attending::begin(line, &req)).transpose();
    let answer = match begun {
        Ok(attending) => Ok((attending, routes.call(req))),
        Err(problem) => Err(req.into_response(problem.error_response())),
    };
    let answered = async move {
        let mut response = match answer {
            Ok((_attending, answer)) => answer.await?,
            Err(refused) => refused,
        };
        if let Some(date) = state.and_then(|state| http_date(state.deps().clock.date())) {
            response.headers_mut().insert(DATE, date);
        }
        if line.is_some_and(|line| line.connection.is_reserved) {
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
