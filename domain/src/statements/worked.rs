//! What shares of some time came to, in exact sums.

use std::collections::BTreeMap;

use super::hashes::Hashes;
use crate::hotkey::Hotkey;
use crate::ids::WorkerName;
use crate::share::Rejection;
use crate::target::CompactTarget;
use crate::time::Timestamp;
use crate::units::Units;

/// What somebody's accepted shares of a time came to. They are added in the order in which they were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// How many there were.
    pub shares: u64,
    /// The sum of the work that was issued with them.
    pub hashes: Hashes,
    /// The sum of what they are credited as.
    pub units: Units,
    /// In how many minutes of server time at least one was accepted.
    pub active_minutes: u32,
    /// When the first and the last share were accepted.
    times: Option<(Timestamp, Timestamp)>,
}

impl Worked {
    /// Adds a share that was accepted at `at`, no earlier than those before. Gives `None` if a sum does not fit.
    #[must_use]
    pub fn with_share(self, bits: CompactTarget, units: Units, at: Timestamp) -> Option<Self> {
        self.with(&Self {
            shares: 1,
            hashes: Hashes::of_share(bits),
            units,
            active_minutes: 1,
            times: Some((at, at)),
        })
    }

    /// When the last share was accepted; `None` if there was none.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.times.map(|(_, last)| last)
    }

    /// Adds what later shares came to, the first of which may have come in the minute of the last one before. Gives `None`
    /// if a sum does not fit.
    #[must_use]
    pub fn with(self, later: &Self) -> Option<Self> {
        let (times, shared) = match (self.times, later.times) {
            (Some((first, last)), Some((next, end))) => {
                (Some((first, end)), u32::from(minute(last) == minute(next)))
            }
            (before, after) => (before.or(after), 0),
        };
        let active = self.active_minutes.checked_add(later.active_minutes)?;
        Some(Self {
            shares: self.shares.checked_add(later.shares)?,
            hashes: self.hashes.checked_add(later.hashes)?,
            units: self.units.checked_add(later.units)?,
            active_minutes: active.checked_sub(shared)?,
            times,
        })
    }

    /// Adds what others' shares of the same time came to: minutes in which both were active count twice. Gives `None` if a
    /// sum does not fit.
    #[must_use]
    pub fn beside(self, other: &Self) -> Option<Self> {
        let times = match (self.times, other.times) {
            (Some((first, last)), Some((begin, end))) => Some((first.min(begin), last.max(end))),
            (one, another) => one.or(another),
        };
        Some(Self {
            shares: self.shares.checked_add(other.shares)?,
            hashes: self.hashes.checked_add(other.hashes)?,
            units: self.units.checked_add(other.units)?,
            active_minutes: self.active_minutes.checked_add(other.active_minutes)?,
            times,
        })
    }
}

/// The minute since 1970 in which a time is.
fn minute(at: Timestamp) -> i64 {
    at.secs().div_euclid(60)
}

/// What one worker did in a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkOf {
    /// What its accepted shares came to.
    pub worked: Worked,
    /// Rejected shares by [`Rejection::index`].
    pub rejected: [u64; Rejection::REASONS.len()],
}

/// What each worker did in a time, by its miner and its name. Several machines that had one name, one after the other, are
/// one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkOfAll(BTreeMap<(Hotkey, WorkerName), WorkOf>);

impl WorkOfAll {
    /// Of nobody yet.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Each worker with what it did, in the order of hotkeys and then of names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&(Hotkey, WorkerName), &WorkOf)> {
        self.0.iter()
    }

    /// How many workers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody did anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what a worker's later shares came to. Gives `None` if a sum does not fit.
    #[must_use]
    pub fn add_worked(&mut self, of: (Hotkey, WorkerName), later: &Worked) -> Option<()> {
        let work = self.0.entry(of).or_default();
        work.worked = work.worked.with(later)?;
        Some(())
    }

    /// Adds a worker's rejected shares. Gives `None` if a sum does not fit.
    #[must_use]
    pub fn add_rejected(
        &mut self,
        of: (Hotkey, WorkerName),
        more: &[u64; Rejection::REASONS.len()],
    ) -> Option<()> {
        let work = self.0.entry(of).or_default();
        add_counts(&mut work.rejected, more)
    }

    /// Adds what all did later. Gives `None` if a sum does not fit.
    #[must_use]
    pub fn append(&mut self, later: Self) -> Option<()> {
        for (of, work) in later.0 {
            self.add_rejected(of.clone(), &work.rejected)?;
            self.add_worked(of, &work.worked)?;
        }
        Some(())
    }

    /// What all of them did together; minutes in which several were active count once for each. Gives `None` if a sum does
    /// not fit.
    pub fn total(&self) -> Option<WorkOf> {
        let mut total = WorkOf::default();
        for work in self.0.values() {
            total.worked = total.worked.beside(&work.worked)?;
            add_counts(&mut total.rejected, &work.rejected)?;
        }
        Some(total)
    }
}

fn add_counts<const N: usize>(sums: &mut [u64; N], more: &[u64; N]) -> Option<()> {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.checked_add(*more)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use num_bigint::BigUint;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Shares of a few difficulties, each some time after the one before.
    fn shares() -> impl Strategy<Value = Vec<(u32, u128, i64)>> {
        let bits = prop_oneof![Just(0x1d00_ffff_u32), Just(0x207f_ffff), Just(0x1b04_04cb)];
        vec((bits, 1_u128..1 << 90, 0_i64..200), 0..60)
    }

    proptest! {
        /// However the shares are cut into pieces, the sums are those of slow arithmetic over all of them.
        #[test]
        fn pieces_come_to_what_all_do(shares in shares(), cuts in vec(0_usize..60, 0..5)) {
            let mut at = 1_700_000_000_000_i64;
            let dated: Vec<_> = shares.iter().map(|(bits, units, passed)| {
                at += passed * 1_000;
                (CompactTarget::from_bits(*bits), *units, Timestamp::from_millis(at))
            }).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(dated.len())).collect();
            cuts.extend([0, dated.len()]);
            cuts.sort_unstable();
            let mut whole = Worked::default();
            for (from, to) in cuts.iter().zip(&cuts[1..]) {
                let piece = dated[*from..*to].iter().try_fold(Worked::default(), |sum, (bits, units, at)| {
                    sum.with_share(*bits, Units::from_raw(*units), *at)
                });
                whole = whole.with(&piece.unwrap()).unwrap();
            }
            let hashes: BigUint = dated.iter().map(|(bits, ..)| BigUint::from(Hashes::of_share(*bits).get())).sum();
            let units: BigUint = dated.iter().map(|(_, units, _)| BigUint::from(*units)).sum();
            let minutes: BTreeSet<i64> = dated.iter().map(|(.., at)| at.secs() / 60).collect();
            prop_assert_eq!(BigUint::from(whole.hashes.get()), hashes);
            prop_assert_eq!(BigUint::from(whole.units.raw()), units);
            prop_assert_eq!(whole.shares, dated.len() as u64);
            prop_assert_eq!(whole.active_minutes as usize, minutes.len());
            prop_assert_eq!(whole.last_at(), dated.last().map(|(.., at)| *at));
        }
    }

    #[test]
    fn sums_that_do_not_fit_are_none() {
        let most = Worked {
            units: Units::from_raw(u128::MAX),
            ..Worked::default()
        };
        let bits = CompactTarget::from_bits(0x1d00_ffff);
        assert_eq!(most.with_share(bits, Units::from_raw(1), Timestamp::EPOCH), None);
        let of = || (Hotkey::from_bytes([1; 32]), "rig".parse().unwrap());
        let mut all = WorkOfAll::new();
        all.add_rejected(of(), &[u64::MAX; 6]).unwrap();
        assert_eq!(all.add_rejected(of(), &[1; 6]), None);
    }

    #[test]
    fn work_of_all_is_by_miner_and_name_and_adds_up() {
        let of = |miner, name: &str| (Hotkey::from_bytes([miner; 32]), name.parse().unwrap());
        let bits = CompactTarget::from_bits(0x1d00_ffff);
        let one = Worked::default().with_share(bits, Units::from_raw(5), Timestamp::from_secs(60));
        let one = one.unwrap();
        let mut all = WorkOfAll::new();
        all.add_worked(of(2, "b"), &one).unwrap();
        all.add_worked(of(1, "z"), &one).unwrap();
        all.add_rejected(of(2, "a"), &[1, 2, 3, 4, 5, 6]).unwrap();
        let mut twice = all.clone();
        twice.append(all.clone()).unwrap();
        let keys: Vec<_> = twice.iter().map(|(of, _)| of.clone()).collect();
        assert_eq!(keys, [of(1, "z"), of(2, "a"), of(2, "b")]);
        let total = twice.total().unwrap();
        assert_eq!(
            (total.worked.shares, total.worked.units),
            (4, Units::from_raw(20))
        );
        // Each was active in one minute, twice the same.
        assert_eq!(total.worked.active_minutes, 2);
        assert_eq!(total.rejected, [2, 4, 6, 8, 10, 12]);
        assert_eq!((twice.len(), twice.is_empty()), (3, false));
    }
}
