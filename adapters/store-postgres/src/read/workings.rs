//! How a round came to a miner's credit.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::{PaidWork, Weights};
use dwarves_domain::units::BasisPoints;
use dwarves_ports::store::CreditWorkings;
use dwarves_ports::store::codec::Cells as _;

use crate::client::Db;
use crate::error::{Outcome, corrupt};
use crate::value::values;

pub(crate) fn of_credit(db: &Db, round: RoundId, hotkey: &Hotkey) -> Outcome<Option<CreditWorkings>> {
    let sql = "SELECT fee_bps, splits FROM round_workings WHERE round = $1";
    let row = db.one("round_workings", sql, values![round], |cells| {
        let fee = u16::try_from(cells.u32("fee_bps")?)
            .ok()
            .and_then(BasisPoints::new);
        let fee = fee.ok_or_else(|| cells.bad("fee_bps", "a part of ten thousand"))?;
        Ok((fee, cells.u32("splits")?))
    })?;
    let Some((fee, count)) = row else {
        return Ok(None);
    };
    let mut splits = vec![Weights::new(); count as usize];
    let sql = "SELECT place, hotkey, half_steps FROM round_splits WHERE round = $1";
    let work = db.all("round_splits", sql, values![round], |cells| {
        Ok((
            cells.u32("place")?,
            cells.hotkey("hotkey")?,
            cells.u128("half_steps")?,
        ))
    })?;
    for (place, hotkey, half_steps) in work {
        let split = splits.get_mut(place as usize);
        let split = split.ok_or_else(|| corrupt("round_splits.place must be one of the round's"))?;
        let added = split.add(hotkey, half_steps);
        added.map_err(|error| corrupt(format!("round_splits.half_steps: {error}")))?;
    }
    let sql = "SELECT value, work FROM round_paid WHERE round = $1 AND hotkey = $2";
    let rows = db.all("round_paid", sql, values![round, hotkey], |cells| {
        let value = cells.optional("value", |cells, column| cells.amount(column))?;
        Ok((value, cells.u128("work")?))
    })?;
    let mut paid = (!rows.is_empty()).then(PaidWork::default);
    if let Some(paid) = &mut paid {
        for (value, work) in rows {
            match value {
                Some(value) => {
                    paid.work
                        .insert(value, dwarves_domain::units::Units::from_raw(work));
                }
                None => paid.carried = work,
            }
        }
    }
    Ok(Some(CreditWorkings { fee, splits, paid }))
}
