//! Time-outs, keep-alive, and whether workers are still welcome.

use std::pin::Pin;
use std::task::{Context as Wake, Poll};

use dwarves_actors::miner_manager::messages::Joined;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::login::parse_user;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::{Span, Timestamp};
use tokio::sync::oneshot;

use super::{End, StratumSession};
use crate::conversation::Telling;
use crate::protocol::reply;

/// How long a miner may hear nothing: many give up on a pool that is silent for longer.
const TELL_EVERY: Span = Span::from_secs(55);
/// How long written bytes may wait for a miner to read on.
const STUCK: Span = Span::from_secs(60);
/// How often it is asked whether the workers are still welcome, and which difficulty the operator chose.
const CHECK_EVERY: Span = Span::from_secs(60);

/// The question whether workers are still welcome, one after the other.
pub(super) struct Checking {
    user: Box<str>,
    answer: oneshot::Receiver<Result<Joined, Refusal>>,
    next: Vec<Box<str>>,
}

impl StratumSession {
    /// Looks whether something is overdue.
    pub(super) fn look(&mut self) -> Option<End> {
        let now = self.thread.now();
        let limits = self.thread.limits;
        if self.is_taken_over() {
            return Some(End::TakenOver);
        }
        if !self.talk.is_mining() && now.since(self.began_at) > limits.handshake {
            return Some(End::TimedOut);
        }
        if now.since(self.heard_at) > limits.idle {
            return Some(End::TimedOut);
        }
        if self.unwritten() > 0 && now.since(self.wrote_at) > STUCK {
            return Some(End::SlowReader);
        }
        self.say(|talk, scene, _| talk.on_idle(scene));
        let is_silent = self
            .talk
            .told_at()
            .is_some_and(|told_at| now.since(told_at) > TELL_EVERY);
        self.tell_work(if is_silent { Telling::Again } else { Telling::IfNew });
        // What is issued is remembered for the worker's next session, so a change is told soon.
        let is_unreported = self.to_report() != self.reported;
        if self.checking.is_none() && (is_unreported || now.since(self.checked_at) > CHECK_EVERY) {
            self.checked_at = now;
            self.check_next(self.talk.users());
        }
        None
    }

    /// Tells what was issued last, for the worker's next session. Nobody waits for the answer.
    pub(super) fn report(&mut self) {
        let logins = self.listener().rules.logins;
        if self.to_report() == self.reported {
            return;
        }
        let Some(user) = self.talk.users().into_iter().next() else {
            return;
        };
        let earned = self.talk.earned(&user);
        if let Ok((identity, worker)) = parse_user(&user, logins)
            && self.ask_to_join(identity, worker, earned).is_err()
        {
            tracing::debug!("the miner manager is busy; the next session begins where the last report was");
        }
    }

    /// An operator decided something about this miner: what holds for its workers is asked at once.
    pub(super) fn recheck(&mut self, miner: &Hotkey) {
        let users = self.talk.users_of(miner);
        if users.is_empty() {
            return;
        }
        if self.checking.is_some() {
            // What is under way may have been asked before: it is asked again at the next look.
            self.checked_at = Timestamp::EPOCH;
        } else {
            self.check_next(users);
        }
    }

    fn check_next(&mut self, mut users: Vec<Box<str>>) {
        let Some(user) = users.pop() else {
            return;
        };
        let Ok((identity, worker)) = parse_user(&user, self.listener().rules.logins) else {
            return;
        };
        // If the pool is busy, it is asked again in a while.
        let earned = self.talk.earned(&user);
        if let Ok(answer) = self.ask_to_join(identity, worker, earned) {
            self.checking = Some(Box::new(Checking {
                user,
                answer,
                next: users,
            }));
        }
    }

    /// Takes in what was said of the workers.
    pub(super) fn poll_checking(&mut self, wake: &mut Wake<'_>) {
        while let Some(checking) = &mut self.checking {
            let Poll::Ready(answer) = Pin::new(&mut checking.answer).poll(wake) else {
                return;
            };
            let Some(checking) = self.checking.take() else {
                return;
            };
            match answer {
                Ok(Ok(Joined {
                    miner, worker, fixed, ..
                })) => {
                    let user = checking.user;
                    self.say(|talk, scene, _| talk.joined(&user, (miner, worker), None, fixed, scene));
                }
                Ok(Err(refusal)) if refusal.is_of_miner() => {
                    tracing::info!("worker put out user={:?} why={refusal:?}", checking.user);
                    self.talk.left(&checking.user);
                    if !self.talk.is_mining() {
                        reply::show_message(&mut self.out, "Your worker may not mine here any more");
                        self.leaving = Some(End::PutOut);
                    }
                }
                // The pool is paused, busy or stopping: that says nothing of the worker.
                _ => {}
            }
            self.check_next(checking.next);
            self.tell_work(Telling::IfNew);
        }
    }
}
