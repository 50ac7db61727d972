//! The machine: the only crate that reads its clocks and asks it for randomness.
//!
//! | module | its one job |
//! |---|---|
//! | [`clock`] | the system's clock, and a stopwatch |
//! | [`entropy`] | the operating system's randomness |

pub mod clock;
pub mod entropy;

pub use clock::{Stopwatch, SystemClock};
pub use entropy::{EntropyError, Randomness, SystemRandomness};
