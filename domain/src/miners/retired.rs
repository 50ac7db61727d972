//! Since when templates are over: a share that was here before counts, however long it takes to be judged.
//!
//! A block ends the work that it was found on, and it reaches the network beside the judging of its share. Were the share
//! judged by what is live then, whoever finds a block would lose its credit to it. So a share is held against the moment
//! at which it came. For that the headers of templates that are over are kept a little longer, or a repeat would count
//! again.

use std::collections::VecDeque;

use crate::ids::TemplateId;
use crate::time::{Span, Timestamp};

/// How long a share may be on its way from its arrival to its verdict and still be held against its arrival.
const UNDER_WAY_MAX: Span = Span::from_secs(3);
/// How many such moments are kept: templates come once a second at most, and with every new tip.
const MOMENTS_MAX: usize = 64;

/// The moments at which templates were retired lately. Bounded.
#[derive(Clone, Debug)]
pub(super) struct RetiredTemplates {
    /// Templates before this one are over for every share.
    forgotten: TemplateId,
    /// The oldest live template from each moment on; both grow.
    since: VecDeque<(Timestamp, TemplateId)>,
}

impl Default for RetiredTemplates {
    fn default() -> Self {
        Self {
            forgotten: TemplateId::new(0),
            since: VecDeque::new(),
        }
    }
}

impl RetiredTemplates {
    /// Templates before `oldest` are over from `now` on. Old news change nothing.
    pub(super) fn retire(&mut self, oldest: TemplateId, now: Timestamp) {
        let known = self.since.back().map_or(self.forgotten, |(_, known)| *known);
        if oldest <= known {
            return;
        }
        // Clocks of the machine's threads may differ by a moment.
        let now = self.since.back().map_or(now, |(last, _)| now.max(*last));
        self.since.push_back((now, oldest));
        if self.since.len() > MOMENTS_MAX {
            self.forget_first();
        }
    }

    /// Whether the template was over when a share of it came.
    pub(super) fn was_over(&self, template: TemplateId, received_at: Timestamp) -> bool {
        let retired = self.since.iter().find(|(_, oldest)| template < *oldest);
        template < self.forgotten || retired.is_some_and(|(at, _)| *at < received_at)
    }

    /// Forgets the moments of which no share is still under way. Returns the oldest template of which a share may still
    /// count: the headers before it can be forgotten.
    pub(super) fn forget_past(&mut self, now: Timestamp) -> TemplateId {
        let is_past = |at: Timestamp| now.since(at) >= UNDER_WAY_MAX;
        while self.since.front().is_some_and(|(at, _)| is_past(*at)) {
            self.forget_first();
        }
        self.forgotten
    }

    /// The same of every moment: the room is needed.
    pub(super) fn forget_all(&mut self) -> TemplateId {
        while !self.since.is_empty() {
            self.forget_first();
        }
        self.forgotten
    }

    fn forget_first(&mut self) {
        if let Some((_, oldest)) = self.since.pop_front() {
            self.forgotten = oldest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TemplateId = TemplateId::new(1);
    const TWO: TemplateId = TemplateId::new(2);
    const THREE: TemplateId = TemplateId::new(3);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_share_is_held_against_the_moment_at_which_it_came() {
        let mut retired = RetiredTemplates::default();
        retired.retire(TWO, at(1_000));
        retired.retire(THREE, at(2_000));
        for (template, received_at, was_over) in [
            (ONE, 999, false),
            (ONE, 1_000, false),
            (ONE, 1_001, true),
            (TWO, 1_001, false),
            (TWO, 2_000, false),
            (TWO, 2_001, true),
            (THREE, 9_000, false),
        ] {
            let said = retired.was_over(template, at(received_at));
            assert_eq!(said, was_over, "{template:?} at {received_at}");
        }
    }

    #[test]
    fn what_took_too_long_or_stands_in_the_way_is_forgotten() {
        let mut retired = RetiredTemplates::default();
        retired.retire(TWO, at(1_000));
        retired.retire(THREE, at(2_000));
        assert_eq!(retired.forget_past(at(3_999)), TemplateId::new(0));
        assert!(!retired.was_over(ONE, at(500)));
        assert_eq!(retired.forget_past(at(4_000)), TWO);
        assert!(retired.was_over(ONE, at(500)));
        assert!(!retired.was_over(TWO, at(500)));
        assert_eq!(retired.forget_all(), THREE);
        assert!(retired.was_over(TWO, at(500)));
    }

    #[test]
    fn old_news_change_nothing_and_a_clock_that_lags_takes_nothing_back() {
        let mut retired = RetiredTemplates::default();
        retired.retire(THREE, at(2_000));
        retired.retire(TWO, at(1_000));
        assert!(!retired.was_over(ONE, at(1_500)));
        retired.retire(TemplateId::new(4), at(1_000));
        assert!(!retired.was_over(THREE, at(2_000)));
        assert!(retired.was_over(THREE, at(2_001)));
    }

    #[test]
    fn no_more_moments_are_kept_than_there_is_room_for() {
        let mut retired = RetiredTemplates::default();
        for n in 1..1_000 {
            retired.retire(TemplateId::new(n), at(1));
        }
        assert_eq!(retired.since.len(), MOMENTS_MAX);
        assert!(retired.was_over(ONE, at(0)));
        assert!(!retired.was_over(TemplateId::new(998), at(0)));
    }
}
