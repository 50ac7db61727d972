//! `dwarves weights`: what miners earned, as the weights that a subnet's validators set, from the ledger itself.

use std::io::{self, Write};

use clap::Args;
use dwarves_api_types::weights::{ROUNDS_MAX, Weights};
use dwarves_domain::ids::RoundId;
use dwarves_http::metagraph_file;

use super::batch::Format;
use super::{Failure, PoolArgs};
use crate::config::Config;

/// Arguments of `dwarves weights`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "The weights are of what miners were credited in the last rounds: the largest is 65535, zeros are left out. Which
hotkey has which uid is read from bittensor.metagraph, the version key from bittensor.version_key.

Examples:
  dwarves weights --rounds 24
  dwarves weights --through 120 --format csv"
)]
pub struct WeightsArgs {
    /// Of how many rounds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=ROUNDS_MAX))]
    pub rounds: u64,
    /// The last of them [default: the last that closed]
    #[arg(long, value_name = "ROUND", value_parser = clap::value_parser!(u64).range(1..))]
    pub through: Option<u64>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Prints them.
pub fn run(args: &WeightsArgs) -> Result<(), Failure> {
    let config = Config::load(args.pool.config.as_deref())?;
    let file = config.bittensor.metagraph.as_deref();
    let file = file.ok_or("no file says who has which uid: set bittensor.metagraph")?;
    let metagraph = metagraph_file::read(file).map_err(|why| format!("bittensor.metagraph: {why}"))?;
    let mut ledger = super::ledger_reader(&config, &args.pool.data_dir)?;
    let rounds = ledger.last_rounds(args.through.map(RoundId::new), args.rounds)?;
    let weights = Weights::of(&rounds, &metagraph, config.bittensor.version_key);
    let weights = weights.ok_or("there is no such round, or none has closed yet")?;
    let mut out = io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&weights)?)?,
        Format::Csv => {
            write!(out, "uid,weight\r\n")?;
            for row in weights.rows().weights {
                write!(out, "{},{}\r\n", row.uid, row.weight)?;
            }
        }
    }
    Ok(out.flush()?)
}
