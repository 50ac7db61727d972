//! Candidates: headers that meet the network's target, whatever becomes of their shares.
//!
//! One is stored and submitted before anybody says what its share counts for. What is known already changes nothing,
//! however often it comes again.

use std::collections::VecDeque;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::Template;
use tracing::Instrument;

use super::messages::{CandidateReply, TakeCandidate};
use super::{BlockTracker, Open, Rebuilding, name_of};
use crate::ask::{Ask, ReplyTo};
use crate::spans;
use dwarves_ports::store::{BlockState, FoundBlock, SharedStore, StoreAction};

/// Blocks that are not followed any more and are known again when they come again: 32 bytes each.
const SETTLED_MAX: usize = 4_096;
/// Candidates whose templates are being read.
const REBUILDING_MAX: usize = 64;
/// Askers that wait until one candidate is stored. More are told at once that it is taken.
const TOLD_MAX: usize = 16;
/// How often a template is read before a candidate of it is given up, and the wait between two times.
const READS_MAX: u32 = 30;
const READ_AGAIN: Duration = Duration::from_secs(1);
/// How long a height is said to be crowded after a candidate was left out.
const CROWDED_FOR: Span = Span::from_secs(60);

/// The blocks that were followed last.
#[derive(Debug, Default)]
pub(super) struct Settled(VecDeque<HeaderHash>);

impl Settled {
    pub(super) fn add(&mut self, hash: HeaderHash) {
        if self.0.len() >= SETTLED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(hash);
    }

    fn has(&self, hash: &HeaderHash) -> bool {
        self.0.contains(hash)
    }
}

/// Whether more candidates come than are kept.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    last_at: Option<Timestamp>,
}

impl Handler<Ask<TakeCandidate>> for BlockTracker {
    type Result = ();

    fn handle(&mut self, ask: Ask<TakeCandidate>, ctx: &mut Self::Context) {
        let Ask {
            payload: mut candidate,
            reply,
            ..
        } = ask;
        let hash = candidate.hash;
        let span = spans::of_block(hash);
        let _said_of_it = span.enter();
        if let Some(open) = self.open.get_mut(&hash) {
            let is_news = open.learn_finder(candidate.finder);
            open.tell_when_stored(reply);
            if is_news {
                self.note(hash, ctx);
            }
            return;
        }
        if self.settled.has(&hash) {
            return reply.answer(CandidateReply::Taken);
        }
        if let Some(waiting) = self.rebuilding.get_mut(&hash) {
            waiting.finder = waiting.finder.or(candidate.finder);
            if waiting.told.len() < TOLD_MAX {
                waiting.told.push(reply);
            }
            return;
        }
        if self.heights.count(candidate.height) >= self.parts.candidates_max
            || self.rebuilding.len() >= REBUILDING_MAX
        {
            self.leave_out(candidate.height);
            return reply.answer(CandidateReply::Crowded);
        }
        match candidate.bytes.take() {
            Some(bytes) => self.take(candidate, bytes, vec![reply], ctx),
            None => {
                let waiting = Rebuilding {
                    finder: candidate.finder,
                    told: vec![reply],
                };
                self.rebuilding.insert(hash, waiting);
                self.rebuild(candidate, 1, ctx);
            }
        }
    }
}

impl Open {
    /// Whether it is news whose work the block is: whoever brought it first did not find it.
    fn learn_finder(&mut self, finder: Option<Hotkey>) -> bool {
        let is_news = self.block.finder.is_none() && finder.is_some();
        if is_news {
            self.block.finder = finder;
            self.has_new_finder = true;
        }
        is_news
    }

    /// What is known of it, whose work it is among that, is stored before anybody hears that it is.
    fn tell_when_stored(&mut self, reply: ReplyTo<CandidateReply>) {
        let is_stored = self.noted.is_some() && !self.has_new_finder && !self.is_telling_finder;
        if is_stored || self.told.len() >= TOLD_MAX {
            return reply.answer(CandidateReply::Taken);
        }
        self.told.push(reply);
    }
}

impl BlockTracker {
    fn take(
        &mut self,
        candidate: TakeCandidate,
        bytes: Vec<u8>,
        replies: Vec<ReplyTo<CandidateReply>>,
        ctx: &mut Context<Self>,
    ) {
        let hash = candidate.hash;
        let block = FoundBlock {
            height: candidate.height,
            reward: candidate.reward,
            finder: candidate.finder,
            bytes,
        };
        self.say_found(&hash, &block);
        let open = Open {
            is_doubtful: candidate.is_doubtful,
            ..Open::new(block, candidate.at, (BlockState::Submitted, 0), None)
        };
        self.follow(hash, open);
        let Some(open) = self.open.get_mut(&hash) else {
            // There is no room, which the log has.
            let crowded = |reply: ReplyTo<_>| reply.answer(CandidateReply::Crowded);
            return replies.into_iter().for_each(crowded);
        };
        for reply in replies {
            open.tell_when_stored(reply);
        }
        self.submit_next(ctx);
        self.note(hash, ctx);
    }

    /// Who waited for this block to be made of its template.
    fn rebuilt(&mut self, hash: &HeaderHash) -> Rebuilding {
        let waiting = self.rebuilding.remove(hash);
        waiting.expect("a candidate waits from when its template is read until this, which comes once")
    }

    /// Reads the candidate's template, and makes the block of it.
    fn rebuild(&mut self, candidate: TakeCandidate, times: u32, ctx: &mut Context<Self>) {
        let span = spans::of_block(candidate.hash);
        let block = block_of(self.parts.store.clone(), candidate.clone()).instrument(span.clone());
        ctx.spawn(wrap_future::<_, Self>(block).map(move |block, this, ctx| {
            let hash = candidate.hash;
            let _said_of_it = span.enter();
            match block {
                Ok(bytes) => {
                    let Rebuilding { finder, told } = this.rebuilt(&hash);
                    this.take(TakeCandidate { finder, ..candidate }, bytes, told, ctx);
                }
                Err(Missing::Unread(error)) if times < READS_MAX => {
                    tracing::warn!("the template of block hash={hash} cannot be read, again soon: {error}");
                    ctx.run_later(READ_AGAIN, move |this, ctx| {
                        this.rebuild(candidate, times + 1, ctx)
                    });
                }
                Err(missing) => {
                    tracing::error!(
                        "ALARM a block cannot be made height={} hash={hash} finder={} template={}: {missing}",
                        candidate.height,
                        name_of(candidate.finder),
                        candidate.template
                    );
                    for reply in this.rebuilt(&hash).told {
                        reply.answer(CandidateReply::Lost);
                    }
                }
            }
        }));
    }

    fn leave_out(&mut self, height: u32) {
        let now = self.parts.clock.now();
        self.view.left_out += 1;
        if self.crowd.last_at.replace(now).is_none() {
            log::warn!(
                "easy_blocks begins: {} blocks of height={height} are kept, more are left out; their shares count",
                self.parts.candidates_max
            );
        }
    }

    /// Whether candidates were left out a moment ago. Says when that is over.
    pub(super) fn is_crowded(&mut self) -> bool {
        let now = self.parts.clock.now();
        let is_over = |at: Timestamp| now < at || now.since(at) >= CROWDED_FOR;
        if self.crowd.last_at.is_some_and(is_over) {
            self.crowd.last_at = None;
            log::info!(
                "easy_blocks is over: {} blocks were left out since the start",
                self.view.left_out
            );
        }
        self.crowd.last_at.is_some()
    }
}

/// Why no block can be made.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("{0}")]
    Unread(String),
    #[error("the transactions of its template are gone")]
    Gone,
    #[error("its template is damaged: {0}")]
    Damaged(String),
}

async fn block_of(store: SharedStore, candidate: TakeCandidate) -> Result<Vec<u8>, Missing> {
    let row = match store.template(candidate.template).await {
        Ok(row) => row.ok_or(Missing::Gone)?,
        Err(error) if error.action() == StoreAction::Stop => {
            return Err(Missing::Damaged(error.to_string()));
        }
        Err(error) => return Err(Missing::Unread(error.to_string())),
    };
    let template = Template::new(row.id, row.received_at, row.chain, &row.payout_script, &row.tag);
    let template = template.map_err(|error| Missing::Damaged(error.to_string()))?;
    Ok(template.block(&candidate.header, candidate.extranonce))
}
