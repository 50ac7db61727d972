//! `dwarves serve`: runs the pool.

use super::{Failure, PoolArgs};

/// Runs the pool until it is told to stop.
///
/// # Errors
/// If it can not start, or has to stop.
pub fn run(_args: PoolArgs) -> Result<(), Failure> {
    Err("serve: not in this build yet".into())
}
