//! Where a payout is on its way.

use std::fmt;
use std::str::FromStr;

/// Where a payout is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayoutState {
    /// The money is set aside; there is no transaction yet.
    Reserved,
    /// The transaction is signed and stored; whether anybody has it is not known.
    Signed,
    /// The network has it; it is not deep yet.
    Broadcast,
    /// It is deep.
    Confirmed,
    /// Another transaction spent its inputs; the money is payable again.
    Returned,
    /// It was given up before it was signed, or before it was marked paid; the money is payable again.
    Cancelled,
    /// The money is set aside in a batch that somebody else sends.
    Exported,
    /// Somebody else sent it, as an operator said.
    Paid,
}

impl PayoutState {
    /// Every state of a payout, in the order of its life.
    pub const ALL: [Self; 8] = [
        Self::Reserved,
        Self::Signed,
        Self::Broadcast,
        Self::Confirmed,
        Self::Returned,
        Self::Cancelled,
        Self::Exported,
        Self::Paid,
    ];

    /// The name on the wire and in storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Signed => "signed",
            Self::Broadcast => "broadcast",
            Self::Confirmed => "confirmed",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
            Self::Exported => "exported",
            Self::Paid => "paid",
        }
    }

    /// Whether its money is in flight.
    pub const fn is_in_flight(self) -> bool {
        matches!(
            self,
            Self::Reserved | Self::Signed | Self::Broadcast | Self::Exported
        )
    }
}

impl fmt::Display for PayoutState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of a [`PayoutState`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected reserved, signed, broadcast, confirmed, returned, cancelled, exported or paid")]
pub struct ParsePayoutStateError;

impl FromStr for PayoutState {
    type Err = ParsePayoutStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.name() == text);
        found.ok_or(ParsePayoutStateError)
    }
}
