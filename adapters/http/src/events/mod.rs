//! What happens, told as it happens: `GET /v1/events`.
//!
//! The ledger says what it has made durable (`dwarves_actors::news`). One actor, the [`EventFeed`], reads how it is now,
//! numbers it and writes it out, once for everybody. Each HTTP worker hears it on one subscription and keeps the last of
//! it ([`streams`]); its streams have places in what it keeps and nothing of their own, so a client that does not read
//! costs as much as one that does. Figures of the pool and the state of the chain are no such events: only the last is of
//! interest, so each worker asks for them while somebody listens.
//!
//! | module | its one job |
//! |---|---|
//! | [`text`] | an event as it is sent |
//! | [`topic`] | what a stream can be about |
//! | `feed` | what happened, numbered and written out |
//! | [`streams`] | a worker's streams, and what it keeps for them |
//! | [`kept`] | the last of what was heard |
//! | [`stream`] | one stream, as a body |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast;

mod feed;
pub mod kept;
pub mod stream;
pub mod streams;
pub mod text;
pub mod topic;

pub use feed::{EventFeed, EventFeedParts};
use text::Told;

/// Events that may wait for a worker; one that hears more of them late has missed some, and says so.
const WORKER_LAG_MAX: usize = 512;

/// What the feed tells all workers.
#[derive(Clone, Debug)]
pub enum Tidings {
    /// Something happened.
    Told(Arc<Told>),
    /// Something happened that nobody could be told. It has a number, like an event.
    Missed(u64),
}

impl Tidings {
    fn number(&self) -> u64 {
        match self {
            Self::Told(told) => told.number,
            Self::Missed(number) => *number,
        }
    }
}

/// Where workers hear what happens. Its clones are one.
#[derive(Clone, Debug)]
pub struct Tower {
    sender: broadcast::Sender<Tidings>,
    /// The number of the last event.
    latest: Arc<AtomicU64>,
    epoch: Arc<str>,
}

impl Tower {
    /// From which nothing was told yet. `epoch` tells the events of this life of the process from all others'.
    pub fn new(epoch: &str) -> Self {
        let (sender, _) = broadcast::channel(WORKER_LAG_MAX);
        Self {
            sender,
            latest: Arc::default(),
            epoch: epoch.into(),
        }
    }

    /// The number of the next event. Whoever begins to hear now may miss the one that is being told, and will know it by
    /// its number.
    fn next_number(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn tell(&self, tidings: Tidings) {
        // Without workers there is nobody to be told.
        let _nobody = self.sender.send(tidings);
    }

    /// Hears from now on.
    pub fn hear(&self) -> broadcast::Receiver<Tidings> {
        self.sender.subscribe()
    }

    /// The number of the last event.
    fn latest(&self) -> u64 {
        self.latest.load(Ordering::SeqCst)
    }

    /// The id of the event with this number.
    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch)
    }

    /// The number of the event with this id, if it is one of this life.
    fn number(&self, id: &str) -> Option<u64> {
        let (epoch, number) = id.rsplit_once('-')?;
        let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (epoch == &*self.epoch && is_plain).then(|| number.parse().ok())?
    }
}
