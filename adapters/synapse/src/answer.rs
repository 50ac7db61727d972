//! Answers as a dendrite reads them.
//!
//! A dendrite overwrites every field of the synapse that it sent with what comes back, and what does not come back becomes
//! its class's default. So all that it sent of its own comes back as it was sent. `dendrite`, `axon` and `timeout` that are
//! null would raise in the caller's code: they are never sent.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::body::Body;
use crate::class::Class;
use crate::fault::{STATUS_CODE, STATUS_MESSAGE};

/// What every synapse has, beside the fields of its class.
const BASE: [&str; 8] = [
    "name",
    "timeout",
    "total_size",
    "header_size",
    "dendrite",
    "axon",
    "computed_body_hash",
    "required_hash_fields",
];

/// An answer on its way, field by field.
#[derive(Debug)]
pub struct Answer {
    json: Vec<u8>,
}

impl Answer {
    /// An answer to this body, with what it sent of its own.
    pub fn to(class: Class, body: &Body<'_>) -> Self {
        let mut answer = Self {
            json: Vec::with_capacity(1_024),
        };
        answer.json.push(b'{');
        answer.add("name", class.name());
        let timeout = body.field("timeout").filter(|value| value.get() != "null");
        if let Some(timeout) = timeout {
            answer.add("timeout", timeout);
        }
        let filled = class.answer_fields();
        let signed = class.signed_fields();
        for (name, value) in body.fields() {
            let is_answer = filled.contains(&name) && !signed.contains(&name);
            if !is_answer && !BASE.contains(&name) {
                answer.add(name, value);
            }
        }
        answer
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.add(name, value);
        self
    }

    fn add(&mut self, name: &str, value: impl Serialize) {
        let begun = self.json.len();
        if begun > 1 {
            self.json.push(b',');
        }
        let written = serde_json::to_writer(&mut self.json, name).and_then(|()| {
            self.json.push(b':');
            serde_json::to_writer(&mut self.json, &value)
        });
        if let Err(error) = written {
            // No type of an answer has a value that JSON has not.
            log::error!("{name} of an answer could not be written: {error}");
            self.json.truncate(begun);
        }
    }

    /// The whole of it.
    pub fn response(mut self) -> HttpResponse {
        let axon = serde_json::json!({ "status_code": 200, "status_message": "Success" });
        self.add("axon", axon);
        self.json.push(b'}');
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((STATUS_CODE.clone(), "200"))
            .insert_header((STATUS_MESSAGE.clone(), "Success"))
            .body(self.json)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use serde_json::{Value, json};

    use super::*;

    fn answered(class: Class, body: &str) -> Value {
        let body = Body::parse(body.as_bytes()).unwrap();
        let response = Answer::to(class, &body).with("detail", "known").response();
        assert_eq!(response.headers().get(&STATUS_CODE).unwrap(), "200");
        let bytes = response.into_body().try_into_bytes().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn what_was_sent_comes_back_and_nothing_is_null_that_would_raise() {
        let body = r#"{"name": "Register", "timeout": 12.0, "total_size": 3206, "header_size": 0,
            "dendrite": {"hotkey": "5F", "nonce": 1795351055633786632}, "axon": {"ip": null},
            "computed_body_hash": "", "required_hash_fields": ["action"], "action": "register", "worker": "rig\u00e9",
            "payout_address": "", "own": [1, 1.0e5], "registration_success": null, "detail": "mine"}"#;
        let success = json!({"status_code": 200, "status_message": "Success"});
        assert_eq!(
            answered(Class::Register, body),
            json!({"name": "Register", "timeout": 12.0, "action": "register", "worker": "rig\u{e9}",
                "payout_address": "", "own": [1, 1.0e5], "detail": "known", "axon": success})
        );
        let nulls = r#"{"timeout": null, "dendrite": null, "axon": null, "x": null}"#;
        assert_eq!(
            answered(Class::Ping, nulls),
            json!({"name": "Synapse", "x": null, "detail": "known", "axon": success})
        );
    }

    #[test]
    fn a_field_that_is_both_sent_and_answered_comes_back_as_it_was_sent() {
        let answer = answered(
            Class::SubmitWork,
            r#"{"work": "{}", "loss": null, "accepted": 5}"#,
        );
        assert_eq!(answer["work"], "{}");
        assert!(answer.get("loss").is_none() && answer.get("accepted").is_none());
        let answer = answered(Class::GetWork, r#"{"work": null}"#);
        assert!(answer.get("work").is_none(), "the answer fills it");
    }
}
