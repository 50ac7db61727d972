//! A request and its connection: who is being served on which, and what reserved places serve.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::dev::ServiceRequest;
use actix_web::{HttpMessage, HttpRequest};
use dwarves_domain::network::host;
use dwarves_domain::session::Session;

use super::{BODY_OF_UNKNOWN_LENGTH, Connection, Connections};
use crate::problem::{Code, Problem};

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
    /// Whether it serves operators alone.
    pub(crate) fn is_reserved(&self) -> bool {
        self.connection.is_reserved
    }

    /// The session that this very header opened on this connection before, which may have expired since.
    pub(crate) fn session_of(&self, header: &[u8]) -> Option<Session> {
        self.connection.session_of(header)
    }

    /// Remembers which session a header opens, if it is as short as those are that the pool gives the tokens for.
    pub(crate) fn remember_session(&self, header: &[u8], session: Session) {
        self.connection.remember_session(header, session);
    }

    /// Whether its client will send nothing more. If not, the task is woken when that changes.
    pub(crate) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        if self.connection.is_gone.get() {
            return Poll::Ready(());
        }
        *self.connection.gone_waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

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
    poll_fn(|cx| line.map_or(Poll::Pending, |line| line.poll_gone(cx))).await;
}

/// Tells a request's connection that its body has been read.
pub fn body_is_read(req: &HttpRequest) {
    if let Some(line) = req.conn_data::<Line>() {
        line.connection.body_is_read();
    }
}

/// A request that is being handled. When it is dropped, its connection is quiet.
pub(crate) struct Attending {
    line: Line,
    /// The client for whom a proxy sent it.
    through_proxy: Option<IpAddr>,
}

impl Attending {
    /// Takes its place. `client` is asked for the client of a proxy's request.
    ///
    /// # Errors
    /// `busy` if there is none.
    pub(crate) fn begin(
        line: &Line,
        req: &ServiceRequest,
        client: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Self, Problem> {
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
            && let Some(client) = client()
        {
            let client = host(client);
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
        connection.read_on();
    }
}

fn is_operators(path: &str) -> bool {
    OPERATORS_PATHS.contains(&path) || path.starts_with(ADMIN_PATHS)
}
