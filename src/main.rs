//! The `dwarves` program: logging, memory, and how a failure is told.

use std::process::ExitCode;

use clap::Parser;
use dwarves::cli::{Cli, Failure};
use dwarves::config::LogFormat;
use dwarves::logging;

// Many small messages between threads: mimalloc takes frees from other threads more cheaply than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let format = cli.log_format();
    let begun = match &format {
        Ok(format) => logging::start(*format, cli.default_log_filter()),
        Err(_) => Ok(()),
    };
    let known = *format.as_ref().unwrap_or(&LogFormat::Text);
    let done = format.map_err(Failure::from).and(begun).and_then(|()| cli.run());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has had enough, as with `| head`.
        Err(failure) if is_unread(failure.as_ref()) => ExitCode::SUCCESS,
        Err(failure) => {
            logging::tell_failure(known, failure.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Whether a command ended because nobody reads its output. What ends a connection is told by its own kinds of errors.
fn is_unread(failure: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let io = failure.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
