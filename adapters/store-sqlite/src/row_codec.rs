//! Rows of the tables as the types that the actors see, by what all stores have in common.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::payouts::{Part, Payout};
use dwarves_domain::rewards::Emitted;
use dwarves_ports::store::codec::rows;
use dwarves_ports::store::{
    AuditRow, BlockRow, CounterRow, CreditRow, MinerPayoutRow, RoundRow, TemplateRow,
};
use rusqlite::Row;

use super::columns::Cells;
use super::error::Outcome;

pub(super) use dwarves_ports::store::codec::lists::{encode_inputs, encode_transactions};
pub(super) use rows::{BLOCK_COLUMNS, CREDIT_COLUMNS};

/// A block without its bytes.
pub(super) fn block(row: &Row<'_>) -> Outcome<BlockRow> {
    rows::block(&Cells::new(row, "blocks"))
}

/// A block with its bytes.
pub(super) fn whole_block(row: &Row<'_>) -> Outcome<BlockRow> {
    rows::whole_block(&Cells::new(row, "blocks"))
}

/// A template, and whether its transactions are gone.
pub(super) fn template(row: &Row<'_>) -> Outcome<(TemplateRow, bool)> {
    rows::template(&Cells::new(row, "templates"))
}

/// A round, with its blocks.
pub(super) fn round(row: &Row<'_>, blocks: Vec<HeaderHash>, emitted: Option<Emitted>) -> Outcome<RoundRow> {
    rows::round(&Cells::new(row, "rounds"), blocks, emitted)
}

/// A credit; see [`CREDIT_COLUMNS`].
pub(super) fn credit(row: &Row<'_>) -> Outcome<CreditRow> {
    rows::credit(&Cells::new(row, "credits"))
}

/// A payout without its parts.
pub(super) fn payout(row: &Row<'_>) -> Outcome<Payout> {
    rows::payout(&Cells::new(row, "payouts"))
}

/// A miner's part of a payout.
pub(super) fn part(row: &Row<'_>) -> Outcome<Part> {
    rows::part(&Cells::new(row, "payout_parts"))
}

/// A miner's part of a payout, of `payout_parts` joined with `payouts`.
pub(super) fn miner_payout(row: &Row<'_>) -> Outcome<MinerPayoutRow> {
    rows::miner_payout(&Cells::new(row, "payouts"))
}

/// A line of the audit trail.
pub(super) fn audit(row: &Row<'_>) -> Outcome<AuditRow> {
    rows::audit(&Cells::new(row, "audit"))
}

/// What a worker's shares came to, or a miner's workers that were taken out.
pub(super) fn counters(cells: &Cells<'_, '_>) -> Outcome<CounterRow> {
    rows::counters(cells)
}
