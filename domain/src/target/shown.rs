//! Difficulties as people and miners read them: as short as they can be written and still mean the same target.
//!
//! The target that was issued is the truth. Its difficulty as a float is a hair off the number that somebody chose
//! (0.00000099999999999997 for 0.000001); a shorter number whose target is the very same says it better.

use super::{Difficulty, Target};

impl Difficulty {
    /// The shortest decimal that stands for the same issued target. For display and for telling miners.
    pub fn shown(self) -> f64 {
        let target = self.issued_target();
        shortest_decimal(self.to_f64(), |value| {
            Self::from_f64(value).is_some_and(|other| other.issued_target() == target)
        })
    }

    /// The target that is issued for this difficulty: one that the compact form holds.
    fn issued_target(self) -> Target {
        let exact = self.target();
        let below = exact.rounded_to_compact();
        // A difficulty that was read off such a target is rounded itself, and stands for that target.
        if below.difficulty() == self {
            return below;
        }
        exact.rounded_up_to_compact()
    }
}

/// The shortest decimal near `value` for which `is_same` holds; `value` itself if none does, or if it is a power of
/// two, which firmware reads best as it is.
pub fn shortest_decimal(value: f64, is_same: impl Fn(f64) -> bool) -> f64 {
    if value.log2().fract() == 0.0 {
        return value;
    }
    (0..17)
        .flat_map(|digits| decimals_near(value, digits))
        .find(|short| is_same(*short))
        .unwrap_or(value)
}

/// A number that nobody chose is shown to nine digits at least, so a neighbour has to be nearer than that.
const NEIGHBOURS_FROM: usize = 10;

/// The decimal with `digits` digits after the first that is nearest to `value`; from [`NEIGHBOURS_FROM`] digits on its
/// neighbours, too: `value` may stand at the very edge of what `is_same` takes, and be rounded out of it again and again.
fn decimals_near(value: f64, digits: usize) -> impl Iterator<Item = f64> {
    let nearest = format!("{value:.digits$e}");
    let parts = nearest.split_once('e').and_then(|(mantissa, exponent)| {
        let mantissa: i64 = mantissa.replace('.', "").parse().ok()?;
        let exponent: i64 = exponent.parse().ok()?;
        Some((mantissa, exponent - i64::try_from(digits).ok()?))
    });
    parts.into_iter().flat_map(move |(mantissa, exponent)| {
        let steps: &[i64] = if digits < NEIGHBOURS_FROM {
            &[0]
        } else {
            &[0, 1, -1]
        };
        steps
            .iter()
            .filter_map(move |by| format!("{}e{exponent}", mantissa + by).parse().ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn difficulty(value: f64) -> Difficulty {
        Difficulty::from_f64(value).unwrap()
    }

    #[test]
    fn the_neighbours_on_both_sides_are_tried() {
        let shortest = |from: f64, to: f64| shortest_decimal(1.9, |short| from < short && short < to);
        assert_eq!(shortest(1.5, 2.5), 2.0);
        assert_eq!(shortest(1.9, 1.9 + 2e-10), 1.900_000_000_1);
        assert_eq!(shortest(1.9 - 2e-10, 1.9), 1.899_999_999_9);
        // A neighbour to fewer digits would be too far off.
        assert_eq!(shortest(0.5, 1.5), 1.9);
    }

    #[test]
    fn what_was_chosen_is_shown_as_it_was_chosen() {
        for chosen in [
            0.000_001, 0.000_25, 0.1, 0.3, 0.002, 16.0, 1_000.0, 524_288.0, 1e12, 1_234.5,
        ] {
            let set = difficulty(chosen);
            assert_eq!(set.shown(), chosen);
            // As it is read off the target that was issued for it.
            let issued = set.target().rounded_up_to_compact().difficulty();
            assert_eq!(issued.shown(), chosen, "{chosen} as issued");
            assert!(set.shown().to_string().len() <= 13);
        }
    }

    #[test]
    fn a_difficulty_at_the_edge_of_its_target_is_shown_short() {
        // Every rounding of 2346564422331.4214 to fewer digits goes down, and out of what its target stands for.
        let issued = difficulty(2_346_564_691_396.949).target();
        let edge = issued.rounded_up_to_compact().difficulty();
        assert_eq!(edge.to_f64(), 2_346_564_422_331.421_4);
        assert_eq!(edge.shown(), 2_346_564_422_400.0);
    }

    #[test]
    fn powers_of_two_stay_as_they_are() {
        for exponent in -30..50 {
            let power = f64::from(exponent).exp2();
            assert_eq!(difficulty(power).shown(), power);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_stands_for_the_same_target(value in 1e-9..1e13_f64) {
            let issued = difficulty(value).target().rounded_up_to_compact();
            for shown in [difficulty(value).shown(), issued.difficulty().shown()] {
                prop_assert_eq!(difficulty(shown).target().rounded_up_to_compact(), issued);
                prop_assert!(shown.to_string().len() <= value.to_string().len().max(13));
            }
        }
    }
}
