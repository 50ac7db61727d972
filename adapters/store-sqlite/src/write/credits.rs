//! Credits on their way into miners' statements, and blocks' parts.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId};
use dwarves_domain::rewards::Credit;
use dwarves_domain::units::Amount;
use dwarves_ports::store::CreditKind;
use rusqlite::{Connection, params};

use super::Transaction;
use crate::columns::int;
use crate::credited_miners;
use crate::error::Outcome;
use crate::packed_money::{PackedCredit, push_part};
use crate::read;

/// Credits that a row holds: so many that what they have in common hardly counts, and so few that one is soon found.
const CREDITS_PER_ROW: usize = 32;

/// Appends credits of a round, in this order: whose, for which work, how much.
pub(crate) fn append(
    connection: &Connection,
    round: RoundId,
    kind: CreditKind,
    block: Option<&HeaderHash>,
    credits: &[(Hotkey, u128, Amount)],
) -> Outcome<()> {
    let mut id = read::credits::last_id(connection)? + 1;
    let mut insert = connection.prepare_cached(
        "INSERT INTO packed_credits (id, round, kind, block, credits) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for row in credits.chunks(CREDITS_PER_ROW) {
        let (first, mut blob) = (id, Vec::new());
        for (hotkey, half_steps, amount) in row {
            let miner = credited_miners::find_or_number(connection, hotkey)?;
            let back = match miner.last_credit {
                0 => 0,
                last => id - last,
            };
            let credit = PackedCredit {
                miner: miner.number,
                back,
                half_steps: *half_steps,
                amount: *amount,
            };
            credit.push(&mut blob);
            credited_miners::note_credit(connection, &miner, id)?;
            id += 1;
        }
        insert.execute(params![
            int(first),
            int(round.get()),
            kind.name(),
            block.map(HeaderHash::as_bytes),
            blob,
        ])?;
    }
    Ok(())
}

impl Transaction<'_> {
    /// Appends credits of a round, in this order: whose, for which work, how much.
    pub(super) fn append_credits(
        &self,
        round: RoundId,
        kind: CreditKind,
        block: Option<&HeaderHash>,
        credits: &[(Hotkey, u128, Amount)],
    ) -> Outcome<()> {
        append(self.connection, round, kind, block, credits)
    }

    /// A block's parts as one blob.
    pub(super) fn pack_parts(&self, credits: &[Credit]) -> Outcome<Vec<u8>> {
        let mut blob = Vec::new();
        for credit in credits {
            let miner = credited_miners::find_or_number(self.connection, &credit.hotkey)?;
            push_part(&mut blob, miner.number, credit.amount);
        }
        Ok(blob)
    }
}
