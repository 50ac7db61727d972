use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::fingerprint::FingerprintKey;
use super::*;
use crate::ids::HeaderHash;

const SEED: u128 = 0x6a09_e667_bb67_ae85_3c6e_f372_a54f_f53a;

fn header(n: u32) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    FingerprintKey::new(SEED).of(&HeaderHash::from_bytes(bytes))
}

/// Every header is at its own place or behind it, in order, with none free between the two.
fn check(headers: &Headers) {
    let mut len = 0;
    let mut last = None;
    for piece in &headers.pieces {
        let own = piece.own as usize;
        assert!(piece.places.len() >= own && piece.taken as usize <= own / 8 * 7);
        let mut free_from = 0;
        let mut taken = 0;
        for at in 0..piece.places.len() {
            let header = piece.places[at].header;
            if header == Fingerprint::NONE {
                free_from = at + 1;
                continue;
            }
            let own = piece.own_of(at, headers.bits);
            assert!((free_from..=at).contains(&own), "{own} is not {free_from}..={at}");
            assert!(last < Some(header));
            last = Some(header);
            taken += 1;
        }
        assert_eq!(taken, piece.taken);
        len += taken as usize;
    }
    assert_eq!(len, headers.len());
}

#[test]
fn a_table_has_as_many_pieces_as_its_room_asks_for() {
    for (capacity, bits) in [
        (0, 0),
        (1, 0),
        (OF_ONE_PIECE, 0),
        (OF_ONE_PIECE + 1, 1),
        (2_000_000, 7),
        (5_000_000, 9),
        (usize::MAX / 2, PIECES_BITS_MAX),
        (usize::MAX, PIECES_BITS_MAX),
    ] {
        assert_eq!(Headers::new(capacity).bits, bits, "{capacity}");
    }
}

/// From the first header to more than there were to be, never more than one piece is moved at once, and what is
/// taken of memory stays within a third of what the headers themselves are.
#[test]
fn it_grows_a_piece_at_a_time_and_wastes_little() {
    let mut headers = Headers::new(4 * OF_ONE_PIECE);
    let of_one = |piece: &Piece| (piece.places.as_ptr(), piece.places.capacity());
    for n in 0..(6 * OF_ONE_PIECE) as u32 {
        let before: Vec<_> = headers.pieces.iter().map(of_one).collect();
        headers.insert(header(n));
        let after: Vec<_> = headers.pieces.iter().map(of_one).collect();
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before != after);
        assert!(moved.count() <= 1);
        if n > 1_000 {
            let places: usize = headers.pieces.iter().map(|piece| piece.places.capacity()).sum();
            assert!(places * 3 <= headers.len() * 4 + 300, "{places} of {n}");
        }
    }
    check(&headers);
    let of_header = size_of::<Place>();
    assert_eq!(of_header, 24);
}

/// Fingerprints that nobody can bring about: all of them want few places, the first ones and the last.
fn crowded() -> impl Strategy<Value = Fingerprint> {
    (0u32..4, 0u128..40).prop_map(|(which, n)| {
        let bits = match which {
            0 => n,
            1 => u128::MAX - 1 - n,
            2 => (1 << 127) - n,
            _ => n << 121,
        };
        Fingerprint::new(bits & !1)
    })
}

fn any_header() -> impl Strategy<Value = Fingerprint> {
    prop_oneof![crowded(), (0u32..200).prop_map(header)]
}

proptest! {
    /// Against a plain map, with as many pieces as may be.
    #[test]
    fn it_says_what_a_plain_map_says(
        capacity in prop_oneof![Just(0), Just(OF_ONE_PIECE * 8), Just(usize::MAX)],
        steps in proptest::collection::vec((0u8..6, any_header()), 0..400),
    ) {
        let mut headers = Headers::new(capacity);
        let mut plain: BTreeMap<Fingerprint, Seen> = BTreeMap::new();
        for (at, (step, header)) in steps.into_iter().enumerate() {
            prop_assert_eq!(headers.get(header), plain.get(&header).copied());
            match step {
                0..=2 => if !plain.contains_key(&header) {
                    headers.insert(header);
                    plain.insert(header, Seen::Pending);
                },
                3 => {
                    let sequence = Sequence::new(at as u64);
                    headers.set(header, sequence);
                    plain.entry(header).and_modify(|seen| *seen = Seen::Committed(sequence));
                }
                _ => prop_assert_eq!(headers.remove(header), plain.remove(&header).is_some()),
            }
            prop_assert_eq!(headers.len(), plain.len());
        }
        check(&headers);
        for (header, seen) in plain {
            prop_assert_eq!(headers.get(header), Some(seen));
        }
    }
}
