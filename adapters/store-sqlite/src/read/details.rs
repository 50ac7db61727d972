//! What is asked of one block, payout or share.

use std::ops::ControlFlow;

use dwarves_domain::ids::{HeaderHash, RoundId, Sequence};
use dwarves_domain::payouts::{Payout, Txid};
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::{
    BlockBooked, BlockDetails, BlockState, Page, PageRequest, PayoutRow, ShareDetails,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{bounds, page};
use crate::batches;
use crate::columns::{Cells, all, block_states, int};
use crate::error::{Outcome, corrupt};
use crate::packed_money;
use crate::row_codec;

/// States of a block that are shown: a chain that flaps for long shows the last ones.
const STATES_MAX: u32 = 100;

pub(crate) fn share(connection: &Connection, sequence: Sequence) -> Outcome<Option<ShareDetails>> {
    if sequence == Sequence::new(0) || sequence > batches::tail(connection)?.sequence {
        return Ok(None);
    }
    let mut found = None;
    batches::walk(connection, sequence, sequence, |share| {
        found = Some(share);
        Ok(ControlFlow::Break(()))
    })?;
    let Some(found) = found else {
        return Ok(None);
    };
    let share = found.share;
    let worker = connection
        .prepare_cached("SELECT hotkey, name FROM workers WHERE id = ?1")?
        .query_row([share.worker.get()], |row| {
            let cells = Cells::new(row, "workers");
            let read = || -> Outcome<_> { Ok((cells.hotkey("hotkey")?, cells.named("name")?)) };
            Ok(read())
        })
        .optional()?
        .transpose()?;
    let (hotkey, worker) =
        worker.ok_or_else(|| corrupt(format!("batches.shares: worker {} is not known", share.worker)))?;
    // All of a template but what may be large.
    let template = connection
        .prepare_cached(
            "SELECT id, received_at, height, previous, version, version_mask, bits, time, time_min, time_max, subsidy,
                 coinbase_value, coinbase_form, witness_commitment, payout_script, tag, retired,
                 x'' AS transactions, x'' AS trailer
             FROM templates WHERE id = ?1",
        )?
        .query_row([share.terms.template.get()], |row| Ok(row_codec::template(row)))
        .optional()?
        .transpose()?;
    let (template, _) = template.ok_or_else(|| {
        corrupt(format!(
            "batches.shares: template {} is not known",
            share.terms.template
        ))
    })?;
    let block = connection
        .prepare_cached("SELECT state FROM blocks WHERE hash = ?1")?
        .query_row([share.hash.as_bytes()], |row| {
            Ok(Cells::new(row, "blocks").named("state"))
        })
        .optional()?
        .transpose()?;
    Ok(Some(ShareDetails {
        sequence,
        total_before: found.total_before,
        hotkey,
        worker,
        row: share.to_row(),
        is_whole: !share.lacks_tail,
        template,
        block,
        round: round_through(connection, sequence)?,
    }))
}

/// The first round that looked at the ledger up to this share. Rounds are numbered on and look further and further, so
/// halving finds it without an index.
fn round_through(connection: &Connection, sequence: Sequence) -> Outcome<Option<RoundId>> {
    let mut select = connection
        .prepare_cached("SELECT (SELECT MIN(id) FROM rounds) AS low, (SELECT MAX(id) FROM rounds) AS high")?;
    let range = select.query_row([], |row| {
        let cells = Cells::new(row, "rounds");
        let read = || -> Outcome<_> {
            let low = cells.optional("low", |cells, column| cells.u64(column))?;
            let high = cells.optional("high", |cells, column| cells.u64(column))?;
            Ok(low.zip(high))
        };
        Ok(read())
    })??;
    let Some((mut low, high)) = range else {
        return Ok(None);
    };
    let mut select = connection
        .prepare_cached("SELECT id, through FROM rounds WHERE id <= ?1 ORDER BY id DESC LIMIT 1")?;
    let (mut end, mut found) = (high + 1, None);
    while low < end {
        let middle = low + (end - low) / 2;
        let (id, through) = select.query_row([int(middle)], |row| {
            let cells = Cells::new(row, "rounds");
            let read = || -> Outcome<_> { Ok((cells.round("id")?, cells.sequence("through")?)) };
            Ok(read())
        })??;
        if through >= sequence {
            end = id.get();
            found = Some(id);
        } else {
            low = middle + 1;
        }
    }
    Ok(found)
}

pub(crate) fn block(
    connection: &Connection,
    hash: &HeaderHash,
    beginning: u32,
) -> Outcome<Option<BlockDetails>> {
    let Some(block) = super::blocks::one(connection, hash)? else {
        return Ok(None);
    };
    let beginning = connection
        .prepare_cached(
            "SELECT COALESCE(substr(bytes, 1, ?2), x'') AS beginning FROM blocks WHERE hash = ?1",
        )?
        .query_row(params![hash.as_bytes(), beginning], |row| {
            Ok(Cells::new(row, "blocks").blob("beginning").map(<[u8]>::to_vec))
        })??;
    let sql = "SELECT state, at FROM (
                   SELECT id, state, at FROM block_states WHERE block = ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id";
    let states = all(connection, sql, params![hash.as_bytes(), STATES_MAX], |row| {
        let cells = Cells::new(row, "block_states");
        let at = cells.optional("at", |cells, column| cells.time(column))?;
        Ok((cells.named::<BlockState>("state")?, at))
    })?;
    Ok(Some(BlockDetails {
        block,
        beginning,
        states,
        booked: booked(connection, hash)?,
    }))
}

fn booked(connection: &Connection, hash: &HeaderHash) -> Outcome<Option<BlockBooked>> {
    let row = connection
        .prepare_cached("SELECT round, fee, kept, parts FROM credited_blocks WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| {
            let cells = Cells::new(row, "credited_blocks");
            let read = || -> Outcome<_> {
                let parts =
                    cells.optional("parts", |cells, column| packed_money::parts(cells.blob(column)?))?;
                Ok((
                    cells.round("round")?,
                    cells.amount("fee")?,
                    cells.amount("kept")?,
                    parts,
                ))
            };
            Ok(read())
        })
        .optional()?
        .transpose()?;
    let Some((round, fee, kept, parts)) = row else {
        return Ok(None);
    };
    let amounts = match parts {
        Some(parts) => parts.into_iter().map(|(_, amount)| amount).collect(),
        None => {
            let sql = "SELECT amount FROM block_credits WHERE hash = ?1";
            all(connection, sql, [hash.as_bytes()], |row| {
                Cells::new(row, "block_credits").amount("amount")
            })?
        }
    };
    let credited = Amount::checked_sum(amounts);
    Ok(Some(BlockBooked {
        round,
        fee,
        kept,
        credited: credited.ok_or_else(|| corrupt("credited_blocks.parts: their sum does not fit"))?,
    }))
}

pub(crate) fn found_ends(connection: &Connection, limit: u32) -> Outcome<Vec<Units>> {
    let sql = format!(
        "SELECT total_before, units FROM blocks WHERE state IN ({}) ORDER BY id DESC LIMIT ?1",
        block_states(BlockState::is_found)
    );
    all(connection, &sql, [limit], |row| {
        let cells = Cells::new(row, "blocks");
        let end = cells.units("total_before")?.checked_add(cells.units("units")?);
        end.ok_or_else(|| corrupt("blocks.units do not fit behind total_before"))
    })
}

/// A payout's columns but for its bytes.
const PAYOUT_COLUMNS: &str = "id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid,
     CASE WHEN txid IS NOT NULL THEN x'' END AS bytes, inputs, fee, confirmations, is_watched, note, batch,
     reference";

pub(crate) fn payouts(connection: &Connection, request: PageRequest) -> Outcome<Page<PayoutRow>> {
    let sql = format!(
        "SELECT {PAYOUT_COLUMNS},
             (SELECT COUNT(*) FROM payout_parts WHERE payout = payouts.id) AS parts,
             (SELECT COALESCE(SUM(amount), 0) FROM payout_parts WHERE payout = payouts.id) AS total
         FROM payouts WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
    );
    page(connection, &sql, bounds(request), request.limit, |row| {
        let cells = Cells::new(row, "payouts");
        Ok(PayoutRow {
            payout: row_codec::payout(row)?,
            parts: cells.u64("parts")?,
            total: cells.amount("total")?,
        })
    })
}

pub(crate) fn payout_of(connection: &Connection, txid: &Txid) -> Outcome<Option<Payout>> {
    let sql = format!("SELECT {PAYOUT_COLUMNS} FROM payouts WHERE txid = ?1");
    let payout = connection
        .prepare_cached(&sql)?
        .query_row([txid.as_bytes()], |row| Ok(row_codec::payout(row)))
        .optional()?
        .transpose()?;
    let Some(mut payout) = payout else {
        return Ok(None);
    };
    payout.parts = super::payouts::parts(connection, payout.id)?;
    Ok(Some(payout))
}
