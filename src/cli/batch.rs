//! `dwarves batch`: a batch of exported payouts as it was signed, from the ledger itself.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use dwarves_api_types::batches::{ListedBatch, SignedBatch};
use dwarves_domain::payouts::BatchName;
use serde_json::json;

use super::{Failure, PoolArgs};
use crate::config::Config;

/// Batches that are listed.
const LISTED: u32 = 1_000;

/// Arguments of `dwarves batch`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "A batch is begun by `dwarves admin payout_exporter export batch=NAME`. What is printed of it never changes: in JSON the
text that was signed with its signature, in CSV the table that was signed; its signature is written to standard error.

Examples:
  dwarves batch
  dwarves batch 2026-11-29 --format csv > 2026-11-29.csv"
)]
pub struct BatchArgs {
    /// Its name [default: list the newest]
    #[arg(value_name = "NAME")]
    pub name: Option<BatchName>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// How something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// RFC 4180, with a header
    Csv,
    /// One JSON object
    Json,
}

/// Prints it.
pub fn run(args: &BatchArgs) -> Result<(), Failure> {
    let config = Config::load(args.pool.config.as_deref())?;
    let mut ledger = super::ledger_reader(&config, &args.pool.data_dir)?;
    let mut out = io::stdout().lock();
    let Some(name) = &args.name else {
        let listed = ledger.payout_batches(LISTED)?;
        let listed: Vec<ListedBatch> = listed.into_iter().map(ListedBatch::from).collect();
        return match args.format {
            Format::Json => Ok(writeln!(out, "{:#}", json!({ "batches": listed }))?),
            Format::Csv => {
                write!(out, "batch,at,payouts,total_sats,exported,paid,cancelled\r\n")?;
                for one in listed {
                    let at = serde_json::to_value(one.batch.at)?;
                    write!(
                        out,
                        "{},{},{},{},{},{},{}\r\n",
                        one.batch.batch,
                        at.as_str().unwrap_or_default(),
                        one.batch.payouts,
                        one.batch.total_sats,
                        one.exported,
                        one.paid,
                        one.cancelled
                    )?;
                }
                Ok(())
            }
        };
    };
    let row = ledger.payout_batch(name)?;
    let row = row.ok_or_else(|| format!("there is no batch {name}"))?;
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&SignedBatch::from(row))?)?,
        Format::Csv => {
            write!(out, "{}", row.csv)?;
            out.flush()?;
            let signed = SignedBatch::from(row).batch;
            let by = serde_json::to_value(signed.hotkey)?;
            let by = by.as_str().unwrap_or_default();
            writeln!(io::stderr(), "signed by {by}: {}", signed.csv_signature)?;
        }
    }
    Ok(())
}
