//! The work of a stretch of time, for each hotkey and worker.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::miners::Bindings;
use dwarves_domain::statements::{WorkOfAll, Worked};
use dwarves_domain::time::Timestamp;

/// A half-open stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment behind it.
    pub end: Timestamp,
}

impl Range {
    /// Its length in seconds, at least one.
    pub fn secs(&self) -> f64 {
        let secs = self.end.since(self.start).millis() as f64 / 1_000.0;
        secs.max(1.0)
    }
}

/// What the workers of hotkeys did in a time, by hotkey and by the worker's name. Work of accounts without a hotkey is left
/// out: no validator knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkOfHotkeys(pub BTreeMap<(Hotkey, String), Worked>);

impl WorkOfHotkeys {
    /// The work of all accounts, given to whose it is. A worker of a payout address is named by what is left of its name
    /// without the hotkey in it.
    pub(crate) fn of(all: &WorkOfAll, bindings: &Bindings) -> Option<Self> {
        let mut sums: BTreeMap<(Hotkey, String), Worked> = BTreeMap::new();
        for ((account, worker), work) in all.iter() {
            let Some(hotkey) = bindings.whose(account, worker) else {
                continue;
            };
            let name = match hotkey == *account {
                true => worker.to_string(),
                false => rest_of(worker.as_str(), &hotkey),
            };
            add(&mut sums, (hotkey, name), &work.worked)?;
        }
        Some(Self(sums))
    }

    /// What each hotkey did, over all of its workers. Minutes in which several were active count once for each.
    pub fn by_hotkey(&self) -> Option<BTreeMap<Hotkey, Worked>> {
        let mut sums = BTreeMap::new();
        for ((hotkey, _), work) in &self.0 {
            add(&mut sums, *hotkey, work)?;
        }
        Some(sums)
    }

    /// The same with other names of workers; those that become one are added up.
    pub fn renamed(&self, rename: impl Fn(&str) -> String) -> Option<Self> {
        let mut sums = BTreeMap::new();
        for ((hotkey, worker), work) in &self.0 {
            add(&mut sums, (*hotkey, rename(worker)), work)?;
        }
        Some(Self(sums))
    }
}

/// Adds work that is not behind, but beside what is there.
fn add<K: Ord>(sums: &mut BTreeMap<K, Worked>, key: K, work: &Worked) -> Option<()> {
    let sum = sums.entry(key).or_default();
    *sum = sum.beside(work)?;
    Some(())
}

/// What is left of a worker's name without the part that stands for a hotkey.
fn rest_of(worker: &str, hotkey: &Hotkey) -> String {
    let (whole, suffix) = (
        hotkey.to_string(),
        dwarves_domain::miners::Suffix::of(hotkey).to_string(),
    );
    let parts = worker.split(['.', '_']);
    let rest: Vec<&str> = parts.filter(|part| *part != whole && *part != suffix).collect();
    match rest.is_empty() {
        true => "default".to_owned(),
        false => rest.join("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_domain::ids::WorkerName;
    use dwarves_domain::miners::Suffix;
    use dwarves_domain::target::CompactTarget;
    use dwarves_domain::units::Units;
    use proptest::prelude::*;

    fn key(n: u8) -> Hotkey {
        Hotkey::from_bytes([n; 32])
    }

    fn worked(shares: u64) -> Worked {
        let bits = CompactTarget::from_bits(0x1d00_ffff);
        (0..shares).fold(Worked::default(), |sum, n| {
            let at = Timestamp::from_secs(i64::try_from(60 * n).unwrap());
            sum.with_share(bits, Units::from_raw(1), at).unwrap()
        })
    }

    fn name(text: &str) -> WorkerName {
        text.parse().unwrap()
    }

    #[test]
    fn rigs_and_addresses_of_one_hotkey_are_added_up_where_readers_would_overwrite() {
        let mut bindings = Bindings::default();
        bindings.note(key(1), Some("bc1".to_owned()), false);
        bindings.note(key(2), None, false);
        bindings.note(key(9), Some("bc1".to_owned()), true);
        let suffix = Suffix::of(&key(1)).to_string();
        let mut all = WorkOfAll::new();
        for (account, worker, shares) in [
            (1, "rig1".to_owned(), 1),
            (1, "rig2".to_owned(), 2),
            (9, suffix.clone(), 4),
            (9, format!("{suffix}.rig1"), 8),
            (9, "rig1".to_owned(), 16),
            (9, format!("rig2_{}", key(1)), 32),
            (2, "rig1".to_owned(), 64),
        ] {
            all.add_worked((key(account), name(&worker)), &worked(shares))
                .unwrap();
        }
        let of_hotkeys = WorkOfHotkeys::of(&all, &bindings).unwrap();
        let shares: Vec<_> = of_hotkeys
            .0
            .iter()
            .map(|((hotkey, worker), work)| (hotkey.as_bytes()[0], worker.as_str(), work.shares))
            .collect();
        assert_eq!(
            shares,
            [
                (1, "default", 4),
                (1, "rig1", 9),
                (1, "rig2", 34),
                (2, "rig1", 64)
            ]
        );
        let sums: Vec<_> = of_hotkeys
            .by_hotkey()
            .unwrap()
            .values()
            .map(|w| w.shares)
            .collect();
        assert_eq!(sums, [47, 64]);
        let renamed = of_hotkeys.renamed(|_| "one".to_owned()).unwrap();
        let sums: Vec<_> = renamed.0.values().map(|w| w.shares).collect();
        assert_eq!(sums, [47, 64]);
    }

    proptest! {
        /// Whatever names there are, nothing is added twice and nothing is lost but what is nobody's.
        #[test]
        fn the_sum_over_hotkeys_is_that_of_their_accounts(
            shares in proptest::collection::vec((1_u8..5, "[a-z._-]{1,6}", 1_u64..9), 0..20)
        ) {
            let mut bindings = Bindings::default();
            for n in 1..4 {
                bindings.note(key(n), None, false);
            }
            let mut all = WorkOfAll::new();
            let mut sum = 0;
            for (account, worker, shares) in shares {
                all.add_worked((key(account), name(&worker)), &worked(shares)).unwrap();
                sum += if account < 4 { shares } else { 0 };
            }
            let of_hotkeys = WorkOfHotkeys::of(&all, &bindings).unwrap();
            let total: u64 = of_hotkeys.0.values().map(|work| work.shares).sum();
            prop_assert_eq!(total, sum);
            let by_hotkey: u64 = of_hotkeys.by_hotkey().unwrap().values().map(|work| work.shares).sum();
            prop_assert_eq!(by_hotkey, sum);
        }
    }
}
