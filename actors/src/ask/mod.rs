//! The one way in which actors talk to each other: bounded, with an answer that always means something.
//!
//! actix's own `send` and `do_send` are not bounded by a mailbox's capacity, and a dropped `send` silently
//! cancels its message. A [`Port`] goes through `try_send` on one shared handle: a full mailbox is
//! [`AskError::Busy`] at once, and a message that was taken is always handled, even if nobody waits any more.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::fut::wrap_future;
use actix::prelude::SendError;
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_ports::clock::{Moment, poke_every};
use tokio::sync::oneshot;

use crate::audit::Order;
use crate::meter::actors::{self, ActorMeter, Waiting};

mod order;
#[cfg(test)]
mod tests;

/// How often a full mailbox is tried again by those who are patient.
const KNOCK_EVERY: Duration = Duration::from_millis(20);

/// A payload that is answered with a `Reply`.
pub trait Request: Send + 'static {
    /// What the asked actor answers.
    type Reply: Send + 'static;
}

/// A payload on its way to an actor, with the place where its answer goes.
#[derive(Debug)]
pub struct Ask<R: Request> {
    /// The question itself.
    pub payload: R,
    /// Where the answer goes.
    pub reply: ReplyTo<R::Reply>,
    /// It is counted while it waits and is dealt with.
    waiting: Waiting,
}

impl<R: Request> Ask<R> {
    /// When it was sent.
    pub fn sent_at(&self) -> Moment {
        self.waiting.sent_at()
    }
}

impl<R: Request> Message for Ask<R> {
    type Result = ();
}

/// The place where an answer goes. Dropping it unanswered tells the asker [`AskError::Gone`].
#[derive(Debug)]
pub struct ReplyTo<T> {
    sender: oneshot::Sender<T>,
    order: Option<Order>,
}

impl<T> ReplyTo<T> {
    /// Answers. That the asker no longer waits is no error: the message has done its work.
    pub fn answer(self, reply: T) {
        let _gone = self.sender.send(reply);
    }
}

impl<T> ReplyTo<T> {
    /// Whether nobody waits for the answer any more.
    pub fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    /// The admin's order that is answered here: its row of the audit trail is committed with what it changes.
    pub fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }
}

/// A place for an answer and the future that waits for it, for answers that take their own way.
pub fn reply_channel<T>() -> (ReplyTo<T>, oneshot::Receiver<T>) {
    let (sender, receiver) = oneshot::channel();
    (ReplyTo { sender, order: None }, receiver)
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The mailbox is full: nothing was done; try again later.
    #[error("the pool is busy")]
    Busy,
    /// The actor has stopped: whether it did something is unknown; repeating is safe.
    #[error("the pool is stopping")]
    Gone,
    /// No answer in time: whether it did something is unknown; repeating is safe.
    #[error("no answer in time")]
    TimedOut,
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Busy => Self::Busy,
            AskError::Gone | AskError::TimedOut => Self::Unavailable,
        }
    }
}

/// The handle through which one kind of question reaches an actor. Clones share one place in the mailbox.
pub struct Port<R: Request>(Arc<Way<Ask<R>>>);

/// The way to an actor, and where what goes it is counted.
struct Way<M: Message + Send>
where
    M::Result: Send,
{
    recipient: Recipient<M>,
    meter: &'static ActorMeter,
}

impl<M: Message + Send> std::fmt::Debug for Way<M>
where
    M::Result: Send,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "to {}", self.meter.name())
    }
}

/// Bounds an actor's mailbox, from its `started`. Without it actix takes 16 messages.
pub fn bound_mailbox<A: Actor<Context = Context<A>>>(ctx: &mut Context<A>, capacity: usize) {
    ctx.set_mailbox_capacity(capacity);
    actors::of::<A>().add_room(capacity);
}

impl<R: Request> std::fmt::Debug for Port<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<R: Request> Clone for Port<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Request> Port<R> {
    /// The port of `actor` for this kind of question. Make it once and clone it.
    pub fn new<A>(actor: &Addr<A>) -> Self
    where
        A: Actor + Handler<Ask<R>>,
        A::Context: ToEnvelope<A, Ask<R>>,
    {
        Self(Arc::new(Way {
            recipient: actor.clone().recipient(),
            meter: actors::of::<A>(),
        }))
    }

    /// Puts a question into the mailbox.
    fn send(&self, payload: R, reply: ReplyTo<R::Reply>) -> Result<(), (AskError, R)> {
        let waiting = Waiting::begin(self.0.meter);
        let ask = Ask {
            payload,
            reply,
            waiting,
        };
        let (error, mut ask) = match self.0.recipient.try_send(ask) {
            Ok(()) => return Ok(()),
            Err(SendError::Full(ask)) => (AskError::Busy, ask),
            Err(SendError::Closed(ask)) => (AskError::Gone, ask),
        };
        ask.waiting.give_up(error == AskError::Busy);
        Err((error, ask.payload))
    }

    /// Sends `payload` and returns where its answer will arrive.
    ///
    /// # Errors
    /// [`AskError::Busy`] if the mailbox is full, [`AskError::Gone`] if the actor has stopped.
    pub fn post(&self, payload: R) -> Result<oneshot::Receiver<R::Reply>, AskError> {
        self.post_by_order(payload, None)
    }

    fn post_by_order(
        &self,
        payload: R,
        order: Option<Order>,
    ) -> Result<oneshot::Receiver<R::Reply>, AskError> {
        let (sender, answer) = oneshot::channel();
        let sent = self.send(payload, ReplyTo { sender, order });
        sent.map(|()| answer).map_err(|(error, _)| error)
    }

    /// As [`Port::post`]; what is not taken comes back.
    ///
    /// # Errors
    /// As [`Port::post`], with the payload.
    pub fn offer(&self, payload: R) -> Result<oneshot::Receiver<R::Reply>, (AskError, R)> {
        let (reply, answer) = reply_channel();
        self.send(payload, reply).map(|()| answer)
    }

    /// Sends `payload`, again and again for at most `patience` while the mailbox is full, and then waits as
    /// [`Port::ask_punctual`] does: for what must not be turned away by a busy moment.
    ///
    /// # Errors
    /// [`AskError::Busy`] or [`AskError::Gone`].
    pub async fn ask_patiently(&self, mut payload: R, patience: Duration) -> Result<R::Reply, AskError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.offer(payload) {
                Ok(answer) => return answer.await.map_err(|_| AskError::Gone),
                Err((AskError::Busy, again)) if waited < patience => payload = again,
                Err((error, _)) => return Err(error),
            }
            tokio::time::sleep(KNOCK_EVERY).await;
            waited += KNOCK_EVERY;
        }
    }

    /// Sends `payload` and waits for the answer however long it takes: only for actors that themselves answer
    /// every question within a deadline. It saves the timer that every [`Port::ask`] costs.
    ///
    /// # Errors
    /// [`AskError::Busy`] or [`AskError::Gone`].
    pub async fn ask_punctual(&self, payload: R) -> Result<R::Reply, AskError> {
        self.post(payload)?.await.map_err(|_| AskError::Gone)
    }

    /// Sends `payload` and waits for the answer, at most `deadline`.
    ///
    /// # Errors
    /// As [`AskError`] says. After `TimedOut` the message is still handled.
    pub async fn ask(&self, payload: R, deadline: Duration) -> Result<R::Reply, AskError> {
        self.ask_by_order(payload, None, deadline).await
    }

    /// As [`Port::ask`], by this order of an admin.
    ///
    /// # Errors
    /// As [`Port::ask`].
    pub async fn ask_by_order(
        &self,
        payload: R,
        order: Option<Order>,
        deadline: Duration,
    ) -> Result<R::Reply, AskError> {
        let answer = self.post_by_order(payload, order)?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(AskError::Gone),
            Err(_) => Err(AskError::TimedOut),
        }
    }
}

/// The handle through which one kind of news reaches an actor: bounded, without an answer.
pub struct Outbox<M: Message + Send>(Arc<Way<M>>)
where
    M::Result: Send;

impl<M: Message + Send> std::fmt::Debug for Outbox<M>
where
    M::Result: Send,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<M: Message + Send> Clone for Outbox<M>
where
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Message<Result = ()> + Send + 'static> Outbox<M> {
    /// The outbox towards `actor` for this kind of news. Make it once and clone it.
    pub fn new<A>(actor: &Addr<A>) -> Self
    where
        A: Actor + Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        Self(Arc::new(Way {
            recipient: actor.clone().recipient(),
            meter: actors::of::<A>(),
        }))
    }

    /// Tells the news.
    ///
    /// # Errors
    /// [`AskError::Busy`] if the mailbox is full, [`AskError::Gone`] if the actor has stopped.
    pub fn tell(&self, news: M) -> Result<(), AskError> {
        self.0.recipient.try_send(news).map_err(|error| match error {
            SendError::Full(_) => {
                self.0.meter.note_refused();
                AskError::Busy
            }
            SendError::Closed(_) => AskError::Gone,
        })
    }
}

/// Gives an actor a hint every `period`, for as long as it lives: to look what is due. See [`poke_every`].
pub fn tell_every<A, M>(ctx: &mut Context<A>, period: Span, hint: M)
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message<Result = ()> + Copy + Send + 'static,
{
    let me = Outbox::new(&ctx.address());
    ctx.spawn(wrap_future(poke_every(period, move || {
        me.tell(hint) != Err(AskError::Gone)
    })));
}
