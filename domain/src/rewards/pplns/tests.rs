use super::*;
use crate::hotkey::Hotkey;
use crate::rewards::weights::Weights;
use crate::target::{Difficulty, Target};
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

fn u(raw: u128) -> Units {
    Units::from_raw(raw)
}

fn key(byte: u8) -> Hotkey {
    Hotkey::from_bytes([byte; 32])
}

/// Shares laid one behind the other: (running total before, units).
fn line(lengths: &[u128]) -> Vec<(u128, u128)> {
    lengths
        .iter()
        .scan(0, |total, &length| {
            let before = *total;
            *total += length;
            Some((before, length))
        })
        .collect()
}

fn int(n: u128) -> BigRational {
    BigRational::from_integer(BigInt::from(n))
}

/// How much of a share lies in the window, in units' steps, by exact fractions.
fn oracle(share: (u128, u128), winner: (u128, u128), size: u128) -> BigRational {
    let middle = int(winner.0) + int(winner.1) / int(2);
    let start = (middle.clone() - int(size)).max(int(0));
    let (begin, end) = (int(share.0), int(share.0) + int(share.1));
    (end.min(middle) - begin.max(start)).max(int(0))
}

#[test]
fn the_winner_counts_half_and_the_oldest_share_with_its_part_inside() {
    // Shares of 4, 3 and 5 steps; the third wins. The middle lies at 9.5, the window's start at 3.5.
    let window = Window::of_block(u(7), u(5), u(6)).unwrap();
    assert_eq!(window.overlap(u(0), u(4)), 1, "half a step of the oldest");
    assert_eq!(window.overlap(u(4), u(3)), 6, "all of the second");
    assert_eq!(window.overlap(u(7), u(5)), 5, "half of the winner");
    assert_eq!(window.overlap(u(12), u(9)), 0, "nothing that came later");
    assert_eq!(window.length().half_steps(), 12);
}

#[test]
fn a_share_that_is_inside_by_half_a_step_is_in_the_range_that_a_store_reads() {
    // The middle of the winner lies at 7.5, the window's start at 3.5: the share from 0 to 4 is just inside.
    let window = Window::of_block(u(6), u(3), u(4)).unwrap();
    assert_eq!(window.overlap(u(0), u(4)), 1);
    assert!(window.first_total() < u(4));
    assert_eq!(window.overlap(u(0), u(3)), 0);
    assert!(window.first_total() >= u(3));
}

#[test]
fn a_winner_that_is_longer_than_the_window_is_paid_alone() {
    let window = Window::of_block(u(100), u(50), u(10)).unwrap();
    assert_eq!(window.overlap(u(0), u(100)), 0);
    assert_eq!(window.overlap(u(100), u(50)), 20);
}

#[test]
fn an_unfilled_window_holds_all_work_so_far() {
    let window = Window::of_block(u(6), u(2), u(1_000)).unwrap();
    assert_eq!(window.overlap(u(0), u(6)), 12);
    assert_eq!(window.overlap(u(6), u(2)), 2);
    assert_eq!(window.length().half_steps(), 14);
    assert_eq!(window.first_total(), Units::ZERO);
}

#[test]
fn an_unfilled_window_pays_the_whole_block_to_those_who_worked() {
    let window = Window::of_block(u(6), u(2), u(1_000)).unwrap();
    let weights = Weights::sum([
        (key(1), window.overlap(u(0), u(6))),
        (key(2), window.overlap(u(6), u(2))),
    ])
    .unwrap();
    let reward = crate::units::Amount::from_sats(1_400).unwrap();
    let paid: Vec<u64> = crate::rewards::split(reward, &weights)
        .iter()
        .map(|c| c.amount.sats())
        .collect();
    assert_eq!(paid, [1_200, 200]);
}

#[test]
fn performance_is_measured_up_to_now() {
    let window = Window::ending_now(u(12), u(6)).unwrap();
    assert_eq!(window.overlap(u(4), u(3)), 2);
    assert_eq!(window.overlap(u(7), u(5)), 10);
    assert_eq!(window.first_total(), u(6));
}

#[test]
fn what_does_not_fit_or_pays_nobody_is_refused() {
    let half = u128::MAX / 2;
    assert_eq!(Window::of_block(u(5), u(1), Units::ZERO), Err(WindowError::Empty));
    assert_eq!(
        Window::of_block(u(half + 1), u(1), u(1)),
        Err(WindowError::Overflow)
    );
    assert_eq!(Window::of_block(u(half), u(2), u(1)), Err(WindowError::Overflow));
    assert_eq!(Window::ending_now(u(u128::MAX), u(1)), Err(WindowError::Overflow));
    // The largest positions that fit are exact, and shares beyond them are outside.
    let last = Window::of_block(u(half), u(1), u(u128::MAX)).unwrap();
    assert_eq!(last.overlap(u(0), u(u128::MAX)), u128::MAX);
    assert_eq!(last.overlap(u(half), u(1)), 1);
    assert_eq!(last.overlap(u(half + 1), u(u128::MAX)), 0);
}

#[test]
fn a_retarget_in_the_middle_of_a_window_changes_nobodys_units() {
    let target = |difficulty: f64| Difficulty::from_f64(difficulty).unwrap().target();
    let easy: Target = target(1_000.0);
    let hard: Target = target(4_000.0);
    let share = target(10.0);
    // Three shares before the network became four times as hard, three after it; the last one wins.
    let lengths: Vec<u128> = [easy, easy, easy, hard, hard, hard]
        .map(|network| share.units(network).raw())
        .to_vec();
    let shares = line(&lengths);
    let winner = shares[5];
    let window = Window::of_block(u(winner.0), u(winner.1), Units::ONE).unwrap();
    let counted: Vec<u128> = shares.iter().map(|s| window.overlap(u(s.0), u(s.1))).collect();
    for (old, new) in [(0, 3), (1, 4)] {
        // Targets are whole numbers, so the fourfold holds to their precision.
        let ratio = counted[old] as f64 / counted[new] as f64;
        assert!((ratio - 4.0).abs() < 1e-9, "{ratio}");
        assert_eq!(counted[old], 2 * lengths[old]);
    }
    assert_eq!(counted[5], lengths[5], "the winner counts half");
}

fn any_lengths() -> impl Strategy<Value = Vec<u128>> {
    // One scale a line, so that shares also end just where windows begin.
    prop_oneof![
        prop::collection::vec(1u128..6, 1..40),
        prop::collection::vec(1u128..1_000, 1..40),
        prop::collection::vec(1u128..1 << 100, 1..40),
    ]
}

proptest! {
    #[test]
    fn every_share_counts_with_its_exact_part(
        lengths in any_lengths(), winner in 0usize..40, size in prop_oneof![1u128..20, 1u128..5_000, 1u128..1 << 104],
    ) {
        let shares = line(&lengths);
        let winner = shares[winner % shares.len()];
        let window = Window::of_block(u(winner.0), u(winner.1), u(size)).unwrap();
        for &share in &shares {
            let counted = window.overlap(u(share.0), u(share.1));
            prop_assert_eq!(int(counted) / int(2), oracle(share, winner, size));
            // The range that a store reads has every share of the window and none that is outside.
            let in_range = u(share.0 + share.1) > window.first_total() && u(share.0) < window.last_total();
            prop_assert_eq!(in_range, counted > 0);
        }
    }

    #[test]
    fn a_window_gives_out_its_size_exactly_once_there_is_that_much_work(
        lengths in any_lengths(), winner in 0usize..40, size in prop_oneof![1u128..20, 1u128..5_000],
    ) {
        let shares = line(&lengths);
        let winner = shares[winner % shares.len()];
        let window = Window::of_block(u(winner.0), u(winner.1), u(size)).unwrap();
        let counted: u128 = shares.iter().map(|s| window.overlap(u(s.0), u(s.1))).sum();
        prop_assert_eq!(counted, window.length().half_steps());
        prop_assert_eq!(counted, (2 * size).min(2 * winner.0 + winner.1));
    }

    #[test]
    fn consecutive_windows_share_out_the_line_without_gap_or_overlap(
        lengths in any_lengths(), cuts in prop::collection::btree_set(1u128..1 << 70, 1..10),
    ) {
        // Windows that end at one another's starts pay every share for its whole length together.
        let shares = line(&lengths);
        let total: u128 = lengths.iter().sum();
        let mut ends: Vec<u128> = cuts.into_iter().map(|cut| 1 + cut % total).collect();
        ends.push(total);
        ends.sort_unstable();
        ends.dedup();
        let mut start = 0;
        let windows: Vec<Window> = ends.iter().map(|&end| {
            let window = Window::ending_now(u(end), u(end - start)).unwrap();
            start = end;
            window
        }).collect();
        for share in &shares {
            let counted: u128 = windows.iter().map(|w| w.overlap(u(share.0), u(share.1))).sum();
            prop_assert_eq!(counted, 2 * share.1);
        }
    }

    /// A share wins with a chance in proportion to its units. Shares lie on a circle here, so that every window
    /// is full. For one window size the far end may favour a share that happens to begin just there; over all
    /// sizes of one lap that cancels exactly, and then every share, small or large, is paid exactly in
    /// proportion to its units.
    #[test]
    fn every_unit_is_paid_the_same_on_average_whatever_the_size_of_its_share(
        lap in prop::collection::vec(1u128..9, 1..7), smallest in 1u128..40,
    ) {
        let circumference: u128 = lap.iter().sum();
        let largest = smallest + circumference - 1;
        let laps = usize::try_from(largest / circumference).unwrap() + 2;
        let shares = line(&lap.repeat(laps));
        let mut paid = vec![0u128; lap.len()];
        for size in smallest..=largest {
            for &(before, length) in &shares[shares.len() - lap.len()..] {
                let window = Window::of_block(u(before), u(length), u(size)).unwrap();
                prop_assert_eq!(window.length().half_steps(), 2 * size);
                for (index, share) in shares.iter().enumerate() {
                    paid[index % lap.len()] += length * window.overlap(u(share.0), u(share.1));
                }
            }
        }
        let sizes: u128 = (smallest..=largest).sum();
        for (index, &length) in lap.iter().enumerate() {
            prop_assert_eq!(paid[index], 2 * length * sizes);
        }
    }
}
