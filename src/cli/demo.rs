//! `dwarves demo`: a pool with some miners in one process.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Failure;
use crate::demo::{self, DemoOptions, Telling};

/// Arguments of `dwarves demo`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "On a terminal it is one screen that goes on, with the page to open; piped it prints what happens line by line.

Examples:
  dwarves demo
  dwarves demo --listen 127.0.0.1:8080 --data-dir demo
  dwarves demo --duration-secs 60 | tee story.txt
  dwarves demo --work evaluated"
)]
pub struct DemoArgs {
    /// Where to listen: IP address and port [default: a free port of this machine]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// What the miners do: search for blocks, or train a model that is evaluated (needs python3)
    #[arg(long, value_name = "KIND", value_enum, default_value_t = DemoWork::ProofOfWork)]
    pub work: DemoWork,
    /// Where the demo keeps what it writes [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Stop after this many seconds [default: when Ctrl-C is pressed]
    #[arg(long, value_name = "SECONDS")]
    pub duration_secs: Option<u64>,
}

/// What the miners of a demo do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum DemoWork {
    /// Search for blocks of a little chain
    ProofOfWork,
    /// Train a small model, and are paid by its loss
    Evaluated,
}

/// Runs the demo.
///
/// # Errors
/// If it cannot start, or does not stop in good order.
pub fn run(args: DemoArgs) -> Result<(), Failure> {
    let options = DemoOptions {
        data_dir: args.data_dir,
        duration: args.duration_secs.map(Duration::from_secs),
        listen: args.listen,
        is_evaluated: args.work == DemoWork::Evaluated,
    };
    let out = std::io::stdout();
    let telling = if out.is_terminal() {
        Telling::Live
    } else {
        Telling::Lines(Box::new(out))
    };
    demo::run(&options, telling)?;
    Ok(())
}
