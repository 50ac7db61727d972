//! Blocks that are orphaned and come back.

use super::*;

#[test]
fn an_immature_orphan_is_the_exact_opposite_and_its_return_credits_again() {
    let mut input = quiet(1, Scheme::Pplns, 100);
    input.accepted = vec![block(7, 1_005, 1, &[(1, 30), (2, 10)])];
    let credited = close(&input).unwrap();
    let orphan = OrphanedBlock {
        settled: credited.blocks[0].clone(),
        was_mature: false,
    };
    let mut input = quiet(2, Scheme::Solo, 300);
    input.orphaned = vec![orphan.clone()];
    let orphaned = close(&input).unwrap();
    assert_eq!(orphaned.postings, credited.postings.reversed());
    assert_eq!(orphaned.reward, Amount::ZERO);
    let mut input = quiet(3, Scheme::Solo, 300);
    input.returned = vec![orphan];
    assert_eq!(close(&input).unwrap().postings, credited.postings);
}

#[test]
fn a_mature_orphan_is_the_reserves_loss_and_takes_nothing_from_miners() {
    let settled = SettledBlock {
        hash: hash(7),
        height: 7,
        fee: sats(10),
        kept: Amount::ZERO,
        credits: vec![Credit {
            hotkey: key(1),
            amount: sats(990),
        }],
    };
    let orphan = OrphanedBlock {
        settled,
        was_mature: true,
    };
    let mut input = quiet(2, Scheme::Pplns, 100);
    input.orphaned = vec![orphan.clone()];
    let lost = close(&input).unwrap();
    assert_eq!(
        lines(&lost),
        [(Account::Chain, 1_000), (Account::Reserve, -1_000)]
    );
    let mut input = quiet(3, Scheme::Pplns, 100);
    input.returned = vec![orphan];
    assert_eq!(close(&input).unwrap().postings, lost.postings.reversed());
}
