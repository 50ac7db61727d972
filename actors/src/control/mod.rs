//! What admins order and what is answered to it.

use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::Written;
use serde_json::Value;

pub mod hold;

/// What an actor says to an admin's message: the answer as JSON, or why not.
pub type Controlled = Result<Value, Refusal>;

/// Done, and said to be unsaved if the ledger only keeps it so far.
pub(crate) fn done(mut value: Value, written: &[Written]) -> Controlled {
    if written.contains(&Written::Kept) {
        value["saved"] = Value::Bool(false);
    }
    Ok(value)
}
