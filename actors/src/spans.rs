//! Spans: what lines of the log belong to. A session, a request, a round, a payout, a found block and an admin's order
//! have one each, and every line that is written within it carries its fields when the log is JSON.
//!
//! A span lives only where somebody keeps spans, which is a subscriber of `tracing` (`log.format = "json"`). In text
//! output there is none: `tracing` would write a line for the beginning of every span, and the texts name what they
//! are about as it is. So a span costs one comparison there, and no memory.
//!
//! Most spans are of level ERROR, which is no judgement: it is the level at which no filter that shows any line of
//! theirs leaves them out. Those of requests and shares come by the thousand, so they are of level DEBUG.

use dwarves_domain::ids::{HeaderHash, PayoutId, RoundId};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

/// Whether anybody keeps spans of this level.
#[inline]
pub fn are_kept(level: Level) -> bool {
    level <= LevelFilter::current()
}

/// A span of this level, name and fields, or none if nobody keeps it: then the fields are not even looked at.
#[macro_export]
macro_rules! span {
    ($level:expr, $name:literal $(, $($fields:tt)*)?) => {
        if $crate::spans::are_kept($level) {
            ::tracing::span!($level, $name $(, $($fields)*)?)
        } else {
            ::tracing::Span::none()
        }
    };
}

/// What is said while a reward round is gathered, closed and booked.
pub fn of_round(id: RoundId) -> Span {
    crate::span!(Level::ERROR, "round", round = id.get())
}

/// What is said while a payout is made or followed.
pub fn of_payout(id: PayoutId) -> Span {
    crate::span!(Level::ERROR, "payout", payout = id.get())
}

/// What is said of a found block. It stands for itself: one step of a block gives rise to the next, or to one of another
/// block, and the lines of that do not belong to the first.
pub fn of_block(hash: HeaderHash) -> Span {
    if are_kept(Level::ERROR) {
        tracing::error_span!(parent: None, "block", block = %hash)
    } else {
        Span::none()
    }
}

#[cfg(test)]
pub(crate) mod heard {
    //! What the code says through `tracing` on a test's thread, as `log.format = "json"` writes it.

    use std::io::{self, Write};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use serde_json::Value;
    use tracing::Level;
    use tracing::subscriber::DefaultGuard;

    struct Teller(Sender<Vec<u8>>);

    impl Write for Teller {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Hears what is said on this thread for as long as it is kept.
    pub(crate) struct Heard {
        lines: Receiver<Vec<u8>>,
        _subscriber: DefaultGuard,
    }

    impl Heard {
        /// Hears what is of this level or above.
        pub(crate) fn from_now_on(level: Level) -> Self {
            let (sender, lines) = channel();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(true)
                .with_max_level(level)
                .with_writer(move || Teller(sender.clone()))
                .finish();
            Self {
                lines,
                _subscriber: tracing::subscriber::set_default(subscriber),
            }
        }

        /// What was said and not asked for before.
        pub(crate) fn lines(&self) -> Vec<Value> {
            let lines = self.lines.try_iter();
            lines
                .map(|line| serde_json::from_slice(&line).expect("a line is JSON"))
                .collect()
        }

        /// The lines whose message contains `text`, of which there must be one at least.
        pub(crate) fn about(&self, text: &str) -> Vec<Value> {
            let mut lines = self.lines();
            lines.retain(|line| {
                line["message"]
                    .as_str()
                    .is_some_and(|message| message.contains(text))
            });
            assert!(!lines.is_empty(), "nothing was said of {text:?}");
            lines
        }
    }

    /// The value of `field` in the spans of a line called `span`: the innermost one's.
    pub(crate) fn of_span<'a>(line: &'a Value, span: &str, field: &str) -> &'a Value {
        let spans = line["spans"].as_array().map_or(&[][..], Vec::as_slice);
        let mut of_name = spans.iter().rev().filter(|one| one["name"] == span);
        of_name.next().map_or(&Value::Null, |one| &one[field])
    }
}

#[cfg(test)]
mod tests {
    use super::heard::Heard;
    use super::*;

    /// A filter that shows a line shows what it belongs to.
    #[test]
    fn spans_that_are_followed_are_kept_at_every_level_and_those_of_requests_at_debug() {
        for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG] {
            let _heard = Heard::from_now_on(level);
            assert!(!of_round(RoundId::new(1)).is_disabled(), "{level}");
            assert!(!of_payout(PayoutId::new(1)).is_disabled(), "{level}");
            assert!(
                !of_block(HeaderHash::from_bytes([1; 32])).is_disabled(),
                "{level}"
            );
            let of_request = crate::span!(Level::DEBUG, "request");
            assert_eq!(of_request.is_disabled(), level < Level::DEBUG, "{level}");
        }
    }
}
