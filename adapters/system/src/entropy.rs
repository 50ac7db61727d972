//! The one source of randomness: the operating system's, behind a trait so that tests can choose.

/// Why there are no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes: {0}")]
pub struct EntropyError(String);

/// Gives random bytes that nobody can guess.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// If the source fails; `bytes` must not be used then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[allow(clippy::disallowed_methods, reason = "this module owns the randomness")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|error| EntropyError(error.to_string()))
    }
}

/// Randomness for tests.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    use super::*;

    /// Gives the same byte again and again.
    #[derive(Clone, Copy, Debug)]
    pub struct Constant(pub u8);

    impl Randomness for Constant {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    /// An entropy source that always fails.
    #[derive(Clone, Copy, Debug)]
    pub struct Broken;

    impl Randomness for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError("broken for the test".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_randomness_fills_every_byte_and_does_not_repeat() {
        let (mut a, mut b) = ([0; 64], [0; 64]);
        SystemRandomness.fill(&mut a).unwrap();
        SystemRandomness.fill(&mut b).unwrap();
        assert_ne!(a, b);
        assert!(a[48..].iter().any(|&byte| byte != 0));
    }
}
