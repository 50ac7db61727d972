//! One call and its answer, over one connection.

use std::io::Read as _;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;

use super::endpoint::Endpoint;
use super::error::{RpcError, cleaned};

/// The longest answer worth reading, in bytes: a full block's template as hex is 8 MB, a wallet's history more.
const ANSWER_LEN_MAX: u64 = 64 * 1024 * 1024;
/// The place for answers is kept for the next, since miners wait for a template while new memory is made for it; but no
/// more than so many bytes of it.
const PLACE_LEN_MAX: usize = 16 * 1024 * 1024;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next call. Nodes close theirs after 30 s, and a call on a connection
/// that is being closed has an unknown outcome.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Nodes' errors have status 500, which is not an HTTP error; these three are told by HTTP itself.
const UNAUTHORIZED: u16 = 401;
const FORBIDDEN: u16 = 403;
const OVERLOADED: u16 = 503;

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) params: Value,
    /// The wallet that it is about.
    pub(super) wallet: Option<String>,
    /// How long the whole answer may take.
    pub(super) timeout: Duration,
}

/// Speaks with one node.
pub(super) struct Transport {
    agent: Agent,
    endpoint: Endpoint,
    /// The login as it was read last.
    authorization: Option<String>,
    /// Where the next answer is read to.
    place: Vec<u8>,
}

/// An answer as nearly all are: with a result and without an error.
#[derive(Deserialize)]
struct Plain<T> {
    result: T,
    error: Option<NodeError>,
}

/// An answer in either style: without `result`, or with `result` null, beside an error.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<NodeError>,
}

#[derive(Deserialize)]
struct NodeError {
    code: i64,
    #[serde(default)]
    message: String,
}

impl Transport {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The login is for the node, not for a proxy that the environment names.
            .proxy(None)
            .user_agent(concat!("dwarves/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_idle_age(IDLE_MAX)
            .build()
            .new_agent();
        Self {
            agent,
            endpoint,
            authorization: None,
            place: Vec::new(),
        }
    }

    /// Makes one call and reads its result as a `T`.
    pub(super) fn call<T: DeserializeOwned>(&mut self, call: &Call) -> Result<T, RpcError> {
        let mut place = std::mem::take(&mut self.place);
        let result = self.call_into(call, &mut place);
        if place.capacity() <= PLACE_LEN_MAX {
            self.place = place;
        }
        result
    }

    fn call_into<T: DeserializeOwned>(&mut self, call: &Call, answer: &mut Vec<u8>) -> Result<T, RpcError> {
        let body = json!({"jsonrpc": "1.0", "id": "dwarves", "method": call.method, "params": call.params});
        let body = body.to_string();
        if self.authorization.is_none() {
            self.authorization = self.endpoint.authorization()?;
        }
        let mut status = self.post(call, &body, answer)?;
        if status == UNAUTHORIZED && self.endpoint.has_cookie() {
            // The node was started again and wrote another cookie. It did not look at the call.
            let fresh = self.endpoint.authorization()?;
            if fresh != self.authorization {
                self.authorization = fresh;
                status = self.post(call, &body, answer)?;
            }
        }
        match status {
            UNAUTHORIZED => {
                self.authorization = None;
                Err(RpcError::Unauthorized(self.endpoint.login_hint()))
            }
            FORBIDDEN => Err(RpcError::Unauthorized(
                "it takes no calls from this machine (rpcallowip)".to_owned(),
            )),
            OVERLOADED => Err(RpcError::Busy(cleaned(&String::from_utf8_lossy(answer)))),
            _ => result_of(status, answer),
        }
    }

    /// Posts a call, reads the answer, and gives its status.
    fn post(&self, call: &Call, body: &str, answer: &mut Vec<u8>) -> Result<u16, RpcError> {
        let mut request = Request::post(self.endpoint.url_for(call.wallet.as_deref()))
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let request = request
            .body(body)
            .map_err(|error| RpcError::Unreachable(error.to_string()))?;
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(call.timeout))
            .build();
        let mut response = self.agent.run(request).map_err(no_answer)?;
        let status = response.status().as_u16();
        answer.clear();
        let mut body = response.body_mut().with_config().limit(ANSWER_LEN_MAX).reader();
        body.read_to_end(answer)
            .map_err(|error| RpcError::Unknown(ureq::Error::from(error).to_string()))?;
        Ok(status)
    }
}

fn result_of<T: DeserializeOwned>(status: u16, answer: &[u8]) -> Result<T, RpcError> {
    // In one reading, for a template is long. What else there may be is told apart below.
    if let Ok(Plain { result, error: None }) = serde_json::from_slice(answer) {
        return Ok(result);
    }
    // Errors are a JSON body with status 500 or 404, so the body is what counts.
    let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|_| {
        RpcError::Unknown(format!(
            "HTTP status {status} without JSON-RPC; is this a node's RPC port?"
        ))
    })?;
    if let Some(error) = answer.error {
        return Err(RpcError::of_node(error.code, &error.message));
    }
    let result = answer.result.map_or("null", RawValue::get);
    serde_json::from_str(result)
        .map_err(|error| RpcError::Unknown(cleaned(&format!("its result is not understood: {error}"))))
}

/// Whether a call without an answer may have reached the node.
fn no_answer(error: ureq::Error) -> RpcError {
    use std::io::ErrorKind;
    use ureq::{Error, Timeout};
    let text = error.to_string();
    match error {
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::BadUri(_)
        | Error::Tls(_)
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => RpcError::Unreachable(text),
        Error::Io(error)
            if matches!(
                error.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::HostUnreachable
                    | ErrorKind::NetworkUnreachable
                    | ErrorKind::AddrNotAvailable
            ) =>
        {
            RpcError::Unreachable(text)
        }
        _ => RpcError::Unknown(text),
    }
}
