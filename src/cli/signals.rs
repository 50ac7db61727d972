//! Ctrl-C and SIGTERM: the first asks to stop in good order, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Failure;

/// The exit code of a process that was interrupted, as shells have it: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Sets the returned flag at the first Ctrl-C or SIGTERM, and ends the process at the second.
///
/// # Errors
/// If the operating system does not let this process wait for signals.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let waits = std::thread::Builder::new().name("signals".to_owned());
    waits.spawn(move || {
        runtime.block_on(async {
            if next_signal().await.is_ok() {
                flag.store(true, Ordering::Relaxed);
            }
            if next_signal().await.is_ok() {
                std::process::exit(INTERRUPTED);
            }
        });
    })?;
    Ok(stop)
}

/// Waits for the next Ctrl-C or SIGTERM.
///
/// # Errors
/// If the operating system does not let this process wait for signals.
#[cfg(unix)]
pub async fn next_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits for the next Ctrl-C.
///
/// # Errors
/// If the operating system does not let this process wait for signals.
#[cfg(not(unix))]
pub async fn next_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
