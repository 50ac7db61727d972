//! Messages to ntfy (ntfy.sh, or a server of one's own): a POST of the text to a topic's address.

use dwarves_ports::courier::{CourierError, Message};
use ureq::Agent;

use super::http;

/// The longest text that ntfy takes as a message, in bytes; more it makes a file of.
const TEXT_MAX: usize = 4_000;

/// A topic of ntfy.
pub struct Ntfy {
    agent: Agent,
    url: String,
    /// An access token, if the topic needs one.
    token: Option<String>,
}

impl std::fmt::Debug for Ntfy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ntfy")
    }
}

impl Ntfy {
    /// The topic at this address, such as `https://ntfy.sh/my-pool`.
    pub fn new(url: String, token: Option<String>) -> Self {
        Self {
            agent: http::agent(),
            url,
            token,
        }
    }

    /// The same, reached by this client alone.
    pub(crate) fn reached_by(agent: Agent, url: String, token: Option<String>) -> Self {
        Self { agent, url, token }
    }

    pub(crate) fn tell(&self, message: &Message) -> Result<(), CourierError> {
        let (priority, tag) = if message.kind.is_urgent() {
            ("urgent", "rotating_light")
        } else {
            ("default", "pick")
        };
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![
            ("title", message.kind.title()),
            ("priority", priority),
            ("tags", tag),
            // ntfy gives each message an id of its own; this one tells a repeat to whoever looks.
            ("x-message-id", &message.id),
        ];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        http::post(&self.agent, &self.url, &headers, cut(&message.text).as_bytes())
    }
}

/// As much of a text as fits, whole letters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_cut_between_letters() {
        assert_eq!(cut("short"), "short");
        let long = "ä".repeat(3_000);
        assert_eq!(cut(&long).len(), TEXT_MAX);
        assert_eq!(cut(&format!("a{long}")).len(), TEXT_MAX - 1);
    }
}
