//! What stops the process: SIGTERM, SIGINT, or an admin's order.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Waits until somebody wants the process to stop, and says who.
///
/// # Errors
/// If signals cannot be listened for.
pub async fn stop_wanted(mut by_admin: watch::Receiver<bool>) -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        // The sender lives in the pool manager; if it is gone, so is the pool.
        _ = by_admin.wait_for(|stop| *stop) => "an admin's order",
    })
}
