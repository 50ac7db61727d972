//! A call, from its headers to its answer: the order in which it is judged, and the same for every path.
//!
//! Size, shape of the headers, freshness, hotkey, signature, hash of the body, types, who may call, nonce, and only then
//! the handler. What a call is refused for tells a stranger nothing that only the hotkey's owner should know: whether it
//! is banned is said to whoever signed with it alone.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::handlers::registration::messages::VerifySignature;
use dwarves_actors::miner_manager::calls::AdmitCall;
use dwarves_actors::miner_manager::messages::UseNonce;
use dwarves_domain::hotkey::{Hotkey, ParseHotkeyError};
use dwarves_domain::network::host;
use dwarves_domain::refusal::Refusal;
use dwarves_http::problem::{Code, Problem};
use dwarves_http::{HttpState, body, client};
use sha3::{Digest, Sha3_256};

use crate::body::{Body, Said};
use crate::class::Class;
use crate::deeds;
use crate::fault::Fault;
use crate::headers::{CallHeaders, Named, Sent};
use crate::state::SynapseState;
use crate::turns::NoTurn;

/// What is kept back of the time that a caller waits: the answer has to reach it.
const ON_THE_WAY: Duration = Duration::from_millis(500);

/// A header, looked up among those of a request.
fn sent<'a>(headers: &'a HeaderMap, name: &'static str) -> Sent<'a> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else {
        return Sent::Never;
    };
    match (values.next(), value.to_str()) {
        (None, Ok(text)) => Sent::Once(text),
        _ => Sent::Unclear,
    }
}

/// The bits of a nonce that a dendrite's name changes: the last 17 ms of it.
const DENDRITE_BITS: u64 = (1 << 24) - 1;

/// What tells a call from every other of its hotkey: its nonce, changed by the dendrite that signed it. Two dendrites of
/// one hotkey may sign within one tick of a coarse clock; no two nonces of one dendrite become the same. It stays a time,
/// near enough, by whose order the ledger keeps it.
fn replay_key(nonce_nanos: u64, uuid: &str) -> u64 {
    let digest = Sha3_256::digest(uuid);
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    nonce_nanos ^ (u64::from_be_bytes(*first) & DENDRITE_BITS)
}

/// How long an answer may take if its caller waits this long.
fn patience(timeout: Duration, longest: Duration) -> Duration {
    timeout.saturating_sub(ON_THE_WAY).max(timeout / 2).min(longest)
}

/// Answers a call.
pub(crate) async fn answer(
    class: Class,
    req: HttpRequest,
    state: web::Data<HttpState>,
    synapse: web::Data<SynapseState>,
    payload: web::Payload,
) -> HttpResponse {
    match judge(class, &req, &state, &synapse, payload).await {
        Ok(response) => response,
        Err(fault) => {
            log::debug!("{} is refused: {}", class.name(), fault.message());
            fault.response()
        }
    }
}

async fn judge(
    class: Class,
    req: &HttpRequest,
    state: &HttpState,
    synapse: &SynapseState,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let bytes = body::read(req, payload, state).await?;
    let headers = CallHeaders::read(|name| sent(req.headers(), name), synapse.pool())?;
    let longest = patience(headers.timeout, state.limits().ask_deadline);
    let called = call(class, req, state, synapse, &headers, &bytes, longest);
    tokio::time::timeout(longest, called).await.unwrap_or_else(|_| {
        let detail = "no answer within the caller's time: whether it was done is unknown; repeating is safe";
        Err(Problem::new(Code::Busy, detail).into())
    })
}

async fn call(
    class: Class,
    req: &HttpRequest,
    state: &HttpState,
    synapse: &SynapseState,
    headers: &CallHeaders<'_>,
    bytes: &[u8],
    longest: Duration,
) -> Result<HttpResponse, Fault> {
    let from = client::address(req, state);
    let now = state.deps().clock.date();
    let expires_at = synapse
        .window()
        .expiry(now, headers.nonce_nanos)
        .ok_or(Refusal::StaleRequest)?;
    let hotkey: Hotkey = headers.hotkey.parse().map_err(|error: ParseHotkeyError| {
        Fault::unverified(
            Code::AuthMalformed,
            format_args!("bt_header_dendrite_hotkey: {error}"),
        )
    })?;
    let question = VerifySignature {
        from,
        sender: hotkey,
        message: headers.message(synapse.pool()),
        signature: headers.signature,
    };
    state.ask(&state.worker().verify, question).await??;
    let body = Body::parse(bytes)?;
    let said = body.said(class, headers.body_hash)?;
    let sender = Named {
        hotkey,
        text: headers.hotkey,
    };
    body.names_nobody_but(sender)?;
    let worker = worker(&said)?;
    let stake = synapse.gate().admit(&hotkey)?;
    let turn = synapse.turns().take(host(from), stake).await;
    let _turn = turn.map_err(|no_turn| {
        Problem::new(
            Code::Busy,
            match no_turn {
                NoTurn::ClientFull => "this client has as many calls under way as it may; try again",
                NoTurn::Full => {
                    "there are as many calls under way as there may be, and those with more stake go first; try again"
                }
            },
        )
    })?;
    let admit = AdmitCall(UseNonce {
        hotkey,
        nonce_nanos: replay_key(headers.nonce_nanos, headers.uuid),
        expires_at,
    });
    state.ask(synapse.admit(), admit).await??;
    let caller = deeds::Caller {
        hotkey,
        from,
        worker,
        waits: longest,
    };
    deeds::act(class, state, caller, &body, &said).await
}

/// The worker that a call names: nobody in particular, if its text is empty.
fn worker(said: &Said<'_>) -> Result<Option<dwarves_domain::ids::WorkerName>, Fault> {
    match said.text("worker") {
        "" => Ok(None),
        name => name
            .parse()
            .map(Some)
            .map_err(|error| Fault::malformed(format_args!("worker: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn calls_are_told_apart_by_nonce_and_dendrite_and_stay_in_the_order_of_time() {
        let begin = 1_795_351_055_633_786_632;
        let keys = |uuid| (0..1_000).map(move |n| replay_key(begin + n, uuid));
        let (one, other) = (
            "7eafbbfc-e671-11f1-a29b-02fc00000001",
            "0b6f8f86-e672-11f1-a29b-02fc00000001",
        );
        let all: HashSet<u64> = keys(one).chain(keys(other)).collect();
        assert_eq!(all.len(), 2_000);
        for uuid in [one, other, ""] {
            assert!(replay_key(begin, uuid) < replay_key(begin + 2 * DENDRITE_BITS, one));
        }
    }

    #[test]
    fn an_answer_is_there_before_its_caller_has_gone() {
        let longest = Duration::from_secs(10);
        for (timeout, expected) in [(12_000, 10_000), (3_000, 2_500), (600, 300), (1, 0)] {
            let patience = patience(Duration::from_millis(timeout), longest);
            assert_eq!(patience.as_millis(), expected);
            assert!(patience < Duration::from_millis(timeout));
        }
    }
}
