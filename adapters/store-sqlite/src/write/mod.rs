//! Each intent of writing as SQL.

use dwarves_domain::ids::TemplateId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{AuditRow, StoreError, Write, Written};
use rusqlite::{CachedStatement, Connection, params};

use super::append_state::Known;
use super::conservation;
use super::error::{Fail, Outcome, conflict};
use super::history::forgetting;

mod blocks;
pub(super) mod credits;
mod journal;
mod miners;
mod notices;
mod payout_batches;
mod payouts;
pub(super) mod prune;
mod rounds;
mod shares;
mod statements;
mod submissions;
mod templates;
mod watches;

/// A transaction in the making.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) known: &'a mut Known,
    /// Templates that this transaction's shares refer to, and whether the transactions of each are gone.
    templates: Vec<(TemplateId, bool)>,
    /// Whether this transaction changed the books or what is booked for a block.
    books_changed: bool,
    /// The date by which nonces that were too old are gone.
    nonces_forgotten: Option<Timestamp>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(connection: &'a Connection, known: &'a mut Known) -> Self {
        Self {
            connection,
            known,
            templates: Vec::new(),
            books_changed: false,
            nonces_forgotten: None,
        }
    }

    pub(super) fn statement(&self, sql: &str) -> Outcome<CachedStatement<'a>> {
        Ok(self.connection.prepare_cached(sql)?)
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
                self.statement("UPDATE pool SET next_worker = ?1")?
                    .execute([next.get()])?;
            }
            Write::RetireWorkers { workers } => self.retire_workers(workers)?,
            Write::RemoveMiner { hotkey } => return self.remove_miner(hotkey),
            Write::UseNonce {
                hotkey,
                nonce_nanos,
                expires_at,
                now,
            } => return self.use_nonce(hotkey, *nonce_nanos, *expires_at, *now),
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
            Write::PruneShares { through } => prune::ask(self.connection, *through)?,
            Write::PruneHistory { minutes, hours, days } => {
                forgetting::ask(self.connection, *minutes, *hours, *days)?;
            }
        }
        Ok(Written::Done)
    }

    fn append_audit(&self, row: &AuditRow) -> Outcome<()> {
        self.statement(
            "INSERT INTO audit (at, who, actor, message, fields, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            row.at.millis(),
            row.who,
            row.actor,
            row.message,
            row.fields,
            row.outcome
        ])?;
        Ok(())
    }

    fn save_setting(&self, name: &str, value: Option<&str>) -> Outcome<()> {
        match value {
            Some(value) => {
                let upsert = "INSERT INTO settings (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                self.statement(upsert)?.execute(params![name, value])?;
            }
            None => {
                let delete = "DELETE FROM settings WHERE name = ?1";
                self.statement(delete)?.execute(params![name])?;
            }
        }
        Ok(())
    }
}

/// Applies all writes of a commit, in order.
pub(super) fn apply_all(transaction: &mut Transaction<'_>, writes: &[Write]) -> Outcome<Vec<Written>> {
    let mut batch = shares::Batch::new(transaction.known.tail);
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        let applied = match (write, written.last()) {
            (Write::AppendAuditIfDone(row), Some(Written::Done)) => {
                transaction.append_audit(row).map(|()| Written::Done)
            }
            _ => transaction.apply(write, &mut batch),
        };
        written.push(applied.map_err(|fail| in_write(fail, write))?);
    }
    transaction.end_batch(&batch)?;
    if transaction.books_changed {
        conservation::check(transaction.connection)?;
    }
    Ok(written)
}

/// Says in which write SQLite failed.
fn in_write(fail: Fail, write: &Write) -> Fail {
    Fail::Store(fail.into_store_error(write.name()))
}

/// Makes sure that something is stored: writes that refer to what is not contradict the store.
fn expect_stored(changed: usize, what: impl FnOnce() -> String) -> Result<(), Fail> {
    match changed {
        0 => Err(conflict(format!("{} is not stored", what()))),
        _ => Ok(()),
    }
}

/// The error of a total that no longer fits.
fn total_overflow() -> Fail {
    let kind = dwarves_ports::store::StoreErrorKind::Corrupt;
    Fail::Store(StoreError::new(kind, "the total of units does not fit 128 bits"))
}
