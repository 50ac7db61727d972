//! One ledger against the other, row by row.

use std::collections::VecDeque;

use super::datum::{Datum, Key, Row};
use super::end::{CopiedCommit, LedgerEnd, Piece};
use super::pump::CopyError;
use super::sums::LedgerSums;
use super::tables::{TABLES, Table};

/// The rows of one table of one end, as they come.
struct Rows<'a> {
    end: &'a mut dyn LedgerEnd,
    place: String,
    table: &'static Table,
    after: Option<Key>,
    rows: VecDeque<Row>,
    commits: VecDeque<CopiedCommit>,
    is_over: bool,
}

impl<'a> Rows<'a> {
    fn new(end: &'a mut dyn LedgerEnd, table: &'static Table) -> Self {
        Self {
            place: end.place().to_owned(),
            end,
            table,
            after: None,
            rows: VecDeque::new(),
            commits: VecDeque::new(),
            is_over: false,
        }
    }

    /// Reads on if nothing is left.
    fn fill(&mut self, sums: &mut LedgerSums) -> Result<(), CopyError> {
        if self.is_over || !self.rows.is_empty() || !self.commits.is_empty() {
            return Ok(());
        }
        let piece = self.end.read(self.table, self.after.as_ref());
        let piece = piece.map_err(CopyError::of(&self.place))?;
        sums.add(&piece);
        match piece.last() {
            Some(last) => self.after = Some(last),
            None => self.is_over = true,
        }
        match piece {
            Piece::Rows(_, rows) => self.rows.extend(rows),
            Piece::Commits(commits) => self.commits.extend(commits),
        }
        Ok(())
    }
}

/// Reads both again and compares them, to the last row. `told` hears of each table that is under way, and how many rows
/// were found to be the same in all. What both come to is told at the end, the first one's first.
///
/// # Errors
/// If they are not the same, with the table, the row and the column; or if one cannot be read.
pub fn compare(
    from: &mut dyn LedgerEnd,
    to: &mut dyn LedgerEnd,
    told: &mut dyn FnMut(&'static Table, u64),
) -> Result<(LedgerSums, LedgerSums), CopyError> {
    let (mut of_source, mut of_target) = (LedgerSums::default(), LedgerSums::default());
    let mut same = 0;
    for table in TABLES {
        told(table, same);
        let mut source = Rows::new(from, table);
        let mut target = Rows::new(to, table);
        loop {
            source.fill(&mut of_source)?;
            target.fill(&mut of_target)?;
            if source.is_over && target.is_over {
                break;
            }
            same += match (source.commits.is_empty(), target.commits.is_empty()) {
                (true, true) => compare_rows(&mut source, &mut target)?,
                _ => compare_commits(&mut source, &mut target)?,
            };
            told(table, same);
        }
    }
    Ok((of_source, of_target))
}

/// Compares as many rows as both have in memory. How many those were.
fn compare_rows(source: &mut Rows<'_>, target: &mut Rows<'_>) -> Result<u64, CopyError> {
    let table = source.table;
    let mut same = 0;
    while let (Some(ours), Some(theirs)) = (source.rows.front(), target.rows.front()) {
        if ours != theirs {
            return Err(different(table, ours, theirs, source, target));
        }
        source.rows.pop_front();
        target.rows.pop_front();
        same += 1;
    }
    // One may have read all of its piece while the other is at its end.
    match (source.rows.front(), target.rows.front()) {
        (Some(row), None) if target.is_over => Err(alone(table, row, &source.place)),
        (None, Some(row)) if source.is_over => Err(alone(table, row, &target.place)),
        _ => Ok(same),
    }
}

fn alone(table: &Table, row: &[Datum], place: &str) -> CopyError {
    CopyError::Differs(format!(
        "{} {} is in {place} alone",
        table.name,
        named(table, row)
    ))
}

/// A row's place as people read it.
fn named(table: &Table, row: &[Datum]) -> String {
    let cells = table.columns.iter().zip(row).take(table.key);
    let cells = cells.map(|(column, datum)| format!("{} {datum}", column.name));
    cells.collect::<Vec<_>>().join(", ")
}

fn different(
    table: &Table,
    ours: &[Datum],
    theirs: &[Datum],
    source: &Rows<'_>,
    target: &Rows<'_>,
) -> CopyError {
    let key = |row: &[Datum]| row.iter().take(table.key).cloned().collect::<Vec<_>>();
    match key(ours).cmp(&key(theirs)) {
        std::cmp::Ordering::Less => return alone(table, ours, &source.place),
        std::cmp::Ordering::Greater => return alone(table, theirs, &target.place),
        std::cmp::Ordering::Equal => {}
    }
    let cells = table.columns.iter().zip(ours.iter().zip(theirs));
    let differing = cells.filter(|(_, (a, b))| a != b);
    let words = differing.map(|(column, (a, b))| {
        format!(
            "{} is {a} in {} and {b} in {}",
            column.name, source.place, target.place
        )
    });
    CopyError::Differs(format!(
        "{} {}: {}",
        table.name,
        named(table, ours),
        words.collect::<Vec<_>>().join("; ")
    ))
}

/// The same for commits of shares.
fn compare_commits(source: &mut Rows<'_>, target: &mut Rows<'_>) -> Result<u64, CopyError> {
    let mut same = 0;
    while let (Some(ours), Some(theirs)) = (source.commits.front(), target.commits.front()) {
        if ours != theirs {
            return Err(CopyError::Differs(different_commit(
                ours,
                theirs,
                &source.place,
                &target.place,
            )));
        }
        same += ours.shares.len() as u64;
        source.commits.pop_front();
        target.commits.pop_front();
    }
    let only = |commit: &CopiedCommit, place: &str| {
        CopyError::Differs(format!("share {} is in {place} alone", commit.first))
    };
    match (source.commits.front(), target.commits.front()) {
        (Some(commit), None) if target.is_over => Err(only(commit, &source.place)),
        (None, Some(commit)) if source.is_over => Err(only(commit, &target.place)),
        _ => Ok(same),
    }
}

fn different_commit(ours: &CopiedCommit, theirs: &CopiedCommit, source: &str, target: &str) -> String {
    let head = |commit: &CopiedCommit| {
        format!(
            "from {} on, {} of them, committed at {} behind {}",
            commit.first,
            commit.shares.len(),
            commit.committed_at.millis(),
            commit.total_before
        )
    };
    let shares = ours.shares.iter().zip(&theirs.shares).zip(ours.first.get()..);
    match shares.into_iter().find(|((a, b), _)| a != b) {
        Some(((a, b), sequence)) if head(ours) == head(theirs) => {
            format!("share {sequence} is {a:?} in {source} and {b:?} in {target}")
        }
        _ => format!(
            "shares are committed together {} in {source} and {} in {target}",
            head(ours),
            head(theirs)
        ),
    }
}
