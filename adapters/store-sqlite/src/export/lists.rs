//! Lists for an operator: who is registered, with what, what was paid.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::Txid;
use dwarves_ports::store::export::{ListedMiner, ListedPayout};
use dwarves_ports::store::{CounterRow, MinerBalances, WorkerRow};
use rusqlite::{Connection, params};

use crate::columns::{Cells, all};
use crate::error::Outcome;
use crate::life_start;

/// The miners that earned most, at most so many.
pub(super) fn miners(snapshot: &Connection, limit: u32) -> Outcome<Vec<ListedMiner>> {
    let any = Hotkey::from_bytes([0; 32]);
    let code = |balance| Account::Miner(any, balance).code().to_owned();
    let [immature, payable, in_flight, paid] = [
        Balance::Immature,
        Balance::Payable,
        Balance::InFlight,
        Balance::Paid,
    ]
    .map(code);
    let sql =
        "SELECT miners.hotkey AS hotkey, registered_at, payout_address, bans.hotkey IS NOT NULL AS banned,
            SUM(CASE account WHEN ?2 THEN amount ELSE 0 END) AS immature,
            SUM(CASE account WHEN ?3 THEN amount ELSE 0 END) AS payable,
            SUM(CASE account WHEN ?4 THEN amount ELSE 0 END) AS in_flight,
            SUM(CASE account WHEN ?5 THEN amount ELSE 0 END) AS paid
        FROM miners LEFT JOIN bans ON bans.hotkey = miners.hotkey
            LEFT JOIN balances ON balances.hotkey = miners.hotkey
        GROUP BY miners.hotkey ORDER BY COALESCE(SUM(amount), 0) DESC, miners.hotkey LIMIT ?1";
    let params = params![limit, immature, payable, in_flight, paid];
    all(snapshot, sql, params, |row| {
        let cells = Cells::new(row, "miners");
        let address = cells.optional("payout_address", |cells, column| cells.text(column))?;
        Ok(ListedMiner {
            hotkey: cells.hotkey("hotkey")?,
            registered_at: cells.time("registered_at")?,
            payout_address: address.map(str::to_owned),
            is_banned: cells.int("banned")? == 1,
            balances: MinerBalances {
                immature: cells.amount("immature")?,
                payable: cells.amount("payable")?,
                in_flight: cells.amount("in_flight")?,
                paid: cells.amount("paid")?,
            },
        })
    })
}

/// Every worker with what it came to, those of one miner if it is named.
pub(super) fn workers(snapshot: &Connection, miner: Option<Hotkey>) -> Outcome<Vec<(WorkerRow, CounterRow)>> {
    let counted = snapshot.query_row("SELECT counters_through FROM pool", [], |row| {
        Ok(Cells::new(row, "pool").sequence(0))
    })??;
    let mut workers = life_start::workers(snapshot, counted)?;
    workers.retain(|(worker, _)| miner.is_none_or(|miner| worker.hotkey == miner));
    Ok(workers)
}

/// The last payouts, newest first, at most so many.
pub(super) fn payouts(snapshot: &Connection, limit: u32) -> Outcome<Vec<ListedPayout>> {
    let sql = "SELECT payouts.id AS id, state, reserved_at, txid, confirmations, note,
            (SELECT COUNT(*) FROM payout_parts WHERE payout = payouts.id) AS parts,
            (SELECT COALESCE(SUM(amount), 0) FROM payout_parts WHERE payout = payouts.id) AS total
        FROM payouts ORDER BY payouts.id DESC LIMIT ?1";
    all(snapshot, sql, [limit], |row| {
        let cells = Cells::new(row, "payouts");
        let txid = cells.optional("txid", |cells, column| cells.array(column))?;
        Ok(ListedPayout {
            id: PayoutId::new(cells.u64("id")?),
            state: cells.named("state")?,
            reserved_at: cells.time("reserved_at")?,
            txid: txid.map(Txid::from_bytes),
            confirmations: cells.u32("confirmations")?,
            parts: cells.u64("parts")?,
            total: cells.amount("total")?,
            note: cells.text("note")?.to_owned(),
        })
    })
}
