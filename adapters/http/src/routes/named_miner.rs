//! The miner that a request's path names.

use actix_web::HttpRequest;
use dwarves_actors::miner_manager::messages::{MinerView, ReadMiner};
use dwarves_domain::address::PayoutAddress;
use dwarves_domain::hotkey::{Hotkey, ParseHotkeyError};

use crate::problem::{Code, Problem};
use crate::state::HttpState;

/// The miner in a request's path: a hotkey, or the payout address with which a miner logs in over Stratum. What is
/// neither is nobody's: the refusal says what is wrong with it as a hotkey.
pub(super) fn hotkey_in_path(req: &HttpRequest, state: &HttpState) -> Result<Hotkey, Problem> {
    let text = req.match_info().query("hotkey");
    text.parse().or_else(|error: ParseHotkeyError| {
        let address = PayoutAddress::parse(text, state.deps().addresses);
        address
            .map(|address| address.identity())
            .map_err(|_| Problem::new(Code::MinerUnknown, format!("hotkey: {error}")).of_field("hotkey"))
    })
}

/// The miner, if it is registered.
pub(super) async fn known_miner(state: &HttpState, hotkey: Hotkey) -> Result<MinerView, Problem> {
    state
        .ask(&state.deps().ports.miner, ReadMiner { hotkey })
        .await?
        .ok_or_else(Problem::miner_unknown)
}
