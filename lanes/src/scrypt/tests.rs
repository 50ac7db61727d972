//! Every kind against the `scrypt` package, that against published vectors, and ROMix against RFC 7914's.

use proptest::prelude::*;

use super::*;
use crate::tests::{cpu_time, kinds};

fn bytes_of<const N: usize>(digits: &str) -> [u8; N] {
    let digits: String = digits.split_whitespace().collect();
    assert_eq!(digits.len(), 2 * N);
    std::array::from_fn(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
}

/// RFC 7914, section 10.
#[test]
fn ro_mix_is_that_of_the_rfc() {
    let block = bytes_of::<128>(
        "f7 ce 0b 65 3d 2d 72 a4 10 8c f5 ab e9 12 ff dd 77 76 16 db bb 27 a7 0e 82 04 f3 ae 2d 0f 6f ad
         89 f6 8f 48 11 d1 e8 7b cc 3b d7 40 0a 9f fd 29 09 4f 01 84 63 95 74 f3 9a e5 a1 31 52 17 bc d7
         89 49 91 44 72 13 bb 22 6c 25 b5 4d a8 63 70 fb cd 98 43 80 37 46 66 bb 8f fc b5 bf 40 c2 54 b0
         67 d2 7c 51 ce 4a d5 fe d8 29 c9 0b 50 5a 57 1b 7f 4d 1c ad 6a 52 3c da 77 0e 67 bc ea af 7e 89",
    );
    let expected = bytes_of::<128>(
        "79 cc c1 93 62 9d eb ca 04 7f 0b 70 60 4b f6 b6 2c e3 dd 4a 96 26 e3 55 fa fc 61 98 e6 ea 2b 46
         d5 84 13 67 3b 99 b0 29 d6 65 c3 57 60 1f b4 26 a0 b2 f4 bb a2 00 ee 9f 0a 43 d1 9b 57 1a 9c 71
         ef 11 42 e6 5d 5a 26 6f dd ca 83 2c e5 9f aa 7c ac 0b 9c f1 be 2b ff ca 30 0d 01 ee 38 76 19 c4
         ae 12 fd 44 38 f2 03 a0 e4 e1 c4 7e c3 14 86 1f 4e 90 87 cb 33 39 6a 68 73 e8 f9 d2 53 9a 4b 8e",
    );
    for lanes in kinds().into_iter().filter(|lanes| lanes.kind() != Kind::Plain) {
        for count in 1..=lanes.scrypt_width() {
            let mut blocks = vec![Row::of(&block); count];
            lanes.ro_mix(16, &mut blocks, &mut ScryptMemory::new());
            for block in blocks {
                assert_eq!(block.bytes(), expected, "{lanes:?} of {count}");
            }
        }
    }
}

/// The header of Litecoin's first block.
#[test]
fn litecoins_first_block_meets_its_target() {
    let header = bytes_of::<80>(
        "010000000000000000000000000000000000000000000000000000000000000000000000
         d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97
         b9aa8e4ef0ff0f1ecd513f7c",
    );
    let mut expected = bytes_of::<32>("0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00");
    expected.reverse();
    for lanes in kinds() {
        let mut memory = ScryptMemory::new();
        for count in 1..=lanes.scrypt_width() + 1 {
            let mut hashes = vec![[0; 32]; count];
            lanes.scrypt(&vec![header; count], &mut hashes, &mut memory);
            assert_eq!(hashes, vec![expected; count], "{lanes:?} of {count}");
        }
    }
}

#[test]
fn what_is_remembered_has_the_bound_that_is_told() {
    for lanes in kinds() {
        let mut memory = ScryptMemory::new();
        let mut hashes = vec![[0; 32]; 3 * MAX_WIDTH];
        lanes.scrypt(&vec![[0; 80]; 3 * MAX_WIDTH], &mut hashes, &mut memory);
        let most = 128
            * 1_024
            * if lanes == Lanes::PLAIN {
                0
            } else {
                lanes.scrypt_width()
            };
        assert_eq!(size_of_val(&memory.0[..]), most, "{lanes:?}");
        assert!(most <= 1 << 20);
    }
}

#[test]
fn nothing_is_hashed_where_there_is_nothing() {
    for lanes in kinds() {
        lanes.scrypt(&[], &mut [], &mut ScryptMemory::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn scrypt_is_that_of_everybody_else(headers in prop::collection::vec(any::<[u8; 80]>(), 1..20)) {
        let expected: Vec<[u8; 32]> = headers.iter().map(|header| plain(LOG_N, header)).collect();
        for lanes in kinds() {
            let mut hashes = vec![[0; 32]; headers.len()];
            lanes.scrypt(&headers, &mut hashes, &mut ScryptMemory::new());
            prop_assert_eq!(&hashes, &expected, "{:?}", lanes);
        }
    }
}

/// What each number at once takes, told and not judged:
/// `cargo test --release -p dwarves-lanes scrypt -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn scrypts_a_second() {
    for lanes in kinds() {
        let mut memory = ScryptMemory::new();
        for count in 1..=2 * lanes.scrypt_width() {
            let mut headers = vec![[0; 80]; count];
            for (header, n) in headers.iter_mut().zip(0..) {
                header[3] = n;
            }
            let mut hashes = vec![[0; 32]; count];
            let rounds = 3_000 / count;
            let begin = cpu_time();
            for _ in 0..rounds {
                lanes.scrypt(&headers, &mut hashes, &mut memory);
                headers[0][..32].copy_from_slice(&hashes[count - 1]);
            }
            let each = (cpu_time() - begin) / u32::try_from(rounds * count).unwrap();
            let a_second = 1.0 / each.as_secs_f64();
            let name = lanes.kind().name();
            println!("{name:15} {count:2} at once: {each:?} each, {a_second:.0} a second");
        }
    }
}
