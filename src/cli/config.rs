//! `dwarves config`: every setting with its value and where it comes from, or the defaults with what each is for.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use dwarves_actors::pool_manager::settings::{self, Effective, Origin};
use dwarves_store_postgres::PostgresStore;
use dwarves_store_sqlite::SqliteStore;

use super::{Failure, PoolArgs};
use crate::config::{Config, origin};
use crate::terminal::{self, Align, Table};
use crate::wiring;

/// Arguments of `dwarves config`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "Passwords in addresses are shown as ***. What an admin stored while the pool ran is read from the ledger \
and beats
file and environment.

Examples:
  dwarves config                               what holds, and where each setting comes from
  dwarves config --changed                     only what is not the program's own
  dwarves config defaults > config.toml        a file to begin with, in which each key is explained"
)]
pub struct ConfigArgs {
    /// What to print
    #[arg(value_enum, default_value_t = What::Effective)]
    pub what: What,
    /// Only settings that are not the program's own
    #[arg(long)]
    pub changed: bool,
    /// As JSON, also on a terminal
    #[arg(long)]
    pub json: bool,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Which settings are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Those that hold, each with where it comes from
    Effective,
    /// The program's own, as a file that explains each
    Defaults,
}

/// Prints the settings.
///
/// # Errors
/// If they cannot be read, or one is wrong.
pub fn run(args: ConfigArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if args.what == What::Defaults {
        return Ok(out.write_all(origin::DEFAULTS.as_bytes())?);
    }
    let config = Config::load(args.pool.config.as_deref())?;
    let mut all = origin::effective(args.pool.config.as_deref())?;
    match stored(&config, &args) {
        Ok(stored) => all = settings::merge(&all, &stored),
        Err(error) => log::warn!("what admins stored is left out: {error}"),
    }
    all.retain(|setting| !args.changed || setting.origin != Origin::Default);
    if args.json || !out.is_terminal() {
        return Ok(writeln!(out, "{:#}", settings::to_json(&all))?);
    }
    let rows = all
        .iter()
        .map(|Effective { key, value, origin }| vec![key.clone(), value.clone(), origin.to_string()]);
    let columns = [
        ("setting", Align::Left),
        ("value", Align::Left),
        ("from", Align::Left),
    ];
    let table = Table::new(&columns, rows.collect());
    Ok(write!(out, "{}", table.fit(terminal::width()))?)
}

/// What admins stored in the ledger, if there is one.
fn stored(config: &Config, args: &ConfigArgs) -> Result<BTreeMap<String, String>, Failure> {
    if let Some(options) = wiring::ledger::database(config)? {
        return Ok(PostgresStore::stored_settings(&options)?);
    }
    let file = config.store.file_in(&args.pool.data_dir);
    match file.exists() {
        true => Ok(SqliteStore::settings_in_use(&file)?),
        false => Ok(BTreeMap::new()),
    }
}
