//! From which balance a miner is paid: to the sat, at every edge.

use super::*;

/// Rules with a dust limit of 546 sats, a rate of 10 sats a virtual byte and this cap on fees.
fn capped(payer: FeePayer, fee_max: u16, threshold_min: u64) -> PlanRules {
    let mut rules = rules(payer, 10);
    rules.terms.rate = FeeRate::new(10).unwrap();
    rules.terms.fee_max = BasisPoints::new(fee_max).unwrap();
    rules.threshold_min = sats(threshold_min);
    rules
}

#[test]
fn the_floor_leaves_no_dust_after_the_highest_fee_and_two_sats_for_rounding() {
    let floor = |payer, fee_max| capped(payer, fee_max, 0).floor().sats();
    for fee_max in [0, 500, 10_000] {
        assert_eq!(floor(FeePayer::Pool, fee_max), 546, "the miners bear nothing");
    }
    assert_eq!(floor(FeePayer::Miners, 0), 546 + 2);
    // 546 / 0.95 = 574.7.
    assert_eq!(floor(FeePayer::Miners, 500), 574 + 2);
    assert_eq!(floor(FeePayer::Miners, 5_000), 1_092 + 2);
    // Nothing is left of it, whatever it is: as if a ten-thousandth were.
    assert_eq!(floor(FeePayer::Miners, 9_999), 5_460_000 + 2);
    assert_eq!(floor(FeePayer::Miners, 10_000), 5_460_000 + 2);
    let mut beyond = capped(FeePayer::Miners, 10_000, 0);
    beyond.dust = Amount::MAX;
    assert_eq!(
        beyond.floor(),
        Amount::MAX,
        "nobody, if it is beyond every amount"
    );
}

#[test]
fn whoever_wants_the_least_pays_for_an_output_of_its_own() {
    let least = |fee_max, threshold_min| capped(FeePayer::Pool, fee_max, threshold_min).least().sats();
    // An output of 43 virtual bytes costs 430 sats.
    assert_eq!(least(10_000, 0), 546, "the floor, where the output costs less");
    assert_eq!(least(500, 0), 8_600);
    assert_eq!(least(501, 0), 8_583, "8,582.8");
    assert_eq!(least(1, 0), 4_300_000);
    assert_eq!(least(0, 0), 4_300_000, "as if a ten-thousandth were allowed");
    assert_eq!(least(500, 1), 546, "the operator's own, but no dust");
    assert_eq!(least(500, 547), 547);
    assert_eq!(
        capped(FeePayer::Miners, 500, 1).least(),
        sats(576),
        "no dust after the fee either"
    );
}

#[test]
fn a_miners_own_threshold_counts_from_the_least_up() {
    let of = |threshold_min, threshold, own: Option<u64>| {
        let mut rules = capped(FeePayer::Pool, 500, threshold_min);
        rules.threshold = sats(threshold);
        rules.threshold_of(own.map(sats)).sats()
    };
    for (threshold_min, threshold, own, expected) in [
        (0, 10_000, None, 10_000),
        (0, 5_000, None, 8_600),
        (1_000, 5_000, None, 5_000),
        (1_000, 600, None, 600),
        (1_000, 500, None, 546),
        (0, 10_000, Some(1), 8_600),
        (0, 10_000, Some(8_601), 8_601),
        (1_000, 10_000, Some(1), 1_000),
        (1_000, 10_000, Some(1_001), 1_001),
        (1_000, 10_000, Some(20_000), 20_000),
    ] {
        let found = of(threshold_min, threshold, own);
        assert_eq!(
            found, expected,
            "least {threshold_min}, pool's {threshold}, own {own:?}"
        );
    }
}

#[test]
fn a_balance_is_due_at_its_threshold_and_waits_a_sat_below() {
    for payer in [FeePayer::Pool, FeePayer::Miners] {
        let rules = rules(payer, 10);
        let planned = |payable, own: Option<u64>| {
            let miner = Payee {
                hotkey: key(1),
                payable: sats(payable),
                address: Some(ADDRESSES[0].to_owned()),
                threshold: own.map(sats),
            };
            plan(vec![miner], &rules, &plenty(&rules)).unwrap()
        };
        for (edge, own) in [(10_000, None), (1_000, Some(1)), (4_321, Some(4_321))] {
            assert_eq!(planned(edge, own).total, sats(edge));
            let below = planned(edge - 1, own);
            assert_eq!(below.held_for(WhyHeld::BelowThreshold).amount, sats(edge - 1));
            assert!(below.parts.is_empty() && below.waiting.is_empty());
        }
    }
}
