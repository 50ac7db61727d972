//! From one end to the other, and on from where it was.

use super::end::LedgerEnd;
use super::marks::{MOVED, Moved, UNFINISHED, Unfinished};
use super::tables::{TABLES, Table};
use crate::store::error::{StoreError, StoreErrorKind};

/// Why a ledger is not copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// An end cannot be read or written, or what is there is not what it must be.
    #[error("{place}: {source}")]
    Store {
        /// Which end.
        place: String,
        /// What is wrong with it.
        source: StoreError,
    },
    /// It is not to be copied, or not to there.
    #[error("{0}")]
    Refused(String),
    /// Both were read again, and are not the same.
    #[error("the copy is not the same: {0}")]
    Differs(String),
}

impl CopyError {
    /// A failure of this end.
    pub fn of(place: &str) -> impl Fn(StoreError) -> Self + use<> {
        let place = place.to_owned();
        move |source| Self::Store {
            place: place.clone(),
            source,
        }
    }
}

/// How a copy begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// How far it is, if it was begun before.
    pub mark: Unfinished,
    /// Whether it was.
    pub goes_on: bool,
}

/// Whether the one may be copied to the other, and from where on. Nothing is changed.
///
/// # Errors
/// If not.
pub fn prepare(from: &mut dyn LedgerEnd, to: &mut dyn LedgerEnd) -> Result<Begin, CopyError> {
    let (source, target) = (from.place().to_owned(), to.place().to_owned());
    let (at_source, at_target) = (CopyError::of(&source), CopyError::of(&target));
    let Some(state) = from.state().map_err(&at_source)? else {
        return Err(CopyError::Refused(format!(
            "{source}: no pool was ever started on it: there is nothing to copy"
        )));
    };
    if from.setting(UNFINISHED).map_err(&at_source)?.is_some() {
        return Err(CopyError::Refused(format!(
            "{source} is an unfinished copy itself: finish that one first"
        )));
    }
    let moved = from.setting(MOVED).map_err(&at_source)?;
    let mark = to.setting(UNFINISHED).map_err(&at_target)?;
    match mark {
        Some(text) => {
            let mark = Unfinished::parse(&text).ok_or_else(|| {
                CopyError::Refused(format!(
                    "{target}: its mark of an unfinished copy says nothing: drop it"
                ))
            })?;
            match mark.state == state {
                true => Ok(Begin { mark, goes_on: true }),
                false => Err(CopyError::Refused(format!(
                    "{target} is the unfinished copy of another ledger ({}), or of this one before a pool was started on \
                     it again: drop it, and begin anew",
                    mark.from
                ))),
            }
        }
        None if to.state().map_err(&at_target)?.is_some() => Err(CopyError::Refused(format!(
            "{target} has a history of its own: a ledger is copied to where there is none"
        ))),
        None => match moved {
            Some(text) => Err(CopyError::Refused(format!(
                "{source} was moved {}: copy that one, or see dwarves ledger reclaim --help",
                Moved::parse(&text).map_or_else(|| "away".to_owned(), |moved| format!("to {}", moved.to))
            ))),
            None => Ok(Begin {
                mark: Unfinished {
                    from: source,
                    state,
                    at: None,
                    rows: 0,
                },
                goes_on: false,
            }),
        },
    }
}

/// Copies every row that is not copied yet. `told` hears of each table that is under way, and how many rows were copied in
/// all.
///
/// # Errors
/// If an end fails; the same again goes on.
pub fn copy(
    from: &mut dyn LedgerEnd,
    to: &mut dyn LedgerEnd,
    begin: Begin,
    told: &mut dyn FnMut(&'static Table, u64),
) -> Result<(), CopyError> {
    let (source, target) = (from.place().to_owned(), to.place().to_owned());
    let (at_source, at_target) = (CopyError::of(&source), CopyError::of(&target));
    let mut mark = begin.mark;
    if !begin.goes_on {
        to.begin(&mark.to_text()).map_err(&at_target)?;
    }
    let (first, mut after) = match mark.at.take() {
        None => (0, None),
        Some((name, key)) => {
            let place = TABLES.iter().position(|table| table.name == name);
            let place = place.ok_or_else(|| {
                let why = format!("the mark of the copy names a table {name}, which there is none of");
                at_target(StoreError::new(StoreErrorKind::Corrupt, why))
            })?;
            (place, key)
        }
    };
    for table in TABLES.iter().skip(first) {
        told(table, mark.rows);
        loop {
            let piece = from.read(table, after.as_ref()).map_err(&at_source)?;
            let Some(last) = piece.last() else {
                break;
            };
            mark.rows += piece.rows();
            mark.at = Some((table.name.to_owned(), Some(last.clone())));
            to.write(&piece, &mark.to_text()).map_err(&at_target)?;
            told(table, mark.rows);
            after = Some(last);
        }
        after = None;
    }
    Ok(())
}

/// Says in both which is the pool's ledger from now on: first that the one was moved, then that the other is whole, so that
/// at no moment a pool may be started on both.
///
/// # Errors
/// If that cannot be written; the same again goes on.
pub fn hand_over(from: &mut dyn LedgerEnd, to: &mut dyn LedgerEnd, moved_at: &str) -> Result<(), CopyError> {
    let moved = Moved {
        to: to.place().to_owned(),
        at: moved_at.to_owned(),
    };
    let source = from.place().to_owned();
    from.set(MOVED, Some(&moved.to_text()))
        .map_err(CopyError::of(&source))?;
    let target = to.place().to_owned();
    to.finish().map_err(CopyError::of(&target))
}
