//! Notices as they are posted, each in the transaction of what it tells of.

use dwarves_domain::ids::{HeaderHash, NoticeId, PayoutId};
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::payouts::{BatchName, PaymentReference, Transition};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{BlockState, FoundBlock, NoticeRow, Write};
use serde_json::{Value, json};

/// A notice of this kind. There is one alone with its key.
pub(crate) fn post(key: String, kind: NoticeKind, at: Timestamp, text: String, detail: &Value) -> Write {
    Write::PostNotice(Box::new(NoticeRow {
        id: NoticeId::default(),
        key,
        kind,
        at,
        text,
        detail: detail.to_string(),
    }))
}

/// A block was found: whoever stores it first tells of it.
pub(crate) fn block_found(hash: HeaderHash, block: &FoundBlock, at: Timestamp) -> Write {
    let finder = block.finder.map(|finder| finder.to_string());
    let by = finder.as_deref().unwrap_or("nobody known");
    let text = format!("Block {} was found by {by}: {hash}", block.height);
    let detail = json!({
        "hash": hash.to_string(),
        "height": block.height,
        "reward_sats": block.reward.sats(),
        "finder": finder,
    });
    post(
        format!("block/{hash}/found"),
        NoticeKind::BlockFound,
        at,
        text,
        &detail,
    )
}

/// What became of a block, if that is worth a notice.
pub(crate) fn block_became(
    hash: HeaderHash,
    block: &FoundBlock,
    state: BlockState,
    is_doubtful: bool,
    at: Timestamp,
) -> Option<Write> {
    let height = block.height;
    let (kind, text) = match state {
        BlockState::Orphaned => {
            let text = format!("Block {height} was orphaned, its credits are taken back: {hash}");
            (NoticeKind::BlockOrphaned, text)
        }
        BlockState::Refused if !is_doubtful => {
            let text = format!("The chain refused block {height}, which the pool found: {hash}");
            (NoticeKind::SubmitFailed, text)
        }
        _ => return None,
    };
    let detail = json!({ "hash": hash.to_string(), "height": height, "state": state.name() });
    Some(post(format!("block/{hash}/{state}"), kind, at, text, &detail))
}

/// Exported payouts were marked paid. Miners are told of those whose state is of this moment.
pub(crate) fn batch_paid(
    batch: &BatchName,
    reference: &PaymentReference,
    first: PayoutId,
    payouts: usize,
    total_sats: u64,
    at: Timestamp,
) -> Write {
    let kind = NoticeKind::PayoutSent;
    let text = format!("{payouts} payouts of batch {batch} were sent, as an operator said: {reference}");
    let detail = json!({
        "batch": batch.as_str(),
        "reference": reference.as_str(),
        "payouts": payouts,
        "total_sats": total_sats,
    });
    // Who was told of a payment is not told of the same one again.
    post(
        format!("batch/{batch}/{first}/{reference}"),
        kind,
        at,
        text,
        &detail,
    )
}

/// A step of a payout, if that is worth a notice.
pub(crate) fn payout_step(id: PayoutId, step: &Transition, at: Timestamp) -> Option<Write> {
    let (kind, text, why) = match step {
        Transition::Send => (NoticeKind::PayoutSent, format!("Payout {id} was sent"), None),
        Transition::Return(why) => {
            let text = format!("Payout {id} was returned to its miners' balances: {why}");
            (NoticeKind::PayoutReturned, text, Some(why.as_str()))
        }
        _ => return None,
    };
    let detail = json!({ "payout": id.get(), "why": why });
    Some(post(format!("payout/{id}/{kind}"), kind, at, text, &detail))
}
