//! Each intent of writing as SQL.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, TemplateId};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{AuditRow, StoreError, Write, Written};

use super::append_state::Known;
use super::client::Db;
use super::error::{Fail, Outcome, conflict};
use super::value::{Value, values};
use super::{conservation, history};

mod blocks;
mod credits;
mod journal;
mod miners;
mod notices;
mod payout_batches;
mod payouts;
mod prune;
mod rounds;
mod shares;
mod statements;
mod submissions;
mod templates;
mod watches;

pub(crate) use shares::LAST;

/// A transaction in the making.
pub(crate) struct Transaction<'a> {
    pub(crate) db: &'a Db,
    pub(crate) known: &'a mut Known,
    /// Which transaction it is: the epoch, and its number in it.
    pub(crate) number: (u64, u64),
    pub(crate) shares_per_partition: u64,
    /// Templates that this transaction's shares refer to, and where the last write ended that had some of each. They are
    /// looked up with the shares.
    templates: Vec<(TemplateId, Sequence)>,
    /// Whether this transaction changed the books or what is booked for a block.
    books_changed: bool,
    /// Up to which share is pruned at its end.
    pruning: Option<Sequence>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        db: &'a Db,
        known: &'a mut Known,
        number: (u64, u64),
        shares_per_partition: u64,
    ) -> Self {
        Self {
            db,
            known,
            number,
            shares_per_partition,
            templates: Vec::new(),
            books_changed: false,
            pruning: None,
        }
    }

    fn apply<'w>(&mut self, write: &'w Write, batch: &mut shares::Batch<'w>) -> Outcome<Written> {
        match write {
            Write::AppendShares(shares) => return self.append_shares(shares, batch),
            Write::RegisterMiner {
                hotkey,
                payout_address,
                at,
            } => return self.register_miner(hotkey, payout_address.as_deref(), *at),
            Write::AddWorker(worker) => self.add_worker(worker)?,
            Write::NumberWorkers { next } => {
                self.db
                    .execute("UPDATE pool SET next_worker = $1", values![*next])?;
            }
            Write::RetireWorkers { workers } => self.retire_workers(workers)?,
            Write::RemoveMiner { hotkey } => return self.remove_miner(hotkey),
            Write::UseNonce {
                hotkey,
                nonce_nanos,
                expires_at,
                now,
            } => {
                let used = self.use_nonces(&[(*hotkey, *nonce_nanos, *expires_at)], *now)?;
                return Ok(used.into_iter().next().unwrap_or(Written::NonceUsed));
            }
            Write::Ban { hotkey, ban } => self.ban(hotkey, ban)?,
            Write::Unban { hotkey } => self.unban(hotkey)?,
            Write::SaveTemplate(row) => self.save_template(row)?,
            Write::RetireTemplates { before } => self.retire_templates(*before)?,
            Write::DropTemplates { before } => self.drop_templates(*before)?,
            Write::RecordCandidate { hash, block, at } => return self.record_candidate(hash, block, *at),
            Write::DropBlockBytes(hashes) => self.drop_block_bytes(hashes)?,
            Write::SetBlockState {
                hash,
                state,
                confirmations,
                at,
                block,
            } => self.set_block_state(hash, *state, *confirmations, *at, block.as_ref())?,
            Write::RecoverBlock {
                hash,
                block,
                place,
                found_at,
            } => self.recover_block(hash, block, *place, *found_at)?,
            Write::CloseRound {
                round,
                blocks,
                through,
            } => self.close_round(round, blocks, *through)?,
            Write::ReservePayout(payout) => return self.reserve_payout(payout),
            Write::AdoptPayout(payout) => self.adopt_payout(payout)?,
            Write::BeginBatch(batch) => return self.begin_batch(batch),
            Write::StepPayout { id, step, at } => self.step_payout(*id, step, *at)?,
            Write::SetPayoutThreshold { hotkey, threshold } => {
                self.set_payout_threshold(hotkey, *threshold)?;
            }
            Write::SaveSetting { key, value } => self.save_setting(key, value.as_deref())?,
            Write::QueueSubmission(row) => return self.queue_submission(row),
            Write::SettleSubmission {
                id,
                evaluated,
                keep,
                counts_since,
            } => self.settle_submission(id, evaluated, *keep, *counts_since)?,
            Write::RemoveSubmission { id } => self.remove_submission(id)?,
            Write::PostNotice(row) => self.post_notice(row)?,
            Write::PlanNotice { notice, channels } => self.plan_notice(*notice, channels)?,
            Write::SettleDelivery {
                notice,
                channel,
                again,
            } => self.settle_delivery(*notice, channel, *again)?,
            Write::AddWatch { watch, most } => return self.add_watch(watch, *most),
            Write::RemoveWatch { hotkey, id } => return self.remove_watch(hotkey, *id),
            Write::ToMiner(write) => self.tell_miner(write)?,
            Write::PassTime { at } => self.pass_time(*at)?,
            Write::BeginEpochs { start } => self.begin_epochs(*start, batch.before())?,
            Write::EndEpoch { epoch, at } => self.end_epoch(*epoch, *at, batch.before())?,
            Write::AddStatement(row) => self.add_statement(row)?,
            Write::CeaseEpochs => self.cease_epochs()?,
            Write::AppendAudit(row) => self.append_audit(row)?,
            // It follows a write that was refused.
            Write::AppendAuditIfDone(_) => {}
            Write::SaveCounters {
                at,
                through,
                counters,
            } => self.save_counters(*at, *through, counters)?,
            Write::PruneShares { through } => {
                let through = prune::bound(self.db, *through)?;
                self.pruning = self.pruning.max(Some(through));
            }
            Write::PruneHistory { minutes, hours, days } => {
                history::forgetting::ask(self.db, *minutes, *hours, *days)?;
            }
        }
        Ok(Written::Done)
    }

    fn append_audit(&self, row: &AuditRow) -> Outcome<()> {
        self.db.execute(
            "INSERT INTO audit (id, at, who, actor, message, fields, outcome)
             VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM audit), $1, $2, $3, $4, $5, $6)",
            values![
                row.at,
                &row.who,
                &row.actor,
                &row.message,
                &row.fields,
                &row.outcome
            ],
        )?;
        Ok(())
    }

    fn save_setting(&self, name: &str, value: Option<&str>) -> Outcome<()> {
        match value {
            Some(value) => self.db.execute(
                "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                values![name, value],
            )?,
            None => self
                .db
                .execute("DELETE FROM settings WHERE name = $1", values![name])?,
        };
        Ok(())
    }
}

/// Applies all writes of a commit, in order.
pub(crate) fn apply_all(transaction: &mut Transaction<'_>, writes: &[Write]) -> Outcome<Vec<Written>> {
    let mut batch = shares::Batch::new(transaction.known.place.tail);
    let mut written = Vec::with_capacity(writes.len());
    let mut left = writes;
    while let [write, later @ ..] = left {
        // Signed requests come many at a time.
        let (nonces, now) = nonces_of_one_moment(left);
        if let Some(now) = now.filter(|_| nonces.len() > 1) {
            let used = transaction.use_nonces(&nonces, now);
            written.extend(used.map_err(|fail| in_write(fail, write))?);
            left = &left[nonces.len()..];
            continue;
        }
        left = later;
        let applied = match (write, written.last()) {
            (Write::AppendAuditIfDone(row), Some(Written::Done)) => {
                transaction.append_audit(row).map(|()| Written::Done)
            }
            _ => transaction.apply(write, &mut batch),
        };
        written.push(applied.map_err(|fail| in_write(fail, write))?);
    }
    transaction.end_batch(&batch)?;
    // What is pruned comes into the history first, and with the shares of this very commit.
    if let Some(through) = transaction.pruning {
        prune::prune(transaction.db, through)?;
    }
    if transaction.books_changed {
        conservation::check(transaction.db)?;
    }
    Ok(written)
}

/// Sends the shares of a commit that has nothing else, all but the row of their batch: its values but for the last one, for
/// [`LAST`]. Nothing, if more than that is to be done.
pub(crate) fn copy_shares(
    transaction: &mut Transaction<'_>,
    writes: &[Write],
) -> Outcome<Option<(Vec<Written>, [Value<'static>; 7])>> {
    let mut batch = shares::Batch::new(transaction.known.place.tail);
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        let Write::AppendShares(shares) = write else {
            return Ok(None);
        };
        written.push(transaction.append_shares(shares, &mut batch)?);
    }
    let row = transaction.copy_batch(&batch)?;
    Ok(row.map(|row| (written, row)))
}

/// The nonces of the writes in front that mark some of one moment as used, and that moment.
fn nonces_of_one_moment(writes: &[Write]) -> (Vec<(Hotkey, u64, Timestamp)>, Option<Timestamp>) {
    let (mut nonces, mut moment) = (Vec::new(), None);
    for write in writes {
        match write {
            Write::UseNonce {
                hotkey,
                nonce_nanos,
                expires_at,
                now,
            } if moment.is_none_or(|moment| moment == *now) => {
                moment = Some(*now);
                nonces.push((*hotkey, *nonce_nanos, *expires_at));
            }
            _ => break,
        }
    }
    (nonces, moment)
}

/// Says in which write the database failed.
fn in_write(fail: Fail, write: &Write) -> Fail {
    match fail {
        Fail::Store(error) => Fail::Store(error),
        Fail::Sql(error) => {
            let kind = super::error::kind_of(&error);
            let detail = format!("{}: {}", write.name(), super::error::words(&error));
            Fail::Store(StoreError::new(kind, detail))
        }
    }
}

/// Makes sure that something is stored: writes that refer to what is not contradict the store.
fn expect_stored(changed: u64, what: impl FnOnce() -> String) -> Outcome<()> {
    match changed {
        0 => Err(conflict(format!("{} is not stored", what()))),
        _ => Ok(()),
    }
}
