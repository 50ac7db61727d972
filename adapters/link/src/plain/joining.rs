//! Workers that want into a session.

use dwarves_actors::miner_manager::messages::{JoinWorker, Joined};
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::login::Identity;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;

use super::refusals;
use crate::words::{self, Join, Who};

/// What is said of a worker that wants in.
pub(crate) fn join(join: &JoinWorker) -> Join {
    Join {
        who: match &join.identity {
            Identity::Hotkey(hotkey) => Who::Hotkey(*hotkey.as_bytes()),
            Identity::Address(address) => Who::Address(address.to_string()),
        },
        worker: join.worker.as_str().to_owned(),
        issued: join.issued.map(Difficulty::raw),
        earned: join.earned.map(Difficulty::raw),
        from: join.from,
    }
}

/// The worker of which this was said, if a session can have such a one.
pub(crate) fn worker(said: Join, addresses: AddressFormat) -> Option<JoinWorker> {
    Some(JoinWorker {
        identity: match said.who {
            Who::Hotkey(hotkey) => Identity::Hotkey(Hotkey::from_bytes(hotkey)),
            Who::Address(text) => Identity::Address(PayoutAddress::parse(&text, addresses).ok()?),
        },
        worker: said.worker.parse().ok()?,
        issued: said.issued.map(Difficulty::from_raw),
        earned: said.earned.map(Difficulty::from_raw),
        from: said.from,
    })
}

/// What is said of the answer.
pub(crate) fn joined(answer: Result<Joined, Refusal>) -> Result<words::Joined, words::Refused> {
    let said = |joined: Joined| words::Joined {
        miner: *joined.miner.as_bytes(),
        worker: joined.worker.get(),
        fixed: joined.fixed.map(Difficulty::raw),
        earned: joined.earned.map(Difficulty::raw),
    };
    answer.map(said).map_err(refusals::said)
}

/// The answer of which this was said.
pub(crate) fn joined_of(said: Result<words::Joined, words::Refused>) -> Result<Joined, Refusal> {
    let heard = |said: words::Joined| Joined {
        miner: Hotkey::from_bytes(said.miner),
        worker: WorkerId::new(said.worker),
        fixed: said.fixed.map(Difficulty::from_raw),
        earned: said.earned.map(Difficulty::from_raw),
    };
    said.map(heard).map_err(refusals::heard)
}
