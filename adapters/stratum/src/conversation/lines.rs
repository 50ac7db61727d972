//! What each method does.

use std::borrow::Cow;
use std::fmt::Write as _;

use dwarves_domain::ids::WorkerName;
use dwarves_domain::login::{Identity, parse_password, parse_user};
use dwarves_domain::work::SessionSeat;

use super::{Attempt, Conversation, Scene, VERSION_MASK};
use crate::protocol::fault::Fault;
use crate::protocol::params::{self, Extension};
use crate::protocol::request::{self, Message, Request};
use crate::protocol::{reply, scale};

/// What a line asks the session's actor to do.
#[derive(Debug)]
pub enum Effect<'a> {
    /// Nothing: if there is an answer, it is written.
    Done,
    /// To ask for an extranonce, and then answer `mining.subscribe`.
    Subscribe {
        /// The id to answer with.
        id: &'a str,
        /// The session that the miner wants to go on with.
        earlier: Option<SessionSeat>,
    },
    /// To ask whether a worker may mine, and then answer `mining.authorize`.
    Join {
        /// The id to answer with.
        id: &'a str,
        /// The user name as it came.
        user: Cow<'a, str>,
        /// Who it stands for.
        identity: Identity,
        /// The worker under whose name it was submitted.
        worker: WorkerName,
    },
    /// To have a share judged, and then answer `mining.submit`.
    Share {
        /// The id to answer with.
        id: &'a str,
        /// The share as it was submitted.
        attempt: Attempt,
    },
}

/// Whether a request of this method is answered even if it has no id: a miner cannot go on without, whatever it
/// understands of ids.
fn needs_answer(method: &str) -> bool {
    matches!(
        method,
        "mining.subscribe" | "mining.authorize" | "mining.configure" | "mining.submit"
    )
}

impl Conversation {
    /// Handles one line; answers that need nobody else are appended to `out`.
    pub fn on_line<'a>(&mut self, line: &'a [u8], scene: &Scene<'_>, out: &mut Vec<u8>) -> Effect<'a> {
        let request = match request::parse(line) {
            Message::Request(request) => request,
            Message::Answer => return Effect::Done,
            Message::Malformed { id } => {
                self.rejects.note(true);
                reply::fault(out, id, Fault::Other("Not a JSON request"));
                return Effect::Done;
            }
        };
        let id = request.id;
        let is_notification = id == request::NO_ID && !needs_answer(&request.method);
        let before = out.len();
        let step = self.on_request(request, scene, out);
        if is_notification {
            // Who names no id waits for no answer, and would take it for the answer to something else.
            out.truncate(before);
            if step.is_err() {
                self.rejects.note(true);
            }
            return Effect::Done;
        }
        match step {
            Ok(step) => step,
            Err(fault) => {
                self.rejects.note(true);
                reply::fault(out, id, fault);
                Effect::Done
            }
        }
    }

    fn on_request<'a>(
        &mut self,
        request: Request<'a>,
        scene: &Scene<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Effect<'a>, Fault> {
        let Request { id, method, params } = request;
        match &*method {
            "mining.submit" => {
                let attempt = self.on_submit(params, scene);
                return Ok(Effect::Share { id, attempt });
            }
            "mining.subscribe" => {
                let [_agent, session] = params::subscribe(params)?;
                if let Some(seat) = self.seat {
                    // Once more on one connection: it is the session that it is.
                    self.subscribed(id, seat, self.is_resumed, scene, out);
                } else {
                    let earlier = scene.job_key.open_session_id(&session);
                    return Ok(Effect::Subscribe { id, earlier });
                }
            }
            "mining.authorize" => return self.on_authorize(id, params, scene),
            "mining.configure" => self.on_configure(id, params, scene, out)?,
            "mining.extranonce.subscribe" => reply::ok(out, id),
            "mining.suggest_difficulty" => {
                self.suggest(params::suggest_difficulty(params)?, scene)?;
                reply::ok(out, id);
            }
            "mining.suggest_target" => {
                let difficulty = params::suggest_target(params)?.difficulty();
                self.pace.suggest(difficulty, scene.now, &scene.rules.vardiff);
                reply::ok(out, id);
            }
            "mining.ping" => reply::result(out, id, "\"pong\""),
            "mining.get_transactions" => {
                // Asked by old proxies out of curiosity; that they get none must not count against them.
                reply::fault(out, id, Fault::Other("Transactions are not given out"));
            }
            _ => return Err(Fault::Other("Unknown method")),
        }
        Ok(Effect::Done)
    }

    fn suggest(&mut self, wire: f64, scene: &Scene<'_>) -> Result<(), Fault> {
        let difficulty =
            scale::from_wire(wire, scene.rules.algorithm).ok_or(Fault::Other("Invalid difficulty"))?;
        self.pace.suggest(difficulty, scene.now, &scene.rules.vardiff);
        Ok(())
    }

    fn on_authorize<'a>(
        &mut self,
        id: &'a str,
        params: &'a str,
        scene: &Scene<'_>,
    ) -> Result<Effect<'a>, Fault> {
        let [user, password] = params::authorize(params)?;
        let (identity, worker) = parse_user(&user, scene.rules.logins)?;
        let is_new = self.members.iter().all(|member| *member.user != *user);
        if is_new && self.members.len() >= scene.rules.workers_max {
            return Err(Fault::Unauthorized("Too many workers on one connection"));
        }
        let wishes = parse_password(&password);
        for wish in [wishes.difficulty, wishes.min_difficulty].into_iter().flatten() {
            if let Some(floor) = scale::from_wire(wish, scene.rules.algorithm) {
                self.pace.raise_floor(floor);
            }
        }
        Ok(Effect::Join {
            id,
            user,
            identity,
            worker,
        })
    }

    /// Answers for each extension that was asked for whether it is there (BIP310).
    fn on_configure(
        &mut self,
        id: &str,
        params: &str,
        scene: &Scene<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut result = String::from("{");
        for extension in params::configure(params)? {
            if result.len() > 1 {
                result.push(',');
            }
            match extension {
                Extension::VersionRolling(miner_mask) => {
                    let pool_mask = scene
                        .parts
                        .map_or(VERSION_MASK, |parts| parts.template().chain().version_mask);
                    self.miner_mask = Some(miner_mask);
                    self.told_mask = miner_mask & pool_mask;
                    let _infallible = write!(
                        result,
                        "\"version-rolling\":{},\"version-rolling.mask\":\"{:08x}\"",
                        self.told_mask != 0,
                        self.told_mask
                    );
                }
                Extension::MinimumDifficulty(wish) => {
                    let floor = wish.and_then(|wish| scale::from_wire(wish, scene.rules.algorithm));
                    if let Some(floor) = floor {
                        self.pace.raise_floor(floor);
                    }
                    let _infallible = write!(result, "\"minimum-difficulty\":{}", floor.is_some());
                }
                Extension::SubscribeExtranonce => result.push_str("\"subscribe-extranonce\":true"),
                Extension::Info => result.push_str("\"info\":true"),
                Extension::Unknown(name) => {
                    let name = serde_json::Value::String(name);
                    let _infallible = write!(result, "{name}:false");
                }
            }
        }
        result.push('}');
        reply::result(out, id, &result);
        Ok(())
    }
}
