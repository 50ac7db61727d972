//! `dwarves ledger reclaim`: goes on with a ledger that was moved away.

use std::path::PathBuf;

use clap::Args;
use dwarves_actors::paymaster::comparison::RESTORED;
use dwarves_api_types::scalars::Instant;
use dwarves_ports::clock::Clock as _;
use dwarves_ports::store::copying::{MOVED, Moved};
use dwarves_system::clock::SystemClock;

use super::place::Place;
use crate::cli::{Failure, PoolArgs};
use crate::terminal::say;

/// Arguments of `dwarves ledger reclaim`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "A ledger that `dwarves ledger copy` has moved says where to, and no pool starts on it. This takes that back, for
whoever gives the other ledger up: drop it, or make sure in some other way that no pool is ever started on it again.
What a pool did there since is in the other ledger alone: shares, rounds, payouts. To take that along, copy it back instead
(dwarves ledger copy). Because it may have sent payouts of which this ledger knows nothing, the pool starts with payouts
held, as after a restore: After a restore in RUNBOOK.md says how they are compared and released.

Examples:
  dwarves ledger reclaim --data-dir /var/lib/dwarves
  dwarves ledger reclaim --at postgresql://dwarves@localhost/dwarves"
)]
pub struct ReclaimArgs {
    /// The ledger: a file of SQLite or postgresql://… [default: that of the settings]
    #[arg(long, value_name = "PLACE")]
    pub at: Option<String>,
    /// The file with the database's password
    #[arg(long, value_name = "FILE", requires = "at")]
    pub password_file: Option<PathBuf>,
    /// The file with the authorities that its server's certificate is checked against
    #[arg(long, value_name = "FILE", requires = "at")]
    pub ca_file: Option<PathBuf>,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Takes back that the ledger was moved.
///
/// # Errors
/// If it was not, or it cannot be had.
pub(super) fn run(args: &ReclaimArgs) -> Result<(), Failure> {
    let (password, authorities) = (args.password_file.as_deref(), args.ca_file.as_deref());
    let place = Place::new(args.at.as_deref(), password, authorities, &args.pool)?;
    let mut ledger = place.ledger()?;
    let Some(moved) = ledger.setting(MOVED)? else {
        return Err(format!("{} was not moved: a pool may be started on it", place.name()).into());
    };
    let to = Moved::parse(&moved).map_or_else(|| "another place".to_owned(), |moved| moved.to);
    let at = serde_json::to_value(Instant(SystemClock.now()))?;
    let words = format!(
        "the ledger was reclaimed at {}, after it had been moved to {to}",
        at.as_str().unwrap_or_default()
    );
    // Held first: at no moment a pool would pay from it unheld.
    ledger.set(RESTORED, Some(&words))?;
    ledger.set(MOVED, None)?;
    say(format_args!(
        "ok     ledger    {} is a ledger that a pool may be started on\n\
         No pool may ever be started on {to} again: drop it.\n\
         The pool starts with payouts held (by `restored`): After a restore in RUNBOOK.md says how to go on.",
        place.name()
    ));
    Ok(())
}
