//! Questions about payouts.

use std::collections::BTreeSet;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{Part, Payee, Payout, PayoutState, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::store::codec::{Cells as _, rows};
use dwarves_ports::store::{MinerPayoutRow, Page, PageRequest};

use super::page;
use crate::cells::Cells;
use crate::client::Db;
use crate::error::Outcome;
use crate::value::{Value, values};

/// Whether a payout's parts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    With,
    Without,
}

/// One payout with its bytes.
pub(crate) fn one(db: &Db, id: PayoutId, parts: Parts) -> Outcome<Option<Payout>> {
    let sql = "SELECT * FROM payouts WHERE id = $1";
    let Some(mut payout) = db.one("payouts", sql, values![id], rows::payout)? else {
        return Ok(None);
    };
    if parts == Parts::With {
        payout.parts = self::parts(db, id)?;
    }
    Ok(Some(payout))
}

/// A payout's parts, in their order.
pub(crate) fn parts(db: &Db, id: PayoutId) -> Outcome<Vec<Part>> {
    let sql = "SELECT * FROM payout_parts WHERE payout = $1 ORDER BY place";
    db.all("payout_parts", sql, values![id], rows::part)
}

pub(crate) fn watched(db: &Db, limit: u32) -> Outcome<Vec<Payout>> {
    let sql = "SELECT id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid,
                   CASE WHEN state IN ($2, $3) THEN bytes WHEN txid IS NULL THEN NULL ELSE ''::bytea END AS bytes,
                   inputs, fee, confirmations, is_watched, note, batch, reference
               FROM payouts WHERE is_watched ORDER BY id LIMIT $1";
    let (signed, broadcast) = (PayoutState::Signed.name(), PayoutState::Broadcast.name());
    db.all("payouts", sql, values![limit, signed, broadcast], rows::payout)
}

/// Any miner's payable account: all have its code.
fn payable() -> Account {
    Account::Miner(Hotkey::from_bytes([0; 32]), Balance::Payable)
}

pub(crate) fn candidates(db: &Db, least: Amount) -> Outcome<Vec<Payee>> {
    let sql = "SELECT balances.hotkey AS hotkey, balances.amount AS payable, payout_address,
                   payout_thresholds.amount AS threshold
               FROM balances LEFT JOIN miners ON miners.hotkey = balances.hotkey
                   LEFT JOIN payout_thresholds ON payout_thresholds.hotkey = balances.hotkey
               WHERE account = $1 AND balances.amount >= $2 AND balances.amount > 0
               ORDER BY balances.hotkey";
    db.all("balances", sql, values![payable().code(), least], payee)
}

/// Which of these transactions are stored payouts'.
pub(crate) fn known(db: &Db, txids: &[Txid]) -> Outcome<BTreeSet<Txid>> {
    let ids: Vec<&[u8]> = txids.iter().map(|txid| &txid.as_bytes()[..]).collect();
    let sql = "SELECT txid FROM payouts WHERE txid = ANY($1)";
    let known = db.all("payouts", sql, values![Value::Other(&ids)], |cells| {
        Ok(Txid::from_bytes(cells.array("txid")?))
    })?;
    Ok(known.into_iter().collect())
}

/// Every miner with an address, with what it has payable.
pub(crate) fn payees(db: &Db) -> Outcome<Vec<Payee>> {
    let sql = "SELECT miners.hotkey AS hotkey, COALESCE(balances.amount, 0) AS payable, payout_address,
                   payout_thresholds.amount AS threshold
               FROM miners LEFT JOIN balances ON balances.hotkey = miners.hotkey AND balances.account = $1
                   LEFT JOIN payout_thresholds ON payout_thresholds.hotkey = miners.hotkey
               WHERE payout_address IS NOT NULL ORDER BY miners.hotkey";
    db.all("balances", sql, values![payable().code()], payee)
}

fn payee(cells: &Cells) -> Outcome<Payee> {
    Ok(Payee {
        hotkey: cells.hotkey("hotkey")?,
        payable: cells.amount("payable")?,
        address: cells.optional("payout_address", |cells, column| cells.string(column))?,
        threshold: cells.optional("threshold", |cells, column| cells.amount(column))?,
    })
}

pub(crate) fn of_miner(db: &Db, hotkey: &Hotkey, request: PageRequest) -> Outcome<Page<MinerPayoutRow>> {
    let sql = "SELECT payouts.id AS id, state, txid, batch, reference, confirmations, reserved_at, sent_at, note, address,
                   payout_parts.amount AS amount, payout_parts.fee AS fee
               FROM payout_parts JOIN payouts ON payouts.id = payout_parts.payout
               WHERE payout_parts.hotkey = $3 AND payout_parts.payout < $1
               ORDER BY payout_parts.payout DESC LIMIT $2";
    page(db, "payouts", sql, request, values![hotkey], rows::miner_payout)
}

pub(crate) fn threshold(db: &Db, hotkey: &Hotkey) -> Outcome<Option<Amount>> {
    let sql = "SELECT amount FROM payout_thresholds WHERE hotkey = $1";
    db.one("payout_thresholds", sql, values![hotkey], |cells| {
        cells.amount("amount")
    })
}
