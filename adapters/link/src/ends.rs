//! What both ends of a link have in common: how an actor speaks, and when the other is taken for gone.

use actix::Message;
use dwarves_domain::time::Span;
use serde::Serialize;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::channel::{LinkError, Writing};

/// How often each end says that it is there.
pub(crate) const BEAT_EVERY: Span = Span::from_secs(1);
/// How long the other may say nothing.
pub(crate) const SILENT_MAX: Span = Span::from_secs(5);
/// A hint to say that this end is there, and to look whether the other is.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Beat;

/// Words that may wait to be sent. Whoever has so many waiting does not read.
const WAITING_MAX: usize = 8_192;
/// How many bytes are sent at a time, if so much waits.
const AT_ONCE: usize = 1 << 20;

/// What an actor says to the other front. Cheap to clone, and never waits.
#[derive(Clone, Debug)]
pub(crate) struct Voice(mpsc::Sender<Vec<u8>>);

impl Voice {
    /// A voice, and what must be driven for it to be heard.
    pub(crate) fn through(writing: Writing) -> (Self, impl Future<Output = LinkError>) {
        let (sender, words) = mpsc::channel(WAITING_MAX);
        (Self(sender), speak(writing, words))
    }

    /// Says a word.
    ///
    /// # Errors
    /// [`LinkError::Stuck`] if the other reads nothing, and if nobody speaks any more.
    pub(crate) fn say<T: Serialize>(&self, word: &T) -> Result<(), LinkError> {
        let word = postcard::to_stdvec(word)?;
        self.0.try_send(word).map_err(|refused| match refused {
            TrySendError::Full(_) | TrySendError::Closed(_) => LinkError::Stuck,
        })
    }
}

/// Sends words until it cannot: all that wait at once, so that many cost one call of the kernel.
async fn speak(mut writing: Writing, mut words: mpsc::Receiver<Vec<u8>>) -> LinkError {
    loop {
        let Some(mut word) = words.recv().await else {
            return LinkError::Stuck;
        };
        loop {
            if let Err(error) = writing.add(&word) {
                return error;
            }
            if writing.waiting() >= AT_ONCE {
                break;
            }
            match words.try_recv() {
                Ok(next) => word = next,
                Err(_) => break,
            }
        }
        if let Err(error) = writing.send().await {
            return error;
        }
    }
}
