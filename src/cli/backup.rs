//! `dwarves backup`: copies the ledger, while the pool runs or not, and looks at the whole copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use dwarves_api_types::scalars::Instant;
use dwarves_ports::clock::Clock as _;
use dwarves_store_sqlite::OpenError;
use dwarves_store_sqlite::backup::{self, Inspection};
use dwarves_system::clock::SystemClock;
use serde_json::json;

use super::{Failure, PoolArgs};
use crate::config::Config;
use crate::terminal::{Bar, say};

/// The file in the data directory that says when the last backup was made, for the operator.
pub const RECORD: &str = "backup.json";

/// What to do where the ledger is a database.
const INSTEAD: &str = "back it up with PostgreSQL's own tools, pg_basebackup and archived WAL for any moment, or pg_dump; \
                       docs/scale.md says how";

/// Arguments of `dwarves backup`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "The copy is of one moment, whatever the pool does meanwhile, and is looked at whole before it gets its \
name. It is one file.
DATA_DIR/backup.json then says when it was made. What else to keep: pool.key, config.toml and the node's wallet; see RUNBOOK.md.

Examples:
  dwarves backup /backups/dwarves-$(date +%F).db
  dwarves backup --replace --data-dir /var/lib/dwarves /backups/dwarves.db"
)]
pub struct BackupArgs {
    /// The file to make
    pub file: PathBuf,
    /// Take the place of an older backup, once the copy is found to be sound
    #[arg(long)]
    pub replace: bool,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Copies the ledger.
///
/// # Errors
/// If there is none, something is in the way, the disk is full, or the copy is not sound.
pub fn run(args: BackupArgs) -> Result<(), Failure> {
    let config = Config::load(args.pool.config.as_deref())?;
    let ledger = super::ledger_file(&config, &args.pool.data_dir, INSTEAD)?;
    let bar = Bar::new("copying pages");
    let made = backup::back_up(&ledger, &args.file, args.replace, &mut |done, all| {
        bar.at(done, all)
    });
    bar.end();
    let made = made.map_err(told)?;
    if let Err(error) = record(&args.pool.data_dir, &args.file, &made) {
        let record = args.pool.data_dir.join(RECORD);
        log::warn!(
            "the backup is made, but {} does not say so, and the pool will not know of it: {error}",
            record.display()
        );
    }
    say(format_args!("{}: {}", args.file.display(), described(&made)));
    say(format_args!(
        "keep beside it: {}, your settings and the node's wallet",
        args.pool
            .data_dir
            .join(dwarves_keys::pool_key::FILE_NAME)
            .display()
    ));
    Ok(())
}

/// A failure with what to do about it.
pub(super) fn told(error: backup::CopyError) -> Failure {
    match &error {
        backup::CopyError::Exists(_) => format!("{error}; --replace takes its place").into(),
        // It names the file itself.
        backup::CopyError::Open {
            source: source @ OpenError::InUse { .. },
            ..
        } => source.to_string().into(),
        _ => error.into(),
    }
}

/// What is in a copy, in words.
pub(super) fn described(found: &Inspection) -> String {
    let books = match found.books_compared {
        true => "its books add up",
        false => "its schema is an older version's, so its books are compared when it is restored",
    };
    format!(
        "{} bytes, schema version {}, {} shares, {} blocks, {} rounds, {} payouts; every page is sound, and {books}",
        found.bytes, found.schema, found.shares, found.blocks, found.rounds, found.payouts
    )
}

/// Writes down that a backup was made, whole or not at all.
fn record(data_dir: &Path, file: &Path, made: &Inspection) -> io::Result<()> {
    let path = file.canonicalize()?;
    let document = json!({
        "finished_at": Instant(SystemClock.now()),
        "path": path.to_string_lossy(),
        "bytes": made.bytes,
    });
    let beside = data_dir.join(format!("{RECORD}.new"));
    fs::write(&beside, format!("{document}\n"))?;
    fs::rename(beside, data_dir.join(RECORD))
}
