//! Solo: the miner whose share is the block takes all of it, less the fee.

use crate::hotkey::Hotkey;
use crate::rewards::split::Credit;
use crate::units::Amount;

/// The finder's credit; none if there is nothing to credit.
pub fn credits(amount: Amount, finder: Hotkey) -> Vec<Credit> {
    if amount == Amount::ZERO {
        return Vec::new();
    }
    vec![Credit {
        hotkey: finder,
        amount,
    }]
}
