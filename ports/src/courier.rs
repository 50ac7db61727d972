//! Telling people outside: by which channels, and what becomes of a message.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::Timestamp;

/// What is told, the same at every try but for the time of the try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name, the same at every try: whoever gets it twice knows it again.
    pub id: String,
    /// What kind of thing it tells of.
    pub kind: NoticeKind,
    /// When that was.
    pub at: Timestamp,
    /// When it is told.
    pub told_at: Timestamp,
    /// What happened, for people.
    pub text: String,
    /// The same for programs: an object as JSON.
    pub detail: String,
}

/// Why a message did not arrive, as far as is known: it may have, and is told again all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CourierError {
    /// Perhaps it does later.
    Failed(String),
    /// The receiver wants nothing more.
    Unwanted(String),
}

impl fmt::Display for CourierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Unwanted(why) => write!(f, "the receiver wants nothing more: {why}"),
        }
    }
}

/// What becomes of a message.
pub type CourierFuture = Pin<Box<dyn Future<Output = Result<(), CourierError>> + Send>>;

/// Brings messages to people outside.
pub trait Courier: Send + Sync + 'static {
    /// Tells `message` by this channel, once. It takes no longer than a deadline of the courier's own.
    fn deliver(&self, channel: &str, message: Message) -> CourierFuture;
}

/// A courier shared by those who have something to tell.
pub type SharedCourier = Arc<dyn Courier>;
