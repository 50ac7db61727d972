//! What each scheme credits.

use super::*;

#[test]
fn solo_pays_the_finder_and_shows_the_finders_work() {
    let mut input = quiet(1, Scheme::Solo, 200);
    input.accepted = vec![block(7, 1_000, 2, &[(1, 30), (2, 10)])];
    let round = close(&input).unwrap();
    let expected = RoundCredit {
        hotkey: key(2),
        units: half(10),
        amount: sats(980),
    };
    assert_eq!(round.credits, [expected]);
    // A finder without recorded work is paid all the same.
    input.accepted = vec![block(7, 1_000, 3, &[(1, 30)])];
    let round = close(&input).unwrap();
    assert_eq!((round.credited, round.kept), (sats(980), Amount::ZERO));
    // A finder that nobody remembers cannot be paid: the reserve keeps it.
    input.accepted[0].finder = None;
    let round = close(&input).unwrap();
    assert_eq!((round.credited, round.kept), (Amount::ZERO, sats(980)));
    assert_eq!(round.credits, []);
}

#[test]
fn per_share_schemes_take_blocks_to_the_reserve_and_pay_work_from_it() {
    let mut input = quiet(1, Scheme::Pps, 200);
    input.accepted = vec![block(7, 5_000, 1, &[(1, 30)])];
    let work = |byte, units: &str| ShareValue {
        hotkey: key(byte),
        units: units.parse().unwrap(),
        value: sats(4_000),
    };
    input.shares = vec![work(1, "1"), work(2, "0.0005")];
    let round = close(&input).unwrap();
    assert_eq!(
        lines(&round),
        [
            (Account::Chain, -5_000),
            (Account::ReserveImmature, 5_000),
            (Account::Reserve, -3_921),
            (miner(1, Balance::Payable), 3_920),
            (miner(2, Balance::Payable), 1),
        ]
    );
    // The fee stays in the reserve and is shown.
    let sums = [round.reward, round.fee, round.kept, round.credited];
    assert_eq!(sums, [4_001, 80, 0, 3_921].map(sats));
    assert_eq!(round.carried[&key(2)], pps::DENOMINATOR / 100 * 96);

    let mut next = quiet(2, Scheme::Pplns, 200);
    next.matured = round.blocks;
    next.carried = round.carried.clone();
    let next = close(&next).unwrap();
    assert_eq!(
        lines(&next),
        [(Account::ReserveImmature, -5_000), (Account::Reserve, 5_000)]
    );
    assert_eq!(
        next.carried, round.carried,
        "another scheme carries on what is owed"
    );
}

#[test]
fn an_emission_is_payable_at_once_and_blocks_go_to_the_reserve() {
    let mut input = quiet(1, Scheme::Pplns, 100);
    input.source = Source::Emission;
    input.accepted = vec![block(7, 500, 1, &[(1, 30)])];
    let worked = Weights::sum([(key(1), 1), (key(2), 2)]).unwrap();
    input.emission = Some(Emission::of(sats(1_000), worked));
    let round = close(&input).unwrap();
    assert_eq!(
        lines(&round),
        [
            (Account::Chain, -500),
            (Account::Emission, -1_000),
            (Account::Fee, 10),
            (Account::ReserveImmature, 500),
            (miner(1, Balance::Payable), 330),
            (miner(2, Balance::Payable), 660),
        ]
    );
    assert_eq!(round.reward, sats(1_000));

    input.accepted.clear();
    // What nobody worked for is not issued, so there is nothing to take a fee of.
    let none = Emission::of(sats(1_000), Weights::new());
    input.emission = Some(none.clone());
    let unearned = close(&input).unwrap();
    assert!(lines(&unearned).is_empty());
    assert_eq!(unearned.reward, sats(0));
    assert_eq!(unearned.emitted.unwrap().carried, sats(1_000));
    input.emission = Some(Emission {
        unearned: Unearned::Burn,
        ..none.clone()
    });
    let burnt = close(&input).unwrap();
    assert!(lines(&burnt).is_empty());
    assert_eq!(burnt.emitted.unwrap().burnt, sats(1_000));
    assert_ne!(burnt.digest, unearned.digest);
    input.emission = Some(Emission {
        brought: sats(1_000),
        weights: Weights::sum([(key(1), 1)]).unwrap(),
        ..none
    });
    let earned = close(&input).unwrap();
    assert_eq!(
        lines(&earned),
        [
            (Account::Emission, -2_000),
            (Account::Fee, 20),
            (miner(1, Balance::Payable), 1_980)
        ]
    );
}

#[test]
fn evaluated_work_is_paid_from_emission_alone() {
    for scheme in Scheme::ALL
        .into_iter()
        .filter(|scheme| scheme.is_of_evaluated_work())
    {
        let mut input = quiet(1, scheme, 0);
        assert_eq!(close(&input), Err(RoundError::Evaluated));
        input.source = Source::Emission;
        let weights = Weights::sum([(key(1), 3), (key(2), 1)]).unwrap();
        input.emission = Some(Emission::of(sats(8), weights));
        assert_eq!(close(&input).unwrap().credited, sats(8));
    }
}
