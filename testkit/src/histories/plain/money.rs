//! Blocks, rounds and balances in memory.

use dwarves_domain::blocks::{CreditKind, effort};
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::ledger::{Holdings, Income};
use dwarves_domain::rewards::{ClosedRound, HalfUnits, Source};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;

use super::state::{Rest, State, StoredRound, conflict, corrupt};
use dwarves_ports::store::ledger_rows::{
    BlockCredits, BlockRow, CreditRow, FoundBlock, LedgerPosition, RoundRow, ShareRow,
};
use dwarves_ports::store::{Accounting, BlockState, StoreError, Written};

impl State {
    /// The last other block that was not refused, of those before a place in the ledger.
    pub(super) fn last_block_before(&self, sequence: Sequence, hash: HeaderHash) -> Option<&BlockRow> {
        let place_of = |hash: HeaderHash| self.rest.blocks.iter().position(|block| block.hash == hash);
        let here = (sequence, place_of(hash).unwrap_or(usize::MAX));
        let counted = |(_, block): &(usize, &BlockRow)| block.state.ends_a_stretch() && block.hash != hash;
        let blocks = self.rest.blocks.iter().enumerate().filter(counted);
        blocks
            .map(|(place, block)| ((block.sequence, place), block))
            .filter(|(place, _)| *place < here)
            .max_by_key(|(place, _)| *place)
            .map(|(_, block)| block)
    }

    fn effort(&self, sequence: Sequence, hash: HeaderHash, end: Units) -> Units {
        let before = self.last_block_before(sequence, hash);
        effort(end, before.map(end_of))
    }

    /// Stores the block that a share is, or moves one that is there already to the share's place.
    pub(super) fn add_share_block(
        &mut self,
        sequence: Sequence,
        total_before: Units,
        share: &ShareRow,
        block: &FoundBlock,
    ) {
        let end = Units::from_raw(total_before.raw() + share.units.raw());
        let effort = self.effort(sequence, share.hash, end);
        let known = self.rest.blocks.iter_mut().find(|b| b.hash == share.hash);
        if let Some(known) = known {
            if known.accounting.is_open() {
                known.sequence = sequence;
                known.total_before = total_before;
                known.units = share.units;
                known.effort = effort;
                known.finder = block.finder.or(known.finder);
            }
            return;
        }
        self.rest
            .begin_block(share.hash, BlockState::Submitted, share.received_at);
        self.rest.blocks.push(BlockRow {
            hash: share.hash,
            height: block.height,
            reward: block.reward,
            finder: block.finder,
            sequence,
            total_before,
            units: share.units,
            found_at: share.received_at,
            state: BlockState::Submitted,
            confirmations: 0,
            accounting: Accounting::None,
            effort,
            bytes: block.bytes.clone(),
        });
    }

    /// Stores a header that meets the network's target, unless it is there.
    pub(super) fn record_candidate(
        &mut self,
        hash: HeaderHash,
        block: &FoundBlock,
        at: Timestamp,
    ) -> Written {
        let known = self.rest.blocks.iter_mut().find(|b| b.hash == hash);
        let fate = known.map(|known| {
            if known.accounting.is_open() {
                known.finder = known.finder.or(block.finder);
            }
            (known.state, known.confirmations)
        });
        let (state, confirmations) = fate.unwrap_or_else(|| {
            self.add_shareless(hash, block, at, BlockState::Submitted, 0);
            (BlockState::Submitted, 0)
        });
        Written::Candidate { state, confirmations }
    }

    /// A block that no share is known of has its place at the end of the ledger.
    fn add_shareless(
        &mut self,
        hash: HeaderHash,
        block: &FoundBlock,
        found_at: Timestamp,
        state: BlockState,
        confirmations: u32,
    ) {
        let (sequence, total) = (self.rest.last_share(), self.rest.total);
        let effort = self.effort(sequence, hash, total);
        self.rest.begin_block(hash, state, found_at);
        self.rest.blocks.push(BlockRow {
            hash,
            height: block.height,
            reward: block.reward,
            finder: block.finder,
            sequence,
            total_before: total,
            units: Units::ZERO,
            found_at,
            state,
            confirmations,
            accounting: Accounting::None,
            effort,
            bytes: if state.needs_bytes() {
                block.bytes.clone()
            } else {
                Vec::new()
            },
        });
    }

    pub(super) fn set_block_state(
        &mut self,
        hash: HeaderHash,
        state: BlockState,
        confirmations: u32,
        at: Timestamp,
        block: Option<&FoundBlock>,
    ) -> Result<(), StoreError> {
        if let Some(known) = self.rest.blocks.iter_mut().find(|b| b.hash == hash) {
            if known.state != state {
                let states = self.rest.block_states.entry(hash).or_default();
                states.push((state, Some(at)));
            }
            known.state = state;
            known.confirmations = confirmations;
            if !state.needs_bytes() {
                known.bytes.clear();
            }
            return Ok(());
        }
        let Some(block) = block else {
            return Err(conflict(format!("block {hash} is not stored")));
        };
        self.add_shareless(hash, block, at, state, confirmations);
        Ok(())
    }

    pub(super) fn recover_block(
        &mut self,
        hash: HeaderHash,
        block: &FoundBlock,
        place: LedgerPosition,
        found_at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(known) = self.rest.blocks.iter_mut().find(|b| b.hash == hash) {
            if known.state.recovered() != known.state {
                let states = self.rest.block_states.entry(hash).or_default();
                states.push((known.state.recovered(), None));
            }
            known.state = known.state.recovered();
            return Ok(());
        }
        if place.sequence > self.rest.last_share() {
            return Err(conflict(format!(
                "block {hash} was found at a place that is not there"
            )));
        }
        self.rest.begin_block(hash, BlockState::Immature, found_at);
        self.rest.blocks.push(BlockRow {
            hash,
            height: block.height,
            reward: block.reward,
            finder: block.finder,
            sequence: place.sequence,
            total_before: place.total,
            units: Units::ZERO,
            found_at,
            state: BlockState::Immature,
            confirmations: 0,
            accounting: Accounting::None,
            effort: self.effort(place.sequence, hash, place.total),
            bytes: Vec::new(),
        });
        Ok(())
    }

    pub(super) fn close_round(
        &mut self,
        round: &ClosedRound,
        blocks: &[(HeaderHash, Accounting)],
        through: Sequence,
    ) -> Result<(), StoreError> {
        let id = round.id;
        if let Some(known) = self.rest.rounds.iter().find(|known| known.row.id == id) {
            if known.row.digest == round.digest {
                return Ok(());
            }
            return Err(conflict(format!("round {id} is closed with other content")));
        }
        let last = self.rest.rounds.last();
        if last.is_some_and(|last| last.row.id > id || last.through > through) {
            return Err(conflict(format!("round {id} goes back behind the last round")));
        }
        if through > self.rest.last_share() {
            return Err(conflict(format!(
                "round {id} looked at shares that are not stored"
            )));
        }
        self.rest
            .balances
            .apply(&round.postings)
            .map_err(|error| corrupt(format!("round {id}: {error}")))?;
        for (hash, accounting) in blocks {
            let Some(block) = self.rest.blocks.iter_mut().find(|block| block.hash == *hash) else {
                return Err(conflict(format!("round {id}: block {hash} is not stored")));
            };
            block.accounting = *accounting;
        }
        for block in &round.blocks {
            let credits = BlockCredits {
                fee: block.fee,
                kept: block.kept,
                credits: block.credits.clone(),
            };
            if self.rest.settled.insert(block.hash, credits).is_some() {
                let hash = block.hash;
                return Err(conflict(format!("round {id}: block {hash} was credited before")));
            }
        }
        let block = only_split_block(round);
        self.rest
            .credits
            .extend(round.credits.iter().map(|credit| CreditRow {
                round: id,
                closed_at: round.closed_at,
                hotkey: credit.hotkey,
                units: credit.units,
                amount: credit.amount,
                kind: CreditKind::Credit,
                block,
            }));
        self.enter_changes(round, blocks);
        self.rest.rounds.push(StoredRound {
            row: RoundRow {
                id,
                closed_at: round.closed_at,
                scheme: round.scheme,
                source: round.source,
                reward: round.reward,
                fee: round.fee,
                kept: round.kept,
                credited: round.credited,
                emitted: round.emitted,
                blocks: round.blocks.iter().map(|block| block.hash).collect(),
                digest: round.digest,
            },
            through,
            workings: (!round.credits.is_empty()).then(|| round.workings.clone()),
        });
        self.rest.carried = round.carried.clone();
        self.check_books(&format!("round {id}"))
    }

    /// Refuses a commit after which the books would not hold exactly what came in.
    pub(super) fn check_books(&self, what: &str) -> Result<(), StoreError> {
        Holdings::of(self.rest.balances.iter())
            .check(&self.rest.income())
            .map_err(|error| corrupt(format!("{what}: {error}")))
    }

    /// Enters what orphaned blocks take from miners' credits, and what those that came back give again.
    fn enter_changes(&mut self, round: &ClosedRound, blocks: &[(HeaderHash, Accounting)]) {
        let orphaned = round.orphaned.iter().map(|hash| (hash, true));
        let changed = orphaned.chain(round.returned.iter().map(|hash| (hash, false)));
        for (hash, is_orphaned) in changed {
            let booked = blocks.iter().find(|(block, _)| block == hash);
            let kind = booked.and_then(|(_, booked)| CreditKind::of_change(is_orphaned, *booked));
            let (Some(kind), Some(settled)) = (kind, self.rest.settled.get(hash)) else {
                continue;
            };
            let entries = settled.credits.iter().map(|credit| CreditRow {
                round: round.id,
                closed_at: round.closed_at,
                hotkey: credit.hotkey,
                units: HalfUnits::ZERO,
                amount: credit.amount,
                kind,
                block: Some(*hash),
            });
            self.rest.credits.extend(entries);
        }
    }
}

impl Rest {
    /// Keeps the state in which a block is stored first.
    fn begin_block(&mut self, hash: HeaderHash, state: BlockState, at: Timestamp) {
        let states = self.block_states.entry(hash).or_default();
        states.push((state, Some(at)));
    }

    /// What blocks and emissions brought.
    pub(super) fn income(&self) -> Income {
        let mut income = Income::default();
        for block in &self.blocks {
            let reward = i128::from(block.reward.sats());
            match block.accounting {
                Accounting::None | Accounting::Reversed => {}
                Accounting::Credited => income.immature += reward,
                Accounting::Matured => income.matured += reward,
                Accounting::ReversedMature => income.lost += reward,
            }
        }
        let emitted = self.rounds.iter().filter(|r| r.row.source == Source::Emission);
        income.emitted = emitted.map(|round| i128::from(round.row.reward.sats())).sum();
        income
    }
}

/// Units up to and including a block's share.
pub(super) fn end_of(block: &BlockRow) -> Units {
    Units::from_raw(block.total_before.raw() + block.units.raw())
}

/// The block that the round's credits come from, if it is just one.
fn only_split_block(round: &ClosedRound) -> Option<HeaderHash> {
    let splits_blocks = round.source == Source::Blocks && !round.scheme.pays_per_share();
    match round.blocks.as_slice() {
        [block] if splits_blocks => Some(block.hash),
        _ => None,
    }
}
