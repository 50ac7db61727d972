//! `dwarves ledger`: what becomes of a whole ledger, whatever keeps it.

use clap::{Args, Subcommand};

use super::{Failure, PoolArgs};

mod copy;
mod place;
mod reclaim;

pub use copy::CopyArgs;
pub use reclaim::ReclaimArgs;

/// Arguments of `dwarves ledger`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct LedgerArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LedgerCommand,
}

/// What to do with a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum LedgerCommand {
    /// Move a pool's ledger between SQLite and PostgreSQL, and compare all of both
    Copy(CopyArgs),
    /// Go on with a ledger that was moved away, and give the other one up
    Reclaim(ReclaimArgs),
}

impl LedgerArgs {
    /// Where the pool finds its settings and its data.
    pub fn pool(&self) -> &PoolArgs {
        match &self.command {
            LedgerCommand::Copy(args) => &args.pool,
            LedgerCommand::Reclaim(args) => &args.pool,
        }
    }
}

/// Does what is asked.
///
/// # Errors
/// If that fails.
pub fn run(args: LedgerArgs) -> Result<(), Failure> {
    match args.command {
        LedgerCommand::Copy(args) => copy::run(&args),
        LedgerCommand::Reclaim(args) => reclaim::run(&args),
    }
}
