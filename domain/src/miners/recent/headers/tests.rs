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
        let places: Vec<Place> = piece.chunks.iter().flatten().copied().collect();
        assert!(places.len() >= own && piece.taken as usize <= own / 8 * 7);
        let full = piece.chunks.iter().rev().skip(1);
        assert!(
            full.clone().all(|chunk| chunk.len() == CHUNK),
            "only the last one is not full"
        );
        let mut free_from = 0;
        let mut taken = 0;
        for (at, place) in places.iter().enumerate() {
            let header = place.header;
            if header == Fingerprint::NONE {
                free_from = at + 1;
                continue;
            }
            let own = Piece::own_place(header.high << headers.bits, piece.own);
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
        (2_000_000, 6),
        (5_000_000, 8),
        (usize::MAX / 2, PIECES_BITS_MAX),
        (usize::MAX, PIECES_BITS_MAX),
    ] {
        assert_eq!(Headers::new(capacity).bits, bits, "{capacity}");
    }
}

/// From the first header to more than there were to be, never more than one piece is moved at once, no memory is given
/// back that something larger would have to take the place of, and what is taken stays two
/// sevenths above what the headers themselves are, and a chunk a piece.
#[test]
fn it_grows_a_piece_at_a_time_and_wastes_little() {
    let mut headers = Headers::new(4 * OF_ONE_PIECE);
    let owns = |headers: &Headers| headers.pieces.iter().map(|piece| piece.own).collect::<Vec<_>>();
    let mut kept = std::collections::BTreeSet::new();
    for n in 0..(6 * OF_ONE_PIECE) as u32 {
        let before = owns(&headers);
        headers.insert(header(n));
        let grown = before
            .iter()
            .zip(owns(&headers))
            .filter(|(before, after)| **before != *after)
            .count();
        assert!(grown <= 1);
        if grown == 0 {
            continue;
        }
        let chunks = || headers.pieces.iter().flat_map(|piece| &piece.chunks);
        let full = chunks().filter(|chunk| chunk.capacity() == CHUNK);
        let now: std::collections::BTreeSet<_> = full.map(|chunk| chunk.as_ptr()).collect();
        assert!(kept.is_subset(&now));
        kept = now;
        let places: usize = chunks().map(Vec::capacity).sum();
        let spare = headers.pieces.len() * (CHUNK + 2 * BEHIND);
        assert!(places <= headers.len() * 9 / 7 + spare, "{places} of {n}");
    }
    check(&headers);
    assert_eq!(size_of::<Place>(), 24);
}

/// Millions at a start: in few moves, and then in no more room than they need.
#[test]
fn what_is_restored_settles_in_the_room_that_it_needs() {
    for count in [0, 1, 7, 100, 1_000, 3_000, 100_000] {
        let mut headers = Headers::new(OF_ONE_PIECE * 2);
        for n in 0..count {
            assert!(headers.restore(header(n), Sequence::new(u64::from(n))));
            assert!(!headers.restore(header(n), Sequence::new(0)));
        }
        check(&headers);
        headers.settle();
        check(&headers);
        let places: usize = headers
            .pieces
            .iter()
            .flat_map(|piece| &piece.chunks)
            .map(Vec::capacity)
            .sum();
        assert!(
            places <= count as usize * 6 / 5 + 2 * (CHUNK + 3 * BEHIND),
            "{places} of {count}"
        );
        for n in 0..count {
            assert_eq!(
                headers.get(header(n)),
                Some(Seen::Committed(Sequence::new(u64::from(n))))
            );
        }
        // And it goes on.
        for n in count..count + 3_000 {
            assert!(headers.insert(header(n)));
        }
        check(&headers);
    }
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
        steps in proptest::collection::vec((0u8..8, any_header()), 0..400),
    ) {
        let mut headers = Headers::new(capacity);
        let mut plain: BTreeMap<Fingerprint, Seen> = BTreeMap::new();
        for (at, (step, header)) in steps.into_iter().enumerate() {
            prop_assert_eq!(headers.get(header), plain.get(&header).copied());
            match step {
                0..=2 => {
                    let is_new = !plain.contains_key(&header);
                    plain.entry(header).or_insert(Seen::Pending);
                    prop_assert_eq!(headers.insert(header), is_new);
                }
                6 => {
                    let is_new = !plain.contains_key(&header);
                    let sequence = Sequence::new(at as u64);
                    plain.entry(header).or_insert(Seen::Committed(sequence));
                    prop_assert_eq!(headers.restore(header, sequence), is_new);
                }
                7 => headers.settle(),
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
