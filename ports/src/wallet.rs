//! The wallet as the paymaster sees it: small verbs, each safe to repeat, and errors that say what they mean.
//!
//! A wallet keeps the pool's coins and signs. It decides nothing: what is paid comes in a [`BuildRequest`], and
//! the signed bytes go back to the paymaster, which stores them before anybody else may see them. Signing never
//! sends. Implementations answer from any thread and may fail at any time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::payouts::{
    ChooseError, Chosen, FeeTerms, Funds, OutPoint, PayoutBatch, Purse, Rival, Seen, Signed, Spend, Txid,
};
use dwarves_domain::units::Amount;

/// An answer of the wallet that is still to come.
pub type WalletFuture<T> = Pin<Box<dyn Future<Output = Result<T, WalletError>>>>;

/// A wallet shared by those who ask it.
pub type SharedWallet = Arc<dyn Wallet>;

/// How a wallet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletState {
    /// It can pay.
    Ready,
    /// It is encrypted and its passphrase was not given.
    Locked,
    /// The node has not loaded it.
    NotLoaded(String),
    /// The node is behind the chain: what it says of transactions is old.
    Syncing(String),
}

/// What kind of failure it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletErrorKind {
    /// The wallet is encrypted and its passphrase was not given.
    Locked,
    /// The node has not loaded the wallet, or does not know it.
    NotLoaded,
    /// The wallet's node is not reachable, or is still starting.
    Unreachable,
    /// No answer in time: whether it was done is not known.
    TimedOut,
    /// The coins that can be spent do not cover what is to be paid.
    ShortOfFunds,
    /// The wallet cannot pay this script.
    BadAddress(Vec<u8>),
    /// The transaction would be larger than the network carries.
    TooLarge,
    /// The network's fee would be more than the request allows.
    FeeTooHigh {
        /// What it would be.
        fee: Amount,
    },
    /// The wallet refused, or answered what makes no sense.
    Refused,
}

/// What must happen after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WalletAction {
    /// Ask the same again later.
    Retry,
    /// Ask the same again once an operator has mended it.
    Mend,
    /// Give the payout up before it is signed, and plan another by what is known now.
    Replan,
}

/// A failure of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletError {
    kind: WalletErrorKind,
    detail: String,
}

impl WalletError {
    /// A failure of this kind; `detail` is for the log and holds no secret.
    pub fn new(kind: WalletErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> &WalletErrorKind {
        &self.kind
    }

    /// What whoever gets the error must do.
    pub fn action(&self) -> WalletAction {
        match self.kind {
            WalletErrorKind::Unreachable | WalletErrorKind::TimedOut => WalletAction::Retry,
            WalletErrorKind::Locked | WalletErrorKind::NotLoaded => WalletAction::Mend,
            WalletErrorKind::ShortOfFunds
            | WalletErrorKind::FeeTooHigh { .. }
            | WalletErrorKind::BadAddress(_)
            | WalletErrorKind::TooLarge
            | WalletErrorKind::Refused => WalletAction::Replan,
        }
    }
}

impl fmt::Display for WalletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.kind {
            WalletErrorKind::Locked => "the wallet is locked",
            WalletErrorKind::NotLoaded => "the wallet is not loaded",
            WalletErrorKind::Unreachable => "the wallet cannot be reached",
            WalletErrorKind::TimedOut => "the wallet did not answer in time",
            WalletErrorKind::ShortOfFunds => "the wallet is short of funds",
            WalletErrorKind::BadAddress(_) => "the wallet refuses an address",
            WalletErrorKind::TooLarge => "the transaction is too large",
            WalletErrorKind::FeeTooHigh { .. } => "the network's fee is above payouts.fee_max_bps",
            WalletErrorKind::Refused => "the wallet refused",
        };
        if self.detail.is_empty() {
            f.write_str(what)
        } else {
            write!(f, "{what}: {}", self.detail)
        }
    }
}

impl std::error::Error for WalletError {}

/// What a transaction is built of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRequest {
    /// Whom it pays, and who bears the fee.
    pub batch: PayoutBatch,
    /// What the network is offered, and how much it may carry.
    pub terms: FeeTerms,
    /// The most that the network may take.
    pub fee_max: Amount,
}

impl BuildRequest {
    /// Chooses of the wallet's `funds` the coins that pay it.
    ///
    /// # Errors
    /// [`WalletErrorKind::ShortOfFunds`], [`WalletErrorKind::FeeTooHigh`] or [`WalletErrorKind::TooLarge`];
    /// [`WalletErrorKind::Refused`] if the numbers do not fit an amount.
    pub fn choose_from(&self, funds: &Funds) -> Result<Chosen, WalletError> {
        let purse = Purse::new(funds, self.terms);
        purse.choose(&self.batch, self.fee_max).map_err(|error| {
            let kind = match error {
                ChooseError::Short { .. } => WalletErrorKind::ShortOfFunds,
                ChooseError::TooLarge { .. } => WalletErrorKind::TooLarge,
                ChooseError::TooDear { fee, .. } => WalletErrorKind::FeeTooHigh { fee },
                ChooseError::Overflow => WalletErrorKind::Refused,
            };
            WalletError::new(kind, error.to_string())
        })
    }
}

/// A transaction that was built and signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The signed transaction, which nobody else has yet.
    pub signed: Signed,
    /// What of the network's fee the miners bear; zero if the pool pays.
    pub borne: Amount,
}

/// What became of sending a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The network has it now.
    Accepted,
    /// The network had it already.
    Known,
    /// The network does not take it, in the node's own word.
    Refused(String),
}

/// What a wallet sent since a mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spends {
    /// Its transactions that pay others, oldest first; those that conflict with the chain are left out.
    pub spends: Vec<Spend>,
    /// What to hand in the next time: a place so deep in the chain that nothing before it changes.
    pub mark: Option<String>,
}

/// A transaction that a wallet sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its bytes. Those of a transaction with MWEB parts can be read by the node alone.
    pub bytes: Vec<u8>,
    /// The coins of the main chain that it spends; none if all of its coins were in MWEB.
    pub inputs: Vec<OutPoint>,
    /// What the network took.
    pub fee: Amount,
}

/// A wallet that pays miners.
pub trait Wallet: Send + Sync + 'static {
    /// Whether it can pay, and what hinders it.
    fn state(&self) -> WalletFuture<WalletState>;

    /// What it can pay with now.
    fn funds(&self) -> WalletFuture<Funds>;

    /// An address of its own, which it can pay as well as any: to tell a refused address from a wallet that can pay
    /// nobody.
    fn own_address(&self) -> WalletFuture<String>;

    /// Locks exactly these coins for payouts that are signed, and releases all others.
    fn hold(&self, inputs: Vec<OutPoint>) -> WalletFuture<()>;

    /// Whether the network would take this transaction: it is built and signed as [`Wallet::build`] does it, but no
    /// coin is locked, and nothing of it is kept.
    fn check(&self, request: BuildRequest) -> WalletFuture<()>;

    /// Builds and signs a transaction of coins that are not locked, and locks them. It is not sent.
    fn build(&self, request: BuildRequest) -> WalletFuture<Built>;

    /// Sends a signed transaction. Sending it again is safe.
    fn send(&self, bytes: Vec<u8>) -> WalletFuture<SendOutcome>;

    /// What became of a transaction.
    fn status(&self, txid: Txid) -> WalletFuture<Seen>;

    /// Whether another transaction of the best chain spends one of `inputs`.
    fn rival(&self, txid: Txid, inputs: Vec<OutPoint>) -> WalletFuture<Rival>;

    /// What it sent to others than itself since `mark`; without one, or if the chain does not know the mark any
    /// more: ever.
    fn spends(&self, mark: Option<String>) -> WalletFuture<Spends>;

    /// A transaction that it sent, if it knows it.
    fn sent(&self, txid: Txid) -> WalletFuture<Option<Sent>>;
}
