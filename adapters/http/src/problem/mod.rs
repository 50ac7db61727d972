//! Refusals as RFC 9457 `application/problem+json` with a stable `code`.

use std::borrow::Cow;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use dwarves_actors::ask::AskError;
use dwarves_domain::time::Span;
use dwarves_ports::store::{StoreAction, StoreError};

mod refusal;

pub use dwarves_api_types::code::Code;
pub use dwarves_api_types::problem::ProblemBody;

/// The longest `detail`, in characters. Some quote what was sent, which may be long.
const DETAIL_CHARS_MAX: usize = 300;
/// What a refusal says besides, if a share that does not count is a block.
pub const BLOCK_SUBMITTED: &str = "it is a block all the same, and was submitted";
/// The same of a request of several shares.
const BLOCK_AMONG_THEM: &str = "a block was among the shares all the same, and was submitted";
/// How a caller may say who it is, for 401 answers.
const CHALLENGE: &str = "Bearer realm=\"dwarves\", btauth version=\"1\"";

/// How a server tells what it refuses before there is a route.
pub type Refusing = fn(&Problem) -> HttpResponse;

/// A refusal on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    field: Option<Box<str>>,
    allow: Option<&'static str>,
    hindrances: Vec<String>,
    retry_after: Option<Span>,
}

impl Problem {
    /// A refusal for this reason; `detail` says what is wrong and what would be right.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_CHARS_MAX) {
            detail = Cow::Owned(format!("{}…", &detail[..end]));
        }
        Self {
            code,
            detail,
            field: None,
            allow: None,
            hindrances: Vec::new(),
            retry_after: None,
        }
    }

    /// Names the header, query parameter or body field that is wrong.
    #[must_use]
    pub fn of_field(mut self, field: &str) -> Self {
        let end = field.char_indices().nth(DETAIL_CHARS_MAX).map(|(end, _)| end);
        self.field = Some(Box::from(&field[..end.unwrap_or(field.len())]));
        self
    }

    /// Says that what is refused holds a block, which was submitted all the same.
    #[must_use]
    pub fn with_block(mut self) -> Self {
        self.detail = Cow::Owned(format!("{}; {BLOCK_AMONG_THEM}", self.detail));
        self
    }

    /// Lists the methods that the path takes.
    #[must_use]
    pub fn allowing(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Lists what hinders the pool.
    #[must_use]
    pub fn hindered_by(mut self, hindrances: Vec<String>) -> Self {
        self.hindrances = hindrances;
        self
    }

    /// Why the request is refused.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The HTTP status that it comes with.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is wrong and what would be right.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The header, query parameter or body field that is wrong.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The body that tells it, as JSON.
    pub fn body_text(&self) -> String {
        let code = self.code;
        let body = ProblemBody {
            kind: format!("urn:dwarves:problem:{}", code.as_str()),
            title: code.title().into(),
            status: code.status(),
            detail: self.detail.to_string(),
            code: code.as_str().into(),
            field: self.field.as_deref().map(str::to_owned),
            hindrances: self.hindrances.clone(),
        };
        serde_json::to_string(&body).expect("a problem holds only text and numbers")
    }

    /// The refusal when an actor's queue is full.
    pub fn busy() -> Self {
        Self::new(Code::Busy, "the pool is busy and did nothing; try again")
    }

    /// The refusal of a worker whose shares were mostly wrong.
    pub fn kept_out(try_again: Span) -> Self {
        Self {
            retry_after: Some(try_again),
            ..Self::new(
                Code::KeptOut,
                "most shares of this worker were wrong (http.reject_percent), so it is kept out for a while; \
                 no share was judged",
            )
        }
    }

    /// The refusal of one more new miner from the same place.
    pub fn too_many_new(try_again: Span) -> Self {
        Self {
            retry_after: Some(try_again),
            ..Self::new(
                Code::TooManyNew,
                "too many new miners came from here (limits.new_miners_per_hour); known ones are never refused for it",
            )
        }
    }

    /// The refusal of an admin token, whether it is right or not, after too many that were wrong.
    pub fn too_many_logins(try_again: Span) -> Self {
        Self {
            retry_after: Some(try_again),
            ..Self::new(
                Code::TooManyLogins,
                "too many wrong admin tokens came from here; requests that carry the right one are served as ever",
            )
        }
    }

    /// The refusal of one more test, or one more code for mail.
    pub fn too_many_notifications(try_again: Span) -> Self {
        Self {
            retry_after: Some(try_again),
            ..Self::new(
                Code::TooManyNotifications,
                "too many tests or codes for mail were asked for; try again later",
            )
        }
    }

    /// The refusal when the store cannot write.
    pub fn unavailable() -> Self {
        Self::new(
            Code::Unavailable,
            "the ledger cannot be written right now and nothing was changed; try again",
        )
    }

    /// The refusal of a hotkey that is not registered.
    pub fn miner_unknown() -> Self {
        Self::new(
            Code::MinerUnknown,
            "this hotkey is not registered; register it with POST /v1/miners",
        )
    }

    /// The refusal to show what is for the miner itself and the operator; `what`, in words.
    pub fn hidden(what: &str) -> Self {
        Self::new(
            Code::Hidden,
            format!(
                "this pool shows {what} to the miner itself (a signed request, or its session), to those whom it lets look, \
                 and to the operator"
            ),
        )
    }

    /// The refusal of a payout threshold that is not `expected`.
    pub fn threshold_invalid(expected: &str) -> Self {
        let detail = format!("payout_threshold_sats: expected {expected}");
        Self::new(Code::PayoutThresholdInvalid, detail).of_field("payout_threshold_sats")
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Busy => Self::busy(),
            AskError::Gone => Self::new(
                Code::Stopping,
                "the pool is stopping; whether it still did this is unknown; repeating the request is safe",
            ),
            AskError::TimedOut => Self::new(
                Code::Busy,
                "no answer in time: whether it was done is unknown; repeating the request is safe (sign it anew)",
            ),
        }
    }
}

impl From<StoreError> for Problem {
    /// A failed read. Its detail is for the log: it may name files and rows.
    fn from(error: StoreError) -> Self {
        match error.action() {
            StoreAction::Answer | StoreAction::Retry => Self::new(
                Code::Unavailable,
                "the ledger cannot be read right now; try again",
            ),
            StoreAction::Stop => {
                log::error!("a read of the store failed: {error}");
                Self::new(Code::Internal, "the ledger could not be read; the log says why")
            }
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let code = self.code;
        let mut response = HttpResponseBuilder::new(self.status());
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        let wait = self.retry_after.map(|wait| wait.millis().div_ceil(1_000));
        if let Some(secs) = wait.or(code.retry_after_secs().map(u64::from)) {
            response.insert_header((header::RETRY_AFTER, secs));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, CHALLENGE));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        response.body(self.body_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_that_http_knows() {
        for code in Code::ALL {
            let status = Problem::new(*code, "").status();
            assert_eq!(status.as_u16(), code.status(), "{code:?}");
        }
    }

    #[test]
    fn a_long_detail_is_cut_between_characters() {
        let problem = Problem::new(Code::BodyInvalid, "ä".repeat(10_000)).of_field(&"ß".repeat(10_000));
        assert_eq!(problem.detail().chars().count(), DETAIL_CHARS_MAX + 1);
        assert_eq!(problem.field().unwrap().chars().count(), DETAIL_CHARS_MAX);
    }
}
