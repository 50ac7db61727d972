//! The emergency stop: what happens when only a start from the store can show what is true.

use std::sync::Arc;

/// Stops the process (or, in a simulation, this life of the pool).
pub trait Halt: Send + Sync + 'static {
    /// Called once something is wrong that going on could make worse. `why` is for the log.
    fn halt(&self, why: &str);
}

/// An emergency stop shared by those who may need it.
pub type SharedHalt = Arc<dyn Halt>;
