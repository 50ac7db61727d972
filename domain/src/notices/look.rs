//! What is wrong with a miner's work, looked at now and then: workers that bring nothing, a hashrate that fell, shares that
//! are rejected, an address that is missing. A look costs no share anything: it is about numbers that are there anyway.
//!
//! What comes and goes is told once. Something is wrong only once it has been for a while, and it is over only once it has
//! been for a while; what was told is told to be over, also by a later life. While the pool itself gives no work nobody is
//! idle by their own fault, so time counts from when there was work again.

use std::collections::{BTreeMap, VecDeque};

use super::NoticeKind;
use super::wishes::Thresholds;
use crate::ids::WorkerName;
use crate::time::{Span, Timestamp};

/// How long a hashrate must be low, or all right again, before that is told; the same for rejects that are over, and for an
/// address that is missing. Hashrates are averaged over a few minutes, so less would tell chance.
pub const SETTLE: Span = Span::from_secs(600);
/// Over how long rejected shares are counted.
const REJECTS_OVER: Span = Span::from_secs(600);
/// Fewer shares in that time say nothing.
const SHARES_MIN: u64 = 50;
/// A worker that has been quiet for so long beyond its time was put away: it is not told any more.
const PUT_AWAY_AFTER: Span = Span::from_secs(86_400);
/// What was told of a worker is forgotten when it has been away for so long.
const FORGOTTEN_AFTER: Span = Span::from_secs(30 * 86_400);
/// Workers of a miner that are followed while they are away.
const AWAY_MAX: usize = 500;

/// What one look at a miner shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Its workers, each with the date of its last accepted share.
    pub workers: Vec<(WorkerName, Option<Timestamp>)>,
    /// Hashes per second of all of them.
    pub hashrate: f64,
    /// What that was on average in the last day; `None` if that is not known, or was too short.
    pub usual: Option<f64>,
    /// Shares accepted since it registered.
    pub accepted: u64,
    /// Shares rejected since then.
    pub rejected: u64,
    /// Whether it has something to come that cannot be paid for want of an address.
    pub lacks_address: bool,
}

/// Something that a miner is to be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// These workers bring no shares any more.
    Offline(Vec<WorkerName>),
    /// These do again.
    Online(Vec<WorkerName>),
    /// The hashrate fell, far below what is usual; hashes per second.
    Low {
        /// What it is.
        hashrate: f64,
        /// What it was in the last day.
        usual: f64,
    },
    /// It rose again.
    NotLow {
        /// What it is.
        hashrate: f64,
    },
    /// Many shares are rejected.
    Rejects {
        /// How many of the last minutes' shares.
        rejected: u64,
        /// How many there were.
        shares: u64,
    },
    /// Few are.
    FewRejects,
    /// There is no address to pay to.
    NoAddress,
}

impl Change {
    /// What kind of notice tells of it.
    pub const fn kind(&self) -> NoticeKind {
        match self {
            Self::Offline(_) | Self::Online(_) => NoticeKind::WorkerOffline,
            Self::Low { .. } | Self::NotLow { .. } => NoticeKind::HashrateLow,
            Self::Rejects { .. } | Self::FewRejects => NoticeKind::RejectsHigh,
            Self::NoAddress => NoticeKind::NoPayoutAddress,
        }
    }

    /// Whether it begins something, or ends it.
    pub const fn begins(&self) -> bool {
        matches!(
            self,
            Self::Offline(_) | Self::Low { .. } | Self::Rejects { .. } | Self::NoAddress
        )
    }
}

const LOW: &str = "hashrate";
const REJECTS: &str = "rejects";
const ADDRESS: &str = "address";
const WORKER: &str = "worker/";

/// What was told and is not over, by what it is, with the date on which it was told.
pub type Told = BTreeMap<String, Timestamp>;

/// What earlier looks showed, as far as a later one needs it. A new one knows nothing: what depends on time begins anew.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// When, and how many shares had been accepted and rejected then.
    shares: VecDeque<(Timestamp, u64, u64)>,
    /// Since when something is as it is that is not as it was told.
    turned: BTreeMap<&'static str, Timestamp>,
}

/// When a look was, and since when there was work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The date.
    pub now: Timestamp,
    /// Since when the pool gives work without a break.
    pub work_since: Timestamp,
}

impl Watch {
    /// What is to be told now, and what was told and is not over from then on.
    pub fn look(
        &mut self,
        seen: &Seen,
        thresholds: &Thresholds,
        told: &Told,
        when: When,
    ) -> (Vec<Change>, Told) {
        let mut after = Told::new();
        let mut changes = Vec::new();
        workers(seen, thresholds, told, when, &mut after, &mut changes);
        let someone_is_away = after.keys().any(|key| key.starts_with(WORKER));
        let has_worked = when.now.since(when.work_since) >= SETTLE;
        let usual = seen.usual.filter(|usual| has_worked && *usual > 0.0);
        let least = |usual: f64| usual * f64::from(thresholds.low_percent) / 100.0;
        let is_low = usual.map(|usual| {
            // Of workers that are away its miner knows, and what they lack is low by itself.
            seen.hashrate < least(usual) && (!someone_is_away || told.contains_key(LOW))
        });
        if self.settles(LOW, is_low, told, &mut after, when.now, SETTLE) {
            changes.push(match (is_low, usual) {
                (Some(true), Some(usual)) => Change::Low {
                    hashrate: seen.hashrate,
                    usual,
                },
                _ => Change::NotLow {
                    hashrate: seen.hashrate,
                },
            });
        }
        let (rejected, shares) = self.rejected(seen, when.now);
        let percent = u128::from(thresholds.reject_percent);
        let are_many = (shares >= SHARES_MIN)
            .then(|| rejected > 0 && u128::from(rejected) * 100 >= u128::from(shares) * percent);
        // It was counted over a while already.
        let wait = match are_many {
            Some(true) => Span::from_secs(0),
            _ => SETTLE,
        };
        if self.settles(REJECTS, are_many, told, &mut after, when.now, wait) {
            changes.push(match are_many {
                Some(true) => Change::Rejects { rejected, shares },
                _ => Change::FewRejects,
            });
        }
        let lacks = Some(seen.lacks_address);
        if self.settles(ADDRESS, lacks, told, &mut after, when.now, SETTLE) && seen.lacks_address {
            changes.push(Change::NoAddress);
        }
        (changes, after)
    }

    /// Whether something is not as it was told, and has been so for as long as it takes. Writes down what is told of it.
    /// Of what is not known nothing is told.
    fn settles(
        &mut self,
        key: &'static str,
        is_wrong: Option<bool>,
        told: &Told,
        after: &mut Told,
        now: Timestamp,
        wait: Span,
    ) -> bool {
        let before = told.get(key).copied();
        let Some(is_wrong) = is_wrong.filter(|is_wrong| *is_wrong != before.is_some()) else {
            self.turned.remove(key);
            after.extend(before.map(|at| (key.to_owned(), at)));
            return false;
        };
        let since = *self.turned.entry(key).or_insert(now);
        let is_settled = now.since(since) >= wait;
        // It is told once that is written down; if it is not, the next look comes to the same.
        let at = if is_settled {
            is_wrong.then_some(now)
        } else {
            before
        };
        after.extend(at.map(|at| (key.to_owned(), at)));
        is_settled
    }

    /// Rejected and all shares of the last minutes. Counters that fell, as after a crash, begin anew.
    fn rejected(&mut self, seen: &Seen, now: Timestamp) -> (u64, u64) {
        let has_fallen = self.shares.back().is_some_and(|(at, accepted, rejected)| {
            *at > now || *accepted > seen.accepted || *rejected > seen.rejected
        });
        if has_fallen {
            self.shares.clear();
        }
        while self.shares.len() > 1
            && self
                .shares
                .get(1)
                .is_some_and(|(at, ..)| now.since(*at) >= REJECTS_OVER)
        {
            self.shares.pop_front();
        }
        self.shares.push_back((now, seen.accepted, seen.rejected));
        let Some((_, accepted, rejected)) = self.shares.front() else {
            return (0, 0);
        };
        let (accepted, rejected) = (seen.accepted - accepted, seen.rejected - rejected);
        (rejected, accepted.saturating_add(rejected))
    }
}

fn workers(
    seen: &Seen,
    thresholds: &Thresholds,
    told: &Told,
    when: When,
    after: &mut Told,
    changes: &mut Vec<Change>,
) {
    let (mut gone, mut back) = (Vec::new(), Vec::new());
    let limit = thresholds.offline_after;
    for (name, last) in &seen.workers {
        let Some(last) = *last else { continue };
        let key = format!("{WORKER}{name}");
        let quiet = when.now.since(last);
        match told.get(&key) {
            Some(_) if quiet < limit => back.push(name.clone()),
            Some(_) if quiet.millis() >= FORGOTTEN_AFTER.millis().saturating_add(limit.millis()) => {}
            Some(at) => {
                after.insert(key, *at);
            }
            None => {
                let idle = when.now.since(last.max(when.work_since));
                let is_news = quiet.millis() < limit.millis().saturating_add(PUT_AWAY_AFTER.millis());
                if idle >= limit && is_news && after.len() < AWAY_MAX {
                    after.insert(key, when.now);
                    gone.push(name.clone());
                }
            }
        }
    }
    changes.extend((!gone.is_empty()).then_some(Change::Offline(gone)));
    changes.extend((!back.is_empty()).then_some(Change::Online(back)));
}

#[cfg(test)]
mod tests;
