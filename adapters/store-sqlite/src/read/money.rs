//! Questions about money: balances, credits, rounds, sums; and the audit trail.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId};
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::rewards::Emitted;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::{
    Accounting, AuditRow, BlockState, CreditRow, MinerBalances, Page, PageRequest, PoolTotals, RoundRow,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{bounds, page};
use crate::columns::{Cells, all, int};
use crate::error::{Outcome, corrupt};
use crate::row_codec;
use crate::{batches, conservation};

pub(crate) fn balances(connection: &Connection, hotkey: &Hotkey) -> Outcome<MinerBalances> {
    let mut select =
        connection.prepare_cached("SELECT amount FROM balances WHERE account = ?1 AND hotkey = ?2")?;
    let mut of = |balance| -> Outcome<Amount> {
        let account = Account::Miner(*hotkey, balance);
        let amount = select.query_row(params![account.code(), hotkey.as_bytes()], |row| {
            Ok(Cells::new(row, "balances").amount("amount"))
        });
        // No row: nothing ever moved there.
        Ok(amount.optional()?.transpose()?.unwrap_or(Amount::ZERO))
    };
    Ok(MinerBalances {
        immature: of(Balance::Immature)?,
        payable: of(Balance::Payable)?,
        in_flight: of(Balance::InFlight)?,
        paid: of(Balance::Paid)?,
    })
}

pub(crate) fn rounds(connection: &Connection, request: PageRequest) -> Outcome<Page<RoundRow>> {
    let sql = "SELECT * FROM rounds WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    page(connection, sql, bounds(request), request.limit, |row| {
        let id = Cells::new(row, "rounds").round("id")?;
        row_codec::round(row, credited_blocks(connection, id)?, emitted(connection, id)?)
    })
}

pub(crate) fn credited_blocks(connection: &Connection, round: RoundId) -> Outcome<Vec<HeaderHash>> {
    let sql = "SELECT hash FROM credited_blocks WHERE round = ?1 ORDER BY place";
    let hash = |row: &rusqlite::Row<'_>| Cells::new(row, "credited_blocks").hash("hash");
    all(connection, sql, [int(round.get())], hash)
}

/// What became of a round's emission, but for what was issued: that is its reward.
pub(crate) fn emitted(connection: &Connection, round: RoundId) -> Outcome<Option<Emitted>> {
    let emitted = connection
        .prepare_cached("SELECT * FROM round_emissions WHERE round = ?1")?
        .query_row([int(round.get())], |row| {
            let cells = Cells::new(row, "round_emissions");
            let read = || -> Outcome<_> {
                Ok(Emitted {
                    amount: cells.amount("amount")?,
                    brought: cells.amount("brought")?,
                    issued: Amount::ZERO,
                    carried: cells.amount("carried")?,
                    burnt: cells.amount("burnt")?,
                })
            };
            Ok(read())
        });
    emitted.optional()?.transpose()
}

pub(crate) fn round(connection: &Connection, id: RoundId) -> Outcome<Option<(RoundRow, Vec<CreditRow>)>> {
    let blocks = credited_blocks(connection, id)?;
    let emitted = emitted(connection, id)?;
    let round = connection
        .prepare_cached("SELECT * FROM rounds WHERE id = ?1")?
        .query_row([int(id.get())], |row| Ok(row_codec::round(row, blocks, emitted)))
        .optional()?
        .transpose()?;
    let Some(round) = round else {
        return Ok(None);
    };
    Ok(Some((round, super::credits::of_round(connection, id)?)))
}

pub(crate) fn audit(connection: &Connection, request: PageRequest) -> Outcome<Page<AuditRow>> {
    let sql = "SELECT * FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    page(connection, sql, bounds(request), request.limit, row_codec::audit)
}

pub(crate) fn totals(connection: &Connection) -> Outcome<PoolTotals> {
    // Summed here and not by SQL, whose sums are 64 bits.
    let balances = all(connection, "SELECT amount FROM balances", [], |row| {
        Cells::new(row, "balances").int("amount")
    })?;
    let blocks = all(
        connection,
        "SELECT state, accounting, total_before, units FROM blocks",
        [],
        |row| {
            let cells = Cells::new(row, "blocks");
            let end = cells.units("total_before")?.checked_add(cells.units("units")?);
            let end = end.ok_or_else(|| corrupt("blocks.units do not fit behind total_before"))?;
            let booked: Accounting = cells.named("accounting")?;
            Ok((cells.named::<BlockState>("state")?, end, booked))
        },
    )?;
    let found = || blocks.iter().filter(|(state, ..)| state.is_found());
    let mut blocks_by_state = BTreeMap::new();
    for (state, ..) in &blocks {
        *blocks_by_state.entry(*state).or_default() += 1;
    }
    let lost = blocks
        .iter()
        .filter(|(.., booked)| *booked == Accounting::ReversedMature);
    let (holdings, income) = conservation::read(connection)?;
    let tail = batches::tail(connection)?;
    let log = connection.path().map(|path| format!("{path}-wal"));
    let log = log.and_then(|path| std::fs::metadata(path).ok());
    Ok(PoolTotals {
        log_bytes: log.map_or(0, |log| log.len()),
        ledger_sum: balances.into_iter().map(i128::from).sum(),
        holdings,
        income,
        blocks_by_state,
        blocks_lost: lost.count() as u64,
        units: tail.total,
        shares: tail.sequence.get(),
        blocks: found().count() as u64,
        units_to_last_block: found().map(|(_, end, _)| *end).max().unwrap_or(Units::ZERO),
    })
}
