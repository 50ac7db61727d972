//! Who gains and who loses by the rule for the edges of a PPLNS window.
//!
//! Nine shares in ten are small (0.005 units), one is large (0.08 units), and a window is X = 1 unit. A fair
//! rule pays every unit the same, however large its share. This program sums the exact expectation over all
//! places of a seeded sequence of shares, each taken as the winner with a chance in proportion to its units,
//! and prints what a unit of either kind is paid against fair, and how much work a block pays for.
//!
//! Run it with `cargo run -p dwarves-domain --example window_edges`.

use dwarves_domain::rewards::pplns::Window;
use dwarves_domain::units::Units;

/// What the oldest share of a window counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oldest {
    /// All of it, and the block is divided by the work that counts.
    Whole,
    /// The part that lies inside.
    Cut,
    /// Nothing, and the block is divided by the work that counts.
    Dropped,
    /// As much as of the winner would lie inside in its place: Rosenfeld's form, divided by X.
    ByWinner,
}

/// Where a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Before the winning share.
    BeforeWinner,
    /// In the middle of the winning share: this project's rule.
    Middle,
    /// Behind the winning share.
    BehindWinner,
}

/// A rule for the edges of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    oldest: Oldest,
    end: End,
}

const RULES: [Rule; 8] = [
    rule(Oldest::Whole, End::BeforeWinner),
    rule(Oldest::Whole, End::BehindWinner),
    rule(Oldest::Cut, End::BehindWinner),
    rule(Oldest::Cut, End::BeforeWinner),
    rule(Oldest::Dropped, End::BehindWinner),
    rule(Oldest::Dropped, End::BeforeWinner),
    rule(Oldest::ByWinner, End::BeforeWinner),
    rule(Oldest::Cut, End::Middle),
];

const fn rule(oldest: Oldest, end: End) -> Rule {
    Rule { oldest, end }
}

/// What a rule does on average.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// What a unit in a small share is paid, against fair.
    small: f64,
    /// What a unit in a large share is paid, against fair.
    large: f64,
    /// The least and the most work that one block paid for, over X.
    paid: (f64, f64),
}

/// The window's size.
const SIZE: Units = Units::ONE;
/// The widths of small and large shares in units: 0.005 and 0.08.
const WIDTHS: [Units; 2] = [
    Units::from_raw(Units::ONE.raw() / 200),
    Units::from_raw(Units::ONE.raw() * 8 / 100),
];
/// No rule reaches further back from the winner's end: the window, and the winner before it.
const FURTHEST: Units = Units::from_raw(SIZE.raw() + WIDTHS[LARGE].raw());
/// Index of the two kinds of shares in [`WIDTHS`] and in sums.
const SMALL: usize = 0;
const LARGE: usize = 1;

/// A share's kind and its place on the line of all work.
#[derive(Clone, Copy, Debug)]
struct Share {
    kind: usize,
    before: Units,
}

impl Share {
    fn units(self) -> Units {
        WIDTHS[self.kind]
    }

    fn total(self) -> Units {
        plus(self.before, self.units())
    }
}

fn plus(a: Units, b: Units) -> Units {
    a.checked_add(b).expect("the line of this example is short")
}

/// Marsaglia's xorshift64: the same sequence on every machine.
fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// A lap of shares, one in ten of them large by chance.
fn kinds(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            if xorshift(&mut state).is_multiple_of(10) {
                LARGE
            } else {
                SMALL
            }
        })
        .collect()
}

/// How much of an older share or of the winner counts, in units.
fn counted(rule: Rule, share: Share, winner: Share) -> f64 {
    let end = match rule.end {
        End::Middle => {
            let window = Window::of_block(winner.before, winner.units(), SIZE).expect("the line is short");
            return window.overlap(share.before, share.units()) as f64 / (2 * Units::ONE.raw()) as f64;
        }
        End::BeforeWinner if share.before == winner.before => return 0.0,
        End::BeforeWinner => winner.before,
        End::BehindWinner => winner.total(),
    };
    // The work between the share and the window's end, and what that leaves of the window.
    let behind = end.saturating_sub(share.total());
    let room = SIZE.saturating_sub(behind);
    let whole = share.units().to_f64();
    match rule.oldest {
        // Shares are added until their sum passes X.
        Oldest::Whole if behind <= SIZE => whole,
        Oldest::Dropped if room >= share.units() => whole,
        Oldest::Whole | Oldest::Dropped => 0.0,
        Oldest::Cut => room.min(share.units()).to_f64(),
        // Rosenfeld's fraction (X - U + u1) / u1, where U is the work behind the share and the winner's u1.
        Oldest::ByWinner => whole * room.min(winner.units()).to_f64() / winner.units().to_f64(),
    }
}

/// What a rule does on average over all places of a circle of shares.
fn outcome(rule: Rule, lap: &[usize]) -> Outcome {
    // The lap's last shares come before its first ones, so that every window is full and every share is as often
    // in the middle of windows as any other.
    let lead_in = lap.len() / 8;
    let mut total = Units::ZERO;
    let mut line: Vec<Share> = Vec::new();
    for &kind in lap[lap.len() - lead_in..].iter().chain(lap) {
        line.push(Share { kind, before: total });
        total = plus(total, WIDTHS[kind]);
    }
    let large = lap.iter().filter(|&&kind| kind == LARGE).count() as f64;
    let counts = [lap.len() as f64 - large, large];
    let work = [SMALL, LARGE].map(|kind| counts[kind] * WIDTHS[kind].to_f64());

    let mut pay = [0.0; 2];
    let mut chances = 0.0;
    let mut paid = (f64::MAX, f64::MIN);
    for place in lead_in..line.len() {
        let winner = line[place];
        let mut counted_of = [0.0; 2];
        for &share in line[..=place].iter().rev() {
            if winner.total().saturating_sub(share.total()) > FURTHEST {
                break;
            }
            counted_of[share.kind] += counted(rule, share, winner);
        }
        let all = counted_of[SMALL] + counted_of[LARGE];
        let divisor = match rule.oldest {
            Oldest::Whole | Oldest::Dropped => all,
            Oldest::Cut | Oldest::ByWinner => SIZE.to_f64(),
        };
        let chance = winner.units().to_f64();
        chances += chance;
        for kind in [SMALL, LARGE] {
            pay[kind] += chance * counted_of[kind] / divisor;
        }
        let of_size = all / SIZE.to_f64();
        paid = (paid.0.min(of_size), paid.1.max(of_size));
    }
    let against_fair = |kind: usize| pay[kind] / chances / (work[kind] / (work[SMALL] + work[LARGE]));
    Outcome {
        small: against_fair(SMALL),
        large: against_fair(LARGE),
        paid,
    }
}

/// Every rule and what it does on average, over `count` winners.
fn table(count: usize, seed: u64) -> Vec<(Rule, Outcome)> {
    let lap = kinds(count, seed);
    RULES.map(|rule| (rule, outcome(rule, &lap))).to_vec()
}

fn main() {
    let (winners, seed) = (20_000, 0x9e37_79b9_7f4a_7c15);
    println!("{winners} winners, X = 1, small shares 0.005 units (90 %), large shares 0.08 units (10 %)\n");
    println!(
        "{:<10}{:<14}{:>8}{:>8}   paid units / X",
        "oldest", "window ends", "small", "large"
    );
    for (rule, outcome) in table(winners, seed) {
        println!(
            "{:<10}{:<14}{:>8.3}{:>8.3}   {:.3} to {:.3}",
            format!("{:?}", rule.oldest),
            format!("{:?}", rule.end),
            outcome.small,
            outcome.large,
            outcome.paid.0,
            outcome.paid.1,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small shares' pay, large shares' pay, least and most work paid for over X, one row a rule.
    const PUBLISHED: [[f64; 4]; 8] = [
        [1.001, 0.999, 1.005, 1.08],
        [0.954, 1.026, 1.005, 1.08],
        [0.976, 1.014, 1.0, 1.0],
        [1.024, 0.987, 1.0, 1.0],
        [1.000, 1.000, 0.925, 1.0],
        [1.049, 0.972, 0.925, 1.0],
        [1.000, 1.000, 0.96, 1.08],
        [1.000, 1.000, 1.0, 1.0],
    ];

    #[test]
    fn every_rule_favours_whom_it_is_known_to_favour() {
        for seed in [1, 0x0123_4567_89ab_cdef] {
            for ((rule, outcome), expected) in table(8_000, seed).into_iter().zip(PUBLISHED) {
                let got = [outcome.small, outcome.large, outcome.paid.0, outcome.paid.1];
                // Pay is known to three places, the ranges of what is paid to two.
                for (column, tolerance) in [0.003, 0.003, 0.006, 0.006].into_iter().enumerate() {
                    let (got, expected) = (got[column], expected[column]);
                    assert!(
                        (got - expected).abs() <= tolerance,
                        "{rule:?}, column {column}: {got} instead of {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_middle_of_the_winner_is_the_only_end_that_is_fair_and_always_pays_the_same_work() {
        let fair = |o: Outcome| (o.small - 1.0).abs() < 0.001 && (o.large - 1.0).abs() < 0.001;
        let constant = |o: Outcome| o.paid.1 - o.paid.0 < 1e-9;
        let both: Vec<Rule> = table(8_000, 77)
            .into_iter()
            .filter(|&(_, outcome)| fair(outcome) && constant(outcome))
            .map(|(rule, _)| rule)
            .collect();
        assert_eq!(both, [rule(Oldest::Cut, End::Middle)]);
    }
}
