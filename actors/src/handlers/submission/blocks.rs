//! Blocks among what miners submit, whatever becomes of their shares.
//!
//! This is the one place that every solution passes, whatever way it came in: as soon as its hash is known, and before
//! anybody asks whether the miner is welcome, the job live, the name right or the pool at work, a header that meets the
//! network's target goes to the block tracker. What is refused before it is hashed is hashed for this alone.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::TemplateId;
use dwarves_domain::share::{Draft, RejectedShare, Rolled, Submission};
use dwarves_domain::work::{BareTemplate, FullExtraNonce};
use dwarves_ports::clock::Moment;
use tokio::sync::oneshot;

use super::SubmissionHandler;
use super::solution::{Found, OfTemplate, Refused, Solution};
use crate::ask::{AskError, ReplyTo, reply_channel};
use crate::block_tracker::messages::{CandidateReply, TakeCandidate};
use crate::spans;

/// Candidates that wait because the block tracker is busy, and how long until they are offered again.
const UNSENT_MAX: usize = 256;
const OFFER_AGAIN: Duration = Duration::from_millis(100);
/// How long the candidates of a height are left out once the tracker had enough of them.
const CROWDED_FOR: dwarves_domain::time::Span = dwarves_domain::time::Span::from_secs(1);

/// What is waited for: the places of shares that are blocks, and what the tracker says of each.
pub(super) type AwaitedBlocks = Vec<(usize, oneshot::Receiver<CandidateReply>)>;

impl SubmissionHandler {
    /// The template with this number, if blocks of it are taken.
    fn bare_template(&self, id: TemplateId) -> Option<Arc<BareTemplate>> {
        self.work.kept(id).cloned()
    }

    /// A share over HTTP that does not count for this reason. Its job's name says all that is needed for its header,
    /// whoever it was given to: no name can make a block of what is none.
    pub(super) fn refuse(
        &self,
        miner: &Hotkey,
        submission: &Submission,
        rejected: RejectedShare,
    ) -> Solution {
        let claims = submission.job_id.claims();
        let Some(template) = self.bare_template(claims.template) else {
            return Solution::Rejected(rejected);
        };
        let version = submission.version.unwrap_or(template.version());
        let time = submission.time.unwrap_or(template.time());
        let nonce = submission.nonce;
        let rolled = Rolled { version, time, nonce };
        let draft = Draft::unchecked(template.header_parts(), claims.extranonce.into(), rolled);
        Solution::Refused(Box::new(Refused {
            template,
            drafts: vec![draft],
            finder: self.whose_work(miner, submission),
            rejected,
        }))
    }

    /// A share of a session that does not count for this reason.
    pub(super) fn refuse_rolled(
        &self,
        (template, extranonce): (TemplateId, FullExtraNonce),
        (versions, time, nonce): (&[u32], u32, u32),
        finder: Hotkey,
        rejected: RejectedShare,
    ) -> Solution {
        let Some(template) = self.bare_template(template) else {
            return Solution::Rejected(rejected);
        };
        let of_version = |version: &u32| {
            let version = *version;
            let rolled = Rolled { version, time, nonce };
            Draft::unchecked(template.header_parts(), extranonce, rolled)
        };
        Solution::Refused(Box::new(Refused {
            drafts: versions.iter().map(of_version).collect(),
            template,
            finder: Some(finder),
            rejected,
        }))
    }

    /// Whose work a solution is. Whoever brings the solution of another's job has not found it, and is not paid for it
    /// where finders are (`solo`).
    fn whose_work(&self, miner: &Hotkey, submission: &Submission) -> Option<Hotkey> {
        let id = &submission.job_id;
        match self.jobs.get(id) {
            Some(job) => Some(job.owner()),
            None => self.job_key.open(id, miner).map(|_| *miner),
        }
    }

    /// Hands found blocks to the block tracker.
    pub(super) fn hand_over(&mut self, found: Vec<(usize, Found)>, ctx: &mut Context<Self>) -> AwaitedBlocks {
        let at = self.clock.date();
        let hand_over = |(place, found): (usize, Found)| {
            let candidate = found.candidate;
            let (id, height, reward, bytes) = match &found.template {
                OfTemplate::Whole(template) => (
                    template.id(),
                    template.chain().height,
                    template.chain().coinbase_value,
                    Some(template.block(candidate.header(), candidate.extranonce())),
                ),
                OfTemplate::Bare(template) => {
                    (template.id(), template.height(), template.coinbase_value(), None)
                }
            };
            let take = TakeCandidate {
                hash: candidate.hash(),
                header: *candidate.header(),
                extranonce: candidate.extranonce(),
                template: id,
                bytes,
                height,
                reward,
                finder: found.finder,
                is_doubtful: found.is_doubtful,
                at,
            };
            let (reply, said) = reply_channel();
            let span = spans::of_block(take.hash);
            let _said_of_it = span.enter();
            tracing::debug!("a header is a block height={height} hash={}", take.hash);
            self.offer(take, reply, ctx);
            (place, said)
        };
        found.into_iter().map(hand_over).collect()
    }

    fn offer(&mut self, take: TakeCandidate, reply: ReplyTo<CandidateReply>, ctx: &mut Context<Self>) {
        let (height, hash) = (take.height, take.hash);
        let is_crowded = |(crowded, since): (u32, Moment)| crowded == height && since.elapsed() < CROWDED_FOR;
        if self.crowded.is_some_and(is_crowded) {
            return reply.answer(CandidateReply::Crowded);
        }
        match self.peers.blocks.offer(take) {
            Ok(said) => {
                ctx.spawn(wrap_future::<_, Self>(said).map(move |said, this, _| {
                    let Ok(said) = said else {
                        return;
                    };
                    if said == CandidateReply::Crowded {
                        this.crowded = Some((height, Moment::now()));
                    }
                    reply.answer(said);
                }));
            }
            Err((AskError::Busy, take)) if self.unsent < UNSENT_MAX => {
                self.unsent += 1;
                ctx.run_later(OFFER_AGAIN, move |this, ctx| {
                    this.unsent -= 1;
                    this.offer(take, reply, ctx);
                });
            }
            Err((error, _)) => spans::of_block(hash).in_scope(|| {
                tracing::error!("a block is left out height={height} hash={hash}: {error}");
            }),
        }
    }
}
