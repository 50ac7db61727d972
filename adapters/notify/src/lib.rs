//! Telling people outside: each channel is a thread that tells one message at a time, with a queue that has a bound.
//!
//! | module | its one job |
//! |---|---|
//! | [`mail`] | mail, as it is written |
//! | `smtp` | one mail handed to a server |
//! | [`strangers`] | miners' channels: wherever they lead, and nowhere but to the public internet |
//! | `guard` | which addresses these may have |
//! | `http` | one request to a receiver, and what its answer means |
//! | [`webhook`] | signed webhooks, as Standard Webhooks has them |
//! | [`ntfy`] | messages to ntfy |
//!
//! It knows nothing of who is told what, and when: the notifier does.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use dwarves_ports::courier::{Courier, CourierError, CourierFuture, Message};
use tokio::sync::oneshot;

mod guard;
mod http;
pub mod mail;
pub mod ntfy;
mod smtp;
pub mod strangers;
pub mod webhook;

use mail::Mail;
use ntfy::Ntfy;
use webhook::Webhook;

/// Messages that may wait for the one that is being told by the same channel.
const QUEUE_MAX: usize = 4;

/// How the people behind a channel are reached.
#[derive(Debug)]
pub enum Way {
    /// By a signed webhook.
    Webhook(Webhook),
    /// By ntfy.
    Ntfy(Ntfy),
    /// By mail.
    Mail(Box<Mail>),
}

impl Way {
    fn tell(&self, message: &Message) -> Result<(), CourierError> {
        match self {
            Self::Webhook(webhook) => webhook.tell(message),
            Self::Ntfy(ntfy) => ntfy.tell(message),
            Self::Mail(mail) => mail.tell(message),
        }
    }
}

struct Task {
    message: Message,
    reply: oneshot::Sender<Result<(), CourierError>>,
}

/// All channels. Their threads end with it.
#[derive(Debug, Default)]
pub struct Channels {
    queues: BTreeMap<String, SyncSender<Task>>,
}

impl Channels {
    /// Opens a channel of this name. Nothing is sent yet.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub fn open(&mut self, name: &str, way: Way) -> std::io::Result<()> {
        let (queue, waiting) = sync_channel::<Task>(QUEUE_MAX);
        std::thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || {
                for task in waiting {
                    if !task.reply.is_closed() {
                        let _nobody_waits = task.reply.send(way.tell(&task.message));
                    }
                }
            })?;
        self.queues.insert(name.to_owned(), queue);
        Ok(())
    }
}

impl Courier for Channels {
    fn deliver(&self, channel: &str, message: Message) -> CourierFuture {
        let failed = |why: &str| CourierError::Failed(why.to_owned());
        let (reply, answer) = oneshot::channel();
        let sent = match self.queues.get(channel) {
            None => Err(failed("there is no such channel")),
            Some(queue) => queue
                .try_send(Task { message, reply })
                .map_err(|error| match error {
                    TrySendError::Full(_) => failed("the channel is busy"),
                    TrySendError::Disconnected(_) => failed("the channel's thread has ended"),
                }),
        };
        Box::pin(async move {
            sent?;
            answer
                .await
                .unwrap_or_else(|_| Err(CourierError::Failed("the channel's thread has ended".to_owned())))
        })
    }
}
