//! Lists for an operator: who is registered, with what, what was paid.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::Txid;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::export::{ListedMiner, ListedPayout};
use dwarves_ports::store::{CounterRow, MinerBalances, WorkerRow};

use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;
use crate::{batches, life_start};

/// The miners that earned most, at most so many.
pub(super) fn miners(db: &Db, limit: u32) -> Outcome<Vec<ListedMiner>> {
    let any = Hotkey::from_bytes([0; 32]);
    let of = |balance, name| {
        let code = Account::Miner(any, balance).code().to_owned();
        format!("COALESCE(SUM(amount) FILTER (WHERE account = '{code}'), 0)::bigint AS {name}")
    };
    let sql = format!(
        "SELECT miners.hotkey AS hotkey, registered_at, payout_address, bans.hotkey IS NOT NULL AS is_banned,
             {}, {}, {}, {}
         FROM miners LEFT JOIN bans ON bans.hotkey = miners.hotkey
             LEFT JOIN balances ON balances.hotkey = miners.hotkey
         GROUP BY miners.hotkey, bans.hotkey ORDER BY COALESCE(SUM(amount), 0) DESC, miners.hotkey LIMIT $1",
        of(Balance::Immature, "immature"),
        of(Balance::Payable, "payable"),
        of(Balance::InFlight, "in_flight"),
        of(Balance::Paid, "paid"),
    );
    db.all("miners", &sql, values![limit], |cells| {
        Ok(ListedMiner {
            hotkey: cells.hotkey("hotkey")?,
            registered_at: cells.time("registered_at")?,
            payout_address: cells.optional("payout_address", |cells, column| cells.string(column))?,
            is_banned: cells.flag("is_banned")?,
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
pub(super) fn workers(db: &Db, miner: Option<Hotkey>) -> Outcome<Vec<(WorkerRow, CounterRow)>> {
    let counted = db.always("pool", "SELECT counters_through FROM pool", &[], |cells| {
        cells.sequence("counters_through")
    })?;
    let mut workers = life_start::workers(db, counted, batches::tail(db)?.sequence)?;
    workers.retain(|(worker, _)| miner.is_none_or(|miner| worker.hotkey == miner));
    Ok(workers)
}

/// The last payouts, newest first, at most so many.
pub(super) fn payouts(db: &Db, limit: u32) -> Outcome<Vec<ListedPayout>> {
    let sql = "SELECT id, state, reserved_at, txid, confirmations, note, COUNT(payout) AS parts,
            COALESCE(SUM(amount), 0)::bigint AS total
        FROM (SELECT * FROM payouts ORDER BY id DESC LIMIT $1) AS last
            LEFT JOIN payout_parts ON payout_parts.payout = last.id
        GROUP BY id, state, reserved_at, txid, confirmations, note ORDER BY id DESC";
    db.all("payouts", sql, values![limit], |cells| {
        let txid = cells.optional("txid", |cells, column| cells.array(column))?;
        Ok(ListedPayout {
            id: PayoutId::new(cells.u64("id")?),
            state: cells.named("state")?,
            reserved_at: cells.time("reserved_at")?,
            txid: txid.map(Txid::from_bytes),
            confirmations: cells.u32("confirmations")?,
            parts: cells.u64("parts")?,
            total: cells.amount("total")?,
            note: cells.string("note")?,
        })
    })
}
