//! Bytes become lines, lines become steps.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Wake, Poll};

use dwarves_actors::ask::AskError;
use dwarves_actors::miner_manager::messages::{JoinWorker, Joined};
use dwarves_domain::ids::WorkerName;
use dwarves_domain::login::Identity;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;
use dwarves_domain::work::SessionSeat;
use tokio::sync::oneshot;

use super::{End, StratumSession};
use crate::connection_limiter::Lease;
use crate::conversation::{Effect, Telling};
use crate::messages::TakeExtraNonce;
use crate::protocol::fault::Fault;
use crate::protocol::line::{self, Split};
use crate::protocol::reply;

/// Answers of one session that may be waited for; further lines wait in the socket.
const DUE_MAX: usize = 128;
/// Bytes that may wait to be written before more lines are read.
const UNWRITTEN_SOFT_MAX: usize = 8_192;

/// What must be known before the next line is handled.
pub(super) enum Waiting {
    /// `mining.subscribe` waits for an extranonce.
    Subscribing {
        id: Box<str>,
        earlier: Option<SessionSeat>,
        answer: oneshot::Receiver<Arc<Lease>>,
    },
    /// `mining.authorize` waits for the miner manager.
    Joining {
        id: Box<str>,
        user: Box<str>,
        answer: oneshot::Receiver<Result<Joined, Refusal>>,
    },
}

impl StratumSession {
    /// Whether more lines may be handled now.
    pub(super) fn has_room(&self) -> bool {
        self.knocking.is_none()
            && self.waiting.is_none()
            && self.due.len() < DUE_MAX
            && self.unwritten() < UNWRITTEN_SOFT_MAX
    }

    /// Reads once, if there is room for what it may bring.
    pub(super) fn poll_read(&mut self, wake: &mut Wake<'_>) -> Poll<Result<(), End>> {
        if self.leaving.is_some() || !self.has_room() {
            return Poll::Pending;
        }
        let mut scratch = self.thread.take_scratch();
        let read = self.transport.poll_read(wake, &mut scratch);
        let result = match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(End::Gone)),
            Poll::Ready(Ok(n)) => Poll::Ready(self.take_bytes(&scratch[..n])),
        };
        self.thread.give_scratch_back(scratch);
        result
    }

    fn take_bytes(&mut self, fresh: &[u8]) -> Result<(), End> {
        if self.unread.is_empty() {
            let left = self.take_lines(fresh)?;
            self.unread.extend_from_slice(&fresh[fresh.len() - left..]);
            return Ok(());
        }
        self.unread.extend_from_slice(fresh);
        self.handle_lines()
    }

    /// Handles what was read before, as far as there is room now.
    pub(super) fn handle_lines(&mut self) -> Result<(), End> {
        if self.unread.is_empty() || !self.has_room() {
            return Ok(());
        }
        let unread = std::mem::take(&mut self.unread);
        let left = self.take_lines(&unread)?;
        if left > 0 {
            self.unread = unread[unread.len() - left..].to_vec();
        }
        Ok(())
    }

    /// Handles the whole lines of `bytes` and returns how many bytes are left.
    fn take_lines(&mut self, bytes: &[u8]) -> Result<usize, End> {
        let mut rest = bytes;
        let result = loop {
            if !self.has_room() {
                break Ok(rest.len());
            }
            match line::split(rest) {
                Split::Line(line, after) => {
                    rest = after;
                    if !line::may_be_request(line) {
                        break Err(End::Foreign);
                    }
                    if !line.is_empty() {
                        self.on_line(line);
                    }
                }
                Split::Partial if line::may_be_request(rest) => break Ok(rest.len()),
                Split::Partial => break Err(End::Foreign),
                Split::TooLong => break Err(End::LineTooLong),
            }
        };
        self.send_batch();
        result
    }

    fn on_line(&mut self, line: &[u8]) {
        let thread = Rc::clone(&self.thread);
        let rules = &thread.listeners[self.listener].rules;
        let mut text = Vec::new();
        let step = thread.on_stage(rules, |scene| self.talk.on_line(line, scene, &mut text));
        match step {
            // What it is worth tells whether the miner is any good here: see `write_verdicts`.
            Effect::Share { id, attempt } => return self.on_attempt(id, attempt),
            Effect::Done => {}
            Effect::Subscribe { id, earlier } => {
                match thread.peers.extranonce.post(TakeExtraNonce { earlier }) {
                    Ok(answer) => {
                        let id = id.into();
                        self.waiting = Some(Box::new(Waiting::Subscribing { id, earlier, answer }));
                    }
                    Err(_) => reply::fault(&mut text, id, Fault::POOL_BUSY),
                }
            }
            Effect::Join {
                id, identity, worker, ..
            } if let Some(try_again) = thread.kept_out(self.ip, &identity, &worker) => {
                reply::fault(&mut text, id, Fault::KeptOut { try_again });
                // A proxy may have others to bring.
                if !self.talk.is_mining() {
                    self.leaving = Some(End::KeptOut);
                }
            }
            Effect::Join {
                id,
                user,
                identity,
                worker,
            } => match self.ask_to_join(identity, worker, None) {
                Ok(answer) => {
                    self.waiting = Some(Box::new(Waiting::Joining {
                        id: id.into(),
                        user: user.into_owned().into(),
                        answer,
                    }));
                }
                Err(_) => reply::fault(&mut text, id, Fault::POOL_BUSY),
            },
        }
        self.heard_at = self.thread.now();
        self.send_batch();
        self.answer(&text);
        self.tell_work(Telling::IfNew);
    }

    /// Answers, after all that was asked before.
    pub(super) fn answer(&mut self, text: &[u8]) {
        if self.due.is_empty() {
            self.out.extend_from_slice(text);
        } else {
            self.due.push_text(text);
        }
    }

    /// Asks whether a worker may mine, and tells what its session issues and what its shares have earned.
    pub(super) fn ask_to_join(
        &mut self,
        identity: Identity,
        worker: WorkerName,
        earned: Option<Difficulty>,
    ) -> Result<oneshot::Receiver<Result<Joined, Refusal>>, AskError> {
        let issued = self.talk.issued();
        self.reported = self.to_report();
        self.thread.peers.join.post(JoinWorker {
            identity,
            worker,
            issued,
            earned,
            from: self.ip,
        })
    }

    /// Goes on once what was waited for is known.
    pub(super) fn poll_waiting(&mut self, wake: &mut Wake<'_>) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        match waiting.as_mut() {
            Waiting::Subscribing { answer, .. } => {
                let Poll::Ready(lease) = std::pin::Pin::new(answer).poll(wake) else {
                    return;
                };
                let Some(Waiting::Subscribing { id, earlier, .. }) =
                    self.waiting.take().map(|waiting| *waiting)
                else {
                    return;
                };
                let mut text = Vec::new();
                match lease {
                    Ok(lease) => {
                        let seat = lease.seat();
                        self.span_has_extranonce(seat.extranonce1);
                        self.lease = Some(lease);
                        let is_resumed = earlier == Some(seat);
                        self.say(|talk, scene, _| talk.subscribed(&id, seat, is_resumed, scene, &mut text));
                    }
                    // The gate is gone: the pool stops.
                    Err(_) => reply::fault(&mut text, &id, Fault::POOL_BUSY),
                }
                self.answer(&text);
            }
            Waiting::Joining { answer, .. } => {
                let Poll::Ready(reply) = std::pin::Pin::new(answer).poll(wake) else {
                    return;
                };
                let Some(Waiting::Joining { id, user, .. }) = self.waiting.take().map(|waiting| *waiting)
                else {
                    return;
                };
                self.on_join_reply(&id, &user, reply.unwrap_or(Err(Refusal::Unavailable)));
            }
        }
        self.tell_work(Telling::IfNew);
    }

    fn on_join_reply(&mut self, id: &str, user: &str, answer: Result<Joined, Refusal>) {
        let mut text = Vec::new();
        match answer {
            Ok(Joined {
                miner,
                worker,
                fixed,
                earned,
            }) => {
                self.span_has_worker(miner, user);
                tracing::debug!("login ip={} user={user:?}", self.ip);
                self.say(|talk, scene, _| talk.joined(user, (miner, worker), earned, fixed, scene));
                self.checked_at = self.thread.now();
                reply::ok(&mut text, id);
            }
            Err(refusal) => {
                tracing::debug!("login refused ip={} why={refusal:?}", self.ip);
                self.talk.on_refused_login();
                reply::fault(&mut text, id, Fault::from(&refusal));
            }
        }
        self.answer(&text);
    }
}

impl StratumSession {
    /// What there is to tell the miner manager: what is issued, and what the first worker has earned. As floats, which
    /// are small and only compared.
    pub(super) fn to_report(&self) -> [f32; 2] {
        let earned = self.talk.first_user().and_then(|user| self.talk.earned(user));
        [self.talk.issued(), earned].map(|known| known.map_or(0.0, Difficulty::to_f64) as f32)
    }
}
