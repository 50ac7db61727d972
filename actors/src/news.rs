//! What happened that people want to hear of at once: blocks, rounds, payouts.
//!
//! It is told by the ledger, the one place that all of it passes, and only once it is durable: whatever way led to it,
//! nothing is announced that a crash could take back. News say what changed and not how it is now; whoever tells people
//! reads that from the store.

use dwarves_domain::blocks::BlockState;
use dwarves_domain::ids::{HeaderHash, PayoutId, RoundId};
use dwarves_domain::payouts::Transition;
use dwarves_ports::store::{Write, Written};

use crate::ask::{AskError, Outbox, Request};

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A block was found, or something became of it.
    Block {
        /// The block's hash.
        hash: HeaderHash,
        /// What is known of it now. It may be what was known before.
        state: BlockState,
    },
    /// A round closed.
    Round(RoundId),
    /// A payout took a step.
    Payout {
        /// The payout's number.
        id: PayoutId,
        /// Which step, by its name in the books; `reserve`, `adopt` and `export` are the first.
        step: &'static str,
    },
}

impl News {
    /// What a write announces once it is answered with this.
    fn of(write: &Write, each: &mut impl FnMut(Self)) {
        match write {
            Write::AppendShares(shares) => {
                for share in shares.iter().filter(|share| share.block.is_some()) {
                    each(Self::Block {
                        hash: share.hash,
                        state: BlockState::Submitted,
                    });
                }
            }
            Write::RecordCandidate { hash, .. } => each(Self::Block {
                hash: *hash,
                state: BlockState::Submitted,
            }),
            Write::SetBlockState { hash, state, .. } => each(Self::Block {
                hash: *hash,
                state: *state,
            }),
            Write::RecoverBlock { hash, .. } => each(Self::Block {
                hash: *hash,
                state: BlockState::Immature,
            }),
            Write::CloseRound { round, .. } => each(Self::Round(round.id)),
            Write::ReservePayout(payout) => each(Self::Payout {
                id: payout.id,
                step: "reserve",
            }),
            Write::AdoptPayout(payout) => each(Self::Payout {
                id: payout.id,
                step: "adopt",
            }),
            Write::BeginBatch(batch) => {
                for payout in &batch.payouts {
                    let id = payout.id;
                    each(Self::Payout { id, step: "export" });
                }
            }
            Write::StepPayout { id, step, .. } => match step {
                // One more block above it, or the end of looking at it: nothing that moves anything.
                Transition::Depth(_) | Transition::Forget => {}
                step => each(Self::Payout {
                    id: *id,
                    step: step.name(),
                }),
            },
            Write::RegisterMiner { .. }
            | Write::AddWorker(_)
            | Write::NumberWorkers { .. }
            | Write::RetireWorkers { .. }
            | Write::RemoveMiner { .. }
            | Write::UseNonce { .. }
            | Write::Ban { .. }
            | Write::Unban { .. }
            | Write::SaveTemplate(_)
            | Write::RetireTemplates { .. }
            | Write::DropTemplates { .. }
            | Write::DropBlockBytes(_)
            | Write::SetPayoutThreshold { .. }
            | Write::SaveSetting { .. }
            | Write::QueueSubmission(_)
            | Write::SettleSubmission { .. }
            | Write::RemoveSubmission { .. }
            | Write::PostNotice(_)
            | Write::PlanNotice { .. }
            | Write::SettleDelivery { .. }
            | Write::AddWatch { .. }
            | Write::RemoveWatch { .. }
            | Write::ToMiner(_)
            | Write::PassTime { .. }
            | Write::BeginEpochs { .. }
            | Write::EndEpoch { .. }
            | Write::AddStatement(_)
            | Write::CeaseEpochs
            | Write::AppendAudit(_)
            | Write::AppendAuditIfDone(_)
            | Write::SaveCounters { .. }
            | Write::PruneShares { .. }
            | Write::PruneHistory { .. } => {}
        }
    }
}

/// What one commit made durable, in the order of its writes.
#[derive(Clone, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct Happened {
    /// What happened.
    pub news: Vec<News>,
    /// How much more happened since the start that could not be told, because the mailbox was full.
    pub untold: u64,
}

/// Tells the ledger to whom it tells what happened.
#[derive(Clone, Debug)]
pub struct AttachNews(pub Outbox<Happened>);

impl Request for AttachNews {
    type Reply = ();
}

/// What a commit will have made durable: each piece of news with the place of its write.
pub(crate) type Announced = Vec<(usize, News)>;

/// Where the ledger tells what happened.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    outbox: Option<Outbox<Happened>>,
    untold: u64,
}

impl Desk {
    /// Tells this one from now on.
    pub(crate) fn attach(&mut self, outbox: Outbox<Happened>) {
        self.outbox = Some(outbox);
    }

    /// What is to be told once these writes are durable: nothing if nobody would hear it.
    pub(crate) fn announce(&self, writes: &[Write]) -> Announced {
        let mut announced = Vec::new();
        if self.outbox.is_some() {
            for (at, write) in writes.iter().enumerate() {
                News::of(write, &mut |news| announced.push((at, news)));
            }
        }
        announced
    }

    /// Tells it, now that it is durable. Never waits: what finds no room is counted.
    pub(crate) fn tell(&mut self, announced: Announced, written: &[Written]) {
        let news: Vec<News> = announced
            .into_iter()
            .filter_map(|(at, news)| told(news, written.get(at)?))
            .collect();
        let Some(outbox) = self.outbox.as_ref().filter(|_| !news.is_empty()) else {
            return;
        };
        let count = news.len() as u64;
        let untold = self.untold;
        if outbox.tell(Happened { news, untold }) == Err(AskError::Busy) {
            self.untold += count;
        }
    }
}

/// The news as the store's answer makes it, if it did what was asked.
fn told(news: News, written: &Written) -> Option<News> {
    match (news, written) {
        // It was known before, and more is known of it.
        (News::Block { hash, .. }, Written::Candidate { state, .. }) => {
            Some(News::Block { hash, state: *state })
        }
        (_, Written::PayoutRefused) => None,
        (news, _) => Some(news),
    }
}

#[cfg(test)]
mod tests;
