//! One HTTP request and its answer, or the problem it tells (RFC 9457).

use std::time::Duration;

use chrono::DateTime;
use dwarves_api_types::problem::ProblemBody;
use dwarves_domain::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

/// The longest answer worth reading, in bytes.
const ANSWER_LEN_MAX: u64 = 4 * 1024 * 1024;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request was not answered with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No answer: whether the pool got the request is unknown.
    #[error("the pool does not answer: {0}")]
    NoAnswer(String),
    /// The pool refuses, and says why.
    #[error("{detail} ({status} {code})")]
    Problem {
        /// The HTTP status.
        status: u16,
        /// The problem's stable name; `http` if the answer has none.
        code: String,
        /// What it says, for people.
        detail: String,
        /// When to try again, if it says so.
        retry_after: Option<Duration>,
        /// The pool's date, if it says so.
        date: Option<Timestamp>,
    },
    /// An answer that is not what the API promises.
    #[error("not an answer of a Dwarves pool: {0}")]
    NotUnderstood(String),
    /// The address cannot be used.
    #[error("{0}")]
    BadUrl(String),
}

impl ApiError {
    /// The problem's stable name, if the pool told one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// An answer with a status below 400.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The pool's date, in whole seconds, if it says so.
    pub date: Option<Timestamp>,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The body as what the API promises here.
    ///
    /// # Errors
    /// If it is something else.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        serde_json::from_value(self.body).map_err(|error| ApiError::NotUnderstood(error.to_string()))
    }
}

/// Speaks HTTP with one pool. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Transport {
    agent: Agent,
    /// Scheme and authority.
    origin: String,
    /// What comes before the API's own paths, without a slash at its end; usually nothing.
    prefix: String,
}

/// The headers of a request: names and values.
pub type Headers<'a> = &'a [(&'a str, String)];

impl Transport {
    /// A transport to the pool at `url`, such as `http://127.0.0.1:8080`, or `127.0.0.1:8080` for the same.
    ///
    /// # Errors
    /// If `url` is not of that form.
    pub fn new(url: &str) -> Result<Self, ApiError> {
        let wrong = || ApiError::BadUrl(format!("{url:?} is not an address such as http://127.0.0.1:8080"));
        // As people say it: without a scheme it is plain HTTP, which is what a pool speaks by itself.
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("http", url.trim()));
        if rest.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !matches!(scheme, "http" | "https") || authority.is_empty() || path.contains(['?', '#']) {
            return Err(wrong());
        }
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("dwarves/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            origin: format!("{scheme}://{authority}"),
            prefix,
        })
    }

    /// The path of an API route as it is sent, which is what a signature covers.
    pub fn path(&self, route: &str) -> String {
        format!("{}{route}", self.prefix)
    }

    /// Sends one request and waits at most `timeout` for the whole answer. `path` is from [`Self::path`].
    ///
    /// # Errors
    /// If there is no answer, or it is a refusal.
    pub fn call(
        &self,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Answer, ApiError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let bad_url = |error: ureq::http::Error| ApiError::BadUrl(error.to_string());
        let response = match body {
            Some(body) => self.run(request.body(body).map_err(bad_url)?, timeout),
            None => self.run(request.body(()).map_err(bad_url)?, timeout),
        };
        let mut response = response.map_err(no_answer)?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("Retry-After")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let date = response
            .headers()
            .get("Date")
            .and_then(|value| DateTime::parse_from_rfc2822(value.to_str().ok()?).ok())
            .map(|date| Timestamp::from_millis(date.timestamp_millis()));
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_LEN_MAX)
            .lossy_utf8(true)
            .read_to_string()
            .map_err(no_answer)?;
        if status >= 300 {
            return Err(problem(status, &text, retry_after, date));
        }
        let body = if text.trim().is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).map_err(|error| ApiError::NotUnderstood(error.to_string()))?
        };
        Ok(Answer { status, date, body })
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: Request<B>,
        timeout: Duration,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(timeout))
            .build();
        self.agent.run(request)
    }
}

fn no_answer(error: ureq::Error) -> ApiError {
    match error {
        ureq::Error::BadUri(what) => ApiError::BadUrl(what),
        other => ApiError::NoAnswer(other.to_string()),
    }
}

fn problem(status: u16, text: &str, retry_after: Option<Duration>, date: Option<Timestamp>) -> ApiError {
    let told: ProblemBody = serde_json::from_str(text).unwrap_or_default();
    let detail = match status {
        _ if !told.detail.is_empty() => told.detail,
        _ if !told.title.is_empty() => told.title.into_owned(),
        300..=399 => "the pool has moved: use the address it redirects to".to_owned(),
        _ => "the pool refuses without saying why".to_owned(),
    };
    let code = if told.code.is_empty() {
        "http".to_owned()
    } else {
        told.code.into_owned()
    };
    ApiError::Problem {
        status,
        code,
        // What a peer says ends up on a terminal: no control characters, and not pages of it.
        detail: detail.chars().filter(|c| !c.is_control()).take(500).collect(),
        retry_after,
        date,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_perhaps_a_path() {
        for (url, origin, path) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "/v1/pool"),
            ("https://pool.example/", "https://pool.example", "/v1/pool"),
            ("http://host/a/b/", "http://host", "/a/b/v1/pool"),
            ("host:8080", "http://host:8080", "/v1/pool"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080", "/v1/pool"),
            ("[::1]:8080/", "http://[::1]:8080", "/v1/pool"),
            (" pool.example/a ", "http://pool.example", "/a/v1/pool"),
        ] {
            let transport = Transport::new(url).unwrap();
            assert_eq!(
                (transport.origin.as_str(), transport.path("/v1/pool").as_str()),
                (origin, path)
            );
        }
        for url in [
            "",
            " ",
            "/",
            "a b",
            "ftp://host",
            "http://",
            "http://host/?a",
            "://host",
        ] {
            assert!(matches!(Transport::new(url), Err(ApiError::BadUrl(_))), "{url}");
        }
    }

    #[test]
    fn a_problem_is_told_in_its_own_words_or_by_its_status() {
        let text =
            r#"{"type":"about:blank","title":"Busy","status":503,"code":"busy","detail":"later\u001b[2J"}"#;
        let error = problem(503, text, Some(Duration::from_secs(2)), None);
        assert_eq!(error.to_string(), "later[2J (503 busy)");
        assert_eq!((error.code(), error.status()), (Some("busy"), Some(503)));
        assert_eq!(problem(502, "<html>", None, None).code(), Some("http"));
        assert!(problem(301, "", None, None).to_string().contains("redirects"));
    }
}
