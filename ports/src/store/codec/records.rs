//! A row of each table of what people are told, of evaluated work and of what is signed.

use dwarves_domain::evaluation::{Evaluation, Failure, Reading, SubmissionId};
use dwarves_domain::history::Sums;
use dwarves_domain::ids::{NoticeId, PayoutId};
use dwarves_domain::payouts::BatchDigest;
use dwarves_domain::share::Rejection;
use dwarves_domain::statements::{Epoch, EpochId, StatementDigest};
use dwarves_domain::watch::WatchId;

use super::Cells;
use crate::store::{
    BatchHead, EndedEpoch, EpochsState, Evaluated, MinerNoticeRow, NoticeRow, OpenEpoch, StatementHead,
    SubmissionRow, WatchRow,
};

/// A notice.
///
/// # Errors
/// If a cell is not what it must be.
pub fn notice<C: Cells>(cells: &C) -> Result<NoticeRow, C::Fail> {
    Ok(NoticeRow {
        id: NoticeId::new(cells.u64("id")?),
        key: cells.string("key")?,
        kind: cells.named("kind")?,
        at: cells.time("at")?,
        text: cells.string("text")?,
        detail: cells.string("detail")?,
    })
}

/// A notice on its way to a miner.
///
/// # Errors
/// If a cell is not what it must be.
pub fn miner_notice<C: Cells>(cells: &C) -> Result<MinerNoticeRow, C::Fail> {
    Ok(MinerNoticeRow {
        hotkey: cells.hotkey("hotkey")?,
        channel: cells.string("channel")?,
        key: cells.string("key")?,
        kind: cells.named("kind")?,
        at: cells.time("at")?,
        text: cells.string("text")?,
        detail: cells.string("detail")?,
        failures: cells.u32("failures")?,
        next_at: cells.time("next_at")?,
    })
}

/// A watch token.
///
/// # Errors
/// If a cell is not what it must be.
pub fn watch<C: Cells>(cells: &C) -> Result<WatchRow, C::Fail> {
    Ok(WatchRow {
        id: WatchId::from_bytes(cells.array("id")?),
        hotkey: cells.hotkey("hotkey")?,
        name: cells.named("name")?,
        created_at: cells.time("created_at")?,
        expires_at: cells.optional("expires_at", |cells, column| cells.time(column))?,
    })
}

/// A loss or a score.
///
/// # Errors
/// If a cell is not what it must be.
pub fn reading<C: Cells>(cells: &C, column: &str) -> Result<Reading, C::Fail> {
    let reading = Reading::from_steps(cells.u128(column)?);
    reading.ok_or_else(|| cells.bad(column, "below its bound"))
}

/// A submission, of which `name` is the name.
///
/// # Errors
/// If a cell is not what it must be.
pub fn submission<C: Cells>(cells: &C) -> Result<SubmissionRow, C::Fail> {
    let evaluated = cells.optional("evaluated_at", |cells, column| {
        let at = cells.time(column)?;
        let fault = cells.optional("fault", |cells, column| cells.named(column))?;
        let outcome = match fault {
            Some(fault) => Err(Failure {
                fault,
                detail: cells.string("detail")?,
            }),
            None => Ok(Evaluation {
                loss: cells.optional("loss", reading)?,
                score: cells.optional("score", reading)?,
                metadata: cells.optional("metadata", |cells, column| cells.string(column))?,
            }),
        };
        Ok(Evaluated { at, outcome })
    })?;
    Ok(SubmissionRow {
        id: SubmissionId::from_bytes(cells.array("name")?),
        hotkey: cells.hotkey("hotkey")?,
        worker: cells.named("worker")?,
        received_at: cells.time("received_at")?,
        evaluated,
    })
}

/// An epoch's name.
///
/// # Errors
/// If a cell is not what it must be.
pub fn epoch_id<C: Cells>(cells: &C, column: &str) -> Result<EpochId, C::Fail> {
    cells.u64(column).map(EpochId::new)
}

/// The epoch of a statement.
///
/// # Errors
/// If a cell is not what it must be.
pub fn epoch<C: Cells>(cells: &C) -> Result<Epoch, C::Fail> {
    Ok(Epoch {
        start: epoch_id(cells, "start")?,
        end: epoch_id(cells, "ends")?,
    })
}

/// A statement's digest.
///
/// # Errors
/// If a cell is not what it must be.
pub fn statement_digest<C: Cells>(cells: &C, column: &str) -> Result<StatementDigest, C::Fail> {
    cells.array(column).map(StatementDigest::from_bytes)
}

/// What a list says of a statement.
///
/// # Errors
/// If a cell is not what it must be.
pub fn statement_head<C: Cells>(cells: &C) -> Result<StatementHead, C::Fail> {
    Ok(StatementHead {
        ended: EndedEpoch {
            epoch: epoch(cells)?,
            after: cells.sequence("after_share")?,
            through: cells.sequence("through_share")?,
        },
        digest: statement_digest(cells, "digest")?,
        previous: cells.optional("previous", statement_digest)?,
        signer: cells.hotkey("signer")?,
        signature: cells.array("signature")?,
    })
}

/// Which epoch is open and which has ended, of the row of `pool`.
///
/// # Errors
/// If a cell is not what it must be.
pub fn epochs<C: Cells>(cells: &C) -> Result<EpochsState, C::Fail> {
    let Some(start) = cells.optional("epoch_start", epoch_id)? else {
        return Ok(EpochsState::default());
    };
    let after = cells.sequence("epoch_after")?;
    let ended = cells.optional("ended_start", epoch_id)?;
    let ended_after = cells.optional("ended_after", |cells, column| cells.sequence(column))?;
    let ended = ended.zip(ended_after).map(|(began, before)| EndedEpoch {
        epoch: Epoch {
            start: began,
            end: start,
        },
        after: before,
        through: after,
    });
    Ok(EpochsState {
        open: Some(OpenEpoch { start, after }),
        ended,
        last: None,
    })
}

/// A batch's digest.
///
/// # Errors
/// If a cell is not what it must be.
pub fn batch_digest<C: Cells>(cells: &C, column: &str) -> Result<BatchDigest, C::Fail> {
    cells.array(column).map(BatchDigest::from_bytes)
}

/// What never changes of a batch.
///
/// # Errors
/// If a cell is not what it must be.
pub fn batch_head<C: Cells>(cells: &C) -> Result<BatchHead, C::Fail> {
    Ok(BatchHead {
        name: cells.named("name")?,
        at: cells.time("at")?,
        first_payout: PayoutId::new(cells.u64("first_payout")?),
        payouts: cells.u64("payouts")?,
        total: cells.amount("total")?,
        digest: batch_digest(cells, "digest")?,
        previous: cells.optional("previous", batch_digest)?,
        signer: cells.hotkey("signer")?,
        signature: cells.array("signature")?,
        csv_signature: cells.array("csv_signature")?,
    })
}

/// What shares came to.
///
/// # Errors
/// If a cell is not what it must be.
pub fn sums<C: Cells>(cells: &C) -> Result<Sums, C::Fail> {
    let mut sums = Sums {
        accepted: cells.u64("accepted")?,
        units: cells.units("units")?,
        hashes: cells.real("hashes")?,
        squares: cells.real("squares")?,
        rejected: [0; Rejection::REASONS.len()],
    };
    for (count, reason) in sums.rejected.iter_mut().zip(Rejection::REASONS) {
        *count = cells.u64(format!("rejected_{reason}").as_str())?;
    }
    Ok(sums)
}
