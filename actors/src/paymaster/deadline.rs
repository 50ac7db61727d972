//! How long the wallet is waited for.

use std::time::Duration;

use dwarves_ports::wallet::{WalletError, WalletErrorKind, WalletFuture};

/// How long the wallet may take for one answer. Signing thousands of outputs takes seconds.
const WALLET_DEADLINE: Duration = Duration::from_secs(120);

/// Waits for the wallet, but not for ever.
pub(super) async fn patiently<T>(answer: WalletFuture<T>) -> Result<T, WalletError> {
    match tokio::time::timeout(WALLET_DEADLINE, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(WalletError::new(
            WalletErrorKind::TimedOut,
            format!("no answer in {} s", WALLET_DEADLINE.as_secs()),
        )),
    }
}
