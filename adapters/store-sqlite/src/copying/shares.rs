//! Shares, by the commits that they came with.

use dwarves_domain::ids::Sequence;
use dwarves_domain::units::Units;
use dwarves_ports::store::copying::{CopiedCommit, CopiedShare, Key};
use rusqlite::{Connection, params};

use super::number_after;
use crate::batches;
use crate::columns::{Cells, int, units};
use crate::error::{Outcome, corrupt};
use crate::packed_shares::{PackedShares, SHARES_PER_ROW, StoredShare, pack};

/// The next commits.
pub(super) fn read(connection: &Connection, after: Option<&Key>, most: usize) -> Outcome<Vec<CopiedCommit>> {
    let first = match after {
        Some(_) => Some(number_after(after).saturating_add(1)),
        None => {
            let next = batches::pruned_through(connection)?.next();
            batches::commit_of(connection, next)?.map(|row| int(row.first.get()))
        }
    };
    let Some(first) = first else {
        return Ok(Vec::new());
    };
    let mut select = connection.prepare_cached(
        "SELECT first_sequence, place, committed_at, total_before, shares FROM batches
         WHERE first_sequence >= ?1 ORDER BY first_sequence",
    )?;
    let mut rows = select.query([first])?;
    let mut commits: Vec<CopiedCommit> = Vec::new();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let cells = Cells::new(row, "batches");
        let begins = cells.u64(1)? == 0;
        if begins && count >= most {
            break;
        }
        let committed_at = cells.time(2)?;
        let shares = PackedShares::open(cells.blob(4)?, committed_at)?;
        if begins {
            commits.push(CopiedCommit {
                first: cells.sequence(0)?,
                committed_at,
                total_before: cells.units(3)?,
                shares: Vec::new(),
            });
        }
        let commit = commits.last_mut();
        let commit = commit.ok_or_else(|| corrupt("batches: the first row of a commit is missing"))?;
        let next = commit.first.get() + commit.shares.len() as u64;
        if cells.u64(0)? != next {
            return Err(corrupt(format!("batches: share {next} is missing")));
        }
        for place in 0..shares.count() {
            let share = shares.share(place)?;
            commit.shares.push(CopiedShare {
                row: share.to_row(),
                is_whole: !share.lacks_tail,
            });
        }
        count += shares.count();
    }
    Ok(commits)
}

/// Writes commits as they are written when their shares come.
pub(super) fn write(connection: &Connection, commits: &[CopiedCommit]) -> Outcome<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO batches (first_sequence, place, committed_at, total_before, shares) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for commit in commits {
        let rows = commit.shares.len().div_ceil(SHARES_PER_ROW).max(1);
        let (mut first, mut place, mut total) = (commit.first, 0_u64, commit.total_before);
        for shares in commit.shares.chunks(commit.shares.len().div_ceil(rows).max(1)) {
            let stored = shares.iter().map(|share| StoredShare {
                lacks_tail: !share.is_whole,
                ..StoredShare::of(&share.row)
            });
            insert.execute(params![
                int(first.get()),
                int(place),
                commit.committed_at.millis(),
                units(total),
                pack(stored, commit.committed_at)
            ])?;
            total = after(total, shares)?;
            place += shares.len() as u64;
            first = Sequence::new(first.get() + shares.len() as u64);
        }
    }
    Ok(())
}

fn after(total: Units, shares: &[CopiedShare]) -> Outcome<Units> {
    let mut units = shares.iter().map(|share| share.row.units);
    let sum = units.try_fold(total, |sum, units| sum.checked_add(units));
    sum.ok_or_else(|| corrupt("batches: the work of all shares does not fit"))
}
