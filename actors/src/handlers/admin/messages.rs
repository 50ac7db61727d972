//! What the admin handler is asked.

use dwarves_domain::hotkey::Hotkey;
use serde_json::{Map, Value};

use crate::ask::Request;

/// Who sends a control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminCaller {
    /// The bearer of the token in `admin.token`.
    Token,
    /// A hotkey whose signature was checked; whether it may is the handler's to say.
    Hotkey(Hotkey),
}

/// A control message for one actor, as the request's body has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Who sends it: the token's holder, or a hotkey with its signature.
    pub caller: AdminCaller,
    /// To which actor, by its name in the API.
    pub actor: String,
    /// The message's name, such as `set_fee`.
    pub message: String,
    /// The message's fields.
    pub fields: Map<String, Value>,
}

/// What came of a control message.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlReply {
    /// Done; this is what the actor answers.
    Done(Value),
    /// The caller is no admin.
    Forbidden,
    /// There is no such actor.
    UnknownActor {
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// The actor has no such message.
    UnknownMessage {
        /// Those that it has.
        known: Vec<&'static str>,
    },
    /// A field is missing, unknown or wrong.
    BadField {
        /// The field at fault.
        field: String,
        /// What would be right.
        detail: String,
    },
    /// The actor cannot do it in its present state.
    Refused {
        /// What is wrong with it, in words for the admin.
        detail: String,
    },
    /// The pool is busy.
    Busy,
    /// The store cannot note it now; nothing was changed.
    Unavailable,
}

impl Request for Control {
    type Reply = ControlReply;
}

/// Whether `caller` is an admin, for reading what only admins may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorize {
    /// Who asks: the token's holder, or a hotkey with its signature.
    pub caller: AdminCaller,
}

impl Request for Authorize {
    type Reply = bool;
}
