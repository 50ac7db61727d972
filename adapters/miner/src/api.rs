//! The pool's routes as a miner needs them: registration, sessions, work, shares.

use std::sync::Arc;
use std::time::Duration;

use dwarves_api_types::code::Code;
use dwarves_api_types::miners::MinerStatus;
use dwarves_api_types::object::Object;
use dwarves_api_types::pool::Pool;
use dwarves_api_types::registration::{OpenSessionBody, OpenedSession, RegisterBody};
use dwarves_api_types::scalars::Worker;
use dwarves_api_types::submissions;
use dwarves_api_types::work::{ShareResult, SubmitAnswer, SubmitBody, Work};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::share::Submission;
use dwarves_domain::work::JobId;
use serde::Serialize;
use ureq::http::Method;

use super::expiry::{self, Term};
use super::hashing_thread::Task;
use super::transport::{Answer, ApiError, Transport};
use dwarves_keys::HotkeyFile;
use dwarves_keys::hotkey_file::RequestNonce;
use dwarves_system::clock::SystemClock;

/// How long an ordinary request may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long the first answer to work that is evaluated may take: beyond the minute for which a pool may hold it back.
const EVALUATION_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a look at the pool may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a long poll may take: the pool answers after 60 s.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(75);
/// Refusals of a signature that another one of this program would meet, too.
const FOR_GOOD: [Code; 3] = [
    Code::SignatureInvalid,
    Code::AuthMalformed,
    Code::SignatureMissing,
];
/// A session that ends sooner than this is renewed before it is used.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// A body as it is sent.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("requests hold only text and numbers")
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
    /// Whether the pool shows more of the miner to itself than to everybody.
    must_say_who: bool,
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
            must_say_who: false,
        })
    }

    /// What the pool says of itself.
    ///
    /// # Errors
    /// If it does not answer or does not speak this API.
    pub fn pool(&self) -> Result<Pool, ApiError> {
        self.get("/v1/pool")?.read()
    }

    /// What the pool shows of this miner, to itself where it shows others less.
    ///
    /// # Errors
    /// If it does not answer, or does not know the miner.
    pub fn status(&mut self) -> Result<MinerStatus, ApiError> {
        let route = format!("/v1/miners/{}", self.key.hotkey());
        if !self.must_say_who {
            let status: MinerStatus = self.get(&route)?.read()?;
            self.must_say_who = !status.hidden.is_empty();
            if !self.must_say_who {
                return Ok(status);
            }
        }
        self.in_session(&Method::GET, &route, None, LOOK_TIMEOUT)?.read()
    }

    fn get(&self, route: &str) -> Result<Answer, ApiError> {
        let path = self.transport.path(route);
        self.transport.call(Method::GET, &path, &[], None, LOOK_TIMEOUT)
    }

    /// Sends a signed request.
    ///
    /// # Errors
    /// If the pool does not answer or refuses.
    pub fn post_signed(&mut self, route: &str, body: &impl Serialize) -> Result<Answer, ApiError> {
        self.signed(&Method::POST, route, Some(body))
    }

    /// Sends a signed request by any method, with a body or without.
    ///
    /// # Errors
    /// If the pool does not answer or refuses.
    pub fn signed(
        &mut self,
        method: &Method,
        route: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Answer, ApiError> {
        let receiver = match self.receiver {
            Some(receiver) => receiver,
            None => self.pool()?.hotkey.0,
        };
        self.receiver = Some(receiver);
        let path = self.transport.path(route);
        let body = body.map(json);
        let mut answer = self.send_signed(method, &path, body.as_deref(), receiver);
        // A signature names its time, and this computer's clock is not the pool's. It is good for that pool alone, so
        // nothing is lost by taking the pool's word for the present.
        if let Err(ApiError::Problem {
            code,
            date: Some(date),
            ..
        }) = &answer
            && code == Code::StaleRequest.as_str()
        {
            self.clock_off_millis = expiry::ahead_millis(*date);
            answer = self.send_signed(method, &path, body.as_deref(), receiver);
        }
        if answer
            .as_ref()
            .is_err_and(|error| error.code() == Some(Code::WrongReceiver.as_str()))
        {
            // Another pool answers under this address now; its hotkey is asked for before the next try.
            self.receiver = None;
        }
        answer
    }

    fn send_signed(
        &self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
        receiver: Hotkey,
    ) -> Result<Answer, ApiError> {
        let now = SystemClock.unix_nanos();
        let now = now.saturating_add_signed(self.clock_off_millis.saturating_mul(1_000_000));
        let signed = body.unwrap_or_default();
        let headers = self
            .key
            .sign_request(method.as_str(), path, signed, RequestNonce::at(now), receiver);
        self.transport.call(method.clone(), path, &headers, body, TIMEOUT)
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
        let body = RegisterBody {
            payout_address: self.payout_address.clone(),
            payout_threshold_sats: None,
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
        let opened = match self.post_signed("/v1/sessions", &OpenSessionBody {}) {
            // The pool has lost or never had this miner: a fresh database, for one.
            Err(error) if error.code() == Some(Code::MinerUnknown.as_str()) => {
                self.register()?;
                self.post_signed("/v1/sessions", &OpenSessionBody {})
            }
            answer => answer,
        };
        let opened = opened?;
        let date = opened.date;
        let opened: OpenedSession = opened.read()?;
        self.session = Some((opened.token.clone(), Term::until(opened.expires_at.0, date)));
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
                    if !renewed
                        && (error.status() == Some(401)
                            || error.code() == Some(Code::MinerUnknown.as_str())) =>
                {
                    self.session = None;
                    renewed = true;
                }
                answer => return answer,
            }
        }
    }

    /// Has work evaluated, where the pool does that; the answer comes with its result, or while it is queued.
    ///
    /// # Errors
    /// If the pool does not answer, refuses, or mines a chain.
    pub fn submit_to_be_evaluated(
        &mut self,
        work: &impl Serialize,
    ) -> Result<submissions::Submission, ApiError> {
        let body = json(&serde_json::json!({ "work": work }));
        self.in_session(&Method::POST, "/v1/work", Some(&body), EVALUATION_TIMEOUT)?
            .read()
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
        let work: Work = answer.read()?;
        let term = Term::until(work.expires_at.0, date);
        Ok(Task { work, term })
    }

    /// Submits shares and returns a verdict for each, in order. Submitting a share again is safe: it counts
    /// once.
    ///
    /// # Errors
    /// If the pool does not answer, or refuses all of them.
    pub fn submit(
        &mut self,
        worker: &WorkerName,
        shares: &[Submission],
    ) -> Result<Vec<ShareResult>, ApiError> {
        let body = json(&SubmitBody {
            worker: Some(Worker(worker.clone())),
            shares: shares.iter().map(|share| Object((*share).into())).collect(),
        });
        let answer = self.in_session(&Method::POST, "/v1/work", Some(&body), TIMEOUT)?;
        let SubmitAnswer { results } = answer.read()?;
        if results.len() != shares.len() {
            return Err(ApiError::NotUnderstood(format!(
                "{} verdicts on {} shares",
                results.len(),
                shares.len()
            )));
        }
        Ok(results)
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
            } => match *status {
                401 if FOR_GOOD.iter().any(|for_good| for_good.as_str() == code) => Advice::GiveUp,
                // Clocks get set, pools get replaced, nonces were unlucky.
                401 | 408 | 425 | 429 | 500..=599 => Advice::Retry(*retry_after),
                _ => Advice::GiveUp,
            },
        }
    }
}

/// The error in words, with the remedy where there is one on the miner's side.
pub(super) fn explain(error: &ApiError) -> String {
    match error.code() {
        Some(code) if code == Code::StaleRequest.as_str() => {
            format!("{error}; is this computer's clock right, and the pool's?")
        }
        _ => error.to_string(),
    }
}
