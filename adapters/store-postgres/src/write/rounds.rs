//! Closing a round: its row, its credits, the books and the blocks, all or nothing.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::rewards::{ClosedRound, SettledBlock, Source};
use dwarves_ports::store::codec::{Cells as _, sats};
use dwarves_ports::store::{Accounting, CreditKind};

use super::journal::Cause;
use super::{Transaction, expect_stored};
use crate::error::{Outcome, conflict};
use crate::value::{Number, Value, values};
use crate::{conservation, read};

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
        self.db.execute(
            "INSERT INTO rounds (id, closed_at, scheme, source, reward, fee, kept, credited, through, digest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            values![
                round.id,
                round.closed_at,
                round.scheme.name(),
                round.source.name(),
                round.reward,
                round.fee,
                round.kept,
                round.credited,
                through,
                &round.digest,
            ],
        )?;
        self.enter(Cause::Round(round.id), round.closed_at, &round.postings)?;
        self.set_accounting(round, blocks)?;
        self.insert_credits(round)?;
        self.keep_workings(round)?;
        self.keep_emitted(round)?;
        self.enter_changes(round, blocks)?;
        if round.source == Source::Emission {
            self.books_changed = true;
            conservation::change(self.db, conservation::EMITTED, sats(round.reward))?;
        }
        self.carry(round)
    }

    /// Whether the very same round is closed already.
    fn is_closed(&self, round: &ClosedRound) -> Outcome<bool> {
        let sql = "SELECT digest FROM rounds WHERE id = $1";
        let digest = self.db.one("rounds", sql, values![round.id], |cells| {
            cells.array::<32>("digest")
        })?;
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
        let sql = "SELECT id, through FROM rounds ORDER BY id DESC LIMIT 1";
        let last = self.db.one("rounds", sql, &[], |cells| {
            Ok((cells.round("id")?, cells.sequence("through")?))
        })?;
        if last.is_some_and(|(last, passed)| last > id || passed > through) {
            return Err(conflict(format!("round {id} goes back behind the last round")));
        }
        if through > self.known.place.tail.sequence {
            return Err(conflict(format!(
                "round {id} looked at shares that are not stored"
            )));
        }
        Ok(())
    }

    fn set_accounting(&mut self, round: &ClosedRound, blocks: &[(HeaderHash, Accounting)]) -> Outcome<()> {
        for (hash, accounting) in blocks {
            let sql = "SELECT accounting, reward FROM blocks WHERE hash = $1";
            let before = self.db.one("blocks", sql, values![hash], |cells| {
                Ok((cells.named::<Accounting>("accounting")?, cells.int("reward")?))
            })?;
            let changed = self.db.execute(
                "UPDATE blocks SET accounting = $2 WHERE hash = $1",
                values![hash, accounting.name()],
            )?;
            expect_stored(changed, || format!("block {hash} of round {}", round.id))?;
            if let Some((before, reward)) = before {
                self.books_changed = true;
                conservation::change(self.db, &conservation::of_blocks(before), -reward)?;
                conservation::change(self.db, &conservation::of_blocks(*accounting), reward)?;
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
                let parts = read::blocks::credits(self.db, hash)?;
                let credits = parts.map(|parts| parts.credits).unwrap_or_default();
                let credits: Vec<_> = credits.iter().map(|part| (part.hotkey, 0, part.amount)).collect();
                self.append_credits(round.id, kind, Some(hash), &credits)?;
            }
        }
        Ok(())
    }

    fn insert_credits(&self, round: &ClosedRound) -> Outcome<()> {
        for (block, place) in round.blocks.iter().zip(0_i64..) {
            self.db.execute(
                "INSERT INTO credited_blocks (hash, round, place, fee, kept) VALUES ($1, $2, $3, $4, $5)",
                values![&block.hash, round.id, place, block.fee, block.kept],
            )?;
            self.insert_parts(block)?;
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

    /// A block's parts.
    fn insert_parts(&self, block: &SettledBlock) -> Outcome<()> {
        let hotkeys: Vec<&[u8]> = block
            .credits
            .iter()
            .map(|credit| &credit.hotkey.as_bytes()[..])
            .collect();
        let amounts: Vec<i64> = block.credits.iter().map(|credit| sats(credit.amount)).collect();
        self.db.execute(
            "INSERT INTO block_credits (hash, hotkey, amount) SELECT $1, * FROM unnest($2::bytea[], $3::bigint[])",
            values![&block.hash, Value::Other(&hotkeys), Value::Other(&amounts)],
        )?;
        Ok(())
    }

    /// Keeps how the round came to its credits.
    fn keep_workings(&self, round: &ClosedRound) -> Outcome<()> {
        if round.credits.is_empty() {
            return Ok(());
        }
        let workings = &round.workings;
        self.db.execute(
            "INSERT INTO round_workings (round, fee_bps, splits) VALUES ($1, $2, $3)",
            values![round.id, workings.fee.get(), workings.splits.len() as u64],
        )?;
        for (weights, place) in workings.splits.iter().zip(0_i64..) {
            let work: Vec<(Hotkey, u128)> = weights.iter().collect();
            let hotkeys: Vec<&[u8]> = work.iter().map(|(hotkey, _)| &hotkey.as_bytes()[..]).collect();
            let half_steps: Vec<Number> = work.iter().map(|(_, half_steps)| Number(*half_steps)).collect();
            self.db.execute(
                "INSERT INTO round_splits (round, place, hotkey, half_steps)
                 SELECT $1, $2, * FROM unnest($3::bytea[], $4::numeric[])",
                values![round.id, place, Value::Other(&hotkeys), Value::Other(&half_steps)],
            )?;
        }
        let (mut hotkeys, mut worths, mut work) = (Vec::<&[u8]>::new(), Vec::new(), Vec::new());
        for (hotkey, paid) in &workings.paid {
            hotkeys.push(hotkey.as_bytes());
            worths.push(None);
            work.push(Number(paid.carried));
            for (value, units) in &paid.work {
                hotkeys.push(hotkey.as_bytes());
                worths.push(Some(sats(*value)));
                work.push(Number(units.raw()));
            }
        }
        if !hotkeys.is_empty() {
            self.db.execute(
                "INSERT INTO round_paid (round, hotkey, value, work)
                 SELECT $1, * FROM unnest($2::bytea[], $3::bigint[], $4::numeric[])",
                values![
                    round.id,
                    Value::Other(&hotkeys),
                    Value::Other(&worths),
                    Value::Other(&work)
                ],
            )?;
        }
        Ok(())
    }

    /// Keeps what became of the round's emission.
    fn keep_emitted(&self, round: &ClosedRound) -> Outcome<()> {
        let Some(emitted) = &round.emitted else {
            return Ok(());
        };
        self.db.execute(
            "INSERT INTO round_emissions (round, amount, brought, carried, burnt) VALUES ($1, $2, $3, $4, $5)",
            values![
                round.id,
                emitted.amount,
                emitted.brought,
                emitted.carried,
                emitted.burnt
            ],
        )?;
        Ok(())
    }

    fn carry(&self, round: &ClosedRound) -> Outcome<()> {
        self.db.execute("DELETE FROM carried", &[])?;
        let hotkeys: Vec<&[u8]> = round
            .carried
            .keys()
            .map(|hotkey| &hotkey.as_bytes()[..])
            .collect();
        let remainders: Vec<Number> = round
            .carried
            .values()
            .map(|remainder| Number(*remainder))
            .collect();
        self.db.execute(
            "INSERT INTO carried (hotkey, remainder) SELECT * FROM unnest($1::bytea[], $2::numeric[])",
            values![Value::Other(&hotkeys), Value::Other(&remainders)],
        )?;
        Ok(())
    }
}
