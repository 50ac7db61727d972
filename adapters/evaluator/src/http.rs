//! An evaluator behind an address: the task by POST, the answer in what comes back.
//!
//! | status | what it means |
//! |---|---|
//! | 200 to 299 | the body is the answer |
//! | 400, 413, 422 | it will not take this work; the body may say why |
//! | 429, 503 | it has too much to do: the work was not looked at |
//! | any other | it failed |
//!
//! `Idempotency-Key` is the submission's name: an evaluator that is asked again, because its answer was lost, may answer as
//! before without the work of it.

use std::io;
use std::time::Duration;

use dwarves_domain::evaluation::SubmissionId;
use dwarves_domain::evaluation::answer::ANSWER_MAX;
use dwarves_ports::evaluator::EvaluatorError;
use serde::Deserialize;
use ureq::Agent;

/// The longest heads that are read.
const HEAD_MAX: usize = 16_384;
/// The most of a refusal's body that is looked at.
const REFUSAL_MAX: usize = 300;

/// An evaluator behind an address.
#[derive(Debug)]
pub struct HttpEvaluator {
    url: String,
    authorization: Option<String>,
    timeout: Duration,
    agent: Agent,
}

impl HttpEvaluator {
    /// The evaluator at this address, which takes no longer than `timeout` for everything; `token` is sent as a bearer's.
    pub fn new(url: String, token: Option<&str>, timeout: Duration) -> Self {
        // No redirections, no proxy that the environment names, and no connection twice: what comes after an answer is
        // nobody's answer.
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("dwarves/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(timeout))
            .max_response_header_size(HEAD_MAX)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build()
            .new_agent();
        Self {
            authorization: token.map(|token| format!("Bearer {token}")),
            url,
            timeout,
            agent,
        }
    }

    /// Its address without login and path, which may be secrets.
    pub(crate) fn name(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("http", &self.url));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        format!("{scheme}://{host}")
    }

    pub(crate) fn evaluate(&self, id: &SubmissionId, task: &[u8]) -> Result<Vec<u8>, EvaluatorError> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("connection", "close")
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("idempotency-key", id.to_string());
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut answer = request.send(task).map_err(|error| self.failed(&error))?;
        let status = answer.status().as_u16();
        let limit = ANSWER_MAX as u64 + 1;
        let mut body = Vec::new();
        let mut reader = io::Read::take(answer.body_mut().as_reader(), limit);
        let read = io::Read::read_to_end(&mut reader, &mut body);
        match (status, read) {
            (200..=299, Ok(_)) => Ok(body),
            (200..=299, Err(error)) => Err(self.failed(&ureq::Error::from(error))),
            (400 | 413 | 422, _) => Err(EvaluatorError::Refused(why(&body))),
            (429 | 503, _) => Err(EvaluatorError::Away(format!("it answered {status}"))),
            (status, _) => Err(EvaluatorError::Failed(format!("it answered {status}"))),
        }
    }

    /// What became of the request. No words of the library: they may hold the address.
    fn failed(&self, error: &ureq::Error) -> EvaluatorError {
        let away = |why: &str| EvaluatorError::Away(why.to_owned());
        match error {
            ureq::Error::Timeout(_) => EvaluatorError::Late(self.timeout),
            ureq::Error::HostNotFound => away("its name leads nowhere"),
            ureq::Error::ConnectionFailed => away("it takes no connection"),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                away("it takes no connection")
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                EvaluatorError::Late(self.timeout)
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
                away("its certificate is not trusted, or TLS failed")
            }
            ureq::Error::BadUri(_) => away("its address is none"),
            _ => {
                EvaluatorError::Failed("it closed the connection, or its answer was none of HTTP".to_owned())
            }
        }
    }
}

/// Why a work was refused, as the body says it.
fn why(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(REFUSAL_MAX)]);
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.error,
        Err(_) if text.trim().is_empty() => "it did not say why".to_owned(),
        Err(_) => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests;
