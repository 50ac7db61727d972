//! `dwarves demo`: a pool with some miners in one process.

use std::path::PathBuf;

use clap::Args;

use super::Failure;

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
/// If it can not start.
pub fn run(_args: DemoArgs) -> Result<(), Failure> {
    Err("demo: not in this build yet".into())
}
