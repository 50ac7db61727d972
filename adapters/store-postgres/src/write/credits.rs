//! Credits on their way into miners' statements.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId};
use dwarves_domain::units::Amount;
use dwarves_ports::store::CreditKind;
use dwarves_ports::store::codec::sats;

use super::Transaction;
use crate::error::Outcome;
use crate::value::{Number, Value, values};

impl Transaction<'_> {
    /// Appends credits of a round, in this order: whose, for which work, how much.
    pub(super) fn append_credits(
        &self,
        round: RoundId,
        kind: CreditKind,
        block: Option<&HeaderHash>,
        credits: &[(Hotkey, u128, Amount)],
    ) -> Outcome<()> {
        let hotkeys: Vec<&[u8]> = credits
            .iter()
            .map(|(hotkey, ..)| &hotkey.as_bytes()[..])
            .collect();
        let work: Vec<Number> = credits
            .iter()
            .map(|(_, half_steps, _)| Number(*half_steps))
            .collect();
        let amounts: Vec<i64> = credits.iter().map(|(.., amount)| sats(*amount)).collect();
        self.db.execute(
            "INSERT INTO credits (id, round, kind, block, hotkey, half_steps, amount)
             SELECT (SELECT COALESCE(MAX(id), 0) FROM credits) + place, $1, $2, $3, hotkey, half_steps, amount
             FROM unnest($4::bytea[], $5::numeric[], $6::bigint[]) WITH ORDINALITY
                 AS credit (hotkey, half_steps, amount, place)",
            values![
                round,
                kind.name(),
                block,
                Value::Other(&hotkeys),
                Value::Other(&work),
                Value::Other(&amounts)
            ],
        )?;
        Ok(())
    }
}
