//! Where the owners of state run.

use actix::prelude::*;

/// Where the owners of state run. They share one thread: most of what they say, they say to each other, and a
/// message to another thread costs far more than one that stays.
#[derive(Clone, Debug)]
pub enum Placement {
    /// On the thread that starts them.
    Here,
    /// On this arbiter.
    Arbiter(ArbiterHandle),
}

impl Placement {
    pub(super) fn start<A>(&self, make: impl FnOnce() -> A + Send + 'static) -> Addr<A>
    where
        A: Actor<Context = Context<A>>,
    {
        match self {
            Self::Here => make().start(),
            Self::Arbiter(arbiter) => A::start_in_arbiter(arbiter, |_| make()),
        }
    }
}
