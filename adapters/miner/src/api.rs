//! The pool's routes as a miner needs them: registration, sessions, work, shares.

use std::sync::Arc;
use std::time::Duration;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::work::JobId;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Method;

use super::digger::Task;
use super::term::{self, Term};
use super::transport::{Answer, ApiError, Transport};
use super::wire::{MinerStatus, OpenedSession, PoolInfo, Share, Verdict, Verdicts, Work};
use dwarves_keys::HotkeyFile;
use dwarves_keys::hotkey_file::RequestNonce;
use dwarves_system::clock::SystemClock;

/// How long an ordinary request may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a look at the pool may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a long poll may take: the pool answers after 60 s.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(75);
/// A session that ends sooner than this is renewed before it is used.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

fn understood<T: DeserializeOwned>(answer: Answer) -> Result<T, ApiError> {
    serde_json::from_value(answer.body).map_err(|error| ApiError::NotUnderstood(error.to_string()))
}

/// One miner's conversation with one pool: registers and opens sessions as they are needed.
#[derive(Clone, Debug)]
pub struct PoolClient {
    transport: Transport,
    key: Arc<HotkeyFile>,
    /// Where payouts shall go; told at every registration.
    payout_address: Option<String>,
    /// The pool's hotkey, once it is known.
    receiver: Option<Hotkey>,
    session: Option<(String, Term)>,
    /// By how many milliseconds this computer's clock has to be put right for what the pool takes as the present.
    clock_off_millis: i64,
}

impl PoolClient {
    /// A client of the pool at `url` for the miner with `key`. Nothing is sent yet.
    ///
    /// # Errors
    /// If `url` is not an HTTP address.
    pub fn new(url: &str, key: Arc<HotkeyFile>, payout_address: Option<String>) -> Result<Self, ApiError> {
        Ok(Self {
            transport: Transport::new(url)?,
            key,
            payout_address,
            receiver: None,
            session: None,
            clock_off_millis: 0,
        })
    }

    /// What the pool says of itself.
    ///
    /// # Errors
    /// If it does not answer or does not speak this API.
    pub fn pool(&self) -> Result<PoolInfo, ApiError> {
        understood(self.get("/v1/pool")?)
    }

    /// What the pool shows of this miner.
    ///
    /// # Errors
    /// If it does not answer, or does not know the miner.
    pub fn status(&self) -> Result<MinerStatus, ApiError> {
        understood(self.get(&format!("/v1/miners/{}", self.key.hotkey()))?)
    }

    fn get(&self, route: &str) -> Result<Answer, ApiError> {
        let path = self.transport.path(route);
        self.transport.call(Method::GET, &path, &[], None, LOOK_TIMEOUT)
    }

    /// Sends a signed request.
    ///
    /// # Errors
    /// If the pool does not answer or refuses.
    pub fn post_signed(&mut self, route: &str, body: &Value) -> Result<Answer, ApiError> {
        let receiver = match self.receiver {
            Some(receiver) => receiver,
            None => self.pool()?.hotkey,
        };
        self.receiver = Some(receiver);
        let path = self.transport.path(route);
        let body = body.to_string().into_bytes();
        let mut answer = self.send_signed(&path, &body, receiver);
        // A signature names its time, and this computer's clock is not the pool's. It is good for that pool alone, so
        // nothing is lost by taking the pool's word for the present.
        if let Err(ApiError::Problem {
            code,
            date: Some(date),
            ..
        }) = &answer
            && code == "stale_request"
        {
            self.clock_off_millis = term::ahead_millis(*date);
            answer = self.send_signed(&path, &body, receiver);
        }
        if answer
            .as_ref()
            .is_err_and(|error| error.code() == Some("wrong_receiver"))
        {
            // Another pool answers under this address now; its hotkey is asked for before the next try.
            self.receiver = None;
        }
        answer
    }

    fn send_signed(&self, path: &str, body: &[u8], receiver: Hotkey) -> Result<Answer, ApiError> {
        let now = SystemClock.unix_nanos();
        let now = now.saturating_add_signed(self.clock_off_millis.saturating_mul(1_000_000));
        let headers = self
            .key
            .sign_request("POST", path, body, RequestNonce::at(now), receiver);
        self.transport
            .call(Method::POST, path, &headers, Some(body), TIMEOUT)
    }

    /// That this computer's clock is wrong, or the pool's, if requests had to be signed by the pool's.
    pub fn clock_is_off(&self) -> Option<String> {
        let secs = self.clock_off_millis / 1_000;
        let way = if secs > 0 { "behind" } else { "ahead of" };
        (secs != 0).then(|| {
            format!(
                "this computer's clock is {} s {way} the pool's; mining goes on by the pool's, set it right",
                secs.unsigned_abs()
            )
        })
    }

    /// Registers the miner, or tells the payout address of one that is known.
    ///
    /// # Errors
    /// If the pool does not answer or refuses, such as `registration_closed` or `payout_address_invalid`.
    pub fn register(&mut self) -> Result<(), ApiError> {
        let body = match &self.payout_address {
            Some(address) => json!({ "payout_address": address }),
            None => json!({}),
        };
        self.post_signed("/v1/miners", &body).map(|_| ())
    }

    /// A session token that is good for a while.
    fn token(&mut self) -> Result<String, ApiError> {
        if let Some((token, term)) = &self.session
            && term.left() > RENEW_BEFORE
        {
            return Ok(token.clone());
        }
        let opened = match self.post_signed("/v1/sessions", &json!({})) {
            // The pool has lost or never had this miner: a fresh database, for one.
            Err(error) if error.code() == Some("miner_unknown") => {
                self.register()?;
                self.post_signed("/v1/sessions", &json!({}))
            }
            answer => answer,
        };
        let opened = opened?;
        let date = opened.date;
        let opened: OpenedSession = understood(opened)?;
        self.session = Some((opened.token.clone(), Term::until(opened.expires_at, date)));
        Ok(opened.token)
    }

    /// Sends a request of the session. If the session is not taken any more, opens another and tries again,
    /// once.
    fn in_session(
        &mut self,
        method: &Method,
        route: &str,
        body: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Answer, ApiError> {
        let mut renewed = false;
        loop {
            let headers = [("Authorization", format!("Bearer {}", self.token()?))];
            let path = self.transport.path(route);
            match self
                .transport
                .call(method.clone(), &path, &headers, body, timeout)
            {
                Err(error)
                    if !renewed && (error.status() == Some(401) || error.code() == Some("miner_unknown")) =>
                {
                    self.session = None;
                    renewed = true;
                }
                answer => return answer,
            }
        }
    }

    /// Fetches work; with `newer_than` only once there is newer work than that job, or after the pool's time
    /// for long polls.
    ///
    /// # Errors
    /// If the pool does not answer, refuses, or has no work.
    pub fn fetch_work(&mut self, worker: &WorkerName, newer_than: Option<JobId>) -> Result<Work, ApiError> {
        self.fetch_task(worker, newer_than).map(|task| task.work)
    }

    /// The same, with how long it is good.
    pub(super) fn fetch_task(
        &mut self,
        worker: &WorkerName,
        newer_than: Option<JobId>,
    ) -> Result<Task, ApiError> {
        let mut route = format!("/v1/work?worker={worker}");
        let mut timeout = TIMEOUT;
        if let Some(job_id) = newer_than {
            route.push_str(&format!("&longpoll={job_id}"));
            timeout = LONG_POLL_TIMEOUT;
        }
        let answer = self.in_session(&Method::GET, &route, None, timeout)?;
        let date = answer.date;
        let work: Work = understood(answer)?;
        let term = Term::until(work.expires_at, date);
        Ok(Task { work, term })
    }

    /// Submits shares and returns a verdict for each, in order. Submitting a share again is safe: it counts
    /// once.
    ///
    /// # Errors
    /// If the pool does not answer, or refuses all of them.
    pub fn submit(&mut self, worker: &WorkerName, shares: &[Share]) -> Result<Vec<Verdict>, ApiError> {
        let shares: Vec<Value> = shares.iter().map(|share| share.to_json()).collect();
        let sent = shares.len();
        let body = json!({ "worker": worker.as_str(), "shares": shares }).to_string();
        let answer = self.in_session(&Method::POST, "/v1/work", Some(body.as_bytes()), TIMEOUT)?;
        let verdicts: Verdicts = understood(answer)?;
        if verdicts.results.len() != sent {
            return Err(ApiError::NotUnderstood(format!(
                "{} verdicts on {sent} shares",
                verdicts.results.len()
            )));
        }
        Ok(verdicts.results)
    }
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Try again later, not before this long if the pool asked for it.
    Retry(Option<Duration>),
    /// Trying again changes nothing.
    GiveUp,
}

impl ApiError {
    /// What to do about it.
    pub fn advice(&self) -> Advice {
        match self {
            Self::NoAnswer(_) | Self::NotUnderstood(_) => Advice::Retry(None),
            Self::BadUrl(_) => Advice::GiveUp,
            Self::Problem {
                status,
                code,
                retry_after,
                ..
            } => match (*status, code.as_str()) {
                (401, "signature_invalid" | "auth_malformed" | "signature_missing") => Advice::GiveUp,
                // Clocks get set, pools get replaced, nonces were unlucky.
                (401 | 408 | 425 | 429 | 500..=599, _) => Advice::Retry(*retry_after),
                _ => Advice::GiveUp,
            },
        }
    }
}
