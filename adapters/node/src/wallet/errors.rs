//! What the node's errors mean for a payout.

use dwarves_ports::wallet::{WalletError, WalletErrorKind};

use crate::rpc::{RpcError, WalletTrouble};

/// What it means that `method` failed.
pub(super) fn failed(method: &str, error: &RpcError) -> WalletError {
    let kind = match error {
        RpcError::Unreachable(_) | RpcError::Unauthorized(_) | RpcError::WarmingUp(_) | RpcError::Busy(_) => {
            WalletErrorKind::Unreachable
        }
        RpcError::NotConnected(_) | RpcError::InitialDownload(_) => WalletErrorKind::Unreachable,
        RpcError::Unknown(_) => WalletErrorKind::TimedOut,
        RpcError::Wallet { trouble, message } => match trouble {
            WalletTrouble::Locked => WalletErrorKind::Locked,
            WalletTrouble::NotLoaded | WalletTrouble::NotNamed => WalletErrorKind::NotLoaded,
            WalletTrouble::Funds => WalletErrorKind::ShortOfFunds,
            WalletTrouble::Other if message.contains("too large") => WalletErrorKind::TooLarge,
            WalletTrouble::Other => WalletErrorKind::Refused,
        },
        RpcError::Refused { .. } => WalletErrorKind::Refused,
    };
    WalletError::new(kind, format!("{method}: {error}"))
}

/// An answer that makes no sense.
pub(super) fn refused(detail: impl Into<String>) -> WalletError {
    WalletError::new(WalletErrorKind::Refused, detail)
}
