//! Of each kind of actor, how many questions wait, and how long each keeps its thread.
//!
//! A question carries a `Waiting` from the moment at which it is sent; it is dropped with what the handler leaves of the
//! question, at the handler's end. Handlers of a thread run one after the other, so one began when it was sent or when the
//! handler before it ended, whichever was later. News, which have no answer, are not counted, but for those that a full
//! mailbox did not take.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use dwarves_ports::clock::Moment;

use super::histogram::{HANDLING, Histogram, HistogramView, Scale};

/// Kinds of actors at most; what is beyond is counted together.
const KINDS_MAX: usize = 64;

static KINDS: [OnceLock<ActorMeter>; KINDS_MAX] = [const { OnceLock::new() }; KINDS_MAX];

thread_local! {
    /// When a question was last dealt with on this thread.
    static DEALT_WITH: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// What is counted of one kind of actor, over all of that kind.
#[derive(Debug)]
pub struct ActorMeter {
    type_name: &'static str,
    name: String,
    asked: AtomicU64,
    dealt_with: AtomicU64,
    refused: AtomicU64,
    room: AtomicU64,
    handling: Histogram,
}

impl ActorMeter {
    fn new(type_name: &'static str) -> Self {
        Self {
            type_name,
            name: snake_case(type_name),
            asked: AtomicU64::new(0),
            dealt_with: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            room: AtomicU64::new(0),
            handling: Histogram::new(HANDLING, Scale::Seconds),
        }
    }

    /// Its name, such as `miner_manager`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Questions that wait or are being dealt with.
    pub fn waiting(&self) -> u64 {
        let dealt_with = self.dealt_with.load(Ordering::Relaxed);
        self.asked.load(Ordering::Relaxed).saturating_sub(dealt_with)
    }

    /// How many messages its mailboxes take: those of all actors of this kind together.
    pub fn room(&self) -> u64 {
        self.room.load(Ordering::Relaxed)
    }

    /// Messages that were turned away since the start, because a mailbox was full.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How long questions kept its thread.
    pub fn handling(&self) -> HistogramView {
        self.handling.view()
    }

    pub(crate) fn add_room(&self, messages: usize) {
        self.room.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(crate) fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// That of this kind of actor.
pub(crate) fn of<A: 'static>() -> &'static ActorMeter {
    let type_name = std::any::type_name::<A>();
    let kinds = KINDS
        .iter()
        .map(|kind| kind.get_or_init(|| ActorMeter::new(type_name)));
    let mut last = None;
    for kind in kinds {
        if kind.type_name == type_name {
            return kind;
        }
        last = Some(kind);
    }
    last.expect("there is room for some kinds")
}

/// Every kind of actor that has been asked or told anything.
pub fn all() -> impl Iterator<Item = &'static ActorMeter> {
    KINDS.iter().map_while(OnceLock::get)
}

/// A question from its sending to its handler's end.
#[derive(Debug)]
pub(crate) struct Waiting {
    meter: &'static ActorMeter,
    sent_at: Moment,
    is_taken: bool,
}

impl Waiting {
    /// A question that is being sent.
    pub(crate) fn begin(meter: &'static ActorMeter) -> Self {
        meter.asked.fetch_add(1, Ordering::Relaxed);
        Self {
            meter,
            sent_at: Moment::now(),
            is_taken: true,
        }
    }

    /// When it was sent.
    pub(crate) fn sent_at(&self) -> Moment {
        self.sent_at
    }

    /// It was not taken: the mailbox was full, or its actor has stopped.
    pub(crate) fn give_up(&mut self, was_full: bool) {
        self.is_taken = false;
        if was_full {
            self.meter.note_refused();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.meter.dealt_with.fetch_add(1, Ordering::Relaxed);
        if !self.is_taken {
            return;
        }
        let now = Moment::now();
        // A thread that ends has no such place any more, and nothing to measure.
        let before = DEALT_WITH.try_with(|last| last.replace(Some(now))).ok().flatten();
        let began = before.map_or(self.sent_at, |before| before.max(self.sent_at));
        self.meter.handling.note(now.nanos_since(began), 1);
    }
}

/// `MinerManager` of `dwarves_actors::miner_manager::MinerManager` as `miner_manager`.
fn snake_case(type_name: &str) -> String {
    let bare = type_name.split('<').next().unwrap_or_default();
    let last = bare.rsplit("::").next().unwrap_or_default();
    let mut name = String::new();
    for letter in last.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    struct QuietOne;
    struct OtherOne;

    #[test]
    fn each_kind_has_its_own_meter_and_a_name() {
        let (quiet, other) = (of::<QuietOne>(), of::<OtherOne>());
        assert!(std::ptr::eq(quiet, of::<QuietOne>()));
        assert_eq!((quiet.name(), other.name()), ("quiet_one", "other_one"));
        assert!(all().any(|meter| std::ptr::eq(meter, other)));
    }

    #[test]
    fn a_question_waits_from_its_sending_to_its_handlers_end() {
        struct Asked;
        let meter = of::<Asked>();
        let first = Waiting::begin(meter);
        let second = Waiting::begin(meter);
        let mut third = Waiting::begin(meter);
        assert_eq!(meter.waiting(), 3);
        third.give_up(true);
        drop((first, second, third));
        assert_eq!((meter.waiting(), meter.refused()), (0, 1));
        assert_eq!(meter.handling().count, 2, "what was refused was not dealt with");
    }

    #[test]
    fn a_handlers_time_begins_when_the_one_before_it_ended() {
        struct Serial;
        let meter = of::<Serial>();
        let waiting = [(); 10].map(|()| Waiting::begin(meter));
        std::thread::sleep(std::time::Duration::from_millis(30));
        // All of them were sent before, and the first one had the thread until now.
        drop(waiting);
        let view = meter.handling();
        assert!(view.sum >= 0.03, "{view:?}");
        let long = view.buckets.iter().filter(|(bound, _)| *bound > 0.02);
        assert_eq!(long.map(|(_, count)| count).sum::<u64>(), 1, "{view:?}");
    }
}
