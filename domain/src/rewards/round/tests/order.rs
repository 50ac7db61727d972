//! In which order a round names its blocks.

use super::*;

fn settled(number: u32, height: u32) -> SettledBlock {
    SettledBlock {
        hash: hash(number),
        height,
        fee: sats(1),
        kept: Amount::ZERO,
        credits: vec![Credit {
            hotkey: key(1),
            amount: sats(9),
        }],
    }
}

#[test]
fn a_round_names_blocks_by_height_and_hash_whatever_the_order_of_its_input() {
    let orphaned = |number, height| OrphanedBlock {
        settled: settled(number, height),
        was_mature: true,
    };
    let mut input = quiet(3, Scheme::Pplns, 0);
    input.matured = vec![settled(13, 8), settled(12, 9), settled(11, 8)];
    input.orphaned = vec![orphaned(22, 5), orphaned(21, 4)];
    input.returned = vec![orphaned(31, 7), orphaned(32, 6)];
    let round = close(&input).unwrap();
    assert_eq!(round.matured, [hash(11), hash(13), hash(12)]);
    assert_eq!(round.orphaned, [hash(21), hash(22)]);
    assert_eq!(round.returned, [hash(32), hash(31)]);
    input.matured.reverse();
    input.orphaned.reverse();
    input.returned.reverse();
    assert_eq!(close(&input).unwrap(), round, "with the same digest");
}
