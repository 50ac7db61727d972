//! `dwarves miners`, `workers` and `payouts`: lists from the ledger itself, beside a running pool or without one.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use dwarves_api_types::miners::Balances;
use dwarves_api_types::scalars::{Instant, Ss58};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::export::{LedgerReader, ListedMiner, ListedPayout};
use serde_json::{Value, json};

use super::{Failure, PoolArgs};
use crate::config::Config;
use crate::terminal::{self, Align, Table, coins, count};

/// Arguments that all lists have.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ListArgs {
    /// Rows at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// JSON, also on a terminal
    #[arg(long)]
    pub json: bool,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Arguments of `dwarves workers`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct WorkersArgs {
    /// Only this miner's: its hotkey
    #[arg(long, value_name = "HOTKEY")]
    pub miner: Option<Hotkey>,
    /// What all lists have.
    #[command(flatten)]
    pub list: ListArgs,
}

fn open(args: &ListArgs) -> Result<Box<dyn LedgerReader>, Failure> {
    let config = Config::load(args.pool.config.as_deref())?;
    super::ledger_reader(&config, &args.pool.data_dir)
}

/// Prints rows as a table to a terminal, and as JSON otherwise.
fn print(
    args: &ListArgs,
    name: &str,
    rows: Vec<Value>,
    columns: &[(&str, Align)],
    cells: impl Fn(&Value) -> Vec<String>,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if args.json || !out.is_terminal() {
        return Ok(writeln!(out, "{:#}", json!({ name: rows }))?);
    }
    if rows.is_empty() {
        return Ok(writeln!(out, "no {name} yet")?);
    }
    let table = Table::new(columns, rows.iter().map(cells).collect()).without_empty_columns();
    write!(out, "{}", table.fit(terminal::width()))?;
    if rows.len() == args.limit as usize {
        writeln!(out, "there may be more: --limit")?;
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn sats(value: &Value) -> String {
    coins(value.as_u64().unwrap_or(0).into())
}

fn instant(at: Timestamp) -> Value {
    serde_json::to_value(Instant(at)).unwrap_or_default()
}

/// A list's instants in minutes.
fn minutes(value: &Value) -> String {
    let text = text(value);
    match text.get(..16) {
        Some(minutes) => minutes.replace('T', " "),
        None => text,
    }
}

/// Lists miners, those that earned most first.
///
/// # Errors
/// If the ledger cannot be read.
pub fn miners(args: &ListArgs) -> Result<(), Failure> {
    let row = |miner: ListedMiner| {
        json!({
            "hotkey": Ss58(miner.hotkey),
            "registered_at": instant(miner.registered_at),
            "payout_address": miner.payout_address,
            "is_banned": miner.is_banned,
            "balance_sats": Balances::from(miner.balances),
        })
    };
    let rows = open(args)?.miners(args.limit)?.into_iter().map(row).collect();
    let columns = [
        ("hotkey", Align::Left),
        ("immature", Align::Right),
        ("payable", Align::Right),
        ("on its way", Align::Right),
        ("paid", Align::Right),
        ("payout address", Align::Left),
        ("", Align::Left),
    ];
    print(args, "miners", rows, &columns, |row| {
        let balance = &row["balance_sats"];
        let banned = if row["is_banned"] == true { "banned" } else { "" };
        vec![
            text(&row["hotkey"]),
            sats(&balance["immature"]),
            sats(&balance["payable"]),
            sats(&balance["in_flight"]),
            sats(&balance["paid"]),
            text(&row["payout_address"]),
            banned.to_owned(),
        ]
    })
}

/// Lists workers, those that worked last first.
///
/// # Errors
/// If the ledger cannot be read.
pub fn workers(args: &WorkersArgs) -> Result<(), Failure> {
    let mut workers = open(&args.list)?.workers(args.miner)?;
    workers.sort_by_key(|(worker, counter)| (std::cmp::Reverse(counter.last_share_at), worker.id));
    workers.truncate(args.list.limit as usize);
    let rows = workers.into_iter().map(|(worker, counter)| {
        json!({
            "hotkey": Ss58(worker.hotkey),
            "worker": worker.name.to_string(),
            "accepted": counter.accepted,
            "rejected": counter.rejected.iter().sum::<u64>(),
            "blocks": counter.blocks,
            "units": counter.units.to_string(),
            "last_share_at": counter.last_share_at.map(instant),
        })
    });
    let columns = [
        ("hotkey", Align::Left),
        ("worker", Align::Left),
        ("accepted", Align::Right),
        ("rejected", Align::Right),
        ("blocks", Align::Right),
        ("last share (UTC)", Align::Whole),
    ];
    let number = |value: &Value| count(value.as_u64().unwrap_or(0));
    print(&args.list, "workers", rows.collect(), &columns, |row| {
        vec![
            text(&row["hotkey"]),
            text(&row["worker"]),
            number(&row["accepted"]),
            number(&row["rejected"]),
            number(&row["blocks"]),
            minutes(&row["last_share_at"]),
        ]
    })
}

/// Lists payouts, the last first.
///
/// # Errors
/// If the ledger cannot be read.
pub fn payouts(args: &ListArgs) -> Result<(), Failure> {
    let row = |payout: ListedPayout| {
        json!({
            "payout_id": payout.id.get(),
            "state": payout.state.name(),
            "reserved_at": instant(payout.reserved_at),
            "txid": payout.txid.map(|txid| txid.to_string()),
            "confirmations": payout.confirmations,
            "miners": payout.parts,
            "total_sats": payout.total.sats(),
            "note": payout.note,
        })
    };
    let rows = open(args)?.payouts(args.limit)?.into_iter().map(row).collect();
    let columns = [
        ("payout", Align::Right),
        ("state", Align::Left),
        ("set aside (UTC)", Align::Whole),
        ("miners", Align::Right),
        ("coins", Align::Right),
        ("deep", Align::Right),
        ("transaction", Align::Left),
        ("note", Align::Left),
    ];
    print(args, "payouts", rows, &columns, |row| {
        vec![
            text(&row["payout_id"]),
            text(&row["state"]),
            minutes(&row["reserved_at"]),
            text(&row["miners"]),
            sats(&row["total_sats"]),
            text(&row["confirmations"]),
            text(&row["txid"]),
            text(&row["note"]),
        ]
    })
}
