//! One request to a receiver, and what its answer means.

use std::time::Duration;

use dwarves_domain::time::Timestamp;
use dwarves_ports::courier::CourierError;
use ureq::Agent;
use ureq::config::{Config, ConfigBuilder};
use ureq::typestate::AgentScope;

use crate::guard::NotPublic;

/// How long a receiver may take for everything.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest heads that are read.
const HEAD_MAX: usize = 16_384;
/// The receiver is gone for good, and says so.
const GONE: u16 = 410;

/// A client that follows no redirections, uses no proxy that the environment names, and no connection twice: what a
/// receiver says after its answer is nobody's answer.
pub(crate) fn agent() -> Agent {
    config().build().new_agent()
}

/// How such a client is made.
pub(crate) fn config() -> ConfigBuilder<AgentScope> {
    Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("dwarves/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(DEADLINE))
        .max_response_header_size(HEAD_MAX)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
}

/// Posts `body` with these headers. Only the answer's status counts; what comes with it is not read.
pub(crate) fn post(
    agent: &Agent,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<(), CourierError> {
    let mut request = agent.post(url).header("connection", "close");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send(body);
    let status = match answer {
        Ok(answer) => answer.status().as_u16(),
        Err(ureq::Error::Other(why)) if why.is::<NotPublic>() => {
            return Err(CourierError::Unwanted(NotPublic.to_string()));
        }
        // Its words may hold the address, which may be a secret.
        Err(error) => return Err(CourierError::Failed(in_words(&error).to_owned())),
    };
    match status {
        200..=299 => Ok(()),
        GONE => Err(CourierError::Unwanted("it answered 410".to_owned())),
        status => Err(CourierError::Failed(format!("it answered {status}"))),
    }
}

fn in_words(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "its name leads nowhere",
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => {
            "it cannot be reached, or closed the connection"
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "its certificate is not trusted, or TLS failed",
        ureq::Error::BadUri(_) => "its address is none",
        _ => "its answer was none of HTTP",
    }
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at.millis()).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
