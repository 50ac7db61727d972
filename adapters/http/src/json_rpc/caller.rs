//! Who is calling: the user name of Basic authorization.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dwarves_actors::miner_manager::messages::JoinWorker;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::login::{Identity, parse_user};
use dwarves_domain::refusal::Refusal;

use super::call::Failure;
use crate::client;
use crate::problem::Problem;
use crate::state::HttpState;

/// The longest `Authorization` header that is decoded.
const AUTHORIZATION_LEN_MAX: usize = 1_024;

/// A miner and one of its machines.
pub(super) struct Caller {
    pub(super) miner: Hotkey,
    pub(super) from: IpAddr,
    pub(super) worker: WorkerName,
    /// Whether it is a payout address, which may mine before anybody has registered it.
    identity: Identity,
    /// Its request: who waits for newer work need not wait when its connection is closed.
    pub(super) request: HttpRequest,
}

impl Caller {
    /// Who a request says it comes from.
    pub(super) fn of(req: &HttpRequest, state: &HttpState) -> Result<Self, Failure> {
        let deps = &state.deps().json_rpc;
        let user = user_name(req)?;
        let from = client::address(req, state);
        let (identity, worker) =
            parse_user(&user, deps.logins).map_err(|error| Failure::unauthorized(error.to_string()))?;
        Ok(Self {
            miner: identity.hotkey(),
            from,
            worker,
            identity,
            request: req.clone(),
        })
    }

    /// Sees to it that a payout address is known, before it gets work. What it submits needs no welcome.
    pub(super) async fn let_in(&self, state: &HttpState) -> Result<(), Failure> {
        let Identity::Address(_) = self.identity else {
            return Ok(());
        };
        let question = JoinWorker {
            identity: self.identity.clone(),
            worker: self.worker.clone(),
            issued: None,
            earned: None,
            from: self.from,
        };
        join(state, question).await
    }
}

fn user_name(req: &HttpRequest) -> Result<String, Failure> {
    let missing = || {
        Failure::unauthorized(
            "expected Authorization: Basic with the user HOTKEY.worker, as in -u HOTKEY.worker -p x",
        )
    };
    let header = req.headers().get(AUTHORIZATION);
    header
        .and_then(|header| user_of(header.to_str().ok()?))
        .ok_or_else(missing)
}

/// The user name in an `Authorization` header.
pub(super) fn user_of(header: &str) -> Option<String> {
    if header.len() > AUTHORIZATION_LEN_MAX {
        return None;
    }
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = STANDARD.decode(credentials.trim()).ok()?;
    let credentials = String::from_utf8(credentials).ok()?;
    let user = credentials.split(':').next().unwrap_or_default();
    Some(user.to_owned())
}

/// Makes sure that a payout address is known. One that is already known stays as it is.
async fn join(state: &HttpState, question: JoinWorker) -> Result<(), Failure> {
    match state.ask(&state.deps().json_rpc.join, question).await? {
        Ok(_) => Ok(()),
        // It gave way to another a moment ago: that is nobody's mistake.
        Err(Refusal::MinerUnknown) => Err(Problem::miner_unknown().into()),
        Err(refusal) => Err(refusal.into()),
    }
}
