//! How the story is told: line by line, or on one screen of a terminal that is written anew.

use std::collections::VecDeque;
use std::io::{self, Write};

use crate::terminal::{self, Screen};

/// News that a screen remembers; it shows as many of the last as there is room for.
const NEWS_MAX: usize = 40;
/// News that fit a screen of 24 rows beside the rest.
const NEWS_SHOWN: usize = 9;

/// Where the story is told.
pub(super) enum Story {
    /// One line after the other.
    Lines(Box<dyn Write + Send>),
    /// A screen, and what happened last.
    Live {
        screen: Option<Screen<io::Stdout>>,
        news: VecDeque<String>,
    },
}

impl Story {
    /// A screen on the terminal of standard output.
    ///
    /// # Errors
    /// If nobody reads it.
    pub(super) fn live() -> io::Result<Self> {
        Ok(Self::Live {
            screen: Some(Screen::begin(io::stdout())?),
            news: VecDeque::new(),
        })
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Tells what happened, in one line.
    pub(super) fn tell(&mut self, line: &str) {
        match self {
            Self::Lines(_) => self.write(&format!("{line}\n")),
            Self::Live { news, .. } => {
                news.push_back(terminal::harmless(line));
                while news.len() > NEWS_MAX {
                    news.pop_front();
                }
            }
        }
    }

    /// Writes what is only for lines: a screen has its own.
    pub(super) fn write(&mut self, text: &str) {
        let Self::Lines(out) = self else {
            return;
        };
        // A closed pipe must not end the demo's pool.
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            log::debug!("nobody listens: {error}");
        }
    }

    /// Writes the screen anew: this, and what happened last.
    pub(super) fn draw(&mut self, text: &str) {
        let Self::Live {
            screen: Some(screen),
            news,
        } = self
        else {
            return;
        };
        let mut frame = format!("{text}\nwhat happened\n");
        for line in news.iter().skip(news.len().saturating_sub(NEWS_SHOWN)) {
            frame.push_str(line);
            frame.push('\n');
        }
        if let Err(error) = screen.show(&frame) {
            log::debug!("nobody watches: {error}");
        }
    }

    /// Leaves the screen, and goes on line by line.
    pub(super) fn end(&mut self) {
        if self.is_live() {
            // Dropping the screen brings back what was there before.
            *self = Self::Lines(Box::new(io::stdout()));
        }
    }
}
