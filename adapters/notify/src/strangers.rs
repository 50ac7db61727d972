//! Miners' channels. The pool is a client of addresses that strangers give, so it goes only where `guard` lets it, follows
//! nobody elsewhere, reads no more than a head, and waits for nobody long. A few threads do it, each for one message at a
//! time; who has a place among them is decided by whoever asks (`domain/src/notices/queues.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use dwarves_ports::courier::{CourierError, CourierFuture, Message, Receiver, StrangersCourier};
use tokio::sync::oneshot;
use ureq::Agent;
use ureq::unversioned::transport::DefaultConnector;

pub use crate::guard::Bounds;
use crate::guard::GuardedResolver;
use crate::http;
use crate::mail::Mail;
use crate::ntfy::Ntfy;
use crate::webhook::Webhook;

/// How long it may take until a name is looked up.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(3);
/// How long it may take until there is a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(4);

struct Task {
    to: Receiver,
    message: Message,
    reply: oneshot::Sender<Result<(), CourierError>>,
}

/// One thread, and whether it has nothing to do.
#[derive(Debug)]
struct Place {
    queue: SyncSender<Task>,
    is_free: Arc<AtomicBool>,
}

/// Brings messages to miners. Its threads end with it.
#[derive(Debug)]
pub struct Strangers {
    places: Vec<Place>,
}

/// By which way a message goes.
struct Ways {
    agent: Agent,
    mail: Option<Mail>,
}

/// A client that goes nowhere but within the bounds.
fn agent(bounds: Bounds, allow_http: bool) -> Agent {
    let config = http::config()
        .https_only(!allow_http)
        .timeout_resolve(Some(RESOLVE_DEADLINE))
        .timeout_connect(Some(CONNECT_DEADLINE))
        .build();
    Agent::with_parts(config, DefaultConnector::default(), GuardedResolver::new(bounds))
}

impl Ways {
    fn tell(&self, to: Receiver, message: &Message) -> Result<(), CourierError> {
        let agent = || self.agent.clone();
        match to {
            Receiver::Webhook { url, secret } => {
                Webhook::reached_by(agent(), url.as_str().to_owned(), secret).tell(message)
            }
            Receiver::Ntfy { url, token } => {
                Ntfy::reached_by(agent(), url.as_str().to_owned(), token.map(String::from)).tell(message)
            }
            Receiver::Mail { address } => {
                let unwanted = |why: &str| CourierError::Unwanted(why.to_owned());
                let mail = self.mail.as_ref();
                let mail = mail.ok_or_else(|| unwanted("this pool sends no mail any more"))?;
                let mail = mail
                    .to(address.as_str())
                    .map_err(|_| unwanted("it is no mail address"))?;
                mail.tell(message)
            }
        }
    }
}

impl Strangers {
    /// Starts so many threads. `mail` is the server, and from whom mail is.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(
        threads: usize,
        bounds: &Bounds,
        allow_http: bool,
        mail: Option<&Mail>,
    ) -> std::io::Result<Self> {
        let mut places = Vec::with_capacity(threads);
        for _ in 0..threads {
            let ways = Ways {
                agent: agent(bounds.clone(), allow_http),
                mail: mail.cloned(),
            };
            let (queue, waiting) = sync_channel::<Task>(1);
            let is_free = Arc::new(AtomicBool::new(true));
            let is_done = Arc::clone(&is_free);
            std::thread::Builder::new()
                .name("notify-miners".to_owned())
                .spawn(move || {
                    for task in waiting {
                        let Task { to, message, reply } = task;
                        let told = ways.tell(to, &message);
                        is_done.store(true, Ordering::Release);
                        let _nobody_waits = reply.send(told);
                    }
                })?;
            places.push(Place { queue, is_free });
        }
        Ok(Self { places })
    }
}

impl StrangersCourier for Strangers {
    fn deliver(&self, to: Receiver, message: Message) -> CourierFuture {
        let failed = |why: &str| Err(CourierError::Failed(why.to_owned()));
        let (reply, answer) = oneshot::channel();
        let taken = |place: &&Place| place.is_free.swap(false, Ordering::AcqRel);
        let sent = match self.places.iter().find(taken) {
            None => failed("every thread is busy"),
            Some(place) => match place.queue.try_send(Task { to, message, reply }) {
                Ok(()) => Ok(()),
                Err(_) => failed("the thread has ended"),
            },
        };
        Box::pin(async move {
            sent?;
            answer
                .await
                .unwrap_or_else(|_| Err(CourierError::Failed("the thread has ended".to_owned())))
        })
    }
}

#[cfg(test)]
mod tests;
