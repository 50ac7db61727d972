//! Ports with nobody behind them but a closure, or who never answers, or answers late.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use dwarves_actors::ask::{Ask, Port, ReplyTo, Request};
use dwarves_actors::handlers::submission::messages::FetchWork;
use dwarves_actors::work_manager::messages::IssuedJob;

use super::samples::{NOW, job};

type Answer<R> = Box<dyn FnMut(R) -> Option<<R as Request>::Reply>>;

/// An actor that answers as its closure says; `None` drops the question unanswered.
struct Fake<R: Request>(Answer<R>);

impl<R: Request> Actor for Fake<R> {
    type Context = Context<Self>;
}

impl<R: Request> Handler<Ask<R>> for Fake<R> {
    type Result = ();

    fn handle(&mut self, ask: Ask<R>, _: &mut Self::Context) {
        if let Some(reply) = (self.0)(ask.payload) {
            ask.reply.answer(reply);
        }
    }
}

/// A port whose actor answers as `answer` says.
pub(super) fn port<R: Request>(mut answer: impl FnMut(R) -> R::Reply + 'static) -> Port<R> {
    Port::new(&Fake::<R>(Box::new(move |question| Some(answer(question)))).start())
}

/// A port whose actor drops every question.
pub(super) fn silent<R: Request>() -> Port<R> {
    Port::new(&Fake::<R>(Box::new(|_| None)).start())
}

/// An actor that keeps every question and never answers.
struct Stuck<R: Request>(Vec<ReplyTo<R::Reply>>);

impl<R: Request> Actor for Stuck<R>
where
    R::Reply: Unpin,
{
    type Context = Context<Self>;
}

impl<R: Request> Handler<Ask<R>> for Stuck<R>
where
    R::Reply: Unpin,
{
    type Result = ();

    fn handle(&mut self, ask: Ask<R>, _: &mut Self::Context) {
        self.0.push(ask.reply);
    }
}

/// A port whose actor never answers.
pub(super) fn stuck<R: Request>() -> Port<R>
where
    R::Reply: Unpin,
{
    Port::new(&Stuck::<R>(Vec::new()).start())
}

/// An actor that gives work after a while.
struct SlowWork(Duration);

impl Actor for SlowWork {
    type Context = Context<Self>;
}

impl Handler<Ask<FetchWork>> for SlowWork {
    type Result = ();

    fn handle(&mut self, ask: Ask<FetchWork>, ctx: &mut Self::Context) {
        ctx.run_later(self.0, |_, _| {
            ask.reply.answer(Ok(IssuedJob {
                job: job(),
                expires_at: NOW,
            }));
        });
    }
}

/// A port whose actor gives work after `delay`.
pub(super) fn port_after(delay: Duration) -> Port<FetchWork> {
    Port::new(&SlowWork(delay).start())
}
