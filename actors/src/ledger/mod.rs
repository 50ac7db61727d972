//! The ledger: the only writer of the store.
//!
//! It owns the queue of what is to be written. A batch is committed as soon as the store is free, never by
//! waiting on a timer: whatever arrives while one commit is under way joins the next. So one disk flush
//! serves everybody who came meanwhile, and nobody waits longer than two commits. Of shares alone the next one begins
//! before the one before it is durable, if the store gains by that; answers keep the order.
//!
//! On a disk that takes nothing, bans, pauses and their rows of the audit trail hold all the same: they are kept here, said
//! to be unsaved, and go in front of the next transaction, together, until one is stored.
//!
//! It is asked by the managers and asks nobody but the store. It knows nothing of what the writes mean.

use std::collections::VecDeque;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::Sequence;
use dwarves_domain::units::Units;

use crate::ask::{Ask, ReplyTo, bound_mailbox};
use crate::meter;
use crate::news::{Announced, AttachNews, Desk};
use dwarves_ports::clock::Moment;
use dwarves_ports::halt::SharedHalt;
use dwarves_ports::store::{SharedStore, StoreAction, StoreError, StoreErrorKind, Write, Written};

mod kept;
pub mod messages;
#[cfg(test)]
mod tests;

use messages::{CloseLedger, Commit, LedgerView, ReadLedger};

/// Commits that may wait for the store to be free; more are refused.
const WAITING_MAX: usize = 8_192;
/// Writes of one transaction; what is beyond goes into the next.
const BATCH_SHARES_MAX: usize = 65_536;

/// When a commit of shares is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// Once it is on disk. The only mode that keeps the pool's promises.
    Durable,
    /// Once it is queued. A crash loses acknowledged shares: only for measuring what durability costs.
    Queued,
}

/// What the ledger is made with.
pub struct LedgerParts {
    /// Where everything is kept.
    pub store: SharedStore,
    /// The emergency stop.
    pub halt: SharedHalt,
    /// When shares are acknowledged.
    pub acknowledge: Acknowledge,
    /// The last share in the store, and the units of all.
    pub position: (Sequence, Units),
    /// Questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
}

/// Where the answer to one asker's writes goes.
type CommitReply = ReplyTo<Result<Vec<Written>, StoreError>>;

/// One asker's writes and where the answer goes.
struct Waiting {
    writes: Vec<Write>,
    reply: Option<CommitReply>,
}

impl Waiting {
    fn is_of_shares_alone(&self) -> bool {
        self.writes.iter().all(Write::is_of_shares_alone)
    }
}

/// How many answers each asker of a commit under way gets, in order.
struct UnderWay {
    /// Which of this life's commits it is.
    number: u64,
    /// What became of it, while one before it is not answered yet.
    result: Option<Result<Vec<Written>, StoreError>>,
    is_of_shares_alone: bool,
    /// How many writes before theirs are kept ones.
    kept: usize,
    askers: Vec<Asker>,
    /// What is told once it is durable.
    announced: Announced,
    began: Moment,
    size: usize,
}

struct Asker {
    count: usize,
    reply: Option<CommitReply>,
    /// The writes, if all of them are orders that hold unsaved.
    orders: Option<Vec<Write>>,
}

/// The actor that owns the store's writing side.
pub struct Ledger {
    parts: LedgerParts,
    waiting: Vec<Waiting>,
    /// In the order in which they were begun.
    under_way: VecDeque<UnderWay>,
    begun: u64,
    /// Whether all that waits is shares.
    is_share_after_share: bool,
    /// Orders that hold and are not stored yet.
    kept: Vec<Write>,
    is_retrying: bool,
    closing: Vec<ReplyTo<()>>,
    refusing: Option<Refusing>,
    view: LedgerView,
    /// Where it is told what happened.
    desk: Desk,
}

/// Why nothing more is taken in this life.
#[derive(Clone, Debug)]
enum Refusing {
    /// The pool stops in order.
    Closing,
    /// The store cannot be trusted, so nobody may build on what it says: this is what it said.
    Halted(StoreError),
}

impl Ledger {
    /// A ledger that has written nothing yet.
    pub fn new(parts: LedgerParts) -> Self {
        Self {
            parts,
            waiting: Vec::new(),
            under_way: VecDeque::new(),
            begun: 0,
            is_share_after_share: true,
            kept: Vec::new(),
            is_retrying: false,
            closing: Vec::new(),
            refusing: None,
            view: LedgerView::default(),
            desk: Desk::default(),
        }
    }

    /// Answers shares before they are on disk, in the mode that is for measuring only.
    fn acknowledge_early(&mut self, waiting: &mut Waiting) {
        if self.parts.acknowledge == Acknowledge::Durable {
            return;
        }
        let mut written = Vec::with_capacity(waiting.writes.len());
        for write in &waiting.writes {
            match write {
                Write::AppendShares(shares) => {
                    let (last, total) = &mut self.parts.position;
                    let first = last.next();
                    *last = Sequence::new(last.get() + shares.len() as u64);
                    *total = Units::checked_sum(shares.iter().map(|s| s.units).chain([*total]))
                        .expect("units of a pool's life fit");
                    written.push(Written::Shares { first, total: *total });
                }
                // A worker is stored with its first share.
                Write::AddWorker(_) => written.push(Written::Done),
                _ => return,
            }
        }
        if let Some(reply) = waiting.reply.take() {
            reply.answer(Ok(written));
        }
    }

    fn commit_what_waits(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.is_empty() {
            if self.under_way.is_empty() {
                for reply in self.closing.drain(..) {
                    reply.answer(());
                }
            }
            return;
        }
        if self.under_way.is_empty() || self.may_go_side_by_side() {
            self.begin(ctx);
        }
    }

    /// Whether what waits may be begun although something is under way.
    fn may_go_side_by_side(&self) -> bool {
        self.under_way.len() < self.parts.store.commits_side_by_side()
            && self.is_share_after_share
            && self.kept.is_empty()
            && self.under_way.iter().all(|commit| commit.is_of_shares_alone)
    }

    /// Begins the next commit: what is kept, and what waits.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        let mut shares = 0;
        let fitting = self
            .waiting
            .iter()
            .take_while(|waiting| {
                let before = shares;
                shares += waiting.writes.iter().map(share_count).sum::<usize>();
                before == 0 || shares <= BATCH_SHARES_MAX
            })
            .count();
        let mut writes = self.kept.clone();
        let kept = writes.len();
        let mut askers = Vec::with_capacity(fitting);
        for waiting in self.waiting.drain(..fitting) {
            let is_order = !waiting.writes.is_empty() && waiting.writes.iter().all(Write::holds_unsaved);
            askers.push(Asker {
                count: waiting.writes.len(),
                reply: waiting.reply,
                orders: is_order.then(|| waiting.writes.clone()),
            });
            writes.extend(waiting.writes);
        }
        self.is_share_after_share = self.waiting.iter().all(Waiting::is_of_shares_alone);
        let announced = self.desk.announce(&writes);
        self.begun += 1;
        let number = self.begun;
        self.under_way.push_back(UnderWay {
            number,
            result: None,
            is_of_shares_alone: writes.iter().all(Write::is_of_shares_alone),
            kept,
            askers,
            began: Moment::now(),
            size: writes.iter().map(share_count).sum(),
            announced,
        });
        let commit = wrap_future::<_, Self>(self.parts.store.commit(writes));
        ctx.spawn(commit.map(move |result, ledger, ctx| {
            ledger.on_answered(number, result);
            ledger.retry_kept(ctx);
            ledger.commit_what_waits(ctx);
        }));
    }

    /// Hands on what became of a commit, and of those after it that wait for that alone.
    fn on_answered(&mut self, number: u64, result: Result<Vec<Written>, StoreError>) {
        let commit = self.under_way.iter_mut().find(|commit| commit.number == number);
        commit.expect("it is under way until it is answered").result = Some(result);
        while let Some(result) = self.under_way.front_mut().and_then(|first| first.result.take())
            && let Some(first) = self.under_way.pop_front()
        {
            self.on_committed(first, result);
        }
    }

    fn on_committed(&mut self, under_way: UnderWay, result: Result<Vec<Written>, StoreError>) {
        match result {
            Ok(written) => {
                if self.view.trouble.take().is_some() {
                    log::info!("the ledger writes again");
                }
                self.view.commits += 1;
                self.desk.tell(under_way.announced, &written);
                meter::note_since(&meter::COMMITTED, under_way.began, 1);
                meter::COMMIT_SIZE.note(under_way.size as u64, 1);
                let mut written = written.into_iter().skip(under_way.kept);
                if under_way.kept > 0 {
                    self.kept.drain(..under_way.kept);
                    log::info!("what operators ordered while the ledger could not write is saved");
                }
                for Asker { count, reply, .. } in under_way.askers {
                    let part: Vec<_> = written.by_ref().take(count).collect();
                    assert_eq!(part.len(), count, "the store answers every write");
                    if let Some(reply) = reply {
                        reply.answer(Ok(part));
                    }
                }
            }
            Err(error) => {
                if error.action() == StoreAction::Stop {
                    self.parts
                        .halt
                        .halt(&format!("the store cannot be trusted: {error}"));
                    self.refusing = Some(Refusing::Halted(error.clone()));
                    // What waits was not begun, but may repeat what was: nobody knows what it would lead to.
                    for waiting in self.waiting.drain(..) {
                        if let Some(reply) = waiting.reply {
                            reply.answer(Err(error.clone()));
                        }
                    }
                }
                if self.view.trouble.is_none() {
                    log::error!("the ledger cannot write: {error}");
                }
                self.view.trouble = Some(error.to_string());
                for Asker { count, reply, orders } in under_way.askers {
                    let kept = orders.is_some_and(|orders| self.keep(orders, &error));
                    if let Some(reply) = reply {
                        reply.answer(match kept {
                            true => Ok(vec![Written::Kept; count]),
                            false => Err(error.clone()),
                        });
                    }
                }
            }
        }
    }
}

fn share_count(write: &Write) -> usize {
    match write {
        Write::AppendShares(shares) => shares.len(),
        _ => 1,
    }
}

impl Actor for Ledger {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.parts.mailbox_capacity);
    }
}

impl Handler<Ask<Commit>> for Ledger {
    type Result = ();

    fn handle(&mut self, ask: Ask<Commit>, ctx: &mut Self::Context) {
        let unavailable = |why: &str| StoreError::new(StoreErrorKind::Unavailable, why);
        let refusal = match &self.refusing {
            Some(Refusing::Closing) => Some(unavailable("the ledger is closed")),
            Some(Refusing::Halted(error)) => Some(error.clone()),
            None if self.waiting.len() >= WAITING_MAX => Some(unavailable("too many commits wait")),
            None => None,
        };
        if let Some(refusal) = refusal {
            return ask.reply.answer(Err(refusal));
        }
        let mut waiting = Waiting {
            writes: ask.payload.writes,
            reply: Some(ask.reply),
        };
        self.acknowledge_early(&mut waiting);
        self.is_share_after_share &= waiting.is_of_shares_alone();
        self.waiting.push(waiting);
        self.commit_what_waits(ctx);
    }
}

impl Handler<Ask<CloseLedger>> for Ledger {
    type Result = ();

    fn handle(&mut self, ask: Ask<CloseLedger>, ctx: &mut Self::Context) {
        self.closing.push(ask.reply);
        self.refusing.get_or_insert(Refusing::Closing);
        self.commit_what_waits(ctx);
    }
}

impl Handler<Ask<AttachNews>> for Ledger {
    type Result = ();

    fn handle(&mut self, ask: Ask<AttachNews>, _: &mut Self::Context) {
        self.desk.attach(ask.payload.0);
        ask.reply.answer(());
    }
}

impl Handler<Ask<ReadLedger>> for Ledger {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadLedger>, _: &mut Self::Context) {
        ask.reply.answer(self.view.clone());
    }
}
