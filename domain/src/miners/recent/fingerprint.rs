//! A header's hash in half of its bytes, by a secret.
//!
//! Half of the hash as it is would not do: two shares whose hashes agree there cost a large miner a day's work. Of these
//! fingerprints nobody can say without the secret which two agree, whatever work is done, and nothing that the pool
//! answers tells of it. The hash is read as three numbers, the coefficients of a polynomial, and the fingerprint is the
//! polynomial's value at the secret, modulo the prime 2^127 - 1. Two hashes have one fingerprint only where their
//! difference has a root; it has three at most. So two different headers are taken for one with a chance of
//! 3 / 2^127, which no choice of headers changes: with 2^28 headers kept, a million new ones a second for a century
//! meet less than once in 2^45 such centuries. One header always has the same fingerprint, so no repeat is ever new.

use crate::ids::HeaderHash;

/// The prime modulo which is reckoned.
const PRIME: u128 = (1 << 127) - 1;
/// The low bits of a number's upper half that are below 2^127.
const UPPER: u64 = u64::MAX >> 1;

/// The secret by which headers get their fingerprints.
#[derive(Clone, Copy, Debug)]
pub(super) struct FingerprintKey(u128);

/// What stands for a header's hash: 127 bits and then a zero, so that the first ones are evenly spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint {
    pub(super) high: u64,
    low: u64,
}

impl FingerprintKey {
    /// The secret: a number that nobody can guess.
    pub(super) fn new(secret: u128) -> Self {
        Self(reduce(secret))
    }

    /// The fingerprint of a header's hash.
    pub(super) fn of(self, hash: &HeaderHash) -> Fingerprint {
        let bytes = hash.as_bytes();
        let value = [&bytes[..11], &bytes[11..22], &bytes[22..]]
            .into_iter()
            .fold(0, |value, part| times(reduce(value + number(part)), self.0));
        Fingerprint::new(value << 1)
    }
}

impl Fingerprint {
    /// What no header has, and what comes after all that headers have.
    pub(super) const NONE: Self = Self {
        high: u64::MAX,
        low: u64::MAX,
    };

    pub(super) fn new(bits: u128) -> Self {
        Self {
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }
}

/// Some bytes as a number below 2^88.
fn number(bytes: &[u8]) -> u128 {
    let mut number = [0; 16];
    number[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(number)
}

/// 2^127 is 1.
fn fold(number: u128) -> u128 {
    (number & PRIME) + (number >> 127)
}

/// The remainder, below the prime.
fn reduce(number: u128) -> u128 {
    let folded = fold(number);
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// The product of two numbers below 2^127, below the prime.
fn times(a: u128, b: u128) -> u128 {
    let halves = |number: u128| (number >> 64, u128::from(number as u64));
    let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
    // Each is below 2^127.
    let (low, middle, high) = (a_low * b_low, a_high * b_low + a_low * b_high, a_high * b_high);
    // 2^128 is 2, and of the middle's 64 bits further up 63 stay below 2^127.
    let middle_low = u128::from(middle as u64 & UPPER) << 64;
    let upper = fold(2 * high + (middle >> 63));
    let lower = fold(middle_low + fold(low));
    reduce(upper + lower)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::*;

    fn slow(secret: u128, bytes: &[u8; 32]) -> BigUint {
        let prime = BigUint::from(PRIME);
        let parts = [&bytes[..11], &bytes[11..22], &bytes[22..]];
        let value = parts.into_iter().fold(BigUint::ZERO, |value, part| {
            (value + BigUint::from_bytes_le(part)) * BigUint::from(secret) % &prime
        });
        value << 1
    }

    fn check(secret: u128, bytes: [u8; 32]) {
        let fingerprint = FingerprintKey::new(secret).of(&HeaderHash::from_bytes(bytes));
        let bits = (u128::from(fingerprint.high) << 64) | u128::from(fingerprint.low);
        assert_eq!(BigUint::from(bits), slow(secret, &bytes), "{secret} {bytes:?}");
        assert!(fingerprint < Fingerprint::NONE);
    }

    #[test]
    fn the_edges_are_reckoned_as_slowly() {
        let secrets = [
            0,
            1,
            2,
            PRIME - 1,
            PRIME,
            PRIME + 1,
            u128::MAX,
            u128::MAX - 1,
            1 << 127,
            1 << 64,
            (1 << 64) - 1,
            PRIME - (1 << 64),
        ];
        for secret in secrets {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                check(secret, [byte; 32]);
                let mut bytes = [0; 32];
                for at in [0, 10, 11, 21, 22, 31] {
                    bytes[at] = byte;
                    check(secret, bytes);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_fingerprint_is_the_polynomials_value(secret: u128, bytes: [u8; 32]) {
            check(secret, bytes);
        }

        /// Any bit of a hash changes what stands for it.
        #[test]
        fn neighbours_have_other_fingerprints(secret in 1u128..PRIME, bytes: [u8; 32], bit in 0usize..256) {
            let key = FingerprintKey::new(secret);
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(key.of(&HeaderHash::from_bytes(bytes)), key.of(&HeaderHash::from_bytes(other)));
        }
    }
}
