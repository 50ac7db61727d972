//! Found blocks.

use dwarves_domain::blocks::effort;
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{Accounting, BlockState, FoundBlock, LedgerPosition, ShareRow, Written};

use super::Transaction;
use super::journal::owner;
use crate::batches::Tail;
use crate::error::{Outcome, conflict, total_overflow};
use crate::read::blocks::block_before;
use crate::value::values;

/// A block on its way into the table.
struct NewBlock<'a> {
    hash: &'a HeaderHash,
    block: &'a FoundBlock,
    sequence: Sequence,
    total_before: Units,
    units: Units,
    found_at: Timestamp,
    state: BlockState,
    confirmations: u32,
}

impl Transaction<'_> {
    /// Stores the block that a share is, or moves one that is there already to the share's place.
    pub(super) fn add_share_block(
        &mut self,
        before: Tail,
        share: &ShareRow,
        block: &FoundBlock,
    ) -> Outcome<()> {
        let sql = "SELECT accounting FROM blocks WHERE hash = $1";
        let accounting = self.db.one("blocks", sql, values![&share.hash], |cells| {
            cells.named::<Accounting>("accounting")
        })?;
        let sequence = before.sequence.next();
        match accounting {
            None => self.insert_block(&NewBlock {
                hash: &share.hash,
                block,
                sequence,
                total_before: before.total,
                units: share.units,
                found_at: share.received_at,
                state: BlockState::Submitted,
                confirmations: 0,
            }),
            Some(booked) if booked.is_open() => {
                let effort = self.effort(&share.hash, sequence, before.total, share.units)?;
                self.db.execute(
                    "UPDATE blocks SET sequence = $2, total_before = $3, units = $4, effort = $5,
                         finder = CASE WHEN $6 = ''::bytea THEN finder ELSE $6 END
                     WHERE hash = $1",
                    values![
                        &share.hash,
                        sequence,
                        before.total,
                        share.units,
                        effort,
                        owner(block.finder.as_ref()),
                    ],
                )?;
                Ok(())
            }
            // What is booked was split by the place that the block had then.
            Some(_) => Ok(()),
        }
    }

    pub(super) fn set_block_state(
        &mut self,
        hash: &HeaderHash,
        state: BlockState,
        confirmations: u32,
        at: Timestamp,
        block: Option<&FoundBlock>,
    ) -> Outcome<()> {
        self.note_state(hash, state, Some(at))?;
        let changed = self.db.execute(
            "UPDATE blocks SET state = $2, confirmations = $3 WHERE hash = $1",
            values![hash, state.name(), confirmations],
        )?;
        if changed == 0 {
            let Some(block) = block else {
                return Err(conflict(format!("block {hash} is not stored")));
            };
            self.insert_shareless(hash, block, at, state, confirmations)?;
        }
        if !state.needs_bytes() {
            self.drop_block_bytes(&[*hash])?;
        }
        Ok(())
    }

    /// Stores a header that meets the network's target, unless it is there.
    pub(super) fn record_candidate(
        &mut self,
        hash: &HeaderHash,
        block: &FoundBlock,
        at: Timestamp,
    ) -> Outcome<Written> {
        let sql = "SELECT state, confirmations FROM blocks WHERE hash = $1";
        let known = self.db.one("blocks", sql, values![hash], |cells| {
            Ok((cells.named::<BlockState>("state")?, cells.u32("confirmations")?))
        })?;
        if let Some((state, confirmations)) = known {
            self.db.execute(
                "UPDATE blocks SET finder = $2 WHERE hash = $1 AND finder = '' AND accounting = $3",
                values![hash, owner(block.finder.as_ref()), Accounting::None.name()],
            )?;
            return Ok(Written::Candidate { state, confirmations });
        }
        let (state, confirmations) = (BlockState::Submitted, 0);
        self.insert_shareless(hash, block, at, state, confirmations)?;
        Ok(Written::Candidate { state, confirmations })
    }

    /// A block that no share is known of has its place at the end of the ledger.
    fn insert_shareless(
        &mut self,
        hash: &HeaderHash,
        block: &FoundBlock,
        found_at: Timestamp,
        state: BlockState,
        confirmations: u32,
    ) -> Outcome<()> {
        let tail = self.known.place.tail;
        self.insert_block(&NewBlock {
            hash,
            block,
            sequence: tail.sequence,
            total_before: tail.total,
            units: Units::ZERO,
            found_at,
            state,
            confirmations,
        })
    }

    pub(super) fn drop_block_bytes(&mut self, hashes: &[HeaderHash]) -> Outcome<()> {
        for hash in hashes {
            self.db.execute(
                "UPDATE blocks SET bytes = '' WHERE hash = $1 AND bytes <> ''",
                values![hash],
            )?;
        }
        Ok(())
    }

    pub(super) fn recover_block(
        &mut self,
        hash: &HeaderHash,
        block: &FoundBlock,
        place: LedgerPosition,
        found_at: Timestamp,
    ) -> Outcome<()> {
        let sql = "SELECT state FROM blocks WHERE hash = $1";
        let known = self.db.one("blocks", sql, values![hash], |cells| {
            cells.named::<BlockState>("state")
        })?;
        if let Some(known) = known {
            if known.recovered() != known {
                self.note_state(hash, known.recovered(), None)?;
                self.db.execute(
                    "UPDATE blocks SET state = $2 WHERE hash = $1",
                    values![hash, known.recovered().name()],
                )?;
            }
            return Ok(());
        }
        if place.sequence > self.known.place.tail.sequence {
            return Err(conflict(format!(
                "block {hash} was found at a place that is not there"
            )));
        }
        self.insert_block(&NewBlock {
            hash,
            block,
            sequence: place.sequence,
            total_before: place.total,
            units: Units::ZERO,
            found_at,
            state: BlockState::Immature,
            confirmations: 0,
        })
    }

    fn insert_block(&mut self, new: &NewBlock<'_>) -> Outcome<()> {
        let effort = self.effort(new.hash, new.sequence, new.total_before, new.units)?;
        self.db.execute(
            "INSERT INTO blocks (id, hash, height, reward, finder, sequence, total_before, units, found_at, state,
                 confirmations, accounting, effort, bytes)
             VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM blocks), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            values![
                new.hash,
                new.block.height,
                new.block.reward,
                owner(new.block.finder.as_ref()),
                new.sequence,
                new.total_before,
                new.units,
                new.found_at,
                new.state.name(),
                new.confirmations,
                Accounting::None.name(),
                effort,
                &new.block.bytes,
            ],
        )?;
        self.db.execute(
            "INSERT INTO block_states (id, block, state, at)
             VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM block_states), $1, $2, $3)",
            values![new.hash, new.state.name(), new.found_at],
        )?;
        Ok(())
    }

    /// Keeps that a known block comes into another state.
    fn note_state(&self, hash: &HeaderHash, state: BlockState, at: Option<Timestamp>) -> Outcome<()> {
        self.db.execute(
            "INSERT INTO block_states (id, block, state, at)
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM block_states), hash, $2, $3 FROM blocks
             WHERE hash = $1 AND state <> $2",
            values![hash, state.name(), at],
        )?;
        Ok(())
    }

    /// Units since the end of the block before.
    fn effort(
        &self,
        hash: &HeaderHash,
        sequence: Sequence,
        total_before: Units,
        own: Units,
    ) -> Outcome<Units> {
        let sql = format!("SELECT total_before, units FROM blocks {}", block_before());
        let before = self.db.one("blocks", &sql, values![hash, sequence], |cells| {
            Ok((cells.units("total_before")?, cells.units("units")?))
        })?;
        let end = effort::end(total_before, own).ok_or_else(total_overflow)?;
        let end_before = match before {
            Some((total, own)) => Some(effort::end(total, own).ok_or_else(total_overflow)?),
            None => None,
        };
        Ok(effort::effort(end, end_before))
    }
}
