//! The `dwarves` program: logging, memory, and how a failure is told.

use std::process::ExitCode;

use clap::Parser;
use dwarves::cli::Cli;
use env_logger::Env;

// Many small messages between threads: mimalloc takes frees from other threads more cheaply than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    env_logger::Builder::from_env(Env::default().default_filter_or(cli.default_log_filter()))
        .format_timestamp_millis()
        .init();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            let mut cause = failure.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}
