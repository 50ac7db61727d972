//! Pages of lists.

use dwarves_ports::store::reads::{Cursor, Page, PageRequest};

/// One page of numbered rows that come oldest first.
pub(super) fn page<T>(rows: impl DoubleEndedIterator<Item = (Cursor, T)>, request: PageRequest) -> Page<T> {
    let before = |number: Cursor| request.cursor.is_none_or(|cursor| number < cursor);
    let mut newest_first = rows.rev().filter(|(number, _)| before(*number)).peekable();
    let limit = request.limit as usize;
    let taken: Vec<(Cursor, T)> = newest_first.by_ref().take(limit).collect();
    let more = newest_first.peek().is_some();
    Page {
        next: taken.last().map(|(number, _)| *number).filter(|_| more),
        rows: taken.into_iter().map(|(_, row)| row).collect(),
    }
}
