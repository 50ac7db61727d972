//! How far the primary was when. All times are since the store was opened.

use std::collections::VecDeque;

use dwarves_domain::time::Span;

/// Places that are remembered. Of older ones every other is let go, so there is one for any bound.
const PLACES_MAX: usize = 4_096;

/// The primary's way through its log of writes.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// When the primary was asked, and how far its log was on disk then; both only grow.
    places: VecDeque<(Span, u64)>,
}

impl Course {
    /// Notes a place: all that was acknowledged before `at` is at or before `flushed`.
    pub(super) fn note(&mut self, at: Span, flushed: u64) {
        if self.places.back().is_some_and(|(_, last)| *last > flushed) {
            // Another server is the primary now, with a way of its own.
            self.places.clear();
        }
        if self.places.len() == PLACES_MAX {
            let mut number = 0;
            self.places.retain(|_| {
                number += 1;
                number % 2 == 0
            });
        }
        self.places.push_back((at, flushed));
    }

    /// When it was first asked of those that are remembered.
    pub(super) fn first(&self) -> Option<Span> {
        self.places.front().map(|(at, _)| *at)
    }

    /// All that was acknowledged before this moment is with a server that replayed the log up to `replayed`.
    pub(super) fn reached(&self, replayed: u64) -> Option<Span> {
        let after = self.places.partition_point(|(_, flushed)| *flushed <= replayed);
        let last = after.checked_sub(1)?;
        self.places.get(last).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Span {
        Span::from_millis(millis)
    }

    #[test]
    fn a_place_vouches_for_what_was_committed_before_it_was_noted() {
        let mut course = Course::default();
        assert_eq!(course.reached(u64::MAX), None);
        for (millis, flushed) in [(0, 100), (500, 100), (1_000, 130), (1_500, 200)] {
            course.note(at(millis), flushed);
        }
        assert_eq!(course.reached(99), None);
        // Nothing was written for a while: whoever has it has it up to the end of that while.
        assert_eq!(course.reached(100), Some(at(500)));
        assert_eq!(course.reached(129), Some(at(500)));
        assert_eq!(course.reached(130), Some(at(1_000)));
        assert_eq!(course.reached(5_000), Some(at(1_500)));
    }

    #[test]
    fn a_primary_that_goes_back_is_another_one() {
        let mut course = Course::default();
        course.note(at(0), 100);
        course.note(at(500), 300);
        course.note(at(1_000), 200);
        assert_eq!(course.reached(199), None);
        assert_eq!(course.reached(200), Some(at(1_000)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut course = Course::default();
        let noted = 3 * PLACES_MAX as u64;
        for number in 0..noted {
            course.note(at(number), number);
        }
        assert!(course.places.len() <= PLACES_MAX);
        assert_eq!(course.reached(noted), Some(at(noted - 1)));
        let early = course.reached(noted / 2).map_or(0, Span::millis);
        assert!(early <= noted / 2 && early > noted / 3, "{early}");
    }
}
