use super::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

fn key(byte: u8) -> Hotkey {
    Hotkey::from_bytes([byte; 32])
}

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

fn bps(points: u16) -> BasisPoints {
    BasisPoints::new(points).unwrap()
}

fn share(byte: u8, units: &str, value: u64) -> ShareValue {
    ShareValue {
        hotkey: key(byte),
        units: units.parse().unwrap(),
        value: sats(value),
    }
}

fn credit(byte: u8, units: &str, amount: u64) -> RoundCredit {
    RoundCredit {
        hotkey: key(byte),
        units: HalfUnits::from_units(units.parse().unwrap()).unwrap(),
        amount: sats(amount),
    }
}

#[test]
fn each_share_is_paid_at_the_value_of_its_own_template() {
    let shares = [
        share(1, "0.5", 1_000),
        share(2, "0.25", 1_000),
        share(1, "0.5", 3_000),
    ];
    let pay = pay(&shares, bps(100), &BTreeMap::new()).unwrap();
    assert_eq!(pay.credits, [credit(1, "1", 1_980), credit(2, "0.25", 247)]);
    assert_eq!(pay.credited, sats(2_227));
    assert_eq!(pay.fee, sats(22));
    // 247.5 sats: half a sat is carried.
    assert_eq!(pay.carried, BTreeMap::from([(key(2), DENOMINATOR / 2)]));
}

#[test]
fn fpps_pays_transaction_fees_and_pps_does_not() {
    let (subsidy, fees) = (sats(312_500_000), sats(7));
    assert_eq!(unit_value(Scheme::Pps, subsidy, fees), Ok(subsidy));
    assert_eq!(unit_value(Scheme::Fpps, subsidy, fees), Ok(sats(312_500_007)));
    assert_eq!(
        unit_value(Scheme::Fpps, Amount::MAX, fees),
        Err(PpsError::Overflow)
    );
    for scheme in [Scheme::Pplns, Scheme::Proportional, Scheme::Solo] {
        assert_eq!(
            unit_value(scheme, subsidy, fees),
            Err(PpsError::NotPaidPerShare(scheme))
        );
    }
}

#[test]
fn a_carried_sat_is_refused_and_a_carried_remainder_waits_for_its_miner() {
    let whole = BTreeMap::from([(key(1), DENOMINATOR)]);
    assert_eq!(pay(&[], bps(0), &whole), Err(PpsError::Carried(key(1))));
    let rest = BTreeMap::from([(key(1), DENOMINATOR - 1)]);
    let idle = pay(&[], bps(0), &rest).unwrap();
    assert_eq!(idle.carried, rest);
    assert!(idle.credits.is_empty());
}

#[test]
fn work_worth_less_than_a_sat_is_shown_with_nothing_credited() {
    let pay = pay(&[share(1, "0.0001", 5_000)], bps(0), &BTreeMap::new()).unwrap();
    assert_eq!(pay.credits, [credit(1, "0.0001", 0)]);
    assert_eq!(pay.carried[&key(1)], DENOMINATOR / 2);
}

#[test]
fn what_is_worth_more_than_an_amount_is_refused() {
    let large = ShareValue {
        hotkey: key(1),
        units: Units::from_raw(u128::MAX / 2),
        value: Amount::MAX,
    };
    assert_eq!(pay(&[large], bps(0), &BTreeMap::new()), Err(PpsError::Overflow));
    let unit = |byte| share(byte, "1", Amount::MAX.sats());
    assert!(pay(&[unit(1)], bps(0), &BTreeMap::new()).is_ok());
    assert_eq!(
        pay(&[unit(1), unit(2)], bps(0), &BTreeMap::new()),
        Err(PpsError::Overflow)
    );
    // The whole fee is as much as the shares are worth.
    assert_eq!(
        pay(&[unit(1), unit(2)], bps(10_000), &BTreeMap::new()),
        Err(PpsError::Overflow)
    );
}

/// What a share is worth to its miner, as an exact fraction of sats.
fn exact(share: &ShareValue, fee: BasisPoints) -> BigRational {
    let kept = BasisPoints::WHOLE - fee.get();
    let numerator = BigInt::from(share.units.raw()) * BigInt::from(share.value.sats()) * BigInt::from(kept);
    BigRational::new(numerator, BigInt::from(DENOMINATOR))
}

fn any_share() -> impl Strategy<Value = ShareValue> {
    let units = prop_oneof![1u128..1_000, 1u128..1 << 70, 1..=Units::ONE.raw()];
    (0u8..4, units, 0u64..1 << 40).prop_map(|(byte, raw, value)| ShareValue {
        hotkey: key(byte),
        units: Units::from_raw(raw),
        value: sats(value),
    })
}

proptest! {
    #[test]
    fn over_many_rounds_a_miner_is_paid_the_exact_sum_rounded_down_once(
        rounds in prop::collection::vec((prop::collection::vec(any_share(), 0..8), 0u16..=10_000), 1..20),
    ) {
        let mut carried = BTreeMap::new();
        let mut paid: BTreeMap<Hotkey, u64> = BTreeMap::new();
        let mut owed: BTreeMap<Hotkey, BigRational> = BTreeMap::new();
        for (shares, points) in &rounds {
            let round = pay(shares, bps(*points), &carried).unwrap();
            for s in shares {
                *owed.entry(s.hotkey).or_insert_with(|| BigRational::from_integer(0.into())) += exact(s, bps(*points));
            }
            for c in &round.credits {
                *paid.entry(c.hotkey).or_insert(0) += c.amount.sats();
            }
            prop_assert_eq!(round.credited.sats(), round.credits.iter().map(|c| c.amount.sats()).sum::<u64>());
            carried = round.carried;
        }
        for (hotkey, owed) in &owed {
            prop_assert_eq!(BigInt::from(paid[hotkey]), owed.floor().to_integer());
            let rest = carried.get(hotkey).copied().unwrap_or(0);
            prop_assert_eq!(BigRational::new(rest.into(), DENOMINATOR.into()), owed.fract());
        }
    }

    #[test]
    fn the_order_of_shares_does_not_matter(shares in prop::collection::vec(any_share(), 0..12), turn in 0usize..12) {
        let mut turned = shares.clone();
        turned.rotate_left(turn % shares.len().max(1));
        turned.reverse();
        prop_assert_eq!(pay(&shares, bps(150), &BTreeMap::new()), pay(&turned, bps(150), &BTreeMap::new()));
    }
}
