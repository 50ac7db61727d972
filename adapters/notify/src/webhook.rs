//! Signed webhooks, as the specification Standard Webhooks 1.0 has them: a POST with a JSON body, and headers by which
//! the receiver knows that it is from this pool (`webhook-signature`), is not an old one sent again (`webhook-timestamp`),
//! and is not told twice (`webhook-id`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dwarves_ports::courier::{CourierError, Message};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use ureq::Agent;

use super::http;

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// How many bytes a secret has, by the specification.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What messages are signed with. It shows itself to nobody.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret is whsec_ and the base64 of 24 to 64 bytes, as `echo whsec_$(openssl rand -base64 32)` makes one"
)]
pub struct NoSecret;

impl std::str::FromStr for Secret {
    type Err = NoSecret;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.strip_prefix(PREFIX).ok_or(NoSecret)?;
        let bytes = STANDARD.decode(bytes).map_err(|_| NoSecret)?;
        if SECRET_BYTES.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(NoSecret)
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The signature of a message: `v1,` and a keyed hash of its id, the time of this try, and its body.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A receiver of signed webhooks.
#[derive(Debug)]
pub struct Webhook {
    agent: Agent,
    url: String,
    secret: Secret,
}

impl Webhook {
    /// A receiver at this address, which knows this secret.
    pub fn new(url: String, secret: Secret) -> Self {
        Self {
            agent: http::agent(),
            url,
            secret,
        }
    }

    /// The same, reached by this client alone.
    pub(crate) fn reached_by(agent: Agent, url: String, secret: [u8; 32]) -> Self {
        Self {
            agent,
            url,
            secret: Secret(secret.to_vec()),
        }
    }

    pub(crate) fn tell(&self, message: &Message) -> Result<(), CourierError> {
        let body = body(message);
        // The specification has seconds, and receivers compare them with their own clock.
        let timestamp = message.told_at.secs();
        let signature = self.secret.sign(&message.id, timestamp, &body);
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", &message.id),
            ("webhook-timestamp", &timestamp.to_string()),
            ("webhook-signature", &signature),
        ];
        http::post(&self.agent, &self.url, &headers, body.as_bytes())
    }
}

/// The same at every try.
fn body(message: &Message) -> String {
    let mut data: Value = serde_json::from_str(&message.detail).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut data {
        fields.insert("text".to_owned(), json!(message.text));
    }
    json!({
        "type": message.kind.name(),
        "timestamp": http::rfc3339(message.at),
        "data": data,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use dwarves_domain::notices::NoticeKind;
    use dwarves_domain::time::Timestamp;

    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn a_secret_has_its_form() {
        for bad in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_????",
            "whsec_c2hvcnQ=",
        ] {
            assert_eq!(bad.parse::<Secret>().err(), Some(NoSecret), "{bad}");
        }
    }

    #[test]
    fn a_body_is_the_same_at_every_try_and_has_the_text_beside_the_data() {
        let message = |told_at| Message {
            id: "msg_1_2".to_owned(),
            kind: NoticeKind::BlockFound,
            at: Timestamp::from_millis(1_500),
            told_at: Timestamp::from_secs(told_at),
            text: "Block 7 \"was\" found".to_owned(),
            detail: r#"{"height":7}"#.to_owned(),
        };
        assert_eq!(body(&message(5)), body(&message(500)));
        let told: Value = serde_json::from_str(&body(&message(5))).unwrap();
        let wanted = json!({
            "type": "block_found",
            "timestamp": "1970-01-01T00:00:01.500Z",
            "data": { "height": 7, "text": "Block 7 \"was\" found" },
        });
        assert_eq!(told, wanted);
    }
}
