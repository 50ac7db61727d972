//! The extranonces of jobs, given out one after the other, and when one may be given again.
//!
//! A front end has 2^32 of them in one life. The same extranonce on another template is another coinbase's, unless
//! the two templates differ in nothing but their time; so one is given again only when the templates of its first
//! giving are over. Then there never is an end of them, and no two live jobs ever have the same.

use std::collections::VecDeque;

use super::extranonce::{FrontEnd, of_job};
use crate::ids::{ExtraNonce, TemplateId};

/// Gives jobs their extranonces.
#[derive(Clone, Debug)]
pub struct JobExtraNonces {
    front_end: FrontEnd,
    life: u32,
    /// How many there are: 2^32, and fewer in tests.
    size: u64,
    given: u64,
    /// The templates that may be live, oldest first, and how many had been given before the first of each.
    begins: VecDeque<(TemplateId, u64)>,
}

impl JobExtraNonces {
    /// All extranonces of a front end's life.
    pub const fn new(front_end: FrontEnd, life: u32) -> Self {
        Self {
            front_end,
            life,
            size: 1 << u32::BITS,
            given: 0,
            begins: VecDeque::new(),
        }
    }

    /// The same with only this many, at least one: what happens when they are all given can be seen.
    #[must_use]
    pub const fn limited_to(mut self, size: u32) -> Self {
        self.size = if size == 0 { 1 } else { size as u64 };
        self
    }

    /// One that no job of a live template has, for a job of `template`. `oldest_live` is the oldest template whose
    /// shares are still taken. `None` if the jobs of live templates have all: one comes back when the oldest is over.
    pub fn next(&mut self, template: TemplateId, oldest_live: TemplateId) -> Option<ExtraNonce> {
        while self.begins.front().is_some_and(|(first, _)| *first < oldest_live) {
            self.begins.pop_front();
        }
        let begin = self.begins.front().map_or(self.given, |(_, begin)| *begin);
        if self.given - begin >= self.size {
            return None;
        }
        if self.begins.back().is_none_or(|(last, _)| *last != template) {
            self.begins.push_back((template, self.given));
        }
        let number = (self.given % self.size) as u32;
        self.given += 1;
        Some(of_job(self.front_end, self.life, number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_one_of_a_life_is_followed_by_the_first() {
        let mut all = JobExtraNonces::new(FrontEnd::new(9).unwrap(), 3);
        let next = |all: &mut JobExtraNonces| all.next(TemplateId::new(5), TemplateId::new(5));
        let first = next(&mut all).unwrap();
        all.begins.clear();
        all.given = u64::from(u32::MAX);
        assert_eq!(
            next(&mut all),
            Some(ExtraNonce::new(first.get() | u64::from(u32::MAX)))
        );
        assert_eq!(next(&mut all), Some(first));
    }

    #[test]
    fn of_a_few_the_first_comes_back_after_the_last() {
        let mut few = JobExtraNonces::new(FrontEnd::new(9).unwrap(), 3).limited_to(3);
        let mut of = |template| few.next(TemplateId::new(template), TemplateId::new(template));
        let first: Vec<_> = (0..3).map(|_| of(1)).collect();
        assert_eq!(of(1), None);
        let second: Vec<_> = (0..3).map(|_| of(2)).collect();
        assert_eq!(second, first);
    }

    proptest! {
        /// Against the plain rule: an extranonce is free unless a job of a live template has it.
        #[test]
        fn no_two_jobs_of_live_templates_share_one_and_those_of_dead_ones_come_back(
            size in 1u32..20,
            steps in proptest::collection::vec((any::<bool>(), 0u32..4), 1..200),
        ) {
            let mut space = JobExtraNonces::new(FrontEnd::default(), 1).limited_to(size);
            let (mut template, mut oldest) = (1u32, 1u32);
            let mut taken: BTreeMap<ExtraNonce, u32> = BTreeMap::new();
            for (is_new, keep) in steps {
                if is_new {
                    template += 1;
                    oldest = oldest.max(template - keep.min(template - 1));
                    taken.retain(|_, by| *by >= oldest);
                }
                match space.next(TemplateId::new(template), TemplateId::new(oldest)) {
                    Some(given) => prop_assert_eq!(taken.insert(given, template), None),
                    None => prop_assert_eq!(taken.len(), size as usize),
                }
            }
        }
    }
}
