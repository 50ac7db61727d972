//! What a pool lives on: a chain that it mines, or work that it has evaluated.

use dwarves_domain::ids::Sequence;
use dwarves_ports::chain::SharedChain;
use dwarves_ports::store::{StoredState, Write};
use dwarves_ports::wallet::SharedWallet;

use super::StartError;
use crate::ask::Port;
use crate::exporter::ExportSettings;
use crate::work_evaluator::EvaluatorSettings;
use crate::work_evaluator::messages::{ReadEvaluator, RemoveSubmission, SubmitWork};

/// The setting that says of which kind of pool the ledger is, if it has no chain.
const TRADE: &str = "ledger.trade";
/// Its value.
const EVALUATED: &str = "evaluated";

/// What the pool lives on.
#[derive(Clone)]
pub enum Trade {
    /// It mines a chain.
    Mining {
        /// Where work comes from and blocks go to.
        chain: SharedChain,
        /// The wallet that signs and sends payouts.
        wallet: SharedWallet,
    },
    /// It has work evaluated, and has no chain.
    Evaluating {
        /// How work is evaluated.
        evaluator: Box<EvaluatorSettings>,
        /// What batches of payouts say, which somebody else sends.
        exports: ExportSettings,
    },
}

impl Trade {
    pub(super) fn chain(&self) -> Option<&SharedChain> {
        match self {
            Self::Mining { chain, .. } => Some(chain),
            Self::Evaluating { .. } => None,
        }
    }

    /// Refuses a ledger of the other kind of pool: its money is counted in another unit.
    pub(super) fn must_fit(&self, stored: &StoredState) -> Result<(), StartError> {
        let is_evaluated = stored.settings.get(TRADE).map(String::as_str) == Some(EVALUATED);
        let has_mined = stored.last_sequence > Sequence::new(0) || !stored.templates.is_empty();
        match self {
            Self::Mining { .. } if is_evaluated => Err(StartError::OtherTrade("evaluates work")),
            Self::Evaluating { .. } if has_mined => Err(StartError::OtherTrade("mines a chain")),
            _ => Ok(()),
        }
    }

    /// Writes down that the ledger is of a pool without a chain.
    pub(super) fn mark() -> Write {
        Write::SaveSetting {
            key: TRADE.to_owned(),
            value: Some(EVALUATED.to_owned()),
        }
    }
}

/// The ways to the work evaluator.
#[derive(Clone, Debug)]
pub struct EvaluatorPorts {
    /// Takes work.
    pub submit: Port<SubmitWork>,
    /// Removes a miner's submission.
    pub remove: Port<RemoveSubmission>,
    /// How evaluation goes.
    pub read: Port<ReadEvaluator>,
}
