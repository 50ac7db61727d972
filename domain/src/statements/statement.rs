//! A statement's text: the one form of it, which is signed, kept and answered, byte for byte.
//!
//! The text is [`DOMAIN_LINE`], a line feed, and one JSON object without spaces or line feeds behind it: members in the
//! order of their names' bytes, all numbers whole and written as decimal texts, nothing that would need an escape. A
//! signature of it is good for nothing else, because of the first line. The digest is the SHA-256 of the whole text.

use std::fmt::{self, Write as _};

use super::epoch::Epoch;
use super::worked::{WorkOf, WorkOfAll};
use crate::hotkey::Hotkey;
use crate::ids::Sequence;
use crate::share::Rejection;
use crate::text_digest::text_digest;
use crate::work::Algorithm;

/// The first line of every statement.
pub const DOMAIN_LINE: &str = "dwarves/work-statement/1";

text_digest!(
    /// The SHA-256 of a statement's text.
    StatementDigest
);

/// What an epoch's shares came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The pool's own hotkey, which signs it.
    pub pool: Hotkey,
    /// What is hashed.
    pub algorithm: Algorithm,
    /// When the shares were accepted.
    pub epoch: Epoch,
    /// The last share before the epoch, by its place in the ledger; 0 before the first.
    pub after: Sequence,
    /// The last share of the epoch: those behind `after` up to this one are its shares.
    pub through: Sequence,
    /// The digest of the statement before; `None` for the first.
    pub previous: Option<StatementDigest>,
    /// What each worker did.
    pub work: WorkOfAll,
}

impl Statement {
    /// The text; `None` if the sum of all does not fit, or is not that of the epoch's shares.
    pub fn text(&self) -> Option<String> {
        let total = self.work.total()?;
        if self.through.get().checked_sub(self.after.get()) != Some(total.worked.shares) {
            return None;
        }
        let mut text = String::with_capacity(512 + 256 * self.work.len());
        text.push_str(DOMAIN_LINE);
        text.push('\n');
        // Writing to a text cannot fail.
        let _infallible = self.write(&mut text, &total);
        Some(text)
    }

    fn write(&self, text: &mut String, total: &WorkOf) -> fmt::Result {
        let Epoch { start, end } = self.epoch;
        write!(
            text,
            r#"{{"algorithm":"{}","end":"{end}","miners":["#,
            self.algorithm.as_str()
        )?;
        let mut present = None;
        for ((hotkey, worker), work) in self.work.iter() {
            if present == Some(hotkey) {
                text.push(',');
            } else {
                let between = if present.is_some() { "]}," } else { "" };
                write!(text, r#"{between}{{"hotkey":"{hotkey}","workers":["#)?;
                present = Some(hotkey);
            }
            write_work(text, work)?;
            write!(text, r#","worker":"{worker}"}}"#)?;
        }
        if present.is_some() {
            text.push_str("]}");
        }
        let previous = self.previous.map(|digest| digest.to_string());
        write!(
            text,
            r#"],"pool":"{}","previous":"{}","sequence_after":"{}","sequence_through":"{}","start":"{start}","total":"#,
            self.pool,
            previous.unwrap_or_default(),
            self.after,
            self.through
        )?;
        write_work(text, total)?;
        text.push_str("}}");
        Ok(())
    }
}

/// What was done, as an object whose end is left to the caller: its last members' names are behind all others.
fn write_work(text: &mut String, work: &WorkOf) -> fmt::Result {
    let worked = &work.worked;
    write!(
        text,
        r#"{{"active_minutes":"{}","hashes":"{}","rejected":{{"#,
        worked.active_minutes, worked.hashes
    )?;
    let mut reasons: Vec<_> = Rejection::REASONS.iter().zip(work.rejected).collect();
    reasons.sort_unstable();
    let mut is_first = true;
    for (reason, count) in reasons.into_iter().filter(|(_, count)| *count > 0) {
        let between = if is_first { "" } else { "," };
        write!(text, r#"{between}"{reason}":"{count}""#)?;
        is_first = false;
    }
    write!(
        text,
        r#"}},"shares":"{}","units":"{}""#,
        worked.shares,
        worked.units.raw()
    )
}

#[cfg(test)]
mod tests;
