//! Answers and refusals: JSON, with the reason as `detail`.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use dwarves_domain::time::Span;
use dwarves_http::problem::Problem;
use serde_json::{Value, json};

/// Why a validator is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    status: StatusCode,
    detail: String,
    retry_after: Option<Span>,
}

impl Fault {
    /// What was asked is not in its form.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// There is no such path.
    pub fn unknown() -> Self {
        let detail = "there is nothing at this path; docs/bittensor.md lists what validators may read";
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Nobody has the token.
    pub fn forbidden() -> Self {
        let detail = "expected Authorization: Bearer and a token of validators.tokens";
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// It has asked too often.
    pub fn too_often(try_again: Span) -> Self {
        Self {
            retry_after: Some(try_again),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests of this validator (validators.requests_per_minute)",
            )
        }
    }

    /// Work of a time is being added up for somebody.
    pub fn busy() -> Self {
        Self {
            retry_after: Some(Span::from_secs(1)),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the pool is busy; try again")
        }
    }

    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// As an answer.
    pub fn response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        if let Some(span) = self.retry_after {
            let secs = span.millis().div_ceil(1_000).max(1);
            response.insert_header((RETRY_AFTER, HeaderValue::from(secs)));
        }
        response.json(json!({"detail": self.detail}))
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let retry_after = problem.status().is_server_error().then(|| Span::from_secs(1));
        Self {
            retry_after,
            ..Self::new(problem.status(), problem.detail())
        }
    }
}

/// A refusal of the server's own, before there is a route.
pub fn told(problem: &Problem) -> HttpResponse {
    let mut response = Fault::from(problem.clone()).response();
    let original = problem.error_response();
    if let Some(retry) = original.headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, retry.clone());
    }
    response
}

/// What was asked for. It may be different at the next moment.
pub(crate) fn ok(body: &Value) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(body)
}
