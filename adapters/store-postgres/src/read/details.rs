//! What is asked of one block, payout or share.

use dwarves_domain::ids::{HeaderHash, RoundId, Sequence};
use dwarves_domain::payouts::{Payout, Txid};
use dwarves_domain::units::Units;
use dwarves_domain::work::FullExtraNonce;
use dwarves_ports::store::codec::{Cells as _, block_states, rows};
use dwarves_ports::store::copying::CopiedShare;
use dwarves_ports::store::{
    BlockBooked, BlockDetails, BlockState, Page, PageRequest, PayoutRow, ShareDetails, ShareRow,
};

use super::page;
use crate::batches;
use crate::cells::Cells;
use crate::client::Db;
use crate::error::{Outcome, corrupt, total_overflow};
use crate::value::values;

/// States of a block that are shown: a chain that flaps for long shows the last ones.
const STATES_MAX: u32 = 100;

/// Bytes of an extranonce whose last four nobody kept: shares that come from an old ledger have no more.
pub(crate) const EXTRANONCE_HEAD: usize = 8;

/// A share as it is stored.
pub(crate) fn stored_share(cells: &Cells) -> Outcome<CopiedShare> {
    let stored = cells.blob("extranonce")?;
    let mut extranonce = [0; 12];
    let kept = extranonce.get_mut(..stored.len());
    let kept = kept.filter(|kept| kept.len() == 12 || kept.len() == EXTRANONCE_HEAD);
    let kept = kept.ok_or_else(|| cells.bad("extranonce", "12 bytes"))?;
    kept.copy_from_slice(stored);
    Ok(CopiedShare {
        is_whole: stored.len() == 12,
        row: ShareRow {
            template: cells.template("template")?,
            extranonce: FullExtraNonce::from_bytes(extranonce),
            worker: cells.worker("worker")?,
            share_bits: cells.compact("share_bits")?,
            units: cells.units("units")?,
            hash: cells.hash("hash")?,
            version: cells.u32("version")?,
            time: cells.u32("time")?,
            nonce: cells.u32("nonce")?,
            received_at: cells.time("received_at")?,
            block: None,
        },
    })
}

/// A share as everybody else knows it; a block is stored apart from it.
pub(crate) fn share_row(db: &Db, sequence: Sequence) -> Outcome<Option<CopiedShare>> {
    let sql = "SELECT * FROM shares WHERE sequence = $1 AND sequence > (SELECT pruned_through FROM pool)";
    db.one("shares", sql, values![sequence], stored_share)
}

/// Units of all shares before one that is stored.
fn total_before(db: &Db, sequence: Sequence) -> Outcome<Units> {
    let batch =
        batches::commit_of(db, sequence)?.ok_or_else(|| corrupt("batches: no row holds the share"))?;
    let sql = "SELECT COALESCE(SUM(units), 0) AS units FROM shares WHERE sequence >= $1 AND sequence < $2";
    let more = db.always("shares", sql, values![batch.first, sequence], |cells| {
        cells.units("units")
    })?;
    batch.total_before.checked_add(more).ok_or_else(total_overflow)
}

pub(crate) fn share(db: &Db, sequence: Sequence) -> Outcome<Option<ShareDetails>> {
    let Some(CopiedShare { row, is_whole }) = share_row(db, sequence)? else {
        return Ok(None);
    };
    let sql = "SELECT hotkey, name FROM workers WHERE id = $1";
    let worker = db.one("workers", sql, values![row.worker], |cells| {
        Ok((cells.hotkey("hotkey")?, cells.named("name")?))
    })?;
    let (hotkey, worker) =
        worker.ok_or_else(|| corrupt(format!("shares: worker {} is not known", row.worker)))?;
    // All of a template but what may be large.
    let template = db.one(
        "templates",
        "SELECT id, received_at, height, previous, version, version_mask, bits, time, time_min, time_max, subsidy,
             coinbase_value, coinbase_form, witness_commitment, payout_script, tag, retired,
             ''::bytea AS transactions, ''::bytea AS trailer
         FROM templates WHERE id = $1",
        values![row.template],
        rows::template,
    )?;
    let (template, _) =
        template.ok_or_else(|| corrupt(format!("shares: template {} is not known", row.template)))?;
    let sql = "SELECT state FROM blocks WHERE hash = $1";
    let block = db.one("blocks", sql, values![&row.hash], |cells| cells.named("state"))?;
    Ok(Some(ShareDetails {
        sequence,
        total_before: total_before(db, sequence)?,
        hotkey,
        worker,
        row,
        is_whole,
        template,
        block,
        round: round_through(db, sequence)?,
    }))
}

/// The first round that looked at the ledger up to this share.
fn round_through(db: &Db, sequence: Sequence) -> Outcome<Option<RoundId>> {
    let sql = "SELECT id FROM rounds WHERE through >= $1 ORDER BY through, id LIMIT 1";
    db.one("rounds", sql, values![sequence], |cells| cells.round("id"))
}

pub(crate) fn block(db: &Db, hash: &HeaderHash, beginning: u32) -> Outcome<Option<BlockDetails>> {
    let Some(block) = super::blocks::one(db, hash)? else {
        return Ok(None);
    };
    let length = i32::try_from(beginning).unwrap_or(i32::MAX);
    let sql = format!("SELECT substr(bytes, 1, {length}) AS beginning FROM blocks WHERE hash = $1");
    let beginning = db.always("blocks", &sql, values![hash], |cells| {
        cells.blob("beginning").map(<[u8]>::to_vec)
    })?;
    let sql = "SELECT state, at FROM (
                   SELECT id, state, at FROM block_states WHERE block = $1 ORDER BY id DESC LIMIT $2) AS last ORDER BY id";
    let states = db.all("block_states", sql, values![hash, STATES_MAX], |cells| {
        let at = cells.optional("at", |cells, column| cells.time(column))?;
        Ok((cells.named::<BlockState>("state")?, at))
    })?;
    Ok(Some(BlockDetails {
        block,
        beginning,
        states,
        booked: booked(db, hash)?,
    }))
}

fn booked(db: &Db, hash: &HeaderHash) -> Outcome<Option<BlockBooked>> {
    let sql = "SELECT round, fee, kept,
            (SELECT COALESCE(SUM(amount), 0)::bigint FROM block_credits WHERE block_credits.hash = $1) AS credited
        FROM credited_blocks WHERE hash = $1";
    db.one("credited_blocks", sql, values![hash], |cells| {
        Ok(BlockBooked {
            round: cells.round("round")?,
            fee: cells.amount("fee")?,
            kept: cells.amount("kept")?,
            credited: cells.amount("credited")?,
        })
    })
}

pub(crate) fn found_ends(db: &Db, limit: u32) -> Outcome<Vec<Units>> {
    let sql = format!(
        "SELECT total_before + units AS ends FROM blocks WHERE state IN ({}) ORDER BY id DESC LIMIT $1",
        block_states(BlockState::is_found)
    );
    db.all("blocks", &sql, values![limit], |cells| cells.units("ends"))
}

/// A payout's columns but for its bytes.
const PAYOUT_COLUMNS: &str = "id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid,
     CASE WHEN txid IS NOT NULL THEN ''::bytea END AS bytes, inputs, fee, confirmations, is_watched, note, batch,
     reference";

pub(crate) fn payouts(db: &Db, request: PageRequest) -> Outcome<Page<PayoutRow>> {
    let sql = format!(
        "SELECT {PAYOUT_COLUMNS},
             (SELECT COUNT(*) FROM payout_parts WHERE payout = payouts.id) AS parts,
             (SELECT COALESCE(SUM(amount), 0)::bigint FROM payout_parts WHERE payout = payouts.id) AS total
         FROM payouts WHERE id < $1 ORDER BY id DESC LIMIT $2"
    );
    page(db, "payouts", &sql, request, &[], |cells| {
        Ok(PayoutRow {
            payout: rows::payout(cells)?,
            parts: cells.u64("parts")?,
            total: cells.amount("total")?,
        })
    })
}

pub(crate) fn payout_of(db: &Db, txid: &Txid) -> Outcome<Option<Payout>> {
    let sql = format!("SELECT {PAYOUT_COLUMNS} FROM payouts WHERE txid = $1");
    let Some(mut payout) = db.one("payouts", &sql, values![txid], rows::payout)? else {
        return Ok(None);
    };
    payout.parts = super::payouts::parts(db, payout.id)?;
    Ok(Some(payout))
}
