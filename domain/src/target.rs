//! Targets, difficulty and units in exact integer arithmetic.
//!
//! A header meets a target if its hash, read as a little-endian number, is not above it. Difficulty here is
//! *bdiff*: `0xffff << 208` over the target. Floats appear for display only; a target that was issued is the
//! truth, and difficulty and units are derived from it.

use std::fmt;
use std::str::FromStr;

use ruint::aliases::{U256, U512};

use crate::ids::HeaderHash;
use crate::units::Units;

mod shown;

pub use shown::shortest_decimal;

/// A number that a header's hash must not exceed. Never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

/// Why bytes, text or compact form are not a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No hash meets it.
    #[error("a target of zero cannot be met")]
    Zero,
    /// The compact form has its sign bit set.
    #[error("the compact form of this target is negative")]
    Negative,
    /// The compact form does not fit 256 bits.
    #[error("the compact form of this target does not fit 256 bits")]
    Overflow,
    /// Not 64 hex digits.
    #[error("a target is 64 lower-case hex digits, most significant first")]
    NotHex,
}

impl Target {
    /// The easiest target: every hash meets it.
    pub const MAX: Self = Self(U256::MAX);

    /// The target of difficulty 1: `0xffff << 208`.
    pub fn difficulty_one() -> Self {
        Self(U256::from(0xffff_u32) << 208)
    }

    /// From big-endian bytes.
    ///
    /// # Errors
    /// If the number is zero.
    pub fn from_be_bytes(bytes: [u8; 32]) -> Result<Self, TargetError> {
        Self::from_number(U256::from_be_bytes(bytes))
    }

    /// The big-endian bytes.
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    fn from_number(number: U256) -> Result<Self, TargetError> {
        if number.is_zero() {
            Err(TargetError::Zero)
        } else {
            Ok(Self(number))
        }
    }

    /// Expands the compact form of a header's `bits`, as Bitcoin Core's `arith_uint256::SetCompact` does.
    ///
    /// # Errors
    /// If the form is zero, negative or too large: consensus refuses such headers.
    pub fn from_compact(bits: CompactTarget) -> Result<Self, TargetError> {
        let exponent = bits.0 >> 24;
        let mantissa = bits.0 & 0x007f_ffff;
        if mantissa == 0 {
            return Err(TargetError::Zero);
        }
        if bits.0 & 0x0080_0000 != 0 {
            return Err(TargetError::Negative);
        }
        if exponent <= 3 {
            return Self::from_number(U256::from(mantissa >> (8 * (3 - exponent))));
        }
        let shift = 8 * (exponent as usize - 3);
        let mantissa = U256::from(mantissa);
        if mantissa.leading_zeros() < shift {
            return Err(TargetError::Overflow);
        }
        Self::from_number(mantissa << shift)
    }

    /// The compact form, rounded down to what it can hold (a slightly harder target).
    pub fn to_compact(self) -> CompactTarget {
        let mut size = self.0.bit_len().div_ceil(8);
        let mut mantissa: u32 = if size <= 3 {
            self.0.to::<u32>() << (8 * (3 - size))
        } else {
            (self.0 >> (8 * (size - 3))).to::<u32>()
        };
        if mantissa & 0x0080_0000 != 0 {
            mantissa >>= 8;
            size += 1;
        }
        let exponent = u32::try_from(size).expect("a 256-bit number has at most 33 such bytes");
        CompactTarget(mantissa | (exponent << 24))
    }

    /// The largest target that the compact form can hold and that is not above this one.
    ///
    /// # Panics
    /// Never: rounding a target above zero down to its leading bits leaves it above zero.
    pub fn rounded_to_compact(self) -> Self {
        Self::from_compact(self.to_compact()).expect("the compact form of a target is a target")
    }

    /// The smallest target that the compact form can hold and that is not below this one; the largest there
    /// is, if that is above what it can hold.
    pub fn rounded_up_to_compact(self) -> Self {
        let down = self.rounded_to_compact();
        if down == self {
            return self;
        }
        let bits = self.to_compact().0;
        let next = if bits & 0x007f_ffff == 0x007f_ffff {
            // The mantissa is used up: the next number has one byte more.
            (((bits >> 24) + 1) << 24) | 0x0000_8000
        } else {
            bits + 1
        };
        Self::from_compact(CompactTarget(next)).unwrap_or(down)
    }

    /// Whether a header with this hash meets the target.
    pub fn is_met_by(self, hash: &HeaderHash) -> bool {
        U256::from_le_bytes(*hash.as_bytes()) <= self.0
    }

    /// The difficulty (bdiff), rounded down to the fixed point.
    pub fn difficulty(self) -> Difficulty {
        let scaled = U512::from(Self::difficulty_one().0) << Difficulty::FRACTION_BITS;
        Difficulty::saturating_from(scaled / U512::from(self.0))
    }

    /// The hashes that find a header of this target on average: `floor(2^256 / (target + 1))`, as the Bitcoin family counts
    /// the work of a block; the most that 128 bits hold, if it is more.
    pub fn expected_hashes(self) -> u128 {
        let hashes: U512 = (U512::ONE << 256) / (U512::from(self.0) + U512::ONE);
        if hashes > U512::from(u128::MAX) {
            u128::MAX
        } else {
            hashes.to::<u128>()
        }
    }

    /// What a share issued at this target counts for while the network's target is `network`:
    /// `network / self` in fixed point, rounded down, at most one unit.
    ///
    /// A share target is never harder than the network's (see [`Target::no_harder_than`]), so the quotient
    /// is at most one; and it is rounded up to the smallest step, so that no accepted share counts nothing.
    pub fn units(self, network: Self) -> Units {
        let scaled = U512::from(network.0) * U512::from(Units::ONE.raw());
        let quotient = scaled / U512::from(self.0);
        let raw = if quotient > U512::from(Units::ONE.raw()) {
            Units::ONE.raw()
        } else {
            quotient.to::<u128>()
        };
        Units::from_raw(raw.max(1))
    }

    /// This target, or `network` if this one is harder: a share may not be harder than a block.
    pub fn no_harder_than(self, network: Self) -> Self {
        self.max(network)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_be_bytes()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| TargetError::NotHex)?;
        Self::from_be_bytes(bytes)
    }
}

/// The compact form of a target, as a header's `bits` field holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompactTarget(u32);

impl CompactTarget {
    /// From a header's `bits` field.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The header's `bits` field.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// How much harder than difficulty 1 a target is (bdiff), in fixed point with 64 fractional bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Difficulty(u128);

impl Difficulty {
    /// Fractional bits of the fixed point.
    pub const FRACTION_BITS: usize = 64;
    /// The easiest difficulty there is: that of the easiest target, about 2^-32.
    pub const MIN: Self = Self(0xffff_0000);

    /// The difficulty nearest to `value`; `None` if it is not a number above zero or does not fit.
    ///
    /// For settings and requests, which people write as decimals. Nothing is credited by it: credit follows
    /// the target that was issued.
    pub fn from_f64(value: f64) -> Option<Self> {
        let scaled = value * Self::SCALE;
        if !scaled.is_finite() || scaled < 1.0 || scaled >= u128::MAX as f64 {
            return None;
        }
        Some(Self((scaled as u128).max(Self::MIN.0)))
    }

    const SCALE: f64 = (1u128 << Self::FRACTION_BITS) as f64;

    fn saturating_from(scaled: U512) -> Self {
        Self(if scaled > U512::from(u128::MAX) {
            u128::MAX
        } else {
            scaled.to::<u128>()
        })
    }

    /// The difficulty of this many steps of 2^-64; the easiest one, if it is less.
    pub fn from_raw(raw: u128) -> Self {
        Self(raw).max(Self::MIN)
    }

    /// The raw fixed-point number, in steps of 2^-64.
    pub const fn raw(self) -> u128 {
        self.0
    }

    /// The nearest float, for display only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE
    }

    /// The hashes that find a header of this difficulty on average: 2^256 over the target. A float, for hashrates.
    pub fn expected_hashes(self) -> f64 {
        // Difficulty 1 is the target 0xffff << 208.
        const OF_DIFFICULTY_ONE: f64 = (1_u64 << 48) as f64 / 65_535.0;
        self.to_f64() * OF_DIFFICULTY_ONE
    }

    /// This difficulty times `numerator / denominator`, rounded down, within what a difficulty can be.
    ///
    /// # Panics
    /// If `denominator` is zero.
    pub fn scaled(self, numerator: u64, denominator: u64) -> Self {
        assert!(denominator > 0, "a difficulty is scaled by a fraction");
        let product = U512::from(self.0) * U512::from(numerator) / U512::from(denominator);
        Self::saturating_from(product).max(Self::MIN)
    }

    /// The target of this difficulty, rounded down (not easier than asked for), never zero.
    pub fn target(self) -> Target {
        let scaled = U512::from(Target::difficulty_one().0) << Self::FRACTION_BITS;
        let quotient = scaled / U512::from(self.0.max(1));
        if quotient > U512::from(U256::MAX) {
            return Target::MAX;
        }
        Target(quotient.to::<U256>().max(U256::ONE))
    }
}

#[cfg(test)]
mod tests;
