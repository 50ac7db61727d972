//! Closing a round: its row, its credits, the books and the blocks, all or nothing.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::rewards::{ClosedRound, Source};
use dwarves_ports::store::{Accounting, CreditKind};
use rusqlite::{OptionalExtension, params};

use super::journal::Cause;
use super::{Transaction, expect_stored};
use crate::columns::{Cells, int, sats};
use crate::error::{Outcome, conflict};
use crate::{conservation, credited_miners, packed_money, read};

impl Transaction<'_> {
    pub(super) fn close_round(
        &mut self,
        round: &ClosedRound,
        blocks: &[(HeaderHash, Accounting)],
        through: Sequence,
    ) -> Outcome<()> {
        if self.is_closed(round)? {
            return Ok(());
        }
        self.check_order(round, through)?;
        self.statement(
            "INSERT INTO rounds (id, closed_at, scheme, source, reward, fee, kept, credited, through, digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            int(round.id.get()),
            round.closed_at.millis(),
            round.scheme.name(),
            round.source.name(),
            sats(round.reward),
            sats(round.fee),
            sats(round.kept),
            sats(round.credited),
            int(through.get()),
            round.digest,
        ])?;
        self.enter(Cause::Round(round.id), round.closed_at, &round.postings)?;
        self.set_accounting(round, blocks)?;
        self.insert_credits(round)?;
        self.keep_workings(round)?;
        self.keep_emitted(round)?;
        self.enter_changes(round, blocks)?;
        if round.source == Source::Emission {
            self.books_changed = true;
            conservation::change(self.connection, conservation::EMITTED, sats(round.reward))?;
        }
        self.carry(round)
    }

    /// Whether the very same round is closed already.
    fn is_closed(&self, round: &ClosedRound) -> Outcome<bool> {
        let digest = self
            .statement("SELECT digest FROM rounds WHERE id = ?1")?
            .query_row([int(round.id.get())], |row| {
                Ok(Cells::new(row, "rounds").array::<32>("digest"))
            })
            .optional()?
            .transpose()?;
        match digest {
            None => Ok(false),
            Some(digest) if digest == round.digest => Ok(true),
            Some(_) => Err(conflict(format!(
                "round {} is closed with other content",
                round.id
            ))),
        }
    }

    /// Rounds go forward, and none of them looks at shares that are not there.
    fn check_order(&self, round: &ClosedRound, through: Sequence) -> Outcome<()> {
        let id = round.id;
        let last = self
            .statement("SELECT id, through FROM rounds ORDER BY id DESC LIMIT 1")?
            .query_row([], |row| {
                let cells = Cells::new(row, "rounds");
                let read = || -> Outcome<_> { Ok((cells.round("id")?, cells.sequence("through")?)) };
                Ok(read())
            })
            .optional()?
            .transpose()?;
        if last.is_some_and(|(last, passed)| last > id || passed > through) {
            return Err(conflict(format!("round {id} goes back behind the last round")));
        }
        if through > self.known.tail.sequence {
            return Err(conflict(format!(
                "round {id} looked at shares that are not stored"
            )));
        }
        Ok(())
    }

    fn set_accounting(&mut self, round: &ClosedRound, blocks: &[(HeaderHash, Accounting)]) -> Outcome<()> {
        let mut select = self.statement("SELECT accounting, reward FROM blocks WHERE hash = ?1")?;
        let mut update = self.statement("UPDATE blocks SET accounting = ?2 WHERE hash = ?1")?;
        for (hash, accounting) in blocks {
            let before = select
                .query_row([hash.as_bytes()], |row| {
                    let cells = Cells::new(row, "blocks");
                    let read = || -> Outcome<_> {
                        Ok((cells.named::<Accounting>("accounting")?, cells.int("reward")?))
                    };
                    Ok(read())
                })
                .optional()?
                .transpose()?;
            let changed = update.execute(params![hash.as_bytes(), accounting.name()])?;
            expect_stored(changed, || format!("block {hash} of round {}", round.id))?;
            if let Some((before, reward)) = before {
                self.books_changed = true;
                conservation::change(self.connection, &conservation::of_blocks(before), -reward)?;
                conservation::change(self.connection, &conservation::of_blocks(*accounting), reward)?;
            }
        }
        Ok(())
    }

    /// Enters what orphaned blocks take from miners' credits, and what those that came back give again.
    fn enter_changes(&self, round: &ClosedRound, blocks: &[(HeaderHash, Accounting)]) -> Outcome<()> {
        let orphaned = round.orphaned.iter().map(|hash| (hash, true));
        let changed = orphaned.chain(round.returned.iter().map(|hash| (hash, false)));
        for (hash, is_orphaned) in changed {
            let booked = blocks.iter().find(|(block, _)| block == hash);
            let kind = booked.and_then(|(_, booked)| CreditKind::of_change(is_orphaned, *booked));
            if let Some(kind) = kind {
                let parts = read::blocks::credits(self.connection, hash)?;
                let credits = parts.map(|parts| parts.credits).unwrap_or_default();
                let credits: Vec<_> = credits.iter().map(|part| (part.hotkey, 0, part.amount)).collect();
                self.append_credits(round.id, kind, Some(hash), &credits)?;
            }
        }
        Ok(())
    }

    fn insert_credits(&self, round: &ClosedRound) -> Outcome<()> {
        let id = int(round.id.get());
        let mut insert = self.statement(
            "INSERT INTO credited_blocks (hash, round, place, fee, kept, parts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (block, place) in round.blocks.iter().zip(0_i64..) {
            let (hash, fee, kept) = (block.hash.as_bytes(), sats(block.fee), sats(block.kept));
            let parts = self.pack_parts(&block.credits)?;
            insert.execute(params![hash, id, place, fee, kept, parts])?;
        }
        let splits_blocks = round.source == Source::Blocks && !round.scheme.pays_per_share();
        let only_block = match round.blocks.as_slice() {
            [block] if splits_blocks => Some(&block.hash),
            _ => None,
        };
        let credits: Vec<_> = round
            .credits
            .iter()
            .map(|credit| (credit.hotkey, credit.units.half_steps(), credit.amount))
            .collect();
        self.append_credits(round.id, CreditKind::Credit, only_block, &credits)
    }

    /// Keeps how the round came to its credits.
    fn keep_workings(&self, round: &ClosedRound) -> Outcome<()> {
        if round.credits.is_empty() {
            return Ok(());
        }
        let number = |hotkey: &Hotkey| -> Outcome<_> {
            Ok(credited_miners::find_or_number(self.connection, hotkey)?.number)
        };
        let workings = &round.workings;
        let mut splits = Vec::new();
        for weights in &workings.splits {
            let work = weights
                .iter()
                .map(|(hotkey, half_steps)| Ok((number(&hotkey)?, half_steps)));
            packed_money::push_split(&mut splits, &work.collect::<Outcome<Vec<_>>>()?);
        }
        let miners = workings
            .paid
            .iter()
            .map(|(hotkey, paid)| Ok((number(hotkey)?, paid)));
        let paid = packed_money::pack_paid(&miners.collect::<Outcome<Vec<_>>>()?);
        self.statement("INSERT INTO round_workings (round, fee_bps, splits, paid) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![int(round.id.get()), workings.fee.get(), splits, paid])?;
        Ok(())
    }

    /// Keeps what became of the round's emission.
    fn keep_emitted(&self, round: &ClosedRound) -> Outcome<()> {
        let Some(emitted) = &round.emitted else {
            return Ok(());
        };
        self.statement(
            "INSERT INTO round_emissions (round, amount, brought, carried, burnt) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            int(round.id.get()),
            sats(emitted.amount),
            sats(emitted.brought),
            sats(emitted.carried),
            sats(emitted.burnt)
        ])?;
        Ok(())
    }

    fn carry(&self, round: &ClosedRound) -> Outcome<()> {
        self.statement("DELETE FROM carried")?.execute([])?;
        let mut insert = self.statement("INSERT INTO carried (hotkey, remainder) VALUES (?1, ?2)")?;
        for (hotkey, remainder) in &round.carried {
            insert.execute(params![hotkey.as_bytes(), remainder.to_be_bytes()])?;
        }
        Ok(())
    }
}
