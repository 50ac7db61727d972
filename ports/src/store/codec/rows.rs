//! A row of each table.

use dwarves_domain::ids::{HeaderHash, PayoutId};
use dwarves_domain::payouts::{Exported, FeeRate, Part, Payout, Signed, Txid};
use dwarves_domain::rewards::{Emitted, HalfUnits};
use dwarves_domain::share::Rejection;
use dwarves_domain::work::ChainTemplate;

use super::Cells;
use super::lists::{decode_inputs, decode_transactions};
use crate::store::{AuditRow, BlockRow, CounterRow, CreditRow, MinerPayoutRow, RoundRow, TemplateRow};

/// All columns of a block but its bytes.
pub const BLOCK_COLUMNS: &str = "id, hash, height, reward, finder, sequence, total_before, units, \
     found_at, state, confirmations, accounting, effort";

/// Columns of a credit, of `credits` joined with `rounds`.
pub const CREDIT_COLUMNS: &str = "credits.id AS id, credits.round AS round, \
     rounds.closed_at AS closed_at, credits.hotkey AS hotkey, credits.half_steps AS half_steps, \
     credits.amount AS amount, credits.kind AS kind, credits.block AS block";

/// A block without its bytes.
///
/// # Errors
/// If a cell is not what it must be.
pub fn block<C: Cells>(cells: &C) -> Result<BlockRow, C::Fail> {
    Ok(BlockRow {
        hash: cells.hash("hash")?,
        height: cells.u32("height")?,
        reward: cells.amount("reward")?,
        // An empty finder: nobody remembers it.
        finder: match cells.blob("finder")? {
            [] => None,
            _ => Some(cells.hotkey("finder")?),
        },
        sequence: cells.sequence("sequence")?,
        total_before: cells.units("total_before")?,
        units: cells.units("units")?,
        found_at: cells.time("found_at")?,
        state: cells.named("state")?,
        confirmations: cells.u32("confirmations")?,
        accounting: cells.named("accounting")?,
        effort: cells.units("effort")?,
        bytes: Vec::new(),
    })
}

/// A block with its bytes.
///
/// # Errors
/// If a cell is not what it must be.
pub fn whole_block<C: Cells>(cells: &C) -> Result<BlockRow, C::Fail> {
    let bytes = cells.blob("bytes")?.to_vec();
    Ok(BlockRow {
        bytes,
        ..block(cells)?
    })
}

/// What a worker's shares came to, or a miner's workers that were taken out.
///
/// # Errors
/// If a cell is not what it must be.
pub fn counters<C: Cells>(cells: &C) -> Result<CounterRow, C::Fail> {
    let mut counters = CounterRow {
        accepted: cells.u64("accepted")?,
        rejected: [0; 6],
        units: cells.units("units")?,
        blocks: cells.u64("blocks")?,
        last_share_at: cells.optional("last_share_at", |cells, column| cells.time(column))?,
    };
    for (count, reason) in counters.rejected.iter_mut().zip(Rejection::REASONS) {
        *count = cells.u64(format!("rejected_{reason}").as_str())?;
    }
    Ok(counters)
}

/// A template, and whether its transactions are gone.
///
/// # Errors
/// If a cell is not what it must be.
pub fn template<C: Cells>(cells: &C) -> Result<(TemplateRow, bool), C::Fail> {
    let commitment = cells.optional("witness_commitment", |cells, column| {
        cells.blob(column).map(<[u8]>::to_vec)
    })?;
    let transactions = decode_transactions(cells.blob("transactions")?);
    let template = TemplateRow {
        id: cells.template("id")?,
        received_at: cells.time("received_at")?,
        chain: ChainTemplate {
            height: cells.u32("height")?,
            previous: cells.hash("previous")?,
            version: cells.u32("version")?,
            version_mask: cells.u32("version_mask")?,
            bits: cells.compact("bits")?,
            time: cells.u32("time")?,
            time_min: cells.u32("time_min")?,
            time_max: cells.u32("time_max")?,
            subsidy: cells.amount("subsidy")?,
            coinbase_value: cells.amount("coinbase_value")?,
            coinbase_form: cells.named("coinbase_form")?,
            witness_commitment: commitment,
            transactions: transactions.ok_or_else(|| cells.bad("transactions", "a list of transactions"))?,
            trailer: cells.blob("trailer")?.to_vec(),
        },
        payout_script: cells.blob("payout_script")?.to_vec(),
        tag: cells.string("tag")?,
    };
    Ok((template, cells.flag("retired")?))
}

/// A round, with its blocks.
///
/// # Errors
/// If a cell is not what it must be.
pub fn round<C: Cells>(
    cells: &C,
    blocks: Vec<HeaderHash>,
    emitted: Option<Emitted>,
) -> Result<RoundRow, C::Fail> {
    let reward = cells.amount("reward")?;
    Ok(RoundRow {
        id: cells.round("id")?,
        closed_at: cells.time("closed_at")?,
        scheme: cells.named("scheme")?,
        source: cells.named("source")?,
        reward,
        fee: cells.amount("fee")?,
        kept: cells.amount("kept")?,
        credited: cells.amount("credited")?,
        emitted: emitted.map(|emitted| Emitted {
            issued: reward,
            ..emitted
        }),
        blocks,
        digest: cells.array("digest")?,
    })
}

/// A credit; see [`CREDIT_COLUMNS`].
///
/// # Errors
/// If a cell is not what it must be.
pub fn credit<C: Cells>(cells: &C) -> Result<CreditRow, C::Fail> {
    Ok(CreditRow {
        round: cells.round("round")?,
        closed_at: cells.time("closed_at")?,
        hotkey: cells.hotkey("hotkey")?,
        units: HalfUnits::from_half_steps(cells.u128("half_steps")?),
        amount: cells.amount("amount")?,
        kind: cells.named("kind")?,
        block: cells.optional("block", |cells, column| cells.hash(column))?,
    })
}

/// A payout without its parts.
///
/// # Errors
/// If a cell is not what it must be.
pub fn payout<C: Cells>(cells: &C) -> Result<Payout, C::Fail> {
    let rate = FeeRate::new(cells.u32("fee_rate")?);
    let signed = cells.optional("txid", |cells, column| {
        let inputs = decode_inputs(cells.blob("inputs")?);
        Ok(Signed {
            txid: Txid::from_bytes(cells.array(column)?),
            bytes: cells.blob("bytes")?.to_vec(),
            inputs: inputs.ok_or_else(|| cells.bad("inputs", "a list of outputs"))?,
            fee: cells.amount("fee")?,
        })
    })?;
    Ok(Payout {
        id: PayoutId::new(cells.u64("id")?),
        state: cells.named("state")?,
        reserved_at: cells.time("reserved_at")?,
        sent_at: cells.optional("sent_at", |cells, column| cells.time(column))?,
        changed_at: cells.time("changed_at")?,
        payer: cells.named("fee_payer")?,
        fee_rate: rate.ok_or_else(|| cells.bad("fee_rate", "a fee rate"))?,
        parts: Vec::new(),
        signed,
        exported: exported(cells)?,
        confirmations: cells.u32("confirmations")?,
        is_watched: cells.flag("is_watched")?,
        note: cells.string("note")?,
    })
}

/// The batch that a payout was exported in.
fn exported<C: Cells>(cells: &C) -> Result<Option<Exported>, C::Fail> {
    cells.optional("batch", |cells, column| {
        Ok(Exported {
            batch: cells.named(column)?,
            reference: cells.optional("reference", |cells, column| cells.named(column))?,
        })
    })
}

/// A miner's part of a payout.
///
/// # Errors
/// If a cell is not what it must be.
pub fn part<C: Cells>(cells: &C) -> Result<Part, C::Fail> {
    Ok(Part {
        hotkey: cells.hotkey("hotkey")?,
        address: cells.string("address")?,
        amount: cells.amount("amount")?,
        fee: cells.amount("fee")?,
        borne: cells.amount("borne")?,
    })
}

/// A miner's part of a payout, of `payout_parts` joined with `payouts`.
///
/// # Errors
/// If a cell is not what it must be.
pub fn miner_payout<C: Cells>(cells: &C) -> Result<MinerPayoutRow, C::Fail> {
    let txid = cells.optional("txid", |cells, column| cells.array(column))?;
    Ok(MinerPayoutRow {
        payout: PayoutId::new(cells.u64("id")?),
        state: cells.named("state")?,
        txid: txid.map(Txid::from_bytes),
        exported: exported(cells)?,
        confirmations: cells.u32("confirmations")?,
        reserved_at: cells.time("reserved_at")?,
        sent_at: cells.optional("sent_at", |cells, column| cells.time(column))?,
        address: cells.string("address")?,
        amount: cells.amount("amount")?,
        fee: cells.amount("fee")?,
        note: cells.string("note")?,
    })
}

/// A line of the audit trail.
///
/// # Errors
/// If a cell is not what it must be.
pub fn audit<C: Cells>(cells: &C) -> Result<AuditRow, C::Fail> {
    Ok(AuditRow {
        id: cells.u64("id")?,
        at: cells.time("at")?,
        who: cells.string("who")?,
        actor: cells.string("actor")?,
        message: cells.string("message")?,
        fields: cells.string("fields")?,
        outcome: cells.string("outcome")?,
    })
}
