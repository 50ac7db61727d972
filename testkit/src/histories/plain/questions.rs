//! The reads of the plain store.

use std::collections::BTreeMap;

use dwarves_domain::blocks::CreditKind;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, RoundId, Sequence, TemplateId};
use dwarves_domain::ledger::{Account, Balance, Holdings};
use dwarves_domain::rewards::{Weights, pplns};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::work::extranonce::kin;

use super::money::end_of;
use super::pages::page;
use super::state::{Batch, State, StoredShare, corrupt};
use dwarves_ports::store::ledger_rows::{
    AuditRow, BlockCredits, BlockRow, CreditRow, LedgerPosition, RecentShare, RoundRow, ValuedUnits,
};
use dwarves_ports::store::reads::{Cursor, MinerBalances, Page, PageRequest, PoolTotals};
use dwarves_ports::store::{Accounting, BlockState, StoreError};

fn without_bytes(block: &BlockRow) -> BlockRow {
    BlockRow {
        bytes: Vec::new(),
        ..block.clone()
    }
}

/// Rows with their numbers, which begin with 1.
fn numbered<T>(rows: &[T]) -> impl DoubleEndedIterator<Item = (Cursor, &T)> {
    rows.iter()
        .enumerate()
        .map(|(index, row)| (index as Cursor + 1, row))
}

impl State {
    pub(super) fn hotkey_of(&self, share: &StoredShare) -> Hotkey {
        let id = &share.row.worker;
        let known = self.rest.workers.get(id).map(|(row, _)| row.hotkey);
        let gone = || self.rest.workers_gone.get(id).map(|(of, _)| *of);
        known
            .or_else(gone)
            .expect("a share of an unknown worker is refused")
    }

    fn between(&self, after: Sequence, through: Sequence) -> impl Iterator<Item = &StoredShare> {
        let inside = move |share: &&StoredShare| after < share.sequence && share.sequence <= through;
        self.shares.iter().filter(inside)
    }

    pub(super) fn recent_shares(&self, after: Sequence, limit: u32) -> Vec<RecentShare> {
        let later = self.shares.iter().filter(|share| share.sequence > after);
        let live = later.filter(|share| self.rest.is_live(share.row.template));
        live.take(limit as usize)
            .map(|share| RecentShare {
                template: share.row.template,
                hash: share.row.hash,
                sequence: share.sequence,
                worker: share.row.worker,
            })
            .collect()
    }

    pub(super) fn weights_in_window(
        &self,
        window: &pplns::Window,
        through: Sequence,
    ) -> Result<Weights, StoreError> {
        let shares = self.between(Sequence::new(0), through);
        let overlap = |share: &StoredShare| window.overlap(share.total_before, share.row.units);
        Weights::sum(shares.map(|share| (self.hotkey_of(share), overlap(share))))
            .map_err(|error| corrupt(error.to_string()))
    }

    pub(super) fn weights_between(&self, after: Sequence, through: Sequence) -> Result<Weights, StoreError> {
        let mut weights = Weights::new();
        for share in self.between(after, through) {
            let half_steps = share.row.units.raw().checked_mul(2);
            let half_steps = half_steps.ok_or_else(|| corrupt("a share's units do not fit"))?;
            weights
                .add(self.hotkey_of(share), half_steps)
                .map_err(|error| corrupt(error.to_string()))?;
        }
        Ok(weights)
    }

    pub(super) fn values_between(
        &self,
        after: Sequence,
        through: Sequence,
    ) -> Result<Vec<ValuedUnits>, StoreError> {
        let mut sums: BTreeMap<(TemplateId, Hotkey), Units> = BTreeMap::new();
        for share in self.between(after, through) {
            let sum = sums
                .entry((share.row.template, self.hotkey_of(share)))
                .or_default();
            let more = sum.checked_add(share.row.units);
            *sum = more.ok_or_else(|| corrupt("a sum of units does not fit"))?;
        }
        let valued = sums.into_iter().map(|((template, hotkey), units)| {
            let template = self.rest.templates.get(&template);
            let chain = &template
                .expect("a template stays as long as its shares")
                .row
                .chain;
            ValuedUnits {
                hotkey,
                units,
                subsidy: chain.subsidy,
                coinbase_value: chain.coinbase_value,
            }
        });
        Ok(valued.collect())
    }

    pub(super) fn position_at(&self, at: Timestamp) -> LedgerPosition {
        self.end_of_last(|batch| batch.committed_at <= at)
    }

    pub(super) fn position_before(&self, total: Units) -> LedgerPosition {
        self.end_of_last(|batch| batch.total_after <= total)
    }

    /// The end of the last batch for which `is_before` holds, or where the batches begin.
    fn end_of_last(&self, is_before: impl Fn(&Batch) -> bool) -> LedgerPosition {
        let last = self.batches.iter().rev().find(|batch| is_before(batch));
        match (last, self.batches.first()) {
            (Some(batch), _) => LedgerPosition {
                sequence: batch.last,
                total: batch.total_after,
            },
            (None, Some(first)) => LedgerPosition {
                sequence: Sequence::new(first.first.get() - 1),
                total: first.total_before,
            },
            (None, None) => LedgerPosition {
                sequence: Sequence::new(0),
                total: Units::ZERO,
            },
        }
    }

    pub(super) fn blocks_to_account(&self, limit: u32) -> Vec<BlockRow> {
        let due = self.rest.blocks.iter().filter(|b| b.state.is_due(b.accounting));
        due.take(limit as usize).map(without_bytes).collect()
    }

    pub(super) fn open_blocks(&self, depth: u32) -> Vec<BlockRow> {
        let highest = self.rest.blocks.iter().map(|block| block.height).max();
        let is_near = |block: &BlockRow| {
            let reach = block.height.saturating_add(depth);
            highest.is_some_and(|highest| reach >= highest)
        };
        let is_open = |block: &&BlockRow| match block.state {
            BlockState::Submitted | BlockState::Accepted | BlockState::Immature => true,
            BlockState::Mature | BlockState::Orphaned => is_near(block),
            BlockState::Refused => false,
        };
        self.rest.blocks.iter().filter(is_open).cloned().collect()
    }

    pub(super) fn block_before(&self, hash: HeaderHash) -> Option<BlockRow> {
        let block = self.rest.blocks.iter().find(|block| block.hash == hash)?;
        self.last_block_before(block.sequence, hash).map(without_bytes)
    }

    pub(super) fn block(&self, hash: HeaderHash) -> Option<BlockRow> {
        let block = self.rest.blocks.iter().find(|block| block.hash == hash);
        block.map(without_bytes)
    }

    pub(super) fn owner_of(&self, extranonce: ExtraNonce) -> Option<Hotkey> {
        let kin = kin(extranonce);
        let mut newest_first = self.shares.iter().rev();
        let share = newest_first.find(|s| kin.contains(&s.row.extranonce.head()));
        share.map(|share| self.hotkey_of(share))
    }

    pub(super) fn block_credits(&self, hash: HeaderHash) -> Option<BlockCredits> {
        self.rest.settled.get(&hash).cloned()
    }

    pub(super) fn miner_balances(&self, hotkey: Hotkey) -> Result<MinerBalances, StoreError> {
        let of = |balance| {
            let sats = self.rest.balances.get(Account::Miner(hotkey, balance));
            let amount = u64::try_from(sats).ok().and_then(Amount::from_sats);
            amount.ok_or_else(|| corrupt("a miner's balance is below zero"))
        };
        Ok(MinerBalances {
            immature: of(Balance::Immature)?,
            payable: of(Balance::Payable)?,
            in_flight: of(Balance::InFlight)?,
            paid: of(Balance::Paid)?,
        })
    }

    pub(super) fn miner_credits(&self, hotkey: Hotkey, request: PageRequest) -> Page<CreditRow> {
        let of_miner = numbered(&self.rest.credits).filter(|(_, credit)| credit.hotkey == hotkey);
        page(of_miner.map(|(number, credit)| (number, credit.clone())), request)
    }

    pub(super) fn blocks(&self, request: PageRequest) -> Page<BlockRow> {
        let blocks = numbered(&self.rest.blocks);
        page(
            blocks.map(|(number, block)| (number, without_bytes(block))),
            request,
        )
    }

    pub(super) fn rounds(&self, request: PageRequest) -> Page<RoundRow> {
        let rounds = self.rest.rounds.iter().map(|round| &round.row);
        page(rounds.map(|row| (row.id.get(), row.clone())), request)
    }

    pub(super) fn round(&self, id: RoundId) -> Option<(RoundRow, Vec<CreditRow>)> {
        let round = self.rest.rounds.iter().find(|round| round.row.id == id)?;
        let of_round = |credit: &&CreditRow| credit.round == id && credit.kind == CreditKind::Credit;
        let credits = self.rest.credits.iter().filter(of_round);
        Some((round.row.clone(), credits.cloned().collect()))
    }

    pub(super) fn audit(&self, request: PageRequest) -> Page<AuditRow> {
        page(self.rest.audit.iter().map(|row| (row.id, row.clone())), request)
    }

    pub(super) fn totals(&self) -> Result<PoolTotals, StoreError> {
        let found: Vec<&BlockRow> = self.rest.blocks.iter().filter(|b| b.state.is_found()).collect();
        let mut blocks_by_state = BTreeMap::new();
        for block in &self.rest.blocks {
            *blocks_by_state.entry(block.state).or_default() += 1;
        }
        let lost = |block: &&BlockRow| block.accounting == Accounting::ReversedMature;
        Ok(PoolTotals {
            log_bytes: 0,
            ledger_sum: self.rest.balances.sum(),
            holdings: Holdings::of(self.rest.balances.iter()),
            income: self.rest.income(),
            blocks_by_state,
            blocks_lost: self.rest.blocks.iter().filter(lost).count() as u64,
            units: self.rest.total,
            shares: self.rest.last_share().get(),
            blocks: found.len() as u64,
            units_to_last_block: found.iter().map(|b| end_of(b)).max().unwrap_or_default(),
        })
    }
}
