//! A call of JSON-RPC, and the forms of its answers.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use dwarves_domain::login::LoginError;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::problem::{Code, Problem};

/// How a caller may say who it is.
const CHALLENGE: &str = "Basic realm=\"dwarves\"";

/// The longest message of an error, in characters: some quote what was sent.
pub(super) const MESSAGE_LEN_MAX: usize = 500;

/// Codes of errors, as JSON-RPC and Bitcoin's nodes use them.
pub(super) mod code {
    /// The body is not JSON.
    pub(crate) const PARSE: i32 = -32_700;
    /// It is JSON, but not a call.
    pub(crate) const INVALID_REQUEST: i32 = -32_600;
    /// There is no such method.
    pub(crate) const METHOD_NOT_FOUND: i32 = -32_601;
    /// A parameter is missing or wrong.
    pub(crate) const INVALID_PARAMS: i32 = -32_602;
    /// Any error that has no code of its own.
    pub(crate) const OTHER: i32 = -1;
}

/// A call. Fields that it does not need are no matter: every miner sends others.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    pub(super) method: String,
    #[serde(default)]
    pub(super) params: Vec<Value>,
    #[serde(default)]
    pub(super) id: Value,
}

impl Call {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::bad(code::PARSE, format!("the body is not JSON: {error}")))?;
        serde_json::from_value(value).map_err(|error| {
            let detail =
                format!("expected one call, an object with method, params (an array) and id: {error}");
            Failure::bad(code::INVALID_REQUEST, detail)
        })
    }
}

/// An answer as it is written.
#[derive(Serialize)]
struct Reply<'a> {
    result: Option<&'a RawValue>,
    error: Option<ErrorBody<'a>>,
    id: &'a Value,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: i32,
    message: &'a str,
}

fn written(status: StatusCode, reply: &Reply<'_>) -> HttpResponse {
    match serde_json::to_vec(reply) {
        Ok(body) => HttpResponse::build(status)
            .content_type("application/json")
            .body(body),
        Err(error) => {
            log::error!("an answer could not be written: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// What a call came to.
pub(super) struct Given {
    pub(super) result: Box<serde_json::value::RawValue>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Given {
    /// A result, as JSON.
    pub(super) fn new(result: &impl Serialize) -> Result<Self, Failure> {
        let result = serde_json::value::to_raw_value(result).map_err(|error| {
            log::error!("an answer could not be written: {error}");
            Failure::internal()
        })?;
        let headers = Vec::new();
        Ok(Self { result, headers })
    }

    pub(super) fn into_response(self, id: Value) -> HttpResponse {
        let reply = Reply {
            result: Some(&self.result),
            error: None,
            id: &id,
        };
        let mut response = written(StatusCode::OK, &reply);
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: i32,
    message: String,
    id: Value,
    /// Seconds after which to try again.
    retry_after: Option<u64>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: i32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into().chars().take(MESSAGE_LEN_MAX).collect(),
            id: Value::Null,
            retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        }
    }

    /// The same, and this besides.
    pub(super) fn also(mut self, text: &str) -> Self {
        self.message = format!("{}; {text}", self.message);
        self
    }

    /// The same, to be tried again after this time.
    pub(super) fn after(self, try_again: Span) -> Self {
        Self {
            retry_after: Some(try_again.millis().div_ceil(1_000)),
            ..self
        }
    }

    /// A mistake of the pool's own; the log has it.
    pub(super) fn internal() -> Self {
        let message = "the answer could not be written; the log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::OTHER, message)
    }

    /// The call itself is wrong.
    pub(super) fn bad(code: i32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A parameter is wrong.
    pub(super) fn param(message: impl Into<String>) -> Self {
        Self::bad(code::INVALID_PARAMS, message)
    }

    /// Nobody known, and what would be right.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code::OTHER, message)
    }

    /// Too many new payout addresses came from the caller's address; after this time one more may come.
    pub(super) fn too_many_new(try_again: Span) -> Self {
        let text = LoginError::TooManyNew { try_again }.to_string();
        Self::new(StatusCode::TOO_MANY_REQUESTS, code::OTHER, text).after(try_again)
    }

    /// With status 200 a miner falls back to what else it knows; with another it asks for the same for ever.
    pub(super) fn unknown_method(method: &str) -> Self {
        let method: String = method.chars().take(64).collect();
        let message =
            format!("method {method} is not known here; getblocktemplate, submitblock and getwork are");
        Self::new(StatusCode::OK, code::METHOD_NOT_FOUND, message)
    }

    /// The same, as the answer to the call with this id.
    pub(super) fn answering(mut self, id: Value) -> Self {
        self.id = id;
        self
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let reply = Reply {
            result: None,
            error: Some(ErrorBody {
                code: self.code,
                message: &self.message,
            }),
            id: &self.id,
        };
        let mut response = written(self.status, &reply);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                CHALLENGE.parse().expect("plain text is a header's value"),
            );
        }
        if let Some(secs) = self.retry_after {
            headers.insert(RETRY_AFTER, secs.into());
        }
        response
    }
}

impl From<Problem> for Failure {
    /// What other routes would refuse, in the words of this one.
    fn from(problem: Problem) -> Self {
        let code = match problem.code() {
            Code::BodyInvalid | Code::BodyTooLarge => code::INVALID_REQUEST,
            _ => code::OTHER,
        };
        Self::new(problem.status(), code, problem.detail())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // With 401 a miner tells its owner that something is wrong with the user name.
            Refusal::MinerUnknown => Self::unauthorized(Problem::miner_unknown().detail()),
            Refusal::RegistrationClosed => Problem::new(
                Code::RegistrationClosed,
                "this address is new, and the operator takes no new miners right now",
            )
            .into(),
            Refusal::PoolFull => Problem::busy().into(),
            Refusal::TooManyNew { try_again } => Self::too_many_new(try_again),
            Refusal::KeptOut { try_again } => Self::from(Problem::kept_out(try_again)).after(try_again),
            refusal => Problem::from(refusal).into(),
        }
    }
}

impl From<dwarves_actors::ask::AskError> for Failure {
    fn from(error: dwarves_actors::ask::AskError) -> Self {
        Problem::from(error).into()
    }
}
