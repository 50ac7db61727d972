//! Every kind that this processor has against the plain one, and the plain one against published vectors.

use std::time::Duration;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::constants::K;

fn sha256d(message: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(message)).into()
}

/// Every kind that the processor has, alone and with each of them for few messages, whichever is the best of them here.
pub(crate) fn kinds() -> Vec<Lanes> {
    let here = || Kind::ALL.into_iter().filter(|kind| kind.is_here());
    let with = |kind| {
        let others = here().filter(move |few| kind != Kind::Plain || *few == kind);
        others.map(move |for_few| Lanes { kind, for_few })
    };
    here().flat_map(with).collect()
}

#[test]
fn the_constants_are_those_of_the_standard() {
    assert_eq!(K[..4], [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5]);
    assert_eq!(K[60..], [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2]);
}

/// Few messages are hashed by another kind than many, which is less wide: no count of them may leave one unhashed.
#[test]
fn no_message_is_left_out_whatever_hashes_few_of_them() {
    for lanes in kinds() {
        for count in 1..=2 * lanes.kind().width() + 1 {
            let headers: Vec<[u8; 80]> = (0..count).map(|n| [n as u8; 80]).collect();
            let mut hashes = vec![[0; 32]; count];
            lanes.headers(&headers, &mut hashes);
            let expected: Vec<_> = headers.iter().map(|header| sha256d(header)).collect();
            assert_eq!(hashes, expected, "{lanes:?}, {count} headers");
        }
    }
}

/// What the pool takes if nobody says otherwise.
#[test]
fn the_best_is_tried_as_it_is_used() {
    let best = Lanes::best();
    assert!(best.agrees_with_plain() && best.scrypt_agrees_with_plain());
    assert_eq!(Lanes::every().last(), Some(&best));
    assert!(kinds().contains(&best));
}

#[test]
fn what_the_processor_has_agrees_with_the_plain_way() {
    for kind in Kind::ALL {
        assert_eq!(Lanes::of(kind).is_some(), kind.is_here(), "{kind}");
    }
    assert!(kinds().contains(&Lanes::PLAIN));
}

/// The header of Bitcoin's first block, whose hash everybody knows.
#[test]
fn the_first_block_has_its_name() {
    let mut header = [0; 80];
    header[0] = 1;
    let root = "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a";
    for (at, place) in header[36..68].iter_mut().enumerate() {
        *place = u8::from_str_radix(&root[2 * at..2 * at + 2], 16).unwrap();
    }
    header[68..72].copy_from_slice(&1_231_006_505_u32.to_le_bytes());
    header[72..76].copy_from_slice(&0x1d00_ffff_u32.to_le_bytes());
    header[76..].copy_from_slice(&2_083_236_893_u32.to_le_bytes());
    let expected = "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000";
    for lanes in kinds() {
        for count in 1..=2 * lanes.kind().width() {
            let mut hashes = vec![[0; 32]; count];
            lanes.headers(&vec![header; count], &mut hashes);
            for hash in hashes {
                let shown: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(shown, expected, "{} of {count}", lanes.kind());
            }
        }
    }
}

proptest! {
    #[test]
    fn headers_are_hashed_as_by_everybody_else(headers in prop::collection::vec(any::<[u8; 80]>(), 0..40)) {
        let expected: Vec<[u8; 32]> = headers.iter().map(|header| sha256d(header)).collect();
        for lanes in kinds() {
            let mut hashes = vec![[0; 32]; headers.len()];
            lanes.headers(&headers, &mut hashes);
            prop_assert_eq!(&hashes, &expected, "{:?}", lanes);
        }
    }

    #[test]
    fn merkle_roots_are_those_of_everybody_else(
        begin in any::<[u8; 64]>(),
        rests in prop::collection::vec(prop::collection::vec(any::<u8>(), 300), 1..20),
        rest_len in 1_usize..300,
        branch in prop::collection::vec(any::<[u8; 32]>(), 0..14),
    ) {
        let mut midstate = INITIAL;
        sha2::compress256(&mut midstate, &[begin.into()]);
        let mut tails = Vec::new();
        let mut expected = Vec::new();
        for rest in &rests {
            let rest = &rest[..rest_len];
            let coinbase = [&begin[..], rest].concat();
            expected.push(branch.iter().fold(sha256d(&coinbase), |node, sibling| sha256d(&[node, *sibling].concat())));
            let mut padded = rest.to_vec();
            padded.push(0x80);
            while padded.len() % BLOCK_LEN != 56 {
                padded.push(0);
            }
            padded.extend((8 * coinbase.len() as u64).to_be_bytes());
            tails.extend_from_slice(padded.as_chunks::<BLOCK_LEN>().0);
        }
        for lanes in kinds() {
            let mut roots = vec![[0; 32]; rests.len()];
            lanes.merkle_roots(&midstate, &tails, &branch, &mut roots);
            prop_assert_eq!(&roots, &expected, "{:?}", lanes);
        }
    }
}

/// Everything that each kind does, once and with one message more than it has lanes: so little that Miri gets through it.
#[test]
fn every_kind_does_everything_once() {
    let header = |n: usize| std::array::from_fn(|at| (80 * n + at) as u8);
    // As they are, without the test that comes before their use.
    let done_by = |lanes: Lanes, count: usize| {
        let headers: Vec<[u8; 80]> = (0..count).map(header).collect();
        let tails: Vec<Block> = (0..count).map(|n| [n as u8; BLOCK_LEN]).collect();
        let mut hashes = vec![[0; 32]; 3 * count];
        let (names, others) = hashes.split_at_mut(count);
        let (roots, scrypts) = others.split_at_mut(count);
        lanes.headers(&headers, names);
        lanes.merkle_roots(&INITIAL, &tails, &[[9; 32]], roots);
        lanes.scrypt_of(2, &headers, scrypts, &mut ScryptMemory::new());
        let mut states = vec![INITIAL; count];
        lanes.compress(&mut states, &tails);
        let mut found = Vec::new();
        lanes.scan(
            &Scan::new(&header(1)),
            u32::MAX,
            count as u32,
            u32::MAX / 2,
            &mut found,
        );
        (hashes, states, found)
    };
    for lanes in kinds() {
        let count = lanes.kind().width() + 1;
        assert_eq!(done_by(lanes, count), done_by(Lanes::PLAIN, count), "{lanes:?}");
    }
}

/// What this thread had of a processor, so that other programs do not count. Linux alone says so.
pub(crate) fn cpu_time() -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").expect("measured on Linux");
    let nanos = said.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds come first"))
}

/// What each kind takes, told and not judged: `cargo test --release -p dwarves-lanes -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn nanoseconds_a_share() {
    let branch = [[7; 32]; 12];
    for lanes in kinds() {
        for count in [1, 2, 4, 8, 16, 64] {
            let tails = vec![[3; BLOCK_LEN]; 3 * count];
            let mut roots = vec![[0; 32]; count];
            let mut headers = vec![[1; 80]; count];
            let mut hashes = vec![[0; 32]; count];
            let rounds = 20_000 / count;
            let begin = cpu_time();
            for _ in 0..rounds {
                lanes.merkle_roots(&INITIAL, &tails, &branch, &mut roots);
                for (header, root) in headers.iter_mut().zip(&roots) {
                    header[36..68].copy_from_slice(root);
                }
                lanes.headers(&headers, &mut hashes);
                std::hint::black_box(&hashes);
            }
            let each = (cpu_time() - begin) / u32::try_from(rounds * count).unwrap();
            println!("{:15} {count:3} at once: {each:?} a share", lanes.kind().name());
        }
    }
}
