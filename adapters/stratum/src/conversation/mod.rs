//! What one session says and is told, without sockets: the state of a miner's session and what each line does.
//!
//! Everything that takes time is a [`Effect`] that the session's actor carries out: asking for an extranonce,
//! letting a worker in, judging shares. The rest is decided here at once, so it can be tested line by line.
//!
//! | module | its one job |
//! |---|---|
//! | [`difficulty`] | which difficulty the session issues |
//! | [`rejects`] | when many refused requests are too many |
//! | `work` | work as the miner is told it |
//! | `lines` | what each method does |
//! | `shares` | a submit becomes a share of a job |

use std::sync::Arc;

use dwarves_actors::live_work::LiveWork;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::login::LoginRules;
pub use dwarves_domain::miners::rejects;
use dwarves_domain::share::{AcceptedShare, Rejection, ShareVerdict};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::vardiff;
use dwarves_domain::work::{Algorithm, Job, JobKey, SessionJobId, SessionSeat};
use rejects::{Rejects, Rung};

use super::protocol::fault::Fault;
use super::protocol::notify::NotifyParts;
use super::protocol::reply;

pub mod difficulty;
mod lines;
mod shares;
#[cfg(test)]
mod tests;
mod work;

use difficulty::Pace;
pub use lines::Effect;
pub use shares::Attempt;
pub use work::Telling;
use work::Told;

/// The version bits that BIP320 leaves to miners: what is agreed on before there is any work.
const VERSION_MASK: u32 = 0x1fff_e000;

/// What holds for all sessions of one listener.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The difficulty that sessions begin with.
    pub start: Difficulty,
    /// Pace and limits of what sessions issue.
    pub vardiff: vardiff::Settings,
    /// How miners write difficulties.
    pub algorithm: Algorithm,
    /// Bytes that miners roll.
    pub extranonce2_len: usize,
    /// Which logins are taken.
    pub logins: LoginRules,
    /// Workers that one session may authorize. Proxies bring several over one connection.
    pub workers_max: usize,
    /// When refused requests are too many.
    pub rejects: rejects::Limits,
}

/// What a conversation may look at while it handles something.
pub struct Scene<'a> {
    /// What holds for its listener.
    pub rules: &'a Rules,
    /// Names jobs and sessions.
    pub job_key: &'a JobKey,
    /// The time, which only passes.
    pub now: Timestamp,
    /// How long the present template has been known.
    pub template_age: Span,
    /// The live work.
    pub work: &'a LiveWork,
    /// The present template as it is told, if there is work.
    pub parts: Option<&'a NotifyParts>,
}

/// A worker that was let in.
#[derive(Debug)]
struct Member {
    user: Box<str>,
    miner: Hotkey,
    worker: WorkerId,
    /// The difficulty that its last accepted share was issued with.
    proven: Option<Difficulty>,
    rejects: Rejects,
    /// Its shares are not looked at until then.
    kept_out_until: Option<Timestamp>,
}

/// The state of one session. Small: there may be very many.
#[derive(Debug)]
pub struct Conversation {
    /// Its extranonce, and that it has subscribed.
    seat: Option<SessionSeat>,
    is_resumed: bool,
    /// The mask that the miner named in `mining.configure`.
    miner_mask: Option<u32>,
    /// The mask that it was told last.
    told_mask: u32,
    told_difficulty: f64,
    told: Option<Told>,
    pace: Pace,
    members: Vec<Member>,
    /// Of what belongs to no worker.
    rejects: Rejects,
    /// A worker in good standing had a share accepted.
    is_honest: bool,
    /// The job of the last share, by the name that the session gave it: the next one is likely to be of the same.
    job: Option<(SessionJobId, Arc<Job>)>,
}

impl Conversation {
    /// A session that nothing was said in yet.
    pub fn new(rules: &Rules, now: Timestamp) -> Self {
        Self {
            seat: None,
            is_resumed: false,
            miner_mask: None,
            told_mask: 0,
            told_difficulty: 0.0,
            told: None,
            pace: Pace::new(rules.start, now, &rules.vardiff),
            members: Vec::new(),
            rejects: Rejects::default(),
            is_honest: false,
            job: None,
        }
    }

    /// Whether it subscribed and has a worker, so that it gets work.
    pub fn is_mining(&self) -> bool {
        self.seat.is_some() && !self.members.is_empty()
    }

    /// Answers `mining.subscribe`: the session has this seat, and may be an earlier one that goes on.
    pub fn subscribed(
        &mut self,
        id: &str,
        seat: SessionSeat,
        is_resumed: bool,
        scene: &Scene<'_>,
        out: &mut Vec<u8>,
    ) {
        self.seat = Some(seat);
        self.is_resumed = is_resumed;
        let session = scene.job_key.seal_session_id(seat);
        let extranonce1 = seat.extranonce1.to_string();
        reply::subscribed(out, id, &session, &extranonce1, scene.rules.extranonce2_len);
    }

    /// Lets a worker in. `earned` is what its shares had earned in earlier sessions; one that is resumed goes on there.
    pub fn joined(
        &mut self,
        user: &str,
        (miner, worker): (Hotkey, WorkerId),
        earned: Option<Difficulty>,
        fixed: Option<Difficulty>,
        scene: &Scene<'_>,
    ) {
        if self.members.is_empty()
            && let Some(earned) = earned.filter(|_| self.is_resumed)
        {
            self.pace.begin_at(earned, scene.now, &scene.rules.vardiff);
        }
        self.pace.fix(fixed);
        match self.members.iter_mut().find(|member| *member.user == *user) {
            Some(member) => (member.miner, member.worker) = (miner, worker),
            None => {
                self.members.reserve_exact(1);
                self.members.push(Member {
                    user: user.into(),
                    miner,
                    worker,
                    proven: None,
                    rejects: Rejects::default(),
                    kept_out_until: None,
                });
            }
        }
    }

    /// Counts a login that was refused.
    pub fn on_refused_login(&mut self) {
        self.rejects.note(true);
    }

    /// Puts a worker out: it may not mine any more.
    pub fn left(&mut self, user: &str) {
        self.members.retain(|member| *member.user != *user);
        self.job = None;
    }

    /// The user name of each worker, to ask again whether they are welcome.
    pub fn users(&self) -> Vec<Box<str>> {
        self.members.iter().map(|member| member.user.clone()).collect()
    }

    /// The user name of the first worker.
    pub fn first_user(&self) -> Option<&str> {
        self.members.first().map(|member| &*member.user)
    }

    /// The user name of each worker of this miner.
    pub fn users_of(&self, miner: &Hotkey) -> Vec<Box<str>> {
        let members = self.members.iter().filter(|member| member.miner == *miner);
        members.map(|member| member.user.clone()).collect()
    }

    /// The difficulty that a worker's shares speak for; `None` before its first. What its session only asked for is
    /// not in it: it is remembered for whoever comes back under this name.
    pub fn earned(&self, user: &str) -> Option<Difficulty> {
        let member = self.members.iter().find(|member| *member.user == *user)?;
        Some(self.pace.earned(member.proven?))
    }

    /// Notes the verdict on a share of this worker. Gives the fault to answer with, or none if it was accepted.
    pub fn on_verdict(
        &mut self,
        verdict: &ShareVerdict,
        worker: WorkerId,
        scene: &Scene<'_>,
    ) -> Option<Fault> {
        match verdict {
            Ok(AcceptedShare { share_difficulty, .. }) => {
                self.note(worker, false);
                let member = self.members.iter_mut().find(|member| member.worker == worker);
                if let Some(member) = member {
                    member.proven = Some(*share_difficulty);
                    self.is_honest |= member.rejects.is_in_good_standing();
                }
                self.pace
                    .on_share(scene.now, *share_difficulty, &scene.rules.vardiff);
                None
            }
            Err(reason) => {
                // A late share is the network's fault more than the miner's.
                if reason.is_wrong() {
                    self.note(worker, true);
                }
                if let Rejection::JobFull { issued } = reason {
                    // The next job is told right after, and no share of it is lost any more.
                    self.pace.raise(*issued, scene.now, &scene.rules.vardiff);
                }
                Some(Fault::from(*reason))
            }
        }
    }

    /// Counts a share of this worker.
    fn note(&mut self, worker: WorkerId, is_refused: bool) {
        match self.members.iter_mut().find(|member| member.worker == worker) {
            Some(member) => member.rejects.note(is_refused),
            None => self.rejects.note(is_refused),
        }
    }

    /// Whether a worker in good standing had a share accepted since this was last asked.
    pub fn take_honest(&mut self) -> bool {
        std::mem::take(&mut self.is_honest)
    }

    /// Looks whether the miner has been silent for too long for its difficulty.
    pub fn on_idle(&mut self, scene: &Scene<'_>) {
        if self.is_mining() {
            self.pace.on_idle(scene.now, &scene.rules.vardiff);
        }
    }

    /// What is to be done about the requests that were refused since this was last asked, and about whose: the user
    /// name of a worker, or nobody's.
    pub fn take_rung(&mut self, rules: &Rules) -> Option<(Rung, Option<Box<str>>)> {
        if let Some(rung) = self.rejects.take_rung(&rules.rejects) {
            return Some((rung, None));
        }
        let of_member = |member: &mut Member| {
            let rung = member.rejects.take_rung(&rules.rejects)?;
            Some((rung, Some(member.user.clone())))
        };
        self.members.iter_mut().find_map(of_member)
    }

    /// Keeps a worker out for a while, if the session goes on for others. Returns whether it does.
    pub fn keep_out(&mut self, user: &str, scene: &Scene<'_>) -> bool {
        let until = scene.now.plus(scene.rules.rejects.keep_out);
        let is_out = |member: &Member| member.kept_out_until.is_some_and(|until| scene.now < until);
        let goes_on = self
            .members
            .iter()
            .any(|member| *member.user != *user && !is_out(member));
        if let Some(member) = self.members.iter_mut().find(|member| *member.user == *user) {
            member.kept_out_until = Some(until);
            member.rejects = Rejects::default();
        }
        goes_on
    }

    /// Whether the session has this worker alone, or none.
    pub fn is_of_one(&self) -> bool {
        self.members.len() <= 1
    }
}
