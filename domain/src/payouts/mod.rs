//! Payouts: transactions that pay miners, from what is due to what is final.
//!
//! A payout takes its miners' balances from payable to in flight when it is reserved, and to paid when its
//! transaction is deep. It is signed once: the same bytes are sent until they are deep, and nothing is built
//! again unless the inputs were provably spent by another transaction.
//!
//! | module | its one job |
//! |---|---|
//! | [mod@plan] | what a plan is: its rules, who is paid, who waits and why |
//! | `draft` | who is due, and who of them is paid by the next transaction: coins, size and fee |
//! | [`batch`] | what a payout's transaction pays: one output an address, and the network's fee |
//! | [`coins`] | which coins pay for it, and what that costs |
//! | [`transaction`] | whether a signed transaction pays just that |
//! | [`payout`] | a payout, and the steps between its states |
//! | `payout_state` | where a payout is on its way |
//! | `booking` | what each step books |
//! | [`follow`] | what to do about a payout by what the wallet says of its transaction |
//! | [`adopt`] | what the wallet sent and the ledger does not know, made into a payout |
//! | [`exported`] | what those have that somebody else sends |
//! | `marking` | the steps of those |
//! | [`mod@export`] | who is in a batch of those, and its two signed texts |
//! | [`txid`] | names of transactions and outputs |

pub mod adopt;
pub mod agreed;
pub mod batch;
mod booking;
pub mod coins;
mod draft;
pub mod export;
pub mod exported;
pub mod follow;
mod marking;
pub mod payout;
mod payout_state;
pub mod plan;
pub mod transaction;
pub mod txid;

#[cfg(test)]
mod tests;

pub use adopt::{AdoptError, Adopted, Payees, Spend};
pub use agreed::{ParsePlanDigestError, PlanDigest};
pub use batch::{FeePayer, FeeRate, Output, Part, PayoutBatch, PayoutBatchError};
pub use coins::{ChooseError, Chosen, FeeTerms, Funds, Outputs, Price, Purse, Sizes};
pub use draft::plan;
pub use export::{BatchDigest, Export, plan_export};
pub use exported::{BatchFault, BatchName, Exported, PaymentReference};
pub use follow::{Act, Depths, Rival, Seen, next_act, rival_act};
pub use payout::{Payout, Signed, Transition, TransitionError, Transitioned};
pub use payout_state::{ParsePayoutStateError, PayoutState};
pub use plan::{Held, Payee, Plan, PlanError, PlanRules, Waiting, WhyHeld};
pub use transaction::{Transaction, TransactionError, read_transaction};
pub use txid::{OutPoint, ParseTxidError, Txid};
