//! Found blocks.

use dwarves_domain::blocks::effort;
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_ports::store::{Accounting, BlockState, FoundBlock, LedgerPosition, ShareRow, Written};
use rusqlite::{OptionalExtension, params};

use super::journal::owner;
use super::{Transaction, total_overflow};
use crate::batches::Tail;
use crate::columns::{Cells, int, sats, units};
use crate::error::{Outcome, conflict};
use crate::read::blocks::block_before;

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
        let accounting = self
            .statement("SELECT accounting FROM blocks WHERE hash = ?1")?
            .query_row([share.hash.as_bytes()], |row| {
                Ok(Cells::new(row, "blocks").named::<Accounting>("accounting"))
            })
            .optional()?
            .transpose()?;
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
                self.statement(
                    "UPDATE blocks SET sequence = ?2, total_before = ?3, units = ?4, effort = ?5,
                                       finder = CASE WHEN ?6 = x'' THEN finder ELSE ?6 END
                     WHERE hash = ?1",
                )?
                .execute(params![
                    share.hash.as_bytes(),
                    int(sequence.get()),
                    units(before.total),
                    units(share.units),
                    units(effort),
                    owner(block.finder.as_ref()),
                ])?;
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
        let changed = self
            .statement("UPDATE blocks SET state = ?2, confirmations = ?3 WHERE hash = ?1")?
            .execute(params![hash.as_bytes(), state.name(), confirmations])?;
        if changed == 0 {
            let Some(block) = block else {
                return Err(conflict(format!("block {hash} is not stored")));
            };
            self.insert_shareless(hash, block, at, state, confirmations)?;
        }
        if !state.needs_bytes() {
            self.statement("UPDATE blocks SET bytes = x'' WHERE hash = ?1 AND bytes <> x''")?
                .execute([hash.as_bytes()])?;
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
        let known = self
            .statement("SELECT state, confirmations FROM blocks WHERE hash = ?1")?
            .query_row([hash.as_bytes()], |row| {
                let cells = Cells::new(row, "blocks");
                let read = || -> Outcome<_> {
                    Ok((cells.named::<BlockState>("state")?, cells.u32("confirmations")?))
                };
                Ok(read())
            })
            .optional()?
            .transpose()?;
        if let Some((state, confirmations)) = known {
            self.statement(
                "UPDATE blocks SET finder = ?2 WHERE hash = ?1 AND finder = x'' AND accounting = ?3",
            )?
            .execute(params![
                hash.as_bytes(),
                owner(block.finder.as_ref()),
                Accounting::None.name(),
            ])?;
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
        let tail = self.known.tail;
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
        let mut update = self.statement("UPDATE blocks SET bytes = x'' WHERE hash = ?1 AND bytes <> x''")?;
        for hash in hashes {
            update.execute([hash.as_bytes()])?;
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
        let known = self
            .statement("SELECT state FROM blocks WHERE hash = ?1")?
            .query_row([hash.as_bytes()], |row| {
                Ok(Cells::new(row, "blocks").named::<BlockState>("state"))
            })
            .optional()?
            .transpose()?;
        if let Some(known) = known {
            if known.recovered() != known {
                self.note_state(hash, known.recovered(), None)?;
                self.statement("UPDATE blocks SET state = ?2 WHERE hash = ?1")?
                    .execute(params![hash.as_bytes(), known.recovered().name()])?;
            }
            return Ok(());
        }
        if place.sequence > self.known.tail.sequence {
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
        self.statement(
            "INSERT INTO blocks (hash, height, reward, finder, sequence, total_before, units, found_at, state,
                                 confirmations, accounting, effort, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            new.hash.as_bytes(),
            new.block.height,
            sats(new.block.reward),
            owner(new.block.finder.as_ref()),
            int(new.sequence.get()),
            units(new.total_before),
            units(new.units),
            new.found_at.millis(),
            new.state.name(),
            new.confirmations,
            Accounting::None.name(),
            units(effort),
            new.block.bytes,
        ])?;
        self.statement("INSERT INTO block_states (block, state, at) VALUES (?1, ?2, ?3)")?
            .execute(params![
                new.hash.as_bytes(),
                new.state.name(),
                new.found_at.millis(),
            ])?;
        Ok(())
    }

    /// Keeps that a known block comes into another state.
    fn note_state(&self, hash: &HeaderHash, state: BlockState, at: Option<Timestamp>) -> Outcome<()> {
        self.statement(
            "INSERT INTO block_states (block, state, at)
             SELECT hash, ?2, ?3 FROM blocks WHERE hash = ?1 AND state <> ?2",
        )?
        .execute(params![hash.as_bytes(), state.name(), at.map(Timestamp::millis)])?;
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
        let before = self
            .statement(&format!(
                "SELECT total_before, units FROM blocks {}",
                block_before()
            ))?
            .query_row(params![hash.as_bytes(), int(sequence.get())], |row| {
                let cells = Cells::new(row, "blocks");
                let read = || -> Outcome<_> { Ok((cells.units("total_before")?, cells.units("units")?)) };
                Ok(read())
            })
            .optional()?
            .transpose()?;
        let end = effort::end(total_before, own).ok_or_else(total_overflow)?;
        let end_before = match before {
            Some((total, own)) => Some(effort::end(total, own).ok_or_else(total_overflow)?),
            None => None,
        };
        Ok(effort::effort(end, end_before))
    }
}
