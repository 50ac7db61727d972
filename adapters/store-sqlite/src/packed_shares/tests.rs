//! What is packed comes out again, whatever it is; and what is no blob of shares is an error.

use dwarves_domain::ids::{HeaderHash, WorkerId};
use proptest::prelude::*;

use super::*;

/// Numbers of any size, often the same as others.
fn any_share() -> impl Strategy<Value = StoredShare> {
    let number = || prop_oneof![Just(0_u32), Just(u32::MAX), 0..3_u32, any::<u32>()];
    let units = prop_oneof![Just(0_u128), Just(u128::MAX), 1..3_u128, any::<u128>()];
    let time = prop_oneof![Just(i64::MIN), Just(i64::MAX), -2..2_i64, any::<i64>()];
    let terms = (number(), number(), units);
    let hash = prop_oneof![Just([0; 32]), any::<[u8; 32]>()];
    (
        terms,
        [number(), number(), number(), number()],
        any::<[u8; 12]>(),
        any::<bool>(),
        time,
        hash,
    )
        .prop_map(
            |((template, bits, units), [worker, version, time, nonce], extranonce, lacks_tail, at, hash)| {
                StoredShare {
                    terms: Terms {
                        template: TemplateId::new(template),
                        share_bits: CompactTarget::from_bits(bits),
                        units: Units::from_raw(units),
                    },
                    worker: WorkerId::new(worker),
                    extranonce,
                    lacks_tail,
                    version,
                    time,
                    nonce,
                    received_at: Timestamp::from_millis(at),
                    hash: HeaderHash::from_bytes(hash),
                }
            },
        )
}

fn unpack(blob: &[u8], committed_at: Timestamp) -> Option<Vec<StoredShare>> {
    let packed = PackedShares::open(blob, committed_at).ok()?;
    (0..packed.count())
        .map(|place| packed.share(place).ok())
        .collect()
}

proptest! {
    #[test]
    fn what_is_packed_comes_out_again(
        shares in proptest::collection::vec(any_share(), 1..=SHARES_PER_ROW),
        same in any::<bool>(),
        at in prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>()],
    ) {
        let mut shares = shares;
        if same {
            let first = shares[0];
            shares.fill(first);
        }
        let at = Timestamp::from_millis(at);
        let blob = pack(shares.iter().copied(), at);
        prop_assert_eq!(unpack(&blob, at), Some(shares.clone()));
        let packed = PackedShares::open(&blob, at).ok().unwrap();
        for from in [0, shares.len() - 1] {
            let mut worths = Vec::new();
            packed.each_worth(from, |worker, terms, at| worths.push((worker, *terms, at))).ok().unwrap();
            let expected: Vec<_> = shares[from..].iter().map(|s| (s.worker, s.terms, s.received_at)).collect();
            prop_assert_eq!(worths, expected);
        }
        // Whatever is cut off is missed, and whatever is behind is too much.
        for end in 0..blob.len() {
            prop_assert_eq!(unpack(&blob[..end], at), None);
        }
        let longer = [blob.as_slice(), &[0]].concat();
        prop_assert_eq!(unpack(&longer, at), None);
    }

    #[test]
    fn bytes_that_anybody_wrote_are_shares_or_an_error(
        blob in proptest::collection::vec(any::<u8>(), 0..300),
        shares in proptest::collection::vec(any_share(), 1..=SHARES_PER_ROW),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let at = Timestamp::EPOCH;
        let mut begun = blob.clone();
        begun.insert(0, FORMAT);
        unpack(&begun, at);
        unpack(&blob, at);
        let mut changed = pack(shares.into_iter(), at);
        for (place, byte) in flips {
            let place = place.index(changed.len());
            changed[place] ^= byte;
        }
        unpack(&changed, at);
    }
}

/// The form is what is written down: another program may read it.
#[test]
fn the_form_stays_what_it_is() {
    let mut hash = [0; 32];
    hash[..3].copy_from_slice(&[0xa1, 0xa2, 0xa3]);
    let share = |worker, nonce, units| StoredShare {
        terms: Terms {
            template: TemplateId::new(300),
            share_bits: CompactTarget::from_bits(0x1a00_ffff),
            units: Units::from_raw(units),
        },
        worker: WorkerId::new(worker),
        extranonce: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        lacks_tail: false,
        version: 0x2000_0000,
        time: 0x6543_2100,
        nonce,
        received_at: Timestamp::from_millis(994),
        hash: HeaderHash::from_bytes(hash),
    };
    let blob = pack(
        [share(5, 7, 0x0102), share(6, 7, 3)].into_iter(),
        Timestamp::from_millis(1_000),
    );
    let mut expected = vec![1, 2, 2];
    expected.extend([0xac, 0x02, 0xff, 0xff, 0x00, 0x1a, 2, 1, 2]);
    expected.extend([0xac, 0x02, 0xff, 0xff, 0x00, 0x1a, 1, 3]);
    // Up to the number of the terms; the worker's lower byte and that number differ.
    expected.push(56);
    expected.extend([0, 0, 0, 0, 0, 0, 0b1000_1000]);
    expected.extend(&hash[..27]);
    expected.extend(1..=12);
    expected.extend([7, 0, 0, 0, 0, 0, 0, 0x20, 0x00, 0x21, 0x43, 0x65, 0, 6, 0]);
    expected.extend([5, 0, 6, 1]);
    assert_eq!(blob, expected);
}
