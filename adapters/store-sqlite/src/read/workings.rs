//! How a round came to a miner's credit.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::Weights;
use dwarves_domain::units::BasisPoints;
use dwarves_ports::store::CreditWorkings;
use rusqlite::{Connection, OptionalExtension};

use crate::columns::{Cells, int};
use crate::credited_miners::{self, Hotkeys};
use crate::error::{Outcome, corrupt};
use crate::packed_money;

pub(crate) fn of_credit(
    connection: &Connection,
    round: RoundId,
    hotkey: &Hotkey,
) -> Outcome<Option<CreditWorkings>> {
    let miner = credited_miners::find(connection, hotkey)?;
    let row = connection
        .prepare_cached("SELECT fee_bps, splits, paid FROM round_workings WHERE round = ?1")?
        .query_row([int(round.get())], |row| {
            let cells = Cells::new(row, "round_workings");
            let read = || -> Outcome<_> {
                let paid = match miner {
                    Some(miner) => packed_money::paid_of(cells.blob("paid")?, miner.number)?,
                    None => None,
                };
                let fee = u16::try_from(cells.u32("fee_bps")?)
                    .ok()
                    .and_then(BasisPoints::new);
                let fee =
                    fee.ok_or_else(|| corrupt("round_workings.fee_bps must be a part of ten thousand"))?;
                Ok((fee, packed_money::splits(cells.blob("splits")?)?, paid))
            };
            Ok(read())
        })
        .optional()?
        .transpose()?;
    let Some((fee, splits, paid)) = row else {
        return Ok(None);
    };
    let mut hotkeys = Hotkeys::new(connection);
    let mut all = Vec::with_capacity(splits.len());
    for split in splits {
        let mut weights = Weights::new();
        for (number, half_steps) in split {
            let added = weights.add(hotkeys.of(number)?, half_steps);
            added.map_err(|error| corrupt(format!("round_workings.splits: {error}")))?;
        }
        all.push(weights);
    }
    Ok(Some(CreditWorkings {
        fee,
        splits: all,
        paid,
    }))
}
