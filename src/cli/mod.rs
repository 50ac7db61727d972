//! The command line: what can be asked for, one file a command.
//!
//! [`Cli`] is parsed by clap, which ends the process with exit code 2 if the command line is wrong; everything
//! that goes wrong later is a [`Failure`], which `main` prints.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use dwarves_ports::store::export::LedgerReader;
use dwarves_store_postgres::PostgresReader;
use dwarves_store_sqlite::export::SqliteReader;

use crate::config::{Config, ConfigError, LogFormat, StoreKind};
use crate::{logging, wiring};

pub mod admin;
pub mod backup;
pub mod batch;
pub mod check;
pub mod config;
pub mod demo;
pub mod export;
pub mod generated;
pub mod hotkey;
pub mod ledger;
pub mod lists;
pub mod mine;
pub mod notifications;
pub mod restore;
pub mod serve;
pub mod signals;
pub mod status;
pub mod watch;
pub mod weights;

/// Why a command failed, with its causes as [`std::error::Error::source`].
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where the pool keeps what it writes, unless `--data-dir` says otherwise.
pub const DATA_DIR: &str = "data";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "dwarves",
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("DWARVES_COMMIT"), ")"),
    about = "A mining pool manager: miners register, fetch work, submit work and are paid by performance",
    after_help = "Examples:
  dwarves                                      run a pool on the built-in devnet, http://127.0.0.1:8080
  dwarves hotkey new miner.key                 make a miner's key
  dwarves mine --hotkey miner.key              mine on that pool with all cores
  dwarves status                               watch the pool
  dwarves admin pool_manager status            ask the pool for all that it knows of itself
  dwarves demo                                 see a pool, miners and rewards in one terminal

Settings: config.toml in the working directory, or DWARVES__SECTION__KEY in the environment.
RUST_LOG=debug shows more; RUST_LOG=warn less. DWARVES__LOG__FORMAT=json logs JSON.",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do; nothing means `serve`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Arguments of `serve` when it is left out.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the pool (what `dwarves` alone does)
    Serve(ServeArgs),
    /// Run a pool with some miners in one process and watch rewards come in
    Demo(demo::DemoArgs),
    /// Mine on a pool with this machine's CPU
    Mine(mine::MineArgs),
    /// Say what a pool tells your miner: by webhook, ntfy or mail
    Notifications(notifications::NotificationsArgs),
    /// Make or look at a hotkey
    Hotkey(hotkey::HotkeyArgs),
    /// Make, list or take back links that show a miner to others
    Watch(watch::WatchArgs),
    /// Send a control message to one of the pool's actors
    Admin(admin::AdminArgs),
    /// Check settings, store, chain and wallet, and say how to mend what is wrong
    Check(check::CheckArgs),
    /// Show how the pool is: live on a terminal, once as JSON otherwise
    Status(status::StatusArgs),
    /// List miners, those that earned most first
    Miners(lists::ListArgs),
    /// List workers, those that worked last first
    Workers(lists::WorkersArgs),
    /// List payouts, the last first
    Payouts(lists::ListArgs),
    /// Write shares, credits, payouts, rounds or blocks as CSV or JSON
    Export(export::ExportArgs),
    /// Print a batch of exported payouts as it was signed, or list batches
    Batch(batch::BatchArgs),
    /// Print what miners earned as the weights that a subnet's validators set
    Weights(weights::WeightsArgs),
    /// Print the settings that hold and where each comes from, or the defaults
    Config(config::ConfigArgs),
    /// Copy the ledger while the pool runs or not, and check the copy
    Backup(backup::BackupArgs),
    /// Put a backup in the ledger's place, once it is checked
    Restore(restore::RestoreArgs),
    /// Move a ledger between SQLite and PostgreSQL
    Ledger(ledger::LedgerArgs),
    /// Print what a shell needs to complete commands
    Completions(generated::CompletionsArgs),
    /// Write manual pages
    Man(generated::ManArgs),
}

/// Arguments of `dwarves serve`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ServeArgs {
    /// Where it finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
    /// Send no payout until `dwarves admin paymaster release hold=start` (as payouts.start_held = true does)
    #[arg(long)]
    pub payouts_held: bool,
}

/// Where a pool finds its settings and its data.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct PoolArgs {
    /// Settings file; must exist [default: config.toml in the working directory, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the pool keeps what it writes
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub data_dir: PathBuf,
}

impl Cli {
    /// What is logged if `RUST_LOG` does not say: the demo tells its own story.
    pub fn default_log_filter(&self) -> &'static str {
        // A line of the log would stand in the middle of the screen.
        let shares_screen = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        match self.command {
            None | Some(Command::Serve(_) | Command::Mine(_) | Command::Check(_)) => "info",
            Some(Command::Demo(_) | Command::Status(_)) if shares_screen => "error",
            Some(_) => "warn",
        }
    }

    /// What a line of the log looks like: as the settings say that this command reads, and as the environment says for
    /// all others.
    ///
    /// # Errors
    /// If the environment says what is no format.
    pub fn log_format(&self) -> Result<LogFormat, ConfigError> {
        let pool = match &self.command {
            None => &self.serve.pool,
            Some(Command::Serve(args)) => &args.pool,
            Some(Command::Check(args)) => &args.pool,
            Some(Command::Miners(args) | Command::Payouts(args)) => &args.pool,
            Some(Command::Workers(args)) => &args.list.pool,
            Some(Command::Export(args)) => &args.pool,
            Some(Command::Batch(args)) => &args.pool,
            Some(Command::Weights(args)) => &args.pool,
            Some(Command::Config(args)) => &args.pool,
            Some(Command::Backup(args)) => &args.pool,
            Some(Command::Restore(args)) => &args.pool,
            Some(Command::Ledger(args)) => args.pool(),
            Some(
                Command::Demo(_)
                | Command::Mine(_)
                | Command::Notifications(_)
                | Command::Hotkey(_)
                | Command::Watch(_)
                | Command::Admin(_)
                | Command::Status(_)
                | Command::Completions(_)
                | Command::Man(_),
            ) => {
                return logging::format_without_file();
            }
        };
        logging::format(pool.config.as_deref())
    }

    /// Does what the arguments ask.
    ///
    /// # Errors
    /// If that fails.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            None => serve::run(self.serve),
            Some(Command::Serve(args)) => serve::run(args),
            Some(Command::Demo(args)) => demo::run(args),
            Some(Command::Mine(args)) => mine::run(args),
            Some(Command::Notifications(args)) => notifications::run(args),
            Some(Command::Hotkey(args)) => hotkey::run(args),
            Some(Command::Watch(args)) => watch::run(args),
            Some(Command::Admin(args)) => admin::run(args),
            Some(Command::Check(args)) => check::run(args),
            Some(Command::Status(args)) => status::run(&args),
            Some(Command::Miners(args)) => lists::miners(&args),
            Some(Command::Workers(args)) => lists::workers(&args),
            Some(Command::Payouts(args)) => lists::payouts(&args),
            Some(Command::Export(args)) => export::run(args),
            Some(Command::Batch(args)) => batch::run(&args),
            Some(Command::Weights(args)) => weights::run(&args),
            Some(Command::Config(args)) => config::run(args),
            Some(Command::Backup(args)) => backup::run(args),
            Some(Command::Restore(args)) => restore::run(args),
            Some(Command::Ledger(args)) => ledger::run(args),
            Some(Command::Completions(args)) => generated::completions(&args),
            Some(Command::Man(args)) => generated::man(&args),
        }
    }
}

/// The ledger, for commands that only read it: beside a running pool, or without one.
fn ledger_reader(config: &Config, data_dir: &Path) -> Result<Box<dyn LedgerReader>, Failure> {
    Ok(match wiring::ledger::database(config)? {
        Some(options) => Box::new(PostgresReader::open(&options)?),
        None => Box::new(SqliteReader::open(&config.store.file_in(data_dir))?),
    })
}

/// The ledger's file, for commands that read or write it themselves; `instead` is what to do if it is no file.
fn ledger_file(config: &Config, data_dir: &Path, instead: &str) -> Result<PathBuf, Failure> {
    match config.store.kind {
        StoreKind::Sqlite => Ok(config.store.file_in(data_dir)),
        StoreKind::Postgres => {
            Err(format!("the ledger is no file but a database (store.kind): {instead}").into())
        }
    }
}

#[cfg(test)]
mod tests;
