//! A keeper of watch tokens that knows a few.

use dwarves_actors::handlers::watches::messages::{
    HandOut, HandedOut, NotOpened, OpenWatch, OrderedBy, TakeBack, WatchRefused,
};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::WatchRow;

use super::fake_ports::port;
use super::samples::{NOW, STRANGER, hotkey_of, keypair};
use crate::WatchPorts;

/// The number of every token.
pub(super) const ID: WatchId = WatchId::from_bytes([5; 8]);

pub(super) fn row(hotkey: Hotkey) -> WatchRow {
    WatchRow {
        id: ID,
        hotkey,
        name: "wall".parse().unwrap(),
        created_at: NOW,
        expires_at: Some(NOW.plus(Span::from_secs(60))),
    }
}

fn hand_out(question: HandOut) -> Result<HandedOut, WatchRefused> {
    match (question.name.as_str(), question.by) {
        ("full", _) => return Err(WatchRefused::Full),
        ("banned", OrderedBy::Owner) => {
            let reason = "spam".to_owned();
            return Err(WatchRefused::Other(Refusal::Banned { reason }));
        }
        ("busy", _) => return Err(WatchRefused::Other(Refusal::Busy)),
        _ if question.hotkey == STRANGER => return Err(WatchRefused::Other(Refusal::MinerUnknown)),
        _ => {}
    }
    Ok(HandedOut {
        row: WatchRow {
            name: question.name,
            expires_at: question.lasts.map(|lasts| NOW.plus(lasts)),
            ..row(question.hotkey)
        },
        token: "f00d".to_owned(),
    })
}

fn open(question: OpenWatch) -> Result<WatchRow, NotOpened> {
    match question.token.as_str() {
        "of-owner" => Ok(row(hotkey_of(&keypair(1)))),
        "of-other" => Ok(row(hotkey_of(&keypair(2)))),
        "of-nobody" => Ok(row(STRANGER)),
        "over" => Err(NotOpened::Over),
        "many" => Err(NotOpened::TooMany {
            try_again: Span::from_secs(120),
        }),
        "later" => Err(NotOpened::Unavailable),
        _ => Err(NotOpened::Wrong),
    }
}

pub(super) fn ports() -> WatchPorts {
    WatchPorts {
        hand_out: port(hand_out),
        take_back: port(|question: TakeBack| match question.id {
            ID => Ok(()),
            _ => Err(WatchRefused::Unknown),
        }),
        open: port(open),
    }
}
