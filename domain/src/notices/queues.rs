//! What waits for each miner's channels, and whose turn it is.
//!
//! Miners take turns, and of each one thing is told at a time: however much waits for one, the next has its turn. Receivers
//! that fail have some of the places alone, so those that are dead keep no place from those that live; and so has each host.
//! All of it is bounded: of a miner that has too much waiting, and then of the one that has the most, the oldest goes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::wishes::ChannelName;
use super::{NoticeKind, retry_after};
use crate::hotkey::Hotkey;
use crate::time::Timestamp;

/// A notice that waits for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// What it tells of, once for each channel.
    pub key: String,
    /// What kind of thing.
    pub kind: NoticeKind,
    /// When that was.
    pub at: Timestamp,
    /// What happened, for people.
    pub text: String,
    /// The same for programs: an object as JSON.
    pub detail: String,
    /// How often telling it failed.
    pub failures: u32,
    /// When it is told at the earliest.
    pub next_at: Timestamp,
}

impl Queued {
    /// Whether it goes before what waits: its miner is waiting for it.
    fn is_asked_for(&self) -> bool {
        matches!(self.kind, NoticeKind::Test | NoticeKind::ConfirmAddress)
    }
}

/// How much may wait, and how much is told at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Notices that may wait for all channels of one miner.
    pub of_miner: usize,
    /// Notices that may wait for all miners.
    pub of_all: usize,
    /// Notices that are told at the same time.
    pub places: usize,
    /// Those of them that may go to the same host.
    pub of_host: usize,
    /// Those of them that may go to receivers that failed at the last try.
    pub of_failing: usize,
}

/// Which notice: of whom, by which channel, and what it tells of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whose.
    pub hotkey: Hotkey,
    /// By which channel.
    pub channel: ChannelName,
    /// [`Queued::key`].
    pub key: String,
}

/// What came of telling something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Arrived,
    /// It did not, as far as is known.
    Failed,
    /// The receiver wants nothing more, or may not be told anything.
    Unwanted,
}

/// What follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is told; or it is not waiting any more.
    Done,
    /// It is told again: how often it failed, and when.
    Again(u32, Timestamp),
    /// The channel is given up: none of these is told any more.
    GivenUp(Vec<Place>),
}

/// Something that is being told.
#[derive(Clone, Debug)]
struct Flying {
    key: String,
    channel: ChannelName,
    host: String,
    is_failing: bool,
}

type OfMiner = BTreeMap<ChannelName, VecDeque<Queued>>;

/// All that waits.
#[derive(Clone, Debug)]
pub struct Queues {
    limits: QueueLimits,
    miners: BTreeMap<Hotkey, OfMiner>,
    waiting: usize,
    flying: BTreeMap<Hotkey, Flying>,
    /// Who had the last turn.
    served: Option<Hotkey>,
}

fn count(of_miner: &OfMiner) -> usize {
    of_miner.values().map(VecDeque::len).sum()
}

impl Queues {
    /// Nothing waits.
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            miners: BTreeMap::new(),
            waiting: 0,
            flying: BTreeMap::new(),
            served: None,
        }
    }

    /// How many notices wait, those that are being told included.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many of them are of this miner.
    pub fn waiting_of(&self, hotkey: &Hotkey) -> usize {
        self.miners.get(hotkey).map_or(0, count)
    }

    /// The notice, if it waits.
    pub fn get(&self, place: &Place) -> Option<&Queued> {
        let queue = self.miners.get(&place.hotkey)?.get(&place.channel)?;
        queue.iter().find(|queued| queued.key == place.key)
    }

    /// Lets a notice wait. Gives those that have to go for it; it may be one of them. One that waits already changes
    /// nothing.
    pub fn push(&mut self, hotkey: Hotkey, channel: &ChannelName, queued: Queued) -> Vec<Place> {
        let place = Place {
            hotkey,
            channel: channel.clone(),
            key: queued.key.clone(),
        };
        if self.get(&place).is_some() {
            return Vec::new();
        }
        let queue = self
            .miners
            .entry(hotkey)
            .or_default()
            .entry(channel.clone())
            .or_default();
        if queued.is_asked_for() {
            queue.push_front(queued);
        } else {
            queue.push_back(queued);
        }
        self.waiting += 1;
        let mut dropped = Vec::new();
        if self.waiting_of(&hotkey) > self.limits.of_miner {
            dropped.extend(self.drop_oldest(hotkey));
        }
        if self.waiting > self.limits.of_all {
            let most = self.miners.iter().max_by_key(|(_, of_miner)| count(of_miner));
            let most = most.map(|(hotkey, _)| *hotkey);
            dropped.extend(most.and_then(|hotkey| self.drop_oldest(hotkey)));
        }
        dropped
    }

    /// Drops the oldest notice of a miner, of its channel for which the most waits.
    fn drop_oldest(&mut self, hotkey: Hotkey) -> Option<Place> {
        let of_miner = self.miners.get(&hotkey)?;
        let (channel, queue) = of_miner.iter().max_by_key(|(_, queue)| queue.len())?;
        let oldest = queue
            .iter()
            .min_by_key(|queued| (queued.at, queued.is_asked_for()))?;
        let place = Place {
            hotkey,
            channel: channel.clone(),
            key: oldest.key.clone(),
        };
        self.remove(&place);
        Some(place)
    }

    fn remove(&mut self, place: &Place) -> Option<Queued> {
        let of_miner = self.miners.get_mut(&place.hotkey)?;
        let queue = of_miner.get_mut(&place.channel)?;
        let at = queue.iter().position(|queued| queued.key == place.key)?;
        let removed = queue.remove(at);
        self.waiting -= usize::from(removed.is_some());
        of_miner.retain(|_, queue| !queue.is_empty());
        if of_miner.is_empty() {
            self.miners.remove(&place.hotkey);
        }
        removed
    }

    /// Drops all that waits for a channel. Gives what it was.
    pub fn drop_channel(&mut self, hotkey: &Hotkey, channel: &ChannelName) -> Vec<Place> {
        let Some(of_miner) = self.miners.get_mut(hotkey) else {
            return Vec::new();
        };
        let queue = of_miner.remove(channel).unwrap_or_default();
        if of_miner.is_empty() {
            self.miners.remove(hotkey);
        }
        self.waiting -= queue.len();
        let place = |queued: Queued| Place {
            hotkey: *hotkey,
            channel: channel.clone(),
            key: queued.key,
        };
        queue.into_iter().map(place).collect()
    }

    /// Drops all that waits for a miner.
    pub fn drop_miner(&mut self, hotkey: &Hotkey) {
        let gone = self.miners.remove(hotkey).unwrap_or_default();
        self.waiting -= count(&gone);
    }

    /// The next notice to be told now, if there is one and a place for it; it has the place until it is settled. `host_of`
    /// says where a channel leads.
    pub fn next(
        &mut self,
        now: Timestamp,
        host_of: impl Fn(&Hotkey, &ChannelName) -> Option<String>,
    ) -> Option<(Place, Queued)> {
        if self.flying.len() >= self.limits.places {
            return None;
        }
        let after = self.served.map_or(Bound::Unbounded, Bound::Excluded);
        let until = self
            .served
            .map_or(Bound::Excluded(Hotkey::from_bytes([0; 32])), Bound::Included);
        let rest = self.miners.range((after, Bound::Unbounded));
        let turns = rest.chain(self.miners.range((Bound::Unbounded, until)));
        let (hotkey, channel, queued, host) =
            turns
                .filter(|(hotkey, _)| !self.flying.contains_key(hotkey))
                .find_map(|(hotkey, of_miner)| self.turn_of(hotkey, of_miner, now, &host_of))?;
        self.served = Some(hotkey);
        self.flying.insert(
            hotkey,
            Flying {
                key: queued.key.clone(),
                channel: channel.clone(),
                host,
                is_failing: queued.failures > 0,
            },
        );
        let place = Place {
            hotkey,
            channel,
            key: queued.key.clone(),
        };
        Some((place, queued))
    }

    /// What of a miner can be told now: of each channel the first alone, for it fails for all that wait behind it.
    fn turn_of(
        &self,
        hotkey: &Hotkey,
        of_miner: &OfMiner,
        now: Timestamp,
        host_of: &impl Fn(&Hotkey, &ChannelName) -> Option<String>,
    ) -> Option<(Hotkey, ChannelName, Queued, String)> {
        let failing = self.flying.values().filter(|flying| flying.is_failing).count();
        let heads = of_miner
            .iter()
            .filter_map(|(channel, queue)| Some((channel, queue.front()?)));
        let due = heads.filter(|(_, queued)| {
            queued.next_at <= now && (queued.failures == 0 || failing < self.limits.of_failing)
        });
        let to = due.filter_map(|(channel, queued)| {
            let host = host_of(hotkey, channel).unwrap_or_default();
            let same = self.flying.values().filter(|flying| flying.host == host).count();
            (same < self.limits.of_host).then_some((channel, queued, host))
        });
        let (channel, queued, host) =
            to.min_by_key(|(_, queued, _)| (!queued.is_asked_for(), queued.next_at))?;
        Some((*hotkey, channel.clone(), queued.clone(), host))
    }

    /// Notes what came of telling something, and gives what follows.
    pub fn settle(&mut self, place: &Place, outcome: Outcome, now: Timestamp) -> Settled {
        let is_it = self
            .flying
            .get(&place.hotkey)
            .is_some_and(|flying| flying.key == place.key && flying.channel == place.channel);
        if is_it {
            self.flying.remove(&place.hotkey);
        }
        let queue = self
            .miners
            .get_mut(&place.hotkey)
            .and_then(|of_miner| of_miner.get_mut(&place.channel));
        let queued = queue.and_then(|queue| queue.iter_mut().find(|queued| queued.key == place.key));
        let Some(queued) = queued else {
            return Settled::Done;
        };
        let again = retry_after(queued.failures.saturating_add(1));
        match (outcome, again) {
            (Outcome::Failed, Some(wait)) if !queued.is_asked_for() || queued.failures < ASKED_FOR_TRIES => {
                queued.failures += 1;
                queued.next_at = now.plus(wait);
                Settled::Again(queued.failures, queued.next_at)
            }
            // Nobody waits for what they asked for minutes ago, and that it fails they see at once.
            (Outcome::Failed, _) if queued.is_asked_for() => {
                self.remove(place);
                Settled::Done
            }
            (Outcome::Arrived, _) => {
                self.remove(place);
                Settled::Done
            }
            (Outcome::Failed | Outcome::Unwanted, _) => {
                Settled::GivenUp(self.drop_channel(&place.hotkey, &place.channel))
            }
        }
    }
}

/// How often something that its miner asked for is tried again.
const ASKED_FOR_TRIES: u32 = 3;

#[cfg(test)]
mod tests;
