//! What was mined in steps of history as one blob: of all workers in a minute, or of a worker in the minutes of an hour,
//! the hours of a day, the days of 32.
//!
//! Shares of one difficulty on templates of one difficulty are worth the same, and a worker's usually are. So what a step
//! came to is how many shares there were of which terms: nothing is rounded, and a step of a steady worker is a byte.
//! Only what has more than [`TERMS_MAX`] terms is summed, with hashes as floats.
//!
//! Numbers are of any size, 7 bits a byte, as in `packed_money`; what is marked so is little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | [`FORMAT`] |
//! | a number | how many terms there are |
//! | each terms | the share target, compact (4, little-endian); a share's work, steps (a number) |
//! | each step, one behind the other | as below |
//!
//! A step is known by a number: the worker's, or its place in the row. Steps go up. The first number of one is
//!
//! - odd: its place is the one behind the step before (for the first: 0), all its shares have the terms that the step before
//!   ended with (for the first: number 0), and half of the number, rounded down, is how many there are;
//! - even: half of it is 4 times the number of its terms, and 1 more if there is a sum, and 2 more if shares were rejected.
//!   Then come how far it is behind the step before (for the first: behind -1), less 1; of each terms their number and how
//!   many shares, in the order in which the last of them came; the sum: shares, work in steps, hashes and their squares (8
//!   each, little-endian floats); rejected shares by reason, six numbers.

use std::collections::BTreeMap;

use dwarves_domain::history::Sums;
use dwarves_domain::share::Rejection;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::Units;

use super::error::{Fail, Outcome, corrupt};
use super::packed_money::{push, take, take_u64};

/// The first byte: another form will have another.
const FORMAT: u8 = 1;
/// Terms of which a step keeps count one by one.
const TERMS_MAX: usize = 12;

const REASONS: usize = Rejection::REASONS.len();

/// What a share is worth: its target and its work.
pub(super) type Worth = (CompactTarget, Units);

/// What one step of one worker came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// How many shares of each worth, in the order in which the last of each came.
    runs: Vec<(Worth, u64)>,
    /// Accepted shares whose worth is only known together.
    sum: Sums,
    rejected: [u64; REASONS],
}

impl Tally {
    /// What comes to these sums, with the target of the last share. If all shares may have been worth the same, they were.
    pub(super) fn of(sums: &Sums, last_bits: Option<CompactTarget>) -> Self {
        let mut tally = Self {
            rejected: sums.rejected,
            ..Self::default()
        };
        if sums.accepted == 0 {
            return tally;
        }
        if let Some(bits) = last_bits {
            let each = Units::from_raw(sums.units.raw() / u128::from(sums.accepted));
            tally.runs.push(((bits, each), sums.accepted));
            if tally.sums() == *sums {
                return tally;
            }
            // Of the last one the target is known, and what it counts for is in the sum.
            tally.runs = vec![((bits, Units::ZERO), 0)];
        }
        tally.sum = Sums {
            rejected: [0; REASONS],
            ..*sums
        };
        tally
    }

    /// Notes shares that came after all others.
    pub(super) fn add_shares(&mut self, worth: Worth, count: u64) {
        let before = match self.runs.iter().rposition(|(known, _)| *known == worth) {
            Some(last) if last + 1 == self.runs.len() => {
                self.runs[last].1 += count;
                return;
            }
            Some(at) => self.runs.remove(at).1,
            None if self.runs.len() == TERMS_MAX => {
                for ((bits, units), count) in self.runs.drain(..TERMS_MAX / 2) {
                    self.sum.add_shares(bits, units, count);
                }
                0
            }
            None => 0,
        };
        self.runs.push((worth, before + count));
    }

    /// Notes rejected shares.
    pub(super) fn add_rejected(&mut self, rejected: &[u64; REASONS]) {
        for (sum, n) in self.rejected.iter_mut().zip(rejected) {
            *sum += n;
        }
    }

    /// Adds a later one.
    pub(super) fn add(&mut self, later: &Self) {
        self.sum.add(&later.sum);
        for (worth, count) in &later.runs {
            self.add_shares(*worth, *count);
        }
        self.add_rejected(&later.rejected);
    }

    /// What all of it comes to.
    pub(super) fn sums(&self) -> Sums {
        let mut sums = self.sum;
        for ((bits, units), count) in &self.runs {
            sums.add_shares(*bits, *units, *count);
        }
        sums.rejected = self.rejected;
        sums
    }

    /// The target of the last share.
    pub(super) fn last_bits(&self) -> Option<CompactTarget> {
        self.runs.last().map(|((bits, _), _)| *bits)
    }

    /// All of it in two parts: how many shares of each worth there were, and what all others came to, accepted shares of
    /// which only the sum is known, and rejected ones.
    pub(super) fn parts(&self) -> (&[(Worth, u64)], Sums) {
        let rest = Sums {
            rejected: self.rejected,
            ..self.sum
        };
        (&self.runs, rest)
    }

    /// Whether a share was accepted.
    pub(super) fn has_accepted(&self) -> bool {
        // The last one's worth is always known.
        !self.runs.is_empty()
    }

    fn has_rejected(&self) -> bool {
        self.rejected != [0; REASONS]
    }
}

/// Steps by their numbers.
pub(super) type Steps = BTreeMap<u64, Tally>;

/// The blob of these steps.
pub(super) fn pack(steps: &Steps) -> Vec<u8> {
    let mut numbers: BTreeMap<(u32, u128), usize> = BTreeMap::new();
    let mut terms = Vec::new();
    let key = |(bits, units): &Worth| (bits.bits(), units.raw());
    for (worth, _) in steps.values().flat_map(|tally| &tally.runs) {
        numbers.entry(key(worth)).or_insert_with(|| {
            terms.push(*worth);
            terms.len() - 1
        });
    }
    let mut blob = vec![FORMAT];
    push(&mut blob, terms.len() as u128);
    for (bits, units) in &terms {
        blob.extend(bits.bits().to_le_bytes());
        push(&mut blob, units.raw());
    }
    let (mut next, mut terms_before) = (0, 0);
    for (number, tally) in steps {
        let has_sum = tally.sum.accepted > 0;
        let number_of = |worth| numbers[&key(worth)];
        match tally.runs.as_slice() {
            [(worth, count)]
                if *number == next
                    && number_of(worth) == terms_before
                    && !has_sum
                    && !tally.has_rejected() =>
            {
                push(&mut blob, u128::from(*count) << 1 | 1);
            }
            runs => {
                let parts = u128::from(has_sum) | u128::from(tally.has_rejected()) << 1;
                push(&mut blob, ((runs.len() as u128) << 2 | parts) << 1);
                push(&mut blob, u128::from(*number - next));
                for (worth, count) in runs {
                    terms_before = number_of(worth);
                    push(&mut blob, terms_before as u128);
                    push(&mut blob, u128::from(*count));
                }
                if has_sum {
                    push(&mut blob, u128::from(tally.sum.accepted));
                    push(&mut blob, tally.sum.units.raw());
                    blob.extend(tally.sum.hashes.to_le_bytes());
                    blob.extend(tally.sum.squares.to_le_bytes());
                }
                if tally.has_rejected() {
                    for count in tally.rejected {
                        push(&mut blob, u128::from(count));
                    }
                }
            }
        }
        next = number + 1;
    }
    blob
}

/// Shows every step of a blob, in order.
pub(super) fn each(blob: &[u8], mut show: impl FnMut(u64, &Tally)) -> Outcome<()> {
    read(blob, &mut show).ok_or_else(malformed)
}

/// All steps of a blob.
pub(super) fn unpack(blob: &[u8]) -> Outcome<Steps> {
    let mut steps = Steps::new();
    each(blob, |number, tally| {
        steps.insert(number, tally.clone());
    })?;
    Ok(steps)
}

fn read(mut blob: &[u8], show: &mut impl FnMut(u64, &Tally)) -> Option<()> {
    let blob = &mut blob;
    let (format, rest) = blob.split_first()?;
    *blob = rest;
    if *format != FORMAT {
        return None;
    }
    let mut terms: Vec<Worth> = Vec::new();
    for _ in 0..take_u64(blob)? {
        let bits = u32::from_le_bytes(take_bytes(blob)?);
        terms.push((CompactTarget::from_bits(bits), Units::from_raw(take(blob)?)));
    }
    let (mut next, mut terms_before) = (0_u64, 0);
    let mut tally = Tally::default();
    while !blob.is_empty() {
        tally.runs.clear();
        tally.sum = Sums::default();
        tally.rejected = [0; REASONS];
        let head = take_u64(blob)?;
        if head & 1 == 1 {
            tally.runs.push((*terms.get(terms_before)?, head >> 1));
        } else {
            let parts = head >> 1;
            next = next.checked_add(take_u64(blob)?)?;
            for _ in 0..parts >> 2 {
                terms_before = usize::try_from(take_u64(blob)?).ok()?;
                tally.runs.push((*terms.get(terms_before)?, take_u64(blob)?));
            }
            if parts & 1 != 0 {
                tally.sum.accepted = take_u64(blob)?;
                tally.sum.units = Units::from_raw(take(blob)?);
                tally.sum.hashes = f64::from_le_bytes(take_bytes(blob)?);
                tally.sum.squares = f64::from_le_bytes(take_bytes(blob)?);
            }
            if parts & 2 != 0 {
                for count in &mut tally.rejected {
                    *count = take_u64(blob)?;
                }
            }
        }
        show(next, &tally);
        next = next.checked_add(1)?;
    }
    Some(())
}

fn take_bytes<const N: usize>(blob: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = blob.split_first_chunk()?;
    *blob = rest;
    Some(*bytes)
}

fn malformed() -> Fail {
    corrupt("steps of history must be packed")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn worth(n: u32) -> Worth {
        (
            CompactTarget::from_bits(0x1d00_0001 + n),
            Units::from_raw(10_u128.pow(22) + u128::from(n)),
        )
    }

    fn tally() -> impl Strategy<Value = Tally> {
        let shares = proptest::collection::vec((0..20_u32, 1..300_u64), 0..20);
        let rejected =
            prop_oneof![3 => Just([0; REASONS]), 1 => any::<[u16; REASONS]>().prop_map(|n| n.map(u64::from))];
        (shares, rejected).prop_map(|(shares, rejected)| {
            let mut tally = Tally::default();
            for (terms, count) in shares {
                tally.add_shares(worth(terms), count);
            }
            tally.add_rejected(&rejected);
            tally
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(
            steps in proptest::collection::btree_map(prop_oneof![0..70_u64, 0..u64::MAX], tally(), 0..30),
        ) {
            let blob = pack(&steps);
            prop_assert_eq!(unpack(&blob).ok(), Some(steps.clone()));
            if !steps.is_empty() {
                // Cut anywhere it is an error or fewer steps, and never anything else.
                for cut in 0..blob.len() {
                    prop_assert_ne!(unpack(&blob[..cut]).ok(), Some(steps.clone()));
                }
            }
        }

        #[test]
        fn what_only_its_sums_are_known_of_keeps_them_to_the_last_bit(known in tally(), later in tally()) {
            let made = Tally::of(&known.sums(), known.last_bits());
            prop_assert_eq!(made.sums(), known.sums());
            prop_assert_eq!(made.last_bits(), known.last_bits());
            prop_assert_eq!(made.has_accepted(), known.has_accepted());
            let steps = Steps::from([(3, made.clone())]);
            prop_assert_eq!(unpack(&pack(&steps)).ok(), Some(steps));
            // It goes on like any other.
            let mut sum = made;
            sum.add(&later);
            prop_assert_eq!(sum.sums().accepted, known.sums().accepted + later.sums().accepted);
            prop_assert_eq!(sum.last_bits(), later.last_bits().or(known.last_bits()));
        }

        #[test]
        fn bytes_that_anybody_wrote_are_steps_or_an_error(blob in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _either = unpack(&blob);
        }

        #[test]
        fn no_share_gets_lost_however_many_terms_there_are(shares in proptest::collection::vec((0..40_u32, 1..9_u64), 1..80)) {
            let (mut tally, mut exact) = (Tally::default(), Sums::default());
            for (terms, count) in &shares {
                tally.add_shares(worth(*terms), *count);
                exact.add_shares(worth(*terms).0, worth(*terms).1, *count);
            }
            let sums = tally.sums();
            prop_assert_eq!((sums.accepted, sums.units), (exact.accepted, exact.units));
            prop_assert!((sums.hashes / exact.hashes - 1.0).abs() < 1e-9);
            prop_assert!((sums.squares / exact.squares - 1.0).abs() < 1e-9);
            prop_assert_eq!(tally.last_bits(), shares.last().map(|(terms, _)| worth(*terms).0));
            prop_assert!(tally.runs.len() <= TERMS_MAX);
        }
    }

    #[test]
    fn the_form_stays_what_it_is() {
        let mut steps = Steps::new();
        let small = (CompactTarget::from_bits(0x1d00_ffff), Units::from_raw(300));
        for (number, count) in [(0, 5), (1, 6), (3, 70)] {
            steps.entry(number).or_default().add_shares(small, count);
        }
        steps.entry(4).or_default().add_rejected(&[1, 0, 0, 0, 0, 2]);
        let expected = [
            1, 1, 0xff, 0xff, 0x00, 0x1d, 0xac, 0x02, // one terms
            11, 13, // five and six shares of it
            8, 1, 0, 70, // one place further: one terms, number 0, 70 shares
            4, 0, 1, 0, 0, 0, 0, 2, // rejected ones alone
        ];
        assert_eq!(pack(&steps), expected);
    }
}
