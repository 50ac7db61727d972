//! Questions about payouts.

use std::collections::BTreeSet;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{Part, Payee, Payout, PayoutState, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{MinerPayoutRow, Page, PageRequest};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{bounds, page};
use crate::columns::{Cells, all, int, sats};
use crate::error::Outcome;
use crate::row_codec;

/// Whether a payout's parts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    With,
    Without,
}

/// One payout with its bytes.
pub(crate) fn one(connection: &Connection, id: PayoutId, parts: Parts) -> Outcome<Option<Payout>> {
    let payout = connection
        .prepare_cached("SELECT * FROM payouts WHERE id = ?1")?
        .query_row([int(id.get())], |row| Ok(row_codec::payout(row)))
        .optional()?
        .transpose()?;
    let Some(mut payout) = payout else {
        return Ok(None);
    };
    if parts == Parts::With {
        payout.parts = self::parts(connection, id)?;
    }
    Ok(Some(payout))
}

/// A payout's parts, in their order.
pub(crate) fn parts(connection: &Connection, id: PayoutId) -> Outcome<Vec<Part>> {
    let sql = "SELECT * FROM payout_parts WHERE payout = ?1 ORDER BY place";
    all(connection, sql, [int(id.get())], row_codec::part)
}

pub(crate) fn watched(connection: &Connection, limit: u32) -> Outcome<Vec<Payout>> {
    let sql = "SELECT id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid,
                   CASE WHEN state IN (?2, ?3) THEN bytes WHEN txid IS NULL THEN NULL ELSE x'' END AS bytes,
                   inputs, fee, confirmations, is_watched, note, batch, reference
               FROM payouts WHERE is_watched = 1 ORDER BY id LIMIT ?1";
    let (signed, broadcast) = (PayoutState::Signed.name(), PayoutState::Broadcast.name());
    all(
        connection,
        sql,
        params![limit, signed, broadcast],
        row_codec::payout,
    )
}

pub(crate) fn candidates(connection: &Connection, least: Amount) -> Outcome<Vec<Payee>> {
    let any = Hotkey::from_bytes([0; 32]);
    let sql = "SELECT balances.hotkey AS hotkey, balances.amount AS payable, payout_address,
                   payout_thresholds.amount AS threshold
               FROM balances LEFT JOIN miners ON miners.hotkey = balances.hotkey
                   LEFT JOIN payout_thresholds ON payout_thresholds.hotkey = balances.hotkey
               WHERE account = ?1 AND balances.amount >= ?2 AND balances.amount > 0
               ORDER BY balances.hotkey";
    let account = Account::Miner(any, Balance::Payable);
    all(connection, sql, params![account.code(), sats(least)], candidate)
}

/// Which of these transactions are stored payouts'.
pub(crate) fn known(connection: &Connection, txids: &[Txid]) -> Outcome<BTreeSet<Txid>> {
    let mut known = BTreeSet::new();
    let mut statement = connection.prepare_cached("SELECT 1 FROM payouts WHERE txid = ?1")?;
    for txid in txids {
        if statement.exists([txid.as_bytes()])? {
            known.insert(*txid);
        }
    }
    Ok(known)
}

/// Every miner with an address, with what it has payable.
pub(crate) fn payees(connection: &Connection) -> Outcome<Vec<Payee>> {
    let any = Hotkey::from_bytes([0; 32]);
    let sql = "SELECT miners.hotkey AS hotkey, COALESCE(balances.amount, 0) AS payable, payout_address,
                   payout_thresholds.amount AS threshold
               FROM miners LEFT JOIN balances ON balances.hotkey = miners.hotkey AND balances.account = ?1
                   LEFT JOIN payout_thresholds ON payout_thresholds.hotkey = miners.hotkey
               WHERE payout_address IS NOT NULL ORDER BY miners.hotkey";
    let account = Account::Miner(any, Balance::Payable);
    all(connection, sql, params![account.code()], candidate)
}

fn candidate(row: &Row<'_>) -> Outcome<Payee> {
    let cells = Cells::new(row, "balances");
    let address = cells.optional("payout_address", |cells, column| cells.text(column))?;
    Ok(Payee {
        hotkey: cells.hotkey("hotkey")?,
        payable: cells.amount("payable")?,
        address: address.map(str::to_owned),
        threshold: cells.optional("threshold", |cells, column| cells.amount(column))?,
    })
}

pub(crate) fn of_miner(
    connection: &Connection,
    hotkey: &Hotkey,
    request: PageRequest,
) -> Outcome<Page<MinerPayoutRow>> {
    let (before, rows_max) = bounds(request);
    let sql = "SELECT payouts.id AS id, state, txid, batch, reference, confirmations, reserved_at, sent_at, note, address,
                   payout_parts.amount AS amount, payout_parts.fee AS fee
               FROM payout_parts JOIN payouts ON payouts.id = payout_parts.payout
               WHERE payout_parts.hotkey = ?3 AND payout_parts.payout < ?1
               ORDER BY payout_parts.payout DESC LIMIT ?2";
    let params = params![before, rows_max, hotkey.as_bytes()];
    page(connection, sql, params, request.limit, row_codec::miner_payout)
}

pub(crate) fn threshold(connection: &Connection, hotkey: &Hotkey) -> Outcome<Option<Amount>> {
    connection
        .prepare_cached("SELECT amount FROM payout_thresholds WHERE hotkey = ?1")?
        .query_row([hotkey.as_bytes()], |row| {
            Ok(Cells::new(row, "payout_thresholds").amount("amount"))
        })
        .optional()?
        .transpose()
}
