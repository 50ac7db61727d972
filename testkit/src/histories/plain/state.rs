//! What the plain store keeps, and how a commit applies or leaves no trace.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, NoticeId, PayoutId, Sequence, TemplateId, WorkerId, WorkerName};
use dwarves_domain::ledger::Balances;
use dwarves_domain::payouts::Payout;
use dwarves_domain::rewards::Workings;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::watch::WatchId;

use super::stored_submission::StoredSubmission;
use dwarves_ports::store::BatchRow;
use dwarves_ports::store::ledger_rows::{
    AuditRow, BanRow, BlockCredits, BlockRow, CounterRow, CreditRow, MinerRow, RoundRow, ShareRow,
    TemplateRow, WorkerRow,
};
use dwarves_ports::store::reads::{LastRound, StoredState};
use dwarves_ports::store::{
    BlockState, LifeRow, MinerNoticeRow, NoticeRow, StoreError, StoreErrorKind, WatchRow, Write, Written,
};

use super::epochs::Epochs;

/// All that the plain store holds.
#[derive(Clone, Default)]
pub(super) struct State {
    /// Oldest first, numbered without gaps.
    pub(super) shares: Vec<StoredShare>,
    /// Oldest first, one a commit that holds shares.
    pub(super) batches: Vec<Batch>,
    /// Every share that there ever was, for history.
    pub(super) mined: Vec<Mined>,
    /// What is copied before each commit, so that a failed one can be undone.
    pub(super) rest: Rest,
}

#[derive(Clone)]
pub(super) struct StoredShare {
    pub(super) sequence: Sequence,
    pub(super) total_before: Units,
    pub(super) row: ShareRow,
}

/// A share, as far as history has to do with it.
#[derive(Clone, Copy)]
pub(super) struct Mined {
    pub(super) at: Timestamp,
    pub(super) worker: WorkerId,
    pub(super) share_bits: CompactTarget,
    pub(super) units: Units,
}

/// One commit's shares.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) total_before: Units,
    pub(super) total_after: Units,
    pub(super) committed_at: Timestamp,
}

#[derive(Clone)]
pub(super) struct StoredTemplate {
    pub(super) row: TemplateRow,
    /// Its transactions are gone.
    pub(super) is_dropped: bool,
    /// No share of it comes before this one.
    pub(super) first_share: Sequence,
    /// If its transactions are gone: no share of it comes after this one.
    pub(super) last_share: Sequence,
    /// It is dropped, and the shares that are being written are among its own.
    pub(super) is_late: bool,
}

#[derive(Clone)]
pub(super) struct StoredRound {
    pub(super) row: RoundRow,
    pub(super) through: Sequence,
    /// Nothing is kept of a round that credited nobody.
    pub(super) workings: Option<Workings>,
}

/// Everything but the shares.
#[derive(Clone, Default)]
pub(super) struct Rest {
    pub(super) life: u32,
    pub(super) lives: Vec<LifeRow>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) last_sequence: Option<Sequence>,
    pub(super) total: Units,
    pub(super) miners: BTreeMap<Hotkey, (Timestamp, Option<String>)>,
    pub(super) bans: BTreeMap<Hotkey, BanRow>,
    pub(super) workers: BTreeMap<WorkerId, (WorkerRow, CounterRow)>,
    /// The names of all workers that there ever were.
    pub(super) names: BTreeMap<WorkerId, WorkerName>,
    pub(super) next_worker: Option<WorkerId>,
    /// Workers that were taken out, and the last share before that.
    pub(super) workers_gone: BTreeMap<WorkerId, (Hotkey, Sequence)>,
    /// Whose workers have ever been, but for those of miners that were removed.
    pub(super) owners: BTreeMap<WorkerId, Hotkey>,
    /// Shares that were rejected: until when, of which worker, and how many by reason.
    pub(super) rejected: Vec<(Timestamp, WorkerId, [u64; 6])>,
    /// From when on minutes, hours and days are known.
    pub(super) history_from: [Timestamp; 3],
    /// What they came to.
    pub(super) gone: BTreeMap<Hotkey, CounterRow>,
    pub(super) counters_through: Option<Sequence>,
    pub(super) nonces: BTreeMap<(Hotkey, u64), Timestamp>,
    pub(super) templates: BTreeMap<TemplateId, StoredTemplate>,
    /// Templates before this one are retired.
    pub(super) live_from: Option<TemplateId>,
    pub(super) blocks: Vec<BlockRow>,
    /// The states that each went through.
    pub(super) block_states: BTreeMap<HeaderHash, Vec<(BlockState, Option<Timestamp>)>>,
    pub(super) rounds: Vec<StoredRound>,
    pub(super) credits: Vec<CreditRow>,
    pub(super) settled: BTreeMap<HeaderHash, BlockCredits>,
    pub(super) balances: Balances,
    pub(super) carried: BTreeMap<Hotkey, u128>,
    pub(super) payouts: BTreeMap<PayoutId, Payout>,
    pub(super) payout_batches: Vec<BatchRow>,
    pub(super) thresholds: BTreeMap<Hotkey, Amount>,
    pub(super) watches: BTreeMap<WatchId, WatchRow>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) audit: Vec<AuditRow>,
    pub(super) epochs: Epochs,
    /// No commit from now on has a time before this one.
    pub(super) passed_time: Option<Timestamp>,
    /// Evaluated work, by its number.
    pub(super) submissions: BTreeMap<u64, StoredSubmission>,
    /// What is to be told, and whether it was decided to whom.
    pub(super) notices: BTreeMap<NoticeId, (NoticeRow, bool)>,
    /// How often each has failed, and when it is tried again.
    pub(super) deliveries: BTreeMap<(NoticeId, String), (u32, Timestamp)>,
    /// What miners want to be told.
    pub(super) subscriptions: BTreeMap<Hotkey, String>,
    /// What is on its way to them, by channel and key.
    pub(super) miner_notices: BTreeMap<(Hotkey, String, String), MinerNoticeRow>,
    /// How far may be pruned.
    pub(super) prune_through: Sequence,
    /// Whether that is to be done once nothing can fail any more.
    pub(super) is_pruning: bool,
}

pub(super) fn conflict(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Conflict, detail)
}

pub(super) fn corrupt(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, detail)
}

/// A template without the data of its transactions.
fn without_data(mut row: TemplateRow) -> TemplateRow {
    for transaction in &mut row.chain.transactions {
        transaction.data.clear();
    }
    row.chain.trailer.clear();
    row
}

impl Rest {
    /// Whether shares of this template count.
    pub(super) fn is_live(&self, id: TemplateId) -> bool {
        Some(id) >= self.live_from && self.templates.get(&id).is_some_and(|t| !t.is_dropped)
    }

    /// The last share; 0 before the first.
    pub(super) fn last_share(&self) -> Sequence {
        self.last_sequence.unwrap_or(Sequence::new(0))
    }
}

impl State {
    /// Applies all writes or none.
    pub(super) fn commit(&mut self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let (shares, batches, rest) = (self.shares.len(), self.batches.len(), self.rest.clone());
        let mined = self.mined.len();
        let applied = self.apply_all(writes);
        match &applied {
            Ok(_) => {
                self.end_batch(shares);
                if std::mem::take(&mut self.rest.is_pruning) {
                    self.prune();
                }
            }
            Err(_) => {
                self.mined.truncate(mined);
                self.shares.truncate(shares);
                self.batches.truncate(batches);
                self.rest = rest;
            }
        }
        applied
    }

    fn apply_all(&mut self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let mut written = Vec::with_capacity(writes.len());
        for write in writes {
            written.push(match (write, written.last()) {
                (Write::AppendAuditIfDone(row), Some(Written::Done)) => {
                    self.apply(&Write::AppendAudit(row.clone()))?
                }
                (write, _) => self.apply(write)?,
            });
        }
        Ok(written)
    }

    /// Writes down which shares were committed together: those from this place on.
    fn end_batch(&mut self, from: usize) {
        let new = &self.shares[from..];
        let (Some(first), Some(last)) = (new.first(), new.last()) else {
            return;
        };
        let received_at = new.iter().map(|share| share.row.received_at);
        let before = self.batches.last().map(|batch| batch.committed_at);
        self.batches.push(Batch {
            first: first.sequence,
            last: last.sequence,
            total_before: first.total_before,
            total_after: self.rest.total,
            committed_at: received_at
                .chain(before)
                .chain(self.rest.passed_time)
                .max()
                .expect("a batch holds a share"),
        });
    }

    fn apply(&mut self, write: &Write) -> Result<Written, StoreError> {
        match write {
            Write::AppendShares(shares) => return self.append_shares(shares),
            Write::RegisterMiner {
                hotkey,
                payout_address,
                at,
            } => return Ok(self.register_miner(*hotkey, payout_address.clone(), *at)),
            Write::AddWorker(worker) => self.add_worker(worker)?,
            Write::NumberWorkers { next } => self.rest.next_worker = Some(*next),
            Write::RetireWorkers { workers } => self.retire_workers(workers)?,
            Write::RemoveMiner { hotkey } => return self.remove_miner(*hotkey),
            Write::UseNonce {
                hotkey,
                nonce_nanos,
                expires_at,
                now,
            } => return Ok(self.use_nonce((*hotkey, *nonce_nanos), *expires_at, *now)),
            Write::Ban { hotkey, ban } => {
                self.rest.bans.insert(*hotkey, ban.clone());
            }
            Write::Unban { hotkey } => {
                self.rest.bans.remove(hotkey);
            }
            Write::SaveTemplate(row) => self.save_template(row)?,
            Write::RetireTemplates { before } => {
                self.rest.live_from = self.rest.live_from.max(Some(*before));
            }
            Write::DropTemplates { before } => self.drop_templates(*before),
            Write::RecordCandidate { hash, block, at } => {
                return Ok(self.record_candidate(*hash, block, *at));
            }
            Write::DropBlockBytes(hashes) => {
                let dropped = self.rest.blocks.iter_mut();
                for block in dropped.filter(|block| hashes.contains(&block.hash)) {
                    block.bytes.clear();
                }
            }
            Write::SetBlockState {
                hash,
                state,
                confirmations,
                at,
                block,
            } => self.set_block_state(*hash, *state, *confirmations, *at, block.as_ref())?,
            Write::RecoverBlock {
                hash,
                block,
                place,
                found_at,
            } => self.recover_block(*hash, block, *place, *found_at)?,
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
                self.set_payout_threshold(*hotkey, *threshold)?
            }
            Write::SaveSetting { key, value } => match value {
                Some(value) => {
                    self.rest.settings.insert(key.clone(), value.clone());
                }
                None => {
                    self.rest.settings.remove(key);
                }
            },
            Write::QueueSubmission(new) => return Ok(self.rest.queue_submission(new)),
            Write::SettleSubmission {
                id,
                evaluated,
                keep,
                counts_since,
            } => self.rest.settle_submission(*id, evaluated, *keep, *counts_since),
            Write::RemoveSubmission { id } => self.rest.remove_submission(*id),
            Write::PostNotice(row) => self.rest.post_notice(row),
            Write::PlanNotice { notice, channels } => self.rest.plan_notice(*notice, channels),
            Write::SettleDelivery {
                notice,
                channel,
                again,
            } => self.rest.settle_delivery(*notice, channel, *again),
            Write::AddWatch { watch, most } => return self.rest.add_watch(watch, *most),
            Write::RemoveWatch { hotkey, id } => return Ok(self.rest.remove_watch(hotkey, *id)),
            Write::ToMiner(write) => self.rest.tell_miner(write),
            Write::PassTime { at } => self.pass_time(*at),
            Write::BeginEpochs { start } => self.begin_epochs(*start)?,
            Write::EndEpoch { epoch, at } => self.end_epoch(*epoch, *at)?,
            Write::AddStatement(row) => self.add_statement(row)?,
            Write::CeaseEpochs => self.rest.epochs.cease(),
            Write::AppendAudit(row) => {
                let id = self.rest.audit.len() as u64 + 1;
                self.rest.audit.push(AuditRow { id, ..row.clone() });
            }
            // It follows a write that was refused.
            Write::AppendAuditIfDone(_) => {}
            Write::SaveCounters {
                at,
                through,
                counters,
            } => self.save_counters(*at, *through, counters)?,
            Write::PruneShares { through } => self.ask_to_prune(*through),
            Write::PruneHistory { minutes, hours, days } => self.prune_history([*minutes, *hours, *days]),
        }
        Ok(Written::Done)
    }

    /// Begins a new life and tells everything.
    pub(super) fn start(&mut self, now: Timestamp) -> Result<StoredState, StoreError> {
        let life = self.rest.life.checked_add(1);
        self.rest.life = life.ok_or_else(|| corrupt("the lives are used up"))?;
        self.rest.lives.push(LifeRow {
            life: self.rest.life,
            started_at: now,
            stopped_at: self.batches.last().map(|batch| batch.committed_at),
        });
        let created_at = *self.rest.created_at.get_or_insert(now);
        let rest = &self.rest;
        let last_template = rest.templates.keys().next_back().copied();
        let last_round = rest.rounds.last().map(|round| LastRound {
            id: round.row.id,
            closed_at: round.row.closed_at,
            through: round.through,
            carried: rest.carried.clone(),
            emission_carried: round.row.emitted.unwrap_or_default().carried,
        });
        let nonces = rest.nonces.iter().filter(|&(_, &expires_at)| expires_at >= now);
        let miners = rest.miners.iter().map(|(&hotkey, (at, address))| MinerRow {
            hotkey,
            registered_at: *at,
            payout_address: address.clone(),
            ban: rest.bans.get(&hotkey).cloned(),
            gone: rest.gone.get(&hotkey).cloned().unwrap_or_default(),
        });
        let whole = || rest.templates.values().filter(|t| !t.is_dropped).map(|t| &t.row);
        let (live_templates, past_templates): (Vec<_>, Vec<_>) =
            whole().cloned().partition(|row| Some(row.id) >= rest.live_from);
        Ok(StoredState {
            life: rest.life,
            next_template: last_template.map_or(TemplateId::new(1), TemplateId::next),
            last_sequence: rest.last_share(),
            total_units: rest.total,
            miners: miners.collect(),
            next_worker: rest.next_worker.unwrap_or_default(),
            workers_gone: rest.workers_gone.iter().map(|(id, (of, _))| (*id, *of)).collect(),
            workers: self.counted_workers(),
            nonces: nonces
                .map(|(&(hotkey, nonce), &at)| (hotkey, nonce, at))
                .collect(),
            templates: live_templates,
            past_templates: past_templates.into_iter().map(without_data).collect(),
            settings: rest.settings.clone(),
            last_round,
            last_payout: rest.payouts.values().next_back().map(|p| (p.id, p.reserved_at)),
            created_at,
        })
    }
}
