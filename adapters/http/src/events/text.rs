//! An event as it is sent: the lines of `text/event-stream`.

use actix_web::web::Bytes;
use dwarves_api_types::events::Hello;
use dwarves_domain::hotkey::Hotkey;
use serde::Serialize;

use super::topic::{Topic, Topics};

/// What keeps a quiet stream open: a comment, which says nothing.
pub const COMMENT: &[u8] = b": still here\n\n";

/// After how many milliseconds a client should come back.
const RETRY: &str = "retry: 3000\n";

/// An event that can be told again to those who missed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its number in this life of the process.
    pub number: u64,
    /// What it is about.
    pub topic: Topic,
    /// As it is sent.
    pub text: Bytes,
    /// The miners whom it is about, in order; `None`: all of them.
    pub miners: Option<Box<[Hotkey]>>,
}

impl Told {
    /// Whether it is about this miner.
    pub fn is_about(&self, miner: &Hotkey) -> bool {
        let miners = self.miners.as_deref();
        miners.is_none_or(|miners| miners.binary_search(miner).is_ok())
    }
}

/// The data of an event. JSON has no line feeds in it, so it is one line.
pub fn data(of: &impl Serialize) -> String {
    serde_json::to_string(of).expect("events hold only text and numbers")
}

/// The lines of an event. One with an id can be told again.
pub fn event(name: &str, id: Option<&str>, data: &str) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Bytes::from(format!("event: {name}\n{id}data: {data}\n\n"))
}

/// The first lines of a stream.
pub fn hello(id: &str, resumed: bool, hidden: Topics) -> Bytes {
    let hidden = hidden.names();
    let hello = event("hello", Some(id), &data(&Hello { resumed, hidden }));
    Bytes::from([RETRY.as_bytes(), &hello].concat())
}
