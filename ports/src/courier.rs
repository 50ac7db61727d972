//! Telling people outside: by which channels, and what becomes of a message.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::notices::NoticeKind;
use dwarves_domain::notices::url::ReceiverUrl;
use dwarves_domain::notices::wishes::{AccessToken, MailAddress};
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

/// Where a message for a miner goes: the miner says so, and nobody vouches for it.
#[derive(Clone, PartialEq, Eq)]
pub enum Receiver {
    /// A webhook.
    Webhook {
        /// Where it leads.
        url: ReceiverUrl,
        /// By which it is signed.
        secret: [u8; 32],
    },
    /// A topic of ntfy.
    Ntfy {
        /// The topic's address.
        url: ReceiverUrl,
        /// What it asks for, if it does.
        token: Option<AccessToken>,
    },
    /// Somebody's mail.
    Mail {
        /// Whose.
        address: MailAddress,
    },
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webhook { .. } => "Webhook",
            Self::Ntfy { .. } => "Ntfy",
            Self::Mail { .. } => "Mail",
        })
    }
}

/// Brings messages to miners, wherever they say. It goes nowhere but to the public internet, and waits for nobody long.
pub trait StrangersCourier: Send + Sync + 'static {
    /// Tells `message` there, once, within a deadline of the courier's own. A place to which it does not go is
    /// [`CourierError::Unwanted`].
    fn deliver(&self, to: Receiver, message: Message) -> CourierFuture;
}

/// A courier to miners.
pub type SharedStrangersCourier = Arc<dyn StrangersCourier>;
