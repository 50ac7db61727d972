//! Why the chain does not do what it was told.

use dwarves_domain::work::template::TemplateError;
use dwarves_ports::chain::ChainError;

use super::chain_state::ChangeError;

/// Why a command was not carried out, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The chain gave no answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The chain cannot be changed so.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// There are not that many blocks above genesis.
    #[error("depth: the chain has only {height} blocks above genesis")]
    TooDeep {
        /// The height of the tip.
        height: u32,
    },
    /// The transaction, or a block that was mined, is not valid, with the chain's own word for why.
    #[error("refused: {0}")]
    Refused(String),
    /// No block can be made of the chain's template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}
