//! `dwarves ledger copy`: from SQLite to PostgreSQL and back.

use std::path::PathBuf;

use clap::Args;
use dwarves_api_types::scalars::Instant;
use dwarves_ports::clock::Clock as _;
use dwarves_ports::store::copying::pump::{hand_over, prepare};
use dwarves_ports::store::copying::{CopyError, LedgerEnd, LedgerSums, TABLES, compare, copy};
use dwarves_system::clock::SystemClock;

use super::place::Place;
use crate::cli::{Failure, PoolArgs};
use crate::terminal::{Align, Bar, Table, say, width_or};

/// Arguments of `dwarves ledger copy`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "PLACE is a file of SQLite (data/dwarves.db, sqlite:data/dwarves.db) or a PostgreSQL database
(postgresql://dwarves@db.example/dwarves). The one that is left out is the ledger of the settings (--config, --data-dir).
A password belongs into a file, as in store.password_file: others may read a command line.

Stop the pool first. The ledger that is copied is brought up to date, and not changed beside that. The place that it is
copied to is an empty database or a file that is not there yet. Everything goes over: shares, work and history, credits, the
books, payouts in any state, bans, settings, the audit trail, statements byte for byte; all keep their numbers. What is
stopped or killed goes on where it was with the same command. At the end all of both is read again and compared row by row,
and what both come to is printed side by side: until then no pool starts on the copy.
Then the ledger that was copied says that it was moved, and no pool starts on it, because two would pay from one wallet:
put the new place into [store] and start the pool. `dwarves ledger reclaim` is the way back.
Two files, or two databases: dwarves backup and dwarves restore, pg_dump and pg_restore.

Examples:
  dwarves ledger copy --to postgresql://dwarves@db.example/dwarves --to-password-file /etc/dwarves/database.password
  dwarves ledger copy --from postgresql://dwarves@localhost/dwarves --to /var/lib/dwarves/dwarves.db"
)]
#[group(id = "places", required = true, multiple = true, args = ["from", "to"])]
pub struct CopyArgs {
    /// The ledger that is copied [default: that of the settings]
    #[arg(long, value_name = "PLACE")]
    pub from: Option<String>,
    /// Where it is copied to [default: the ledger of the settings]
    #[arg(long, value_name = "PLACE")]
    pub to: Option<String>,
    /// The file with the password of the database that is copied
    #[arg(long, value_name = "FILE", requires = "from")]
    pub from_password_file: Option<PathBuf>,
    /// The file with the authorities that its server's certificate is checked against
    #[arg(long, value_name = "FILE", requires = "from")]
    pub from_ca_file: Option<PathBuf>,
    /// The file with the password of the database that is copied to
    #[arg(long, value_name = "FILE", requires = "to")]
    pub to_password_file: Option<PathBuf>,
    /// The file with the authorities that its server's certificate is checked against
    #[arg(long, value_name = "FILE", requires = "to")]
    pub to_ca_file: Option<PathBuf>,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Copies a ledger, compares, and says which is the pool's from now on.
///
/// # Errors
/// If one of the two cannot be had, is not to be copied or copied to, or both are not the same at the end.
pub(super) fn run(args: &CopyArgs) -> Result<(), Failure> {
    let (password, authorities) = (args.from_password_file.as_deref(), args.from_ca_file.as_deref());
    let from = Place::new(args.from.as_deref(), password, authorities, &args.pool)?;
    let (password, authorities) = (args.to_password_file.as_deref(), args.to_ca_file.as_deref());
    let to = Place::new(args.to.as_deref(), password, authorities, &args.pool)?;
    match (&from, &to) {
        (Place::File(_), Place::File(_)) => {
            return Err(
                "both are files: dwarves backup copies one to another, and dwarves restore puts it in place"
                    .into(),
            );
        }
        (Place::Database(_), Place::Database(_)) => {
            return Err("both are databases: pg_dump and pg_restore copy one to another".into());
        }
        _ => {}
    }
    let (mut source, mut target) = (from.ledger()?, to.ledger_or_new()?);
    move_all(source.as_mut(), target.as_mut())?;
    say(format_args!(
        "\n{} is the pool's ledger now. No pool starts on {} any more; dwarves ledger reclaim --help says how to go back.",
        to.name(),
        from.name()
    ));
    say(format_args!(
        "\nWhat to do now:\n  1. in the pool's settings:\n{}",
        settings(&to)
    ));
    say(
        "  2. dwarves check, and start the pool\n  3. keep pool.key, admin.token and the devnet where they are",
    );
    Ok(())
}

fn move_all(source: &mut dyn LedgerEnd, target: &mut dyn LedgerEnd) -> Result<(), Failure> {
    let begin = prepare(source, target)?;
    // What does not add up is not copied.
    let of_source = CopyError::of(source.place());
    source.check().map_err(of_source)?;
    if begin.goes_on {
        say(format_args!(
            "an unfinished copy goes on: {} rows are copied",
            begin.mark.rows
        ));
    }
    let mut all = 0;
    for table in TABLES {
        let of_source = CopyError::of(source.place());
        all += source.count(table).map_err(of_source)?;
    }
    let mut rows = 0;
    let bar = Bar::new("copying rows");
    let copied = copy(source, target, begin, &mut |_, done| {
        rows = done;
        bar.at(done, all.max(done));
    });
    bar.end();
    copied?;
    say(format_args!("ok     copied    {rows} rows"));
    let bar = Bar::new("comparing rows");
    let compared = compare(source, target, &mut |_, done| bar.at(done, rows.max(done)));
    bar.end();
    let (ours, theirs) = compared?;
    say(format_args!("ok     compared  {rows} rows are the same in both"));
    let of_target = CopyError::of(target.place());
    target.check().map_err(of_target)?;
    say(sums(source.place(), &ours, target.place(), &theirs).trim_end());
    for (place, sums) in [(source.place(), &ours), (target.place(), &theirs)] {
        if let Err(why) = sums.check() {
            return Err(format!("{place}: the books do not add up: {why}").into());
        }
    }
    say("ok     books     every account stands at the sum of its entries, and holds exactly what came in");
    let at = serde_json::to_value(Instant(SystemClock.now()))?;
    Ok(hand_over(source, target, at.as_str().unwrap_or_default())?)
}

/// What both come to, side by side.
fn sums(from: &str, ours: &LedgerSums, to: &str, theirs: &LedgerSums) -> String {
    let (ours, theirs) = (ours.lines(), theirs.lines());
    let rows = ours
        .into_iter()
        .zip(theirs)
        .map(|((name, ours), (_, theirs))| vec![name, ours, theirs]);
    let columns = [("sum", Align::Left), (from, Align::Right), (to, Align::Right)];
    Table::new(&columns, rows.collect()).fit(width_or(usize::MAX))
}

/// The settings of a pool whose ledger is there.
fn settings(place: &Place) -> String {
    match place {
        Place::File(path) => {
            let path = path.canonicalize().unwrap_or_else(|_| path.clone());
            format!(
                "       [store]\n       kind = \"sqlite\"\n       path = {:?}",
                path.display().to_string()
            )
        }
        Place::Database(options) => format!(
            "       [store]\n       kind = \"postgres\"\n       url = the address of the {}, with password_file and ca_file as here",
            options.place()
        ),
    }
}
