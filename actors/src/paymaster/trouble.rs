//! What can hinder payouts: each with a name, what is known of it, and what an operator can do.

use std::fmt;

use dwarves_domain::ids::PayoutId;

use dwarves_ports::wallet::{WalletError, WalletErrorKind};

/// What kind of hindrance it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TroubleKind {
    /// The wallet is encrypted and its passphrase was not given.
    WalletLocked,
    /// The node has not loaded the wallet.
    WalletNotLoaded,
    /// The wallet's node cannot be reached.
    WalletUnreachable,
    /// The wallet's node is behind the chain.
    WalletSyncing,
    /// The wallet did not answer in time.
    WalletTimedOut,
    /// The wallet refused, or answered what makes no sense.
    WalletRefused,
    /// The wallet's coins do not cover what is due.
    ShortOfFunds,
    /// The network's fee would be above the cap.
    FeeTooHigh,
    /// An address cannot be paid.
    AddressRefused,
    /// The transaction would be too large.
    TooLarge,
    /// The node does not take a signed transaction.
    TransactionRefused,
    /// Another transaction spends a payout's inputs, but is not deep yet.
    InputsSpent,
    /// A payout was deep and is no longer.
    Reorged,
    /// A payout has waited very long for its first block.
    Stuck,
    /// There are as many open payouts as are followed.
    TooManyOpen,
    /// The ledger cannot be read or written.
    Ledger,
}

impl TroubleKind {
    /// Every kind of trouble, for tests and the runbook.
    pub const ALL: [Self; 16] = [
        Self::WalletLocked,
        Self::WalletNotLoaded,
        Self::WalletUnreachable,
        Self::WalletSyncing,
        Self::WalletTimedOut,
        Self::WalletRefused,
        Self::ShortOfFunds,
        Self::FeeTooHigh,
        Self::AddressRefused,
        Self::TooLarge,
        Self::TransactionRefused,
        Self::InputsSpent,
        Self::Reorged,
        Self::Stuck,
        Self::TooManyOpen,
        Self::Ledger,
    ];

    /// The name on the wire and in the runbook.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WalletLocked => "wallet_locked",
            Self::WalletNotLoaded => "wallet_not_loaded",
            Self::WalletUnreachable => "wallet_unreachable",
            Self::WalletSyncing => "wallet_syncing",
            Self::WalletTimedOut => "wallet_timed_out",
            Self::WalletRefused => "wallet_refused",
            Self::ShortOfFunds => "short_of_funds",
            Self::FeeTooHigh => "fee_too_high",
            Self::AddressRefused => "address_refused",
            Self::TooLarge => "transaction_too_large",
            Self::TransactionRefused => "transaction_refused",
            Self::InputsSpent => "inputs_spent",
            Self::Reorged => "payout_reorged",
            Self::Stuck => "payout_stuck",
            Self::TooManyOpen => "too_many_open",
            Self::Ledger => "ledger",
        }
    }

    /// Whether a plan finds it, so that it stands until another plan does not.
    pub const fn is_of_planning(self) -> bool {
        matches!(
            self,
            Self::WalletRefused
                | Self::ShortOfFunds
                | Self::FeeTooHigh
                | Self::AddressRefused
                | Self::TooLarge
        )
    }

    /// What an operator can do.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::WalletLocked => {
                "unlock the wallet: walletpassphrase on the node; nothing is lost meanwhile"
            }
            Self::WalletNotLoaded => {
                "load the wallet: loadwallet on the node, or name it in chain.wallet; createwallet with \
                 load_on_startup keeps it loaded"
            }
            Self::WalletUnreachable => "start the node, or correct chain.url and its credentials",
            Self::WalletSyncing => "wait until the node has caught up with the chain",
            Self::WalletTimedOut => "look at the node's load and log; the pool asks again by itself",
            Self::WalletRefused => "see the message and the node's log; the pool asks again by itself",
            Self::ShortOfFunds => {
                "send coins to the pool's wallet, or wait until the pool's blocks and the change of its payouts are \
                 spendable; the smallest balances are paid first"
            }
            Self::FeeTooHigh => {
                "lower payouts.fee_rate_sats_per_vbyte, raise payouts.fee_max_bps, or raise \
                 payouts.threshold_min_sats so that payouts are larger; the others are paid without them"
            }
            Self::AddressRefused => {
                "ask the miner to register another address; the others are paid without it"
            }
            Self::TooLarge => "raise payouts.vbytes_max, or join the wallet's small coins into large ones",
            Self::TransactionRefused => {
                "see the node's reason: for a low fee raise the node's limits or wait; the same transaction is \
                 offered again until it is taken or its inputs are spent deep in the chain"
            }
            Self::InputsSpent => {
                "somebody else spends the pool's wallet: find out who; the balances return once that \
                 transaction is deep"
            }
            Self::Reorged => {
                "look at the node and the network: a deep reorganisation is under way; the same transaction is sent again"
            }
            Self::Stuck => {
                "raise the fee by spending the payout's change (child pays for parent); never replace the \
                 payout itself"
            }
            Self::TooManyOpen => "wait until older payouts are deep, or raise payouts.interval_secs",
            Self::Ledger => "see the ledger's own trouble",
        }
    }
}

/// One thing that hinders payouts, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// What kind it is.
    pub kind: TroubleKind,
    /// Which payout it concerns, if one.
    pub payout: Option<PayoutId>,
    /// What is known of it.
    pub detail: String,
}

impl Trouble {
    /// A hindrance of all payouts.
    pub fn new(kind: TroubleKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            payout: None,
            detail: detail.into(),
        }
    }

    /// The same, of one payout.
    pub fn of(mut self, payout: PayoutId) -> Self {
        self.payout = Some(payout);
        self
    }

    /// What a failure of the wallet hinders.
    pub fn of_wallet(error: &WalletError) -> Self {
        let kind = match error.kind() {
            WalletErrorKind::Locked => TroubleKind::WalletLocked,
            WalletErrorKind::NotLoaded => TroubleKind::WalletNotLoaded,
            WalletErrorKind::Unreachable => TroubleKind::WalletUnreachable,
            WalletErrorKind::TimedOut => TroubleKind::WalletTimedOut,
            WalletErrorKind::ShortOfFunds => TroubleKind::ShortOfFunds,
            WalletErrorKind::BadAddress(_) => TroubleKind::AddressRefused,
            WalletErrorKind::TooLarge => TroubleKind::TooLarge,
            WalletErrorKind::FeeTooHigh { .. } => TroubleKind::FeeTooHigh,
            WalletErrorKind::Refused => TroubleKind::WalletRefused,
        };
        Self::new(kind, error.to_string())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(payout) = self.payout {
            write!(f, " (payout {payout})")?;
        }
        write!(f, ": {}; {}", self.detail, self.kind.remedy())
    }
}
