//! Rows of the tables as the types that the actors see, and what becomes of lists within a row.

use dwarves_domain::ids::{HeaderHash, PayoutId};
use dwarves_domain::payouts::{Exported, FeeRate, OutPoint, Part, Payout, Signed, Txid};
use dwarves_domain::rewards::{Emitted, HalfUnits};
use dwarves_domain::share::Rejection;
use dwarves_domain::work::ChainTemplate;
use dwarves_domain::work::template::TemplateTransaction;
use dwarves_ports::store::{
    AuditRow, BlockRow, CounterRow, CreditRow, MinerPayoutRow, RoundRow, TemplateRow,
};
use rusqlite::Row;

use super::columns::Cells;
use super::error::{Outcome, corrupt};

/// All columns of a block but its bytes.
pub(super) const BLOCK_COLUMNS: &str = "id, hash, height, reward, finder, sequence, total_before, units, \
     found_at, state, confirmations, accounting, effort";

/// Columns of a credit, of `credits` joined with `rounds`.
pub(super) const CREDIT_COLUMNS: &str = "credits.id AS id, credits.round AS round, \
     rounds.closed_at AS closed_at, credits.hotkey AS hotkey, credits.half_steps AS half_steps, \
     credits.amount AS amount, credits.kind AS kind, credits.block AS block";

/// A block without its bytes.
pub(super) fn block(row: &Row<'_>) -> Outcome<BlockRow> {
    let cells = Cells::new(row, "blocks");
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
pub(super) fn whole_block(row: &Row<'_>) -> Outcome<BlockRow> {
    let bytes = Cells::new(row, "blocks").blob("bytes")?.to_vec();
    Ok(BlockRow { bytes, ..block(row)? })
}

/// What a worker's shares came to, or a miner's workers that were taken out.
pub(super) fn counters(cells: &Cells<'_, '_>) -> Outcome<CounterRow> {
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
pub(super) fn template(row: &Row<'_>) -> Outcome<(TemplateRow, bool)> {
    let cells = Cells::new(row, "templates");
    let commitment = cells.optional("witness_commitment", |cells, column| cells.blob(column))?;
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
            witness_commitment: commitment.map(<[u8]>::to_vec),
            transactions: transactions
                .ok_or_else(|| corrupt("templates.transactions must be a list of transactions"))?,
            trailer: cells.blob("trailer")?.to_vec(),
        },
        payout_script: cells.blob("payout_script")?.to_vec(),
        tag: cells.text("tag")?.to_owned(),
    };
    Ok((template, cells.int("retired")? == 1))
}

/// Transactions as the column holds them: of each the length of its data, its id and its data.
pub(super) fn encode_transactions(transactions: &[TemplateTransaction]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for transaction in transactions {
        let length = u32::try_from(transaction.data.len()).expect("a transaction is smaller than a block");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&transaction.txid);
        bytes.extend_from_slice(&transaction.data);
    }
    bytes
}

fn decode_transactions(mut bytes: &[u8]) -> Option<Vec<TemplateTransaction>> {
    let mut transactions = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (txid, rest) = rest.split_first_chunk::<32>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (data, rest) = rest.split_at_checked(length)?;
        transactions.push(TemplateTransaction {
            data: data.to_vec(),
            txid: *txid,
        });
        bytes = rest;
    }
    Some(transactions)
}

/// A round, with its blocks.
pub(super) fn round(row: &Row<'_>, blocks: Vec<HeaderHash>, emitted: Option<Emitted>) -> Outcome<RoundRow> {
    let cells = Cells::new(row, "rounds");
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
pub(super) fn credit(row: &Row<'_>) -> Outcome<CreditRow> {
    let cells = Cells::new(row, "credits");
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
pub(super) fn payout(row: &Row<'_>) -> Outcome<Payout> {
    let cells = Cells::new(row, "payouts");
    let rate = FeeRate::new(cells.u32("fee_rate")?);
    let signed = cells.optional("txid", |cells, column| {
        let inputs = decode_inputs(cells.blob("inputs")?);
        Ok(Signed {
            txid: Txid::from_bytes(cells.array(column)?),
            bytes: cells.blob("bytes")?.to_vec(),
            inputs: inputs.ok_or_else(|| corrupt("payouts.inputs must be a list of outputs"))?,
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
        fee_rate: rate.ok_or_else(|| corrupt("payouts.fee_rate must be a fee rate"))?,
        parts: Vec::new(),
        signed,
        exported: exported(&cells)?,
        confirmations: cells.u32("confirmations")?,
        is_watched: cells.int("is_watched")? == 1,
        note: cells.text("note")?.to_owned(),
    })
}

/// The batch that a payout was exported in.
fn exported(cells: &Cells<'_, '_>) -> Outcome<Option<Exported>> {
    cells.optional("batch", |cells, column| {
        Ok(Exported {
            batch: cells.named(column)?,
            reference: cells.optional("reference", |cells, column| cells.named(column))?,
        })
    })
}

/// A miner's part of a payout.
pub(super) fn part(row: &Row<'_>) -> Outcome<Part> {
    let cells = Cells::new(row, "payout_parts");
    Ok(Part {
        hotkey: cells.hotkey("hotkey")?,
        address: cells.text("address")?.to_owned(),
        amount: cells.amount("amount")?,
        fee: cells.amount("fee")?,
        borne: cells.amount("borne")?,
    })
}

/// Spent outputs as the column holds them: of each its transaction's id and its number.
pub(super) fn encode_inputs(inputs: &[OutPoint]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(inputs.len() * 36);
    for input in inputs {
        bytes.extend_from_slice(input.txid.as_bytes());
        bytes.extend_from_slice(&input.vout.to_be_bytes());
    }
    bytes
}

fn decode_inputs(mut bytes: &[u8]) -> Option<Vec<OutPoint>> {
    let mut inputs = Vec::new();
    while !bytes.is_empty() {
        let (txid, rest) = bytes.split_first_chunk::<32>()?;
        let (vout, rest) = rest.split_first_chunk::<4>()?;
        inputs.push(OutPoint {
            txid: Txid::from_bytes(*txid),
            vout: u32::from_be_bytes(*vout),
        });
        bytes = rest;
    }
    Some(inputs)
}

/// A miner's part of a payout, of `payout_parts` joined with `payouts`.
pub(super) fn miner_payout(row: &Row<'_>) -> Outcome<MinerPayoutRow> {
    let cells = Cells::new(row, "payouts");
    let txid = cells.optional("txid", |cells, column| cells.array(column))?;
    Ok(MinerPayoutRow {
        payout: PayoutId::new(cells.u64("id")?),
        state: cells.named("state")?,
        txid: txid.map(Txid::from_bytes),
        exported: exported(&cells)?,
        confirmations: cells.u32("confirmations")?,
        reserved_at: cells.time("reserved_at")?,
        sent_at: cells.optional("sent_at", |cells, column| cells.time(column))?,
        address: cells.text("address")?.to_owned(),
        amount: cells.amount("amount")?,
        fee: cells.amount("fee")?,
        note: cells.text("note")?.to_owned(),
    })
}

/// A line of the audit trail.
pub(super) fn audit(row: &Row<'_>) -> Outcome<AuditRow> {
    let cells = Cells::new(row, "audit");
    Ok(AuditRow {
        id: cells.u64("id")?,
        at: cells.time("at")?,
        who: cells.text("who")?.to_owned(),
        actor: cells.text("actor")?.to_owned(),
        message: cells.text("message")?.to_owned(),
        fields: cells.text("fields")?.to_owned(),
        outcome: cells.text("outcome")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_survive_storing_and_what_is_cut_off_does_not_parse() {
        let transaction = |byte: u8, length| TemplateTransaction {
            data: vec![byte; length],
            txid: [byte; 32],
        };
        let transactions = vec![transaction(1, 0), transaction(2, 300), transaction(3, 1)];
        let bytes = encode_transactions(&transactions);
        assert_eq!(decode_transactions(&bytes).as_ref(), Some(&transactions));
        for end in [1, 4, 35, 37, bytes.len() - 1] {
            assert_eq!(decode_transactions(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode_transactions(&[]), Some(Vec::new()));
    }

    #[test]
    fn inputs_survive_storing_and_what_is_cut_off_does_not_parse() {
        let input = |byte: u8, vout| OutPoint {
            txid: Txid::from_bytes([byte; 32]),
            vout,
        };
        let inputs = vec![input(1, 0), input(2, u32::MAX)];
        let bytes = encode_inputs(&inputs);
        assert_eq!(decode_inputs(&bytes).as_ref(), Some(&inputs));
        assert_eq!(decode_inputs(&bytes[..71]), None);
    }
}
