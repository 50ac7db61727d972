//! The last of what a worker heard: for those who listen now, and for those who come back.

use std::collections::VecDeque;
use std::sync::Arc;

use actix_web::web::Bytes;
use dwarves_domain::hotkey::Hotkey;

use super::Tidings;
use super::text::Told;
use super::topic::{Topic, Topics};

/// Events that are kept for those who come back.
pub(super) const PAST_MAX: usize = 512;
/// Pieces that a stream may be behind before it is cut off. It comes back by the last id that it had.
pub(super) const BEHIND_MAX: usize = 256;

/// What a stream wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// About which topics.
    pub topics: Topics,
    /// Of blocks and payouts, only those that are about this miner.
    pub miner: Option<Hotkey>,
    /// Topics that it would hear about, were it not hidden what of them is about this miner.
    pub hidden: Topics,
}

impl Wanted {
    fn takes(&self, told: &Told) -> bool {
        self.topics.has(told.topic) && self.miner.as_ref().is_none_or(|miner| told.is_about(miner))
    }
}

/// One piece of what is sent to those who listen.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// An event with a number.
    Told(Arc<Told>),
    /// The last figures, or how the chain is.
    Now(Topic, Bytes),
    /// What all streams are sent: that something was missed, or a comment.
    All(Bytes),
}

impl Piece {
    fn for_those_who(&self, wanted: &Wanted) -> Option<&Bytes> {
        match self {
            Self::Told(told) => wanted.takes(told).then_some(&told.text),
            Self::Now(topic, text) => wanted.topics.has(*topic).then_some(text),
            Self::All(text) => Some(text),
        }
    }
}

/// What a stream gets next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This.
    Text(Bytes),
    /// Nothing yet.
    Nothing,
    /// It is too far behind.
    TooLate,
}

/// The last of what was heard.
#[derive(Debug)]
pub(super) struct Kept {
    /// Events with numbers, oldest first and without gaps.
    past: VecDeque<Arc<Told>>,
    /// The number of the last event that was heard, or is known to have been missed.
    latest: u64,
    /// Pieces for those who listen.
    live: VecDeque<Piece>,
    /// How many pieces there were before those.
    gone: u64,
}

impl Kept {
    /// Nothing was heard yet, and `latest` is the number of the last event before.
    pub(super) fn after(latest: u64) -> Self {
        Self {
            past: VecDeque::new(),
            latest,
            live: VecDeque::new(),
            gone: 0,
        }
    }

    /// The number of the last event.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// Takes in what was heard. If something before it was missed, those who listen are told so first: by `missed`, made
    /// with the number of the last event that it stands for.
    pub(super) fn hear(&mut self, tidings: Tidings, missed: impl FnOnce(u64) -> Bytes) {
        let number = tidings.number();
        if number <= self.latest {
            return;
        }
        let missed_up_to = match tidings {
            Tidings::Missed(_) => Some(number),
            Tidings::Told(_) if number > self.latest + 1 => Some(number - 1),
            Tidings::Told(_) => None,
        };
        if let Some(last) = missed_up_to {
            self.past.clear();
            self.add(Piece::All(missed(last)));
        }
        self.latest = number;
        if let Tidings::Told(told) = tidings {
            if self.past.len() >= PAST_MAX {
                self.past.pop_front();
            }
            self.past.push_back(Arc::clone(&told));
            self.add(Piece::Told(told));
        }
    }

    /// Adds a piece for those who listen.
    pub(super) fn add(&mut self, piece: Piece) {
        if self.live.len() >= BEHIND_MAX {
            self.live.pop_front();
            self.gone += 1;
        }
        self.live.push_back(piece);
    }

    /// The place of the next piece.
    pub(super) fn end(&self) -> u64 {
        self.gone + self.live.len() as u64
    }

    /// What was told since event `last`, if all of it is still known.
    pub(super) fn since(&self, last: u64, wanted: &Wanted) -> Option<Vec<Bytes>> {
        let before = self.latest - self.past.len() as u64;
        if !(before..=self.latest).contains(&last) {
            return None;
        }
        let missed = self.past.iter().filter(|told| told.number > last);
        let missed = missed.filter(|told| wanted.takes(told));
        Some(missed.map(|told| told.text.clone()).collect())
    }

    /// The next piece from `place` on that a stream wants. Its place moves on.
    pub(super) fn next(&self, place: &mut u64, wanted: &Wanted) -> Next {
        let Some(skipped) = place.checked_sub(self.gone) else {
            return Next::TooLate;
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        for piece in self.live.iter().skip(skipped) {
            *place += 1;
            if let Some(text) = piece.for_those_who(wanted) {
                return Next::Text(text.clone());
            }
        }
        Next::Nothing
    }

    /// Forgets the pieces for those who listen: nobody does.
    pub(super) fn forget_pieces(&mut self) {
        self.gone = self.end();
        self.live.clear();
    }
}

#[cfg(test)]
mod tests;
