//! What the admin handler is asked.

use dwarves_domain::hotkey::Hotkey;
use serde_json::{Map, Value};

use crate::ask::Request;
use crate::control::Controlled;

/// Who sends a control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminCaller {
    /// The bearer of the token in `admin.token`.
    Token,
    /// A hotkey whose signature was checked; whether it may is the handler's to say.
    Hotkey(Hotkey),
}

impl From<Hotkey> for AdminCaller {
    fn from(hotkey: Hotkey) -> Self {
        Self::Hotkey(hotkey)
    }
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

impl Request for Control {
    type Reply = Controlled;
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
