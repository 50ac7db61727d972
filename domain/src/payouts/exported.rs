//! What exported payouts have in place of a transaction: the batch that they are in, and what they were paid by.

use std::fmt;
use std::str::FromStr;

use crate::ids::PayoutId;

/// The longest name of a batch, in bytes.
pub const BATCH_NAME_LEN_MAX: usize = 64;
/// The longest reference to a payment, in bytes.
pub const REFERENCE_LEN_MAX: usize = 128;

/// The name of a batch of exported payouts, chosen by the operator: the same name is the same batch for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchName(String);

/// A text that cannot name a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected 1 to {BATCH_NAME_LEN_MAX} letters, digits, dots, hyphens and underscores, the first a letter or a digit"
)]
pub struct ParseBatchNameError;

impl BatchName {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BatchName {
    type Err = ParseBatchNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins && text.len() <= BATCH_NAME_LEN_MAX && text.bytes().all(of_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseBatchNameError)
        }
    }
}

/// By what a payment is found on its chain: a transaction's hash, or an extrinsic's block and index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentReference(String);

/// A text that is no reference to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected 1 to {REFERENCE_LEN_MAX} printable ASCII characters without spaces, quotes and backslashes"
)]
pub struct ParsePaymentReferenceError;

impl PaymentReference {
    /// The reference as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PaymentReference {
    type Err = ParsePaymentReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_right = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte);
        if (1..=REFERENCE_LEN_MAX).contains(&text.len()) && text.bytes().all(is_right) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePaymentReferenceError)
        }
    }
}

/// What an exported payout has in place of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The batch that it was exported in.
    pub batch: BatchName,
    /// Where it was paid, while it is marked so.
    pub reference: Option<PaymentReference>,
}

/// Why an order about a batch is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// There is no such batch.
    #[error("batch: there is no batch of this name")]
    Unknown,
    /// The batch has no such payout.
    #[error("payouts: payout {payout} is not in this batch")]
    PayoutUnknown {
        /// Which is not.
        payout: PayoutId,
    },
    /// Nobody can be paid.
    #[error("nothing is due: no balance has reached its threshold and can be paid")]
    NothingDue,
    /// A payout is marked paid by another payment.
    #[error("payout {payout} is marked paid by {reference} already; take that back first if it is wrong")]
    AlreadyPaid {
        /// Which is.
        payout: PayoutId,
        /// By which payment.
        reference: PaymentReference,
    },
    /// A payout is not marked paid by the payment whose mark is to be taken back, but by another one.
    #[error("reference: payout {payout} is marked paid by {reference}")]
    OtherReference {
        /// Which is.
        payout: PayoutId,
        /// By which payment.
        reference: PaymentReference,
    },
    /// A payout was marked paid, so its money may have left.
    #[error("payout {payout} was marked paid, so its money may have left: it is not given back")]
    WasPaid {
        /// Which was.
        payout: PayoutId,
    },
    /// A payout was given back.
    #[error("payout {payout} was given back to its miner's balance, which the next batch pays")]
    GivenBack {
        /// Which was.
        payout: PayoutId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_references_are_plain() {
        for good in ["a", "2026-11-29", "A.b_c-9", &"x".repeat(64)] {
            assert_eq!(good.parse::<BatchName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "_a", "a b", "a/b", "ä", "a\n", &"x".repeat(65)] {
            assert_eq!(bad.parse::<BatchName>(), Err(ParseBatchNameError), "{bad:?}");
        }
        for good in ["0xabc", "4211930-2", "tx:1", &"x".repeat(128)] {
            assert_eq!(good.parse::<PaymentReference>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\"", "a'", "a\\", "é", "a\n", &"x".repeat(129)] {
            assert!(bad.parse::<PaymentReference>().is_err(), "{bad:?}");
        }
    }
}
