//! What coins pay for, at every edge: sizes, change, caps.

use super::*;

/// A purse of these coins at a sat a virtual byte, of which a coin's input may cost all.
fn purse(values: &[u64], change_min: u64, vbytes_max: u64) -> Purse {
    let all = Funds {
        change_min: sats(change_min),
        ..funds(values)
    };
    let terms = FeeTerms {
        rate: FeeRate::new(1).unwrap(),
        fee_max: BasisPoints::new(BasisPoints::WHOLE).unwrap(),
        vbytes_max,
    };
    Purse::new(&all, terms)
}

/// So many outputs, of 40 virtual bytes in all.
fn outputs(count: u64) -> Outputs {
    Outputs { count, vbytes: 40 }
}

#[test]
fn from_the_253rd_input_or_output_on_a_count_takes_two_bytes_more() {
    let purse = purse(&[10_000; 300], 546, u64::MAX);
    // With the change there is an output more than are paid.
    for (inputs, count, long) in [
        (1, 1, 0),
        (252, 251, 0),
        (253, 251, 2),
        (254, 251, 2),
        (252, 252, 2),
        (252, 253, 2),
        (253, 252, 4),
    ] {
        let total = sats(inputs * 10_000 - 5_000);
        let price = purse
            .price(total, outputs(count), FeePayer::Miners, Amount::MAX)
            .unwrap();
        assert_eq!(price.inputs as u64, inputs);
        let vbytes = 11 + 68 * inputs + 40 + 31 + long;
        assert_eq!(price.vbytes, vbytes, "{inputs} inputs and {count} outputs");
        assert_eq!((price.fee, price.borne), (sats(vbytes), sats(vbytes)));
        assert_eq!(price.change, sats(5_000));
    }
}

#[test]
fn change_is_kept_from_the_least_on_and_left_to_the_network_below() {
    let purse = purse(&[100_000], 546, u64::MAX);
    let pay = |total| purse.price(sats(total), outputs(1), FeePayer::Pool, Amount::MAX);
    let (vbytes, fee) = (150, 150);
    for (change, fee, kept) in [(547, fee, 547), (546, fee, 546), (545, fee + 545, 0), (0, fee, 0)] {
        let price = pay(100_000 - 150 - change).unwrap();
        let found = (
            price.fee.sats(),
            price.change.sats(),
            price.borne.sats(),
            price.vbytes,
        );
        assert_eq!(found, (fee, kept, 0, vbytes), "of {change}");
    }
    let short = ChooseError::Short {
        needs: sats(100_001),
        has: sats(100_000),
    };
    assert_eq!(pay(100_000 - 150 + 1), Err(short));
}

#[test]
fn sixteen_coins_more_are_tried_so_that_change_is_worth_keeping() {
    // The large coin alone leaves 1,500 to the network. Each small one brings 10 more than its input costs.
    let mut coins = vec![100_000];
    coins.extend([78; 20]);
    let pay = |change_min, fee_max| {
        let total = sats(100_000 - 150 - 1_500);
        purse(&coins, change_min, u64::MAX).price(total, outputs(1), FeePayer::Pool, sats(fee_max))
    };
    let at_rate = 150 + 16 * 68;
    let price = pay(1_660, at_rate).unwrap();
    assert_eq!(
        (price.inputs, price.fee, price.change),
        (17, sats(at_rate), sats(1_660))
    );
    let too_dear = |at_most| {
        Err(ChooseError::TooDear {
            fee: sats(150 + 1_500),
            at_most: sats(at_most),
        })
    };
    assert_eq!(
        pay(1_660, at_rate - 1),
        too_dear(at_rate - 1),
        "the cap holds to the sat"
    );
    assert_eq!(
        pay(1_661, at_rate + 68),
        too_dear(at_rate + 68),
        "a seventeenth is not tried"
    );
    // Who may burn as much needs none of them.
    assert_eq!(pay(1_660, 1_650).unwrap().inputs, 1);
}

#[test]
fn a_transaction_may_be_as_large_as_it_may_be() {
    let two_inputs = 11 + 2 * 68 + 40 + 31;
    let total = sats(150_000);
    for (at_most, fits) in [(two_inputs, true), (two_inputs - 1, false)] {
        let purse = purse(&[100_000; 3], 546, at_most);
        let price = purse.price(total, outputs(1), FeePayer::Miners, Amount::MAX);
        let too_large = ChooseError::TooLarge {
            vbytes: two_inputs,
            at_most,
        };
        assert_eq!(
            price.map(|price| price.vbytes),
            if fits { Ok(two_inputs) } else { Err(too_large) }
        );
        let inputs = if fits { 2 } else { 1 };
        let fee = 11 + inputs * 68 + 40 + 31;
        let most = |payer| purse.most(outputs(1), payer);
        assert_eq!(most(FeePayer::Miners), (sats(inputs * 100_000), true));
        assert_eq!(most(FeePayer::Pool), (sats(inputs * 100_000 - fee), true));
    }
    let all = purse(&[100_000; 3], 546, two_inputs + 68);
    assert_eq!(all.most(outputs(1), FeePayer::Miners), (sats(300_000), false));
}

#[test]
fn a_coin_is_spent_if_its_input_costs_no_more_of_it_than_the_network_may_take() {
    let terms = FeeTerms {
        rate: FeeRate::new(1).unwrap(),
        fee_max: BasisPoints::new(500).unwrap(),
        vbytes_max: u64::MAX,
    };
    // Five percent of 1,360 are 68.
    let purse = Purse::new(&funds(&[1_359, 1_360, 1_361, 5]), terms);
    assert_eq!(purse.total(), sats(1_360 + 1_361));
    assert_eq!(purse.left_out(), (2, sats(1_359 + 5)));
}

#[test]
fn coins_beyond_every_amount_are_not_needed() {
    let purse = purse(&[Amount::MAX.sats(), Amount::MAX.sats(), 7], 546, u64::MAX);
    assert_eq!(purse.total(), Amount::MAX);
    assert_eq!(purse.most(outputs(1), FeePayer::Miners), (Amount::MAX, false));
    assert_eq!(
        purse.most(outputs(1), FeePayer::Pool),
        (sats(Amount::MAX.sats() - 150), false)
    );
}

#[test]
fn a_fee_may_take_all_and_not_a_sat_more() {
    let parts = vec![part(1, 100), part(2, 50)];
    let batch = PayoutBatch::new(parts, FeePayer::Miners, AddressFormat::BitcoinRegtest).unwrap();
    let nets = |fee| -> Vec<u64> {
        let parts = batch.parts_after(sats(fee)).unwrap();
        parts.iter().map(|part| part.net().sats()).collect()
    };
    assert_eq!(nets(0), [100, 50]);
    assert_eq!(nets(3), [98, 49]);
    assert_eq!(nets(150), [0, 0]);
    for fee in [151, 1_000] {
        let refused = PayoutBatchError::Fee {
            fee: sats(fee),
            total: sats(150),
        };
        assert_eq!(batch.parts_after(sats(fee)), Err(refused));
    }
}

#[test]
fn names_survive_storing_and_no_others_are_read() {
    for payer in [FeePayer::Pool, FeePayer::Miners] {
        assert_eq!(payer.to_string().parse(), Ok(payer));
    }
    assert_eq!(FeePayer::Pool.to_string(), "pool");
    assert!("miner".parse::<FeePayer>().is_err());
    for state in PayoutState::ALL {
        assert_eq!(state.to_string().parse(), Ok(state));
    }
    assert!("sent".parse::<PayoutState>().is_err());
    assert_eq!(FeeRate::new(0), None);
    assert_eq!(
        FeeRate::new(FeeRate::MAX).map(FeeRate::sats_per_vbyte),
        Some(10_000)
    );
    assert_eq!(FeeRate::new(FeeRate::MAX + 1), None);
    let names: BTreeSet<String> = WhyHeld::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), WhyHeld::ALL.len());
    assert!(names.contains("short_of_funds"));
}
