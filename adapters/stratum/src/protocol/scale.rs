//! Difficulties as miners of an algorithm write them.
//!
//! Everywhere else in the pool difficulty is bdiff: difficulty 1 is one hash in 2^32. Miners of scrypt count
//! in 65,536ths of that.

use dwarves_domain::target::Difficulty;
use dwarves_domain::work::Algorithm;

/// How many of the miners' steps make the pool's 1.
const fn steps(algorithm: Algorithm) -> f64 {
    match algorithm {
        Algorithm::Sha256d => 1.0,
        Algorithm::Scrypt => 65_536.0,
    }
}

/// As miners of `algorithm` write it.
pub fn to_wire(difficulty: Difficulty, algorithm: Algorithm) -> f64 {
    difficulty.to_f64() * steps(algorithm)
}

/// What miners of `algorithm` mean by `wire`; `None` if that is no difficulty.
pub fn from_wire(wire: f64, algorithm: Algorithm) -> Option<Difficulty> {
    Difficulty::from_f64(wire / steps(algorithm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrypt_counts_in_smaller_steps() {
        let one = Difficulty::from_f64(1.0).unwrap();
        assert_eq!(to_wire(one, Algorithm::Sha256d), 1.0);
        assert_eq!(to_wire(one, Algorithm::Scrypt), 65_536.0);
        assert_eq!(from_wire(65_536.0, Algorithm::Scrypt), Some(one));
        assert_eq!(from_wire(f64::NAN, Algorithm::Sha256d), None);
        assert_eq!(from_wire(-1.0, Algorithm::Sha256d), None);
    }
}
