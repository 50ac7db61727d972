//! Shares, miners, workers, nonces, templates, counters and pruning in memory.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, TemplateId, WorkerId};
use dwarves_domain::time::Timestamp;

use super::state::{Mined, State, StoredShare, StoredTemplate, conflict, corrupt};
use dwarves_ports::store::ledger_rows::{BlockRow, CounterRow, ShareRow, TemplateRow, WorkerRow};
use dwarves_ports::store::{StoreError, Written};

impl State {
    pub(super) fn append_shares(&mut self, shares: &[ShareRow]) -> Result<Written, StoreError> {
        let first = self.rest.last_share().next();
        for row in shares {
            if !self.rest.workers.contains_key(&row.worker) {
                return Err(conflict(format!(
                    "share {}: worker {} is not known",
                    row.hash, row.worker
                )));
            }
            let sequence = self.rest.last_share().next();
            let Some(template) = self.rest.templates.get_mut(&row.template) else {
                let detail = format!("share {}: template {} is not known", row.hash, row.template);
                return Err(conflict(detail));
            };
            template.is_late |= template.is_dropped;
            let total_before = self.rest.total;
            let total = total_before.checked_add(row.units);
            self.rest.total = total.ok_or_else(|| corrupt("the total of units does not fit 128 bits"))?;
            self.rest.last_sequence = Some(sequence);
            if let Some(block) = &row.block {
                self.add_share_block(sequence, total_before, row, block);
            }
            let row = ShareRow {
                block: None,
                ..row.clone()
            };
            self.mined.push(Mined {
                at: row.received_at,
                worker: row.worker,
                share_bits: row.share_bits,
                units: row.units,
            });
            self.shares.push(StoredShare {
                sequence,
                total_before,
                row,
            });
        }
        // What is noted of a dropped template's shares may be a little late, but never early.
        let last = self.rest.last_share();
        for template in self.rest.templates.values_mut() {
            if std::mem::take(&mut template.is_late) {
                template.last_share = last;
            }
        }
        Ok(Written::Shares {
            first,
            total: self.rest.total,
        })
    }

    pub(super) fn register_miner(
        &mut self,
        hotkey: Hotkey,
        payout_address: Option<String>,
        at: Timestamp,
    ) -> Written {
        let is_new = !self.rest.miners.contains_key(&hotkey);
        let (registered_at, address) = self.rest.miners.entry(hotkey).or_insert((at, None));
        if payout_address.is_some() {
            *address = payout_address;
        }
        Written::Miner {
            is_new,
            registered_at: *registered_at,
            payout_address: address.clone(),
        }
    }

    pub(super) fn add_worker(&mut self, worker: &WorkerRow) -> Result<(), StoreError> {
        if !self.rest.miners.contains_key(&worker.hotkey) {
            return Err(conflict(format!(
                "worker {}: its miner is not registered",
                worker.id
            )));
        }
        let same = |(known, _): &&(WorkerRow, CounterRow)| {
            known.id == worker.id || (known.hotkey == worker.hotkey && known.name == worker.name)
        };
        if self.rest.workers_gone.contains_key(&worker.id) {
            return Err(conflict(format!("worker {} was taken out", worker.id)));
        }
        match self.rest.workers.values().find(same) {
            Some((known, _)) if known == worker => {}
            Some(_) => {
                return Err(conflict(format!(
                    "worker {}: its number or its name is another worker's",
                    worker.id
                )));
            }
            None => {
                self.rest.owners.insert(worker.id, worker.hotkey);
                let counters = CounterRow::default();
                self.rest.names.insert(worker.id, worker.name.clone());
                self.rest
                    .epochs
                    .name(worker.id, worker.hotkey, worker.name.clone());
                self.rest.workers.insert(worker.id, (worker.clone(), counters));
            }
        }
        Ok(())
    }

    pub(super) fn retire_workers(&mut self, workers: &[(WorkerId, CounterRow)]) -> Result<(), StoreError> {
        for (id, counters) in workers {
            let Some((row, _)) = self.rest.workers.remove(id) else {
                continue;
            };
            let gone = self.rest.gone.entry(row.hotkey).or_default();
            let sum = gone.clone().plus(counters);
            *gone = sum.ok_or_else(|| corrupt("a miner's units do not fit 128 bits"))?;
            let last = self.rest.last_share();
            self.rest.workers_gone.insert(*id, (row.hotkey, last));
        }
        Ok(())
    }

    pub(super) fn remove_miner(&mut self, hotkey: Hotkey) -> Result<Written, StoreError> {
        let balances = self.miner_balances(hotkey)?;
        let owed = [balances.immature, balances.payable, balances.in_flight];
        let mut payouts = self.rest.payouts.values().filter(|payout| payout.is_watched);
        let is_paid = payouts.any(|payout| payout.parts.iter().any(|part| part.hotkey == hotkey));
        if is_paid || owed.iter().any(|amount| amount.sats() > 0) {
            return Ok(Written::MinerKept);
        }
        let last = self.rest.last_share();
        let (theirs, others) = std::mem::take(&mut self.rest.workers)
            .into_iter()
            .partition(|(_, (row, _))| row.hotkey == hotkey);
        self.rest.workers = others;
        let theirs: std::collections::BTreeMap<_, _> = theirs;
        let gone = theirs.into_keys().map(|id| (id, (hotkey, last)));
        self.rest.workers_gone.extend(gone);
        self.rest.owners.retain(|_, owner| *owner != hotkey);
        self.rest.gone.remove(&hotkey);
        self.rest.thresholds.remove(&hotkey);
        self.rest.watches.retain(|_, watch| watch.hotkey != hotkey);
        self.rest.save_subscription(hotkey, None);
        self.rest
            .submissions
            .retain(|_, stored| stored.new.hotkey != hotkey);
        self.rest.miners.remove(&hotkey);
        Ok(Written::Done)
    }

    pub(super) fn use_nonce(&mut self, key: (Hotkey, u64), expires_at: Timestamp, now: Timestamp) -> Written {
        self.rest.nonces.retain(|_, expiry| *expiry >= now);
        if self.rest.nonces.contains_key(&key) {
            return Written::NonceUsed;
        }
        self.rest.nonces.insert(key, expires_at);
        Written::Done
    }

    pub(super) fn save_template(&mut self, row: &TemplateRow) -> Result<(), StoreError> {
        let Some(known) = self.rest.templates.get(&row.id) else {
            let stored = StoredTemplate {
                row: row.clone(),
                is_dropped: false,
                first_share: self.rest.last_share().next(),
                last_share: self.rest.last_share(),
                is_late: false,
            };
            self.rest.templates.insert(row.id, stored);
            return Ok(());
        };
        let mut row = row.clone();
        if known.is_dropped {
            drop_transactions(&mut row);
        }
        if known.row != row {
            return Err(conflict(format!(
                "template {} is stored with other content",
                row.id
            )));
        }
        Ok(())
    }

    pub(super) fn drop_templates(&mut self, before: TemplateId) {
        let last = self.rest.last_share();
        self.rest.live_from = self.rest.live_from.max(Some(before));
        for template in self.rest.templates.range_mut(..before).map(|(_, t)| t) {
            if !template.is_dropped {
                template.is_dropped = true;
                template.last_share = last;
                drop_transactions(&mut template.row);
            }
        }
    }

    /// A template, unless its transactions were dropped.
    pub(super) fn whole_template(&self, id: TemplateId) -> Option<TemplateRow> {
        let stored = self.rest.templates.get(&id).filter(|t| !t.is_dropped);
        stored.map(|stored| stored.row.clone())
    }

    pub(super) fn save_counters(
        &mut self,
        at: Timestamp,
        through: Sequence,
        counters: &[(WorkerId, CounterRow)],
    ) -> Result<(), StoreError> {
        if Some(through) < self.rest.counters_through {
            return Ok(());
        }
        for (id, counter) in counters {
            if self.rest.workers_gone.contains_key(id) {
                continue;
            }
            let Some((_, saved)) = self.rest.workers.get_mut(id) else {
                return Err(conflict(format!("counters of worker {id}, which is not known")));
            };
            let more = std::array::from_fn(|n| counter.rejected[n].saturating_sub(saved.rejected[n]));
            if more != [0; 6] {
                self.rest.rejected.push((at, *id, more));
                self.rest.epochs.keep_rejected(at, *id, more);
            }
            *saved = counter.clone();
        }
        self.rest.counters_through = Some(through);
        Ok(())
    }

    /// Every worker with its saved counters and what later shares add.
    pub(super) fn counted_workers(&self) -> Vec<(WorkerRow, CounterRow)> {
        let mut workers = self.rest.workers.clone();
        let counted = self.rest.counters_through;
        for share in self.shares.iter().filter(|share| Some(share.sequence) > counted) {
            // What one came to that was taken out is told with it.
            let Some((_, counter)) = workers.get_mut(&share.row.worker) else {
                continue;
            };
            counter.accepted += 1;
            let units = counter.units.checked_add(share.row.units);
            counter.units = units.expect("the sum of a worker's units is part of the total, which fits");
            let is_its_block =
                |block: &&BlockRow| block.sequence == share.sequence && block.hash == share.row.hash;
            counter.blocks += self.rest.blocks.iter().filter(is_its_block).count() as u64;
            counter.last_share_at = Some(share.row.received_at);
        }
        workers.into_values().collect()
    }

    /// Notes how far may be pruned once the commit is whole.
    pub(super) fn ask_to_prune(&mut self, asked: Sequence) {
        let passed = self
            .rest
            .rounds
            .last()
            .map_or(Sequence::new(0), |round| round.through);
        let counted = self.rest.counters_through.unwrap_or(Sequence::new(0));
        let live = self.rest.templates.values();
        let live = live.filter(|t| !t.is_dropped && Some(t.row.id) >= self.rest.live_from);
        let before_live = live.map(|t| Sequence::new(t.first_share.get() - 1)).min();
        let through = asked.min(passed).min(counted);
        let stated = self.rest.epochs.stated_through();
        let through = stated.map_or(through, |stated| through.min(stated));
        let through = before_live.map_or(through, |before_live| through.min(before_live));
        // What was allowed once stays so.
        self.rest.prune_through = through.max(self.rest.prune_through);
        self.rest.is_pruning = true;
        self.prune_outlived();
    }

    /// Templates and workers whose shares are gone.
    fn prune_outlived(&mut self) {
        let through = self.rest.prune_through;
        self.rest.workers_gone.retain(|_, (_, last)| *last > through);
        let newest = self.rest.templates.keys().next_back().copied();
        self.rest
            .templates
            .retain(|id, t| !t.is_dropped || t.last_share > through || Some(*id) == newest);
    }

    pub(super) fn prune(&mut self) {
        let through = self.rest.prune_through;
        self.shares.retain(|share| share.sequence > through);
        if let Some(last) = self.batches.pop() {
            self.batches.retain(|batch| batch.last > through);
            self.batches.push(last);
        }
        self.prune_outlived();
    }
}

fn drop_transactions(row: &mut TemplateRow) {
    row.chain.transactions.clear();
    row.chain.trailer.clear();
}
