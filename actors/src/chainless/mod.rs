//! What stands where a chain's actors do, in a pool that has no chain: it says that there is no template and no
//! block, to whoever asks.
//!
//! It owns nothing, and asks nobody. So all that asks work manager and block tracker is the same in every pool.

use std::sync::Arc;

use actix::prelude::*;
use dwarves_domain::refusal::Refusal;
use dwarves_ports::chain::Standing;

use crate::ask::{Ask, Request, bound_mailbox};
use crate::block_tracker::messages::{BlockFound, BlocksView, CandidateReply, ReadBlocks, TakeCandidate};
use crate::control::Controlled;
use crate::live_work::LiveWork;
use crate::work_manager::messages::{IssueJob, ReadWork, Subscribe, WorkControl, WorkView};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 256;

/// The actor that says that there is no chain.
#[derive(Debug, Default)]
pub(crate) struct Chainless;

fn no_chain() -> Controlled {
    let why = "this pool evaluates work and has no chain: there is no such work";
    Err(Refusal::ControlRefused(why.to_owned()))
}

impl Actor for Chainless {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
    }
}

/// A question that always has the same answer.
trait Answered: Request {
    fn answer(self) -> Self::Reply;
}

macro_rules! answer {
    ($($question:ty => |$it:ident| $answer:expr;)+) => {$(
        impl Answered for $question {
            fn answer(self) -> Self::Reply {
                let $it = self;
                $answer
            }
        }

        impl Handler<Ask<$question>> for Chainless {
            type Result = ();

            fn handle(&mut self, ask: Ask<$question>, _: &mut Self::Context) {
                ask.reply.answer(ask.payload.answer());
            }
        }
    )+};
}

answer! {
    IssueJob => |_question| Err(Refusal::NoWork);
    Subscribe => |_question| ();
    ReadWork => |_question| WorkView {
        work: Arc::new(LiveWork::none()),
        trouble: None,
        standing: Arc::new(Standing::trusted()),
    };
    WorkControl => |_question| no_chain();
    TakeCandidate => |_question| CandidateReply::Lost;
    ReadBlocks => |_question| BlocksView::default();
}

impl Handler<BlockFound> for Chainless {
    type Result = ();

    fn handle(&mut self, found: BlockFound, _: &mut Self::Context) {
        log::error!("block {} was found in a pool that has no chain", found.hash);
    }
}
