//! `dwarves demo`: a pool with some miners in one process.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Failure;
use crate::demo::{self, DemoOptions};

/// Arguments of `dwarves demo`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DemoArgs {
    /// Where the demo keeps what it writes [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Stop after this many seconds [default: when Ctrl-C is pressed]
    #[arg(long, value_name = "SECONDS")]
    pub duration_secs: Option<u64>,
}

/// Runs the demo.
///
/// # Errors
/// If it cannot start, or does not stop in good order.
pub fn run(args: DemoArgs) -> Result<(), Failure> {
    let options = DemoOptions {
        data_dir: args.data_dir,
        duration: args.duration_secs.map(Duration::from_secs),
    };
    demo::run(&options, Box::new(std::io::stdout()))?;
    Ok(())
}
