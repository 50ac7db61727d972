//! `dwarves check`: says what is wrong and how to mend it.

use super::{Failure, PoolArgs};

/// Checks settings, store, chain and wallet.
///
/// # Errors
/// If something is wrong.
pub fn run(_args: PoolArgs) -> Result<(), Failure> {
    Err("check: not in this build yet".into())
}
