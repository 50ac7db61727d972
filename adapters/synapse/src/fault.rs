//! Why a call is refused, as a dendrite reads it.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use dwarves_domain::refusal::Refusal;
use dwarves_http::problem::{Code, Problem};

/// Where a dendrite reads the status, in lower case and with underscores, or it does not see it.
pub static STATUS_CODE: HeaderName = HeaderName::from_static("bt_header_axon_status_code");
/// Where it reads the words to it.
pub static STATUS_MESSAGE: HeaderName = HeaderName::from_static("bt_header_axon_status_message");

/// The longest message, in characters. A dendrite takes no header of more than 8,190 bytes.
const MESSAGE_CHARS_MAX: usize = 400;

/// A refusal: a status, and a message that begins with a stable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    status: u16,
    message: String,
    retry_after: Option<HeaderValue>,
}

impl Fault {
    /// The call is not in its form.
    pub fn malformed(detail: impl std::fmt::Display) -> Self {
        Self::new(400, "malformed", detail)
    }

    /// It is not proven who is calling.
    pub fn unverified(code: Code, detail: impl std::fmt::Display) -> Self {
        Self::new(401, code.as_str(), detail)
    }

    /// Who is calling may not.
    pub fn forbidden(code: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(403, code, detail)
    }

    fn new(status: u16, code: &str, detail: impl std::fmt::Display) -> Self {
        let mut message = format!("{code}: {detail}");
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
            message.truncate(end);
        }
        Self {
            status,
            message,
            retry_after: None,
        }
    }

    /// The HTTP status, which is the axon's too.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The answer that says so.
    pub fn response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponseBuilder::new(status);
        response.insert_header((CONTENT_TYPE, "application/json"));
        response.insert_header((STATUS_CODE.clone(), u64::from(self.status)));
        response.insert_header((STATUS_MESSAGE.clone(), header_text(&self.message)));
        if let Some(after) = &self.retry_after {
            response.insert_header((RETRY_AFTER, after.clone()));
        }
        response.body(serde_json::json!({ "message": self.message }).to_string())
    }
}

/// A text as a header may have it: printable ASCII, and a question mark for all else.
fn header_text(text: &str) -> String {
    let plain = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
    text.chars().map(plain).collect()
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        // A dendrite knows fewer statuses than the API has.
        let status = match problem.code().status() {
            415 | 422 => 400,
            status => status,
        };
        let mut fault = Self::new(status, problem.code().as_str(), problem.detail());
        fault.retry_after = problem.error_response().headers().get(RETRY_AFTER).cloned();
        fault
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // In the API's words they name its headers.
            Refusal::SignatureInvalid => Self::unverified(
                Code::SignatureInvalid,
                "the signature is not this hotkey's over nonce, hotkey, the pool's hotkey, uuid and body hash as sent",
            ),
            Refusal::StaleRequest => Self::unverified(
                Code::StaleRequest,
                "the nonce is too old or too far ahead; sign with the present time, and set the machine's clock",
            ),
            Refusal::Replayed => Self::unverified(
                Code::Replayed,
                "this nonce was used before; every call is signed anew",
            ),
            refusal => Problem::from(refusal).into(),
        }
    }
}

/// A refusal of the server's own, before there is a route. For [`dwarves_http::serve_routes`].
pub fn told(problem: &Problem) -> HttpResponse {
    Fault::from(problem.clone()).response()
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use dwarves_testkit::refusals;

    use super::*;

    #[test]
    fn every_refusal_is_a_short_json_object_with_a_status_that_headers_repeat() {
        let long = Refusal::Banned {
            reason: "\u{e4}\n".repeat(5_000),
        };
        for refusal in refusals::every().into_iter().chain([long]) {
            let fault = Fault::from(refusal.clone());
            let response = fault.response();
            let status = response.status().as_u16();
            assert!(![200, 415, 422].contains(&status), "{refusal:?}");
            let header =
                |name: &HeaderName| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
            assert_eq!(header(&STATUS_CODE), status.to_string());
            let told = header(&STATUS_MESSAGE);
            assert!(!told.is_empty() && told.len() <= MESSAGE_CHARS_MAX, "{told}");
            assert_eq!(header(&CONTENT_TYPE), "application/json");
            assert_eq!(
                status == 503,
                response.headers().contains_key(RETRY_AFTER) && status != 429
            );
            let body = response.into_body().try_into_bytes().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body.as_object().unwrap().len(), 1);
            assert_eq!(header_text(body["message"].as_str().unwrap()), told);
        }
    }
}
