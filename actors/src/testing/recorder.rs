//! An actor that hands everything that it is told to the test, which answers (or does not) as it likes.

use actix::prelude::*;
use tokio::sync::mpsc;

use crate::ask::{Ask, Outbox, Port, Request, bound_mailbox};

/// Hands on every message of one kind.
struct Recorder<M> {
    to: mpsc::UnboundedSender<M>,
    capacity: usize,
}

impl<M: 'static> Actor for Recorder<M>
where
    M: Unpin,
{
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.capacity);
    }
}

impl<M: Message<Result = ()> + Unpin + 'static> Handler<M> for Recorder<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Self::Context) {
        // A test that does not look any more is over.
        let _over = self.to.send(message);
    }
}

/// Where the test finds what a recorder was told, oldest first.
pub type Inbox<M> = mpsc::UnboundedReceiver<M>;

/// Questions that may wait before a recorder's mailbox is full.
const CAPACITY: usize = 1_024;

/// A port whose questions the test answers itself.
pub fn recorded_port<R>() -> (Port<R>, Inbox<Ask<R>>)
where
    R: Request + Unpin,
    R::Reply: Unpin,
{
    let (to, inbox) = mpsc::unbounded_channel();
    let recorder = Recorder {
        to,
        capacity: CAPACITY,
    }
    .start();
    (Port::new(&recorder), inbox)
}

/// An outbox whose news the test reads.
pub fn recorded_outbox<M>() -> (Outbox<M>, Inbox<M>)
where
    M: Message<Result = ()> + Send + Unpin + 'static,
{
    recorded_outbox_of(CAPACITY)
}

/// An outbox whose recorder has room for this many news.
pub fn recorded_outbox_of<M>(capacity: usize) -> (Outbox<M>, Inbox<M>)
where
    M: Message<Result = ()> + Send + Unpin + 'static,
{
    let (to, inbox) = mpsc::unbounded_channel();
    let recorder = Recorder { to, capacity }.start();
    (Outbox::new(&recorder), inbox)
}
