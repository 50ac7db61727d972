//! What one look at the payouts may do, what it found, and why it ends early.

use std::collections::BTreeMap;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Plan, Txid};
use dwarves_domain::time::Timestamp;
use dwarves_ports::wallet::WalletError;

use super::comparison::{CompareError, Compared};
use super::messages::{OpenPayout, PayoutAlarms};
use super::trouble::{Trouble, TroubleKind};
use crate::control::Controlled;

/// A script that the wallet refused to pay.
#[derive(Clone, Debug)]
pub(super) struct RefusedScript {
    /// In the wallet's words.
    pub(super) why: String,
    /// When the node refused it.
    pub(super) at: Timestamp,
}

/// What an operator wants done about what the ledger does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// Book it as a payout.
    Adopt {
        /// This one; `None`: all that pay miners.
        only: Option<Txid>,
        /// Also if balances do not cover it.
        reserve_bears: bool,
    },
    /// They are looked at, and what is not booked is none of the pool's payouts.
    Release,
}

/// What one look may do, and what earlier looks of this life learnt.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// Whether a payout is to be planned.
    pub(super) wants_plan: bool,
    /// Whether new transactions may leave: not while payouts are paused or held.
    pub(super) may_send: bool,
    /// Whether what the wallet says of payouts is booked: not while this may be another chain than the ledger's.
    pub(super) may_follow: bool,
    /// Whether ledger and wallet were compared in this life, and agreed or were settled. Nothing leaves before.
    pub(super) is_compared: bool,
    /// What was compared; `None`: never with this ledger.
    pub(super) compared: Option<Compared>,
    /// This ledger was restored from a backup, in words, and no operator has settled since what the wallet sent.
    pub(super) restored: Option<String>,
    /// In this life ledger and wallet were compared for the words of that.
    pub(super) is_restore_told: bool,
    /// The last payout that is known of.
    pub(super) last_payout: Option<PayoutId>,
    /// Scripts that the wallet refused to pay.
    pub(super) refused: BTreeMap<Vec<u8>, RefusedScript>,
    /// Outputs of one transaction: fewer than configured once the wallet found one too large.
    pub(super) outputs_max: usize,
    /// Virtual bytes of one transaction: fewer than configured once the wallet found one too large.
    pub(super) vbytes_max: u64,
}

/// What a look found and did.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) errand: Errand,
    pub(super) troubles: Vec<Trouble>,
    /// As they are after the look, and how many are only watched for reorganisations; `None`: they could not be
    /// read.
    pub(super) open: Option<(Vec<OpenPayout>, u64)>,
    pub(super) alarms: PayoutAlarms,
    /// What was planned, if anything was.
    pub(super) plan: Option<Plan>,
    /// What is due is not what an admin agreed to.
    pub(super) is_other_plan: bool,
    /// The payout that was begun.
    pub(super) begun: Option<PayoutId>,
    /// Ledger and wallet were compared: why payouts are held now, or that nothing is strange.
    pub(super) restored: Option<Option<String>>,
    /// What came of an operator's order about what is strange.
    pub(super) settled: Option<Controlled>,
}

/// Why a look ends early.
pub(super) enum Ended {
    /// Something hinders all payouts.
    Trouble(Trouble),
    /// The ledger is gone: the pool is stopping.
    Gone,
}

impl From<WalletError> for Ended {
    fn from(error: WalletError) -> Self {
        Self::Trouble(Trouble::of_wallet(&error))
    }
}

impl From<CompareError> for Ended {
    fn from(error: CompareError) -> Self {
        Self::Trouble(match error {
            CompareError::Wallet(error) => Trouble::of_wallet(&error),
            CompareError::Store(error) => Trouble::new(TroubleKind::Ledger, error.to_string()),
        })
    }
}

impl Report {
    pub(super) fn of(errand: Errand) -> Self {
        Self {
            errand,
            troubles: Vec::new(),
            open: None,
            alarms: PayoutAlarms::default(),
            plan: None,
            is_other_plan: false,
            begun: None,
            restored: None,
            settled: None,
        }
    }
}
