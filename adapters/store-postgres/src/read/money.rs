//! Questions about money: balances, rounds, sums; and the audit trail.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId};
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::rewards::Emitted;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::codec::{Cells as _, rows};
use dwarves_ports::store::{
    Accounting, AuditRow, BlockState, CreditRow, MinerBalances, Page, PageRequest, PoolTotals, RoundRow,
};

use super::page;
use crate::cells::Cells;
use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;
use crate::{batches, conservation};

pub(crate) fn balances(db: &Db, hotkey: &Hotkey) -> Outcome<MinerBalances> {
    let sql = "SELECT account, amount FROM balances WHERE hotkey = $1";
    let rows = db.all("balances", sql, values![hotkey], |cells| {
        Ok((cells.string("account")?, cells.amount("amount")?))
    })?;
    let rows: BTreeMap<String, Amount> = rows.into_iter().collect();
    // No row: nothing ever moved there.
    let of = |balance| {
        let account = Account::Miner(*hotkey, balance);
        rows.get(account.code()).copied().unwrap_or(Amount::ZERO)
    };
    Ok(MinerBalances {
        immature: of(Balance::Immature),
        payable: of(Balance::Payable),
        in_flight: of(Balance::InFlight),
        paid: of(Balance::Paid),
    })
}

pub(crate) fn rounds(db: &Db, request: PageRequest) -> Outcome<Page<RoundRow>> {
    let sql = "SELECT * FROM rounds WHERE id < $1 ORDER BY id DESC LIMIT $2";
    page(db, "rounds", sql, request, &[], |cells| of_round(db, cells))
}

/// A round of which this is the row.
pub(crate) fn of_round(db: &Db, cells: &Cells) -> Outcome<RoundRow> {
    let id = cells.round("id")?;
    rows::round(cells, credited_blocks(db, id)?, emitted(db, id)?)
}

fn credited_blocks(db: &Db, round: RoundId) -> Outcome<Vec<HeaderHash>> {
    let sql = "SELECT hash FROM credited_blocks WHERE round = $1 ORDER BY place";
    db.all("credited_blocks", sql, values![round], |cells| cells.hash("hash"))
}

/// What became of a round's emission, but for what was issued: that is its reward.
pub(crate) fn emitted(db: &Db, round: RoundId) -> Outcome<Option<Emitted>> {
    let sql = "SELECT * FROM round_emissions WHERE round = $1";
    db.one("round_emissions", sql, values![round], |cells| {
        Ok(Emitted {
            amount: cells.amount("amount")?,
            brought: cells.amount("brought")?,
            issued: Amount::ZERO,
            carried: cells.amount("carried")?,
            burnt: cells.amount("burnt")?,
        })
    })
}

pub(crate) fn round(db: &Db, id: RoundId) -> Outcome<Option<(RoundRow, Vec<CreditRow>)>> {
    let blocks = credited_blocks(db, id)?;
    let emitted = emitted(db, id)?;
    let sql = "SELECT * FROM rounds WHERE id = $1";
    let round = db.one("rounds", sql, values![id], |cells| {
        rows::round(cells, blocks, emitted)
    })?;
    let Some(round) = round else {
        return Ok(None);
    };
    Ok(Some((round, super::credits::of_round(db, id)?)))
}

pub(crate) fn audit(db: &Db, request: PageRequest) -> Outcome<Page<AuditRow>> {
    let sql = "SELECT * FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2";
    page(db, "audit", sql, request, &[], rows::audit)
}

pub(crate) fn totals(db: &Db) -> Outcome<PoolTotals> {
    let sql = "SELECT COALESCE(SUM(amount), 0)::bigint AS sum FROM balances";
    let ledger_sum = db.always("balances", sql, &[], |cells| cells.int("sum"))?;
    let sql = "SELECT state, accounting, COUNT(*) AS count, MAX(total_before + units) AS ends
        FROM blocks GROUP BY state, accounting";
    let blocks = db.all("blocks", sql, &[], |cells| {
        let booked: Accounting = cells.named("accounting")?;
        let state = cells.named::<BlockState>("state")?;
        Ok((state, cells.u64("count")?, cells.units("ends")?, booked))
    })?;
    let found = || blocks.iter().filter(|(state, ..)| state.is_found());
    let mut blocks_by_state = BTreeMap::new();
    for (state, count, ..) in &blocks {
        *blocks_by_state.entry(*state).or_default() += count;
    }
    let lost = blocks
        .iter()
        .filter(|(.., booked)| *booked == Accounting::ReversedMature);
    let (holdings, income) = conservation::read(db)?;
    let tail = batches::tail(db)?;
    Ok(PoolTotals {
        // The server's log of writes is its own affair.
        log_bytes: 0,
        ledger_sum: i128::from(ledger_sum),
        holdings,
        income,
        blocks_by_state,
        blocks_lost: lost.map(|(_, count, ..)| count).sum(),
        units: tail.total,
        shares: tail.sequence.get(),
        blocks: found().map(|(_, count, ..)| count).sum(),
        units_to_last_block: found().map(|(_, _, ends, _)| *ends).max().unwrap_or(Units::ZERO),
    })
}
