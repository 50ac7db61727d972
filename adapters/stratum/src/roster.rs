//! The sessions of a thread in the order in which they hear of new work: whoever hashes most comes first, since each
//! moment without it costs the pool that much more. Those of the same rank come first in turns.

/// The turns in which sessions are looked at.
pub const TURNS: usize = 10;

/// The sessions, and how far new work has come among them.
#[derive(Debug)]
pub struct Roster<S> {
    entries: Vec<Entry<S>>,
    /// How many of them heard of the present work; all of them if nothing is being told.
    told: usize,
    /// The turn that the next newcomer gets.
    newcomers_turn: usize,
}

#[derive(Debug)]
struct Entry<S> {
    session: S,
    /// A session keeps its turn, whoever else leaves: else it could be passed over again and again while many leave.
    turn: usize,
    rank: f32,
}

impl<S> Default for Roster<S> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            told: 0,
            newcomers_turn: 0,
        }
    }
}

impl<S> Roster<S> {
    /// Takes in a newcomer, which knows the present work.
    pub fn admit(&mut self, session: S) {
        let is_telling = self.is_telling();
        self.entries.push(Entry {
            session,
            turn: self.newcomers_turn,
            rank: 0.0,
        });
        self.newcomers_turn = (self.newcomers_turn + 1) % TURNS;
        if !is_telling {
            self.told = self.entries.len();
        }
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there are sessions that have not heard of the present work yet.
    pub fn is_telling(&self) -> bool {
        self.told < self.entries.len()
    }

    /// There is new work, of which nobody has heard yet.
    pub fn begin_telling(&mut self) {
        // Nearly in order from the last time, which this sort makes use of.
        self.entries.sort_by(|one, other| other.rank.total_cmp(&one.rank));
        for equals in self.entries.chunk_by_mut(|one, other| one.rank == other.rank) {
            let step = equals.len() / 2 + equals.len() / 8;
            equals.rotate_left(step);
        }
        self.told = 0;
    }

    /// The next `count` sessions at most that are to hear of it.
    pub fn next_to_tell(&mut self, count: usize) -> impl Iterator<Item = &S> {
        let from = self.told;
        self.told = self.entries.len().min(from + count);
        self.entries[from..self.told].iter().map(|entry| &entry.session)
    }

    /// Lets each session of this turn be looked at, which says its rank; those that have none are gone.
    pub fn look(&mut self, turn: usize, mut look: impl FnMut(&S) -> Option<f32>) {
        self.retain(|entry| {
            if entry.turn != turn {
                return true;
            }
            let rank = look(&entry.session);
            entry.rank = rank.unwrap_or(0.0);
            rank.is_some()
        });
    }

    /// Forgets those of which `is_there` says that they are gone.
    pub fn keep(&mut self, mut is_there: impl FnMut(&S) -> bool) {
        self.retain(|entry| is_there(&entry.session));
    }

    fn retain(&mut self, mut keeps: impl FnMut(&mut Entry<S>) -> bool) {
        let (mut at, mut told) = (0, 0);
        self.entries.retain_mut(|entry| {
            let is_kept = keeps(entry);
            told += usize::from(is_kept && at < self.told);
            at += 1;
            is_kept
        });
        self.told = told;
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to_fit();
        }
    }

    /// Takes out `count` at most, those that come last.
    pub fn take_last(&mut self, count: usize) -> impl Iterator<Item = S> {
        let from = self.entries.len().saturating_sub(count);
        self.told = self.told.min(from);
        self.entries.drain(from..).map(|entry| entry.session)
    }

    /// All sessions.
    pub fn iter(&self) -> impl Iterator<Item = &S> {
        self.entries.iter().map(|entry| &entry.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn roster(ranks: &[f32]) -> Roster<usize> {
        let mut roster = Roster::default();
        (0..ranks.len()).for_each(|session| roster.admit(session));
        for turn in 0..TURNS {
            roster.look(turn, |session| Some(ranks[*session]));
        }
        roster
    }

    fn told(roster: &mut Roster<usize>) -> Vec<usize> {
        roster.begin_telling();
        let mut told = Vec::new();
        while roster.is_telling() {
            told.extend(roster.next_to_tell(3));
        }
        told
    }

    #[test]
    fn whoever_hashes_most_hears_first() {
        let order = told(&mut roster(&[0.0, 8.0, 1_024.0, 0.0, 16.0, 8.0]));
        assert_eq!(&order[..2], [2, 4]);
        assert!([[1, 5], [5, 1]].contains(&[order[2], order[3]]), "{order:?}");
    }

    /// Nobody of the same rank is always among the last.
    #[test]
    fn those_of_one_rank_come_first_in_turns() {
        let mut roster = roster(&[1.0; 100]);
        let mut best = [usize::MAX; 100];
        let mut worst = [0; 100];
        for _ in 0..16 {
            for (place, session) in told(&mut roster).into_iter().enumerate() {
                best[session] = best[session].min(place);
                worst[session] = worst[session].max(place);
            }
        }
        assert!(best.iter().all(|place| *place < 25), "{best:?}");
        assert!(worst.iter().all(|place| *place >= 75), "{worst:?}");
    }

    #[test]
    fn each_session_is_looked_at_once_in_all_turns() {
        let mut roster = roster(&[1.0; 37]);
        let mut looked_at = [0; 37];
        for turn in 0..TURNS {
            roster.look(turn, |session| {
                looked_at[*session] += 1;
                Some(*session as f32)
            });
            roster.begin_telling();
        }
        assert_eq!(looked_at, [1; 37]);
    }

    proptest! {
        /// Whatever comes and goes while work is being told: everybody who was there when it came, and still is, hears
        /// of it exactly once.
        #[test]
        fn everybody_hears_once_whoever_comes_and_goes(
            ranks in proptest::collection::vec(0u8..4, 0..60),
            steps in proptest::collection::vec((0usize..5, any::<prop::sample::Index>()), 0..40),
        ) {
            let ranks: Vec<f32> = ranks.into_iter().map(f32::from).collect();
            let mut roster = roster(&ranks);
            let mut told = vec![0; ranks.len()];
            let mut gone = vec![false; ranks.len() + steps.len()];
            let mut next = ranks.len();
            roster.begin_telling();
            for (step, index) in steps {
                match step {
                    0 => {
                        // A newcomer hears of the present work when it logs in; to be told again is no harm.
                        roster.admit(next);
                        next += 1;
                    }
                    1 => roster.look(index.index(TURNS), |session| Some(*session as f32)),
                    2 if next > 0 => {
                        let leaver = index.index(next);
                        gone[leaver] = true;
                        roster.keep(|session| *session != leaver);
                    }
                    3 => for session in roster.take_last(index.index(5)) {
                        gone[session] = true;
                    },
                    _ => for session in roster.next_to_tell(4) {
                        if let Some(count) = told.get_mut(*session) {
                            *count += 1;
                        }
                    },
                }
            }
            while roster.is_telling() {
                for session in roster.next_to_tell(4) {
                    if let Some(count) = told.get_mut(*session) {
                        *count += 1;
                    }
                }
            }
            for (session, count) in told.iter().enumerate() {
                prop_assert!(*count == 1 || *count == 0 && gone[session], "{session} heard {count} times");
            }
        }
    }
}
