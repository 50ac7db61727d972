//! What admins ask of the metagraph that the operator keeps beside the pool. Who reads its file lives with the listener
//! whose guests it is about.

use std::path::PathBuf;

use dwarves_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::ask::{Port, Request};
use crate::wall_time::rfc3339;

/// Reads how the metagraph is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMetagraph;

/// How the metagraph is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetagraphView {
    /// Its file.
    pub file: PathBuf,
    /// How many hotkeys the last good one has.
    pub neurons: usize,
    /// When that was read, by the wall clock; `None`: none was good yet.
    pub read_at: Option<Timestamp>,
    /// Why the file as it is now cannot be taken.
    pub trouble: Option<String>,
}

impl Request for ReadMetagraph {
    type Reply = MetagraphView;
}

impl MetagraphView {
    /// As `status` shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.file.display().to_string(),
            "neurons": self.neurons,
            "read_at": self.read_at.and_then(rfc3339),
            "trouble": self.trouble,
        })
    }

    /// What is wrong with it, in words, if anything is.
    pub fn hindrance(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        let instead = match self.read_at.and_then(rfc3339) {
            Some(at) => format!("the one of {at} holds"),
            None => "there is none yet, so that no hotkey is registered".to_owned(),
        };
        Some(format!("metagraph: {trouble}; {instead}"))
    }
}

/// Tells the pool manager of the metagraph, which is read from after it has started.
#[derive(Clone, Debug)]
pub struct AttachMetagraph(pub Port<ReadMetagraph>);

impl Request for AttachMetagraph {
    type Reply = ();
}
