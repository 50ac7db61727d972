//! An admin's order on its way to its actor, with its row of the audit trail. The actor commits the row together with
//! what the order changes, so that a crash leaves both or neither.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dwarves_ports::store::{AuditRow, Write, Written};
use serde_json::{Value, json};
use tracing::Span;

#[cfg(test)]
mod tests;

/// The longest answer that a row of the trail holds, in bytes. What was changed takes less; of what was only read, which
/// may be long and is asked for often, the row keeps the length.
const ANSWER_MAX: usize = 1_024;

/// What a row says of an answer.
pub(crate) fn done(answer: &Value) -> String {
    let text = answer.to_string();
    let said = if text.len() > ANSWER_MAX {
        json!({ "bytes": text.len() })
    } else {
        answer.clone()
    };
    json!({ "done": said }).to_string()
}

/// An admin's order. Clones are the same order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Its row, but for what came of it. `None`: nobody wants it in the trail.
    row: Option<AuditRow>,
    /// What is to be written with what the actor writes.
    also: Vec<Write>,
    /// What the row says was done, in place of what the actor says.
    done: Option<Value>,
    /// What the log says of it belongs together.
    span: Option<Span>,
    is_in_trail: Arc<AtomicBool>,
}

impl Order {
    /// An order with its row; the row's outcome is filled in by whoever commits it.
    pub fn new(row: AuditRow) -> Self {
        Self {
            row: Some(row),
            ..Self::default()
        }
    }

    /// The same order, carried out by an actor's own message: `also` is written with what the message writes, and the
    /// row says that `done` was done.
    pub(crate) fn by_way_of(self, also: Write, done: Value) -> Self {
        Self {
            also: vec![also],
            done: Some(done),
            ..self
        }
    }

    /// The same order; what the log says while it is carried out is within `span`.
    #[must_use]
    pub fn within(self, span: Span) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }

    /// What the log says while it is carried out is within this.
    pub fn span(&self) -> Span {
        self.span.clone().unwrap_or_else(Span::none)
    }

    /// What is to be committed for the order: what it changes, and the row that says so.
    pub(crate) fn commit(&self, mut writes: Vec<Write>, done: &Value) -> Vec<Write> {
        writes.extend(self.also.iter().cloned());
        writes.extend(self.row.iter().map(|row| {
            let done = self.done.as_ref().unwrap_or(done);
            Write::AppendAuditIfDone(AuditRow {
                outcome: self::done(done),
                ..row.clone()
            })
        }));
        writes
    }

    /// Notes what came of [`Order::commit`].
    pub(crate) fn committed(&self, written: &[Written]) {
        let is_done = |written: &Written| matches!(written, Written::Done | Written::Kept);
        if self.row.is_some() && written.iter().all(is_done) {
            self.is_in_trail.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the trail has a row that says that it was done.
    pub fn is_in_trail(&self) -> bool {
        self.is_in_trail.load(Ordering::Relaxed)
    }
}
