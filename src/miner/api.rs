//! The pool's routes with types; registration and sessions as a miner needs them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::target::Target;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{Algorithm, Header, JobId};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use ureq::http::Method;

use super::transport::{Answer, ApiError, Transport};
use crate::clock::SystemClock;
use crate::keys::HotkeyFile;
use crate::keys::hotkey_file::RequestNonce;
use dwarves_actors::clock::Clock;

/// How long an ordinary request may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a look at the pool may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a long poll may take: the pool answers after 60 s.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(75);
/// A session that ends sooner than this is renewed before it is used.
const RENEW_BEFORE: Span = Span::from_secs(60);

/// What a miner needs to know of the pool before it can sign anything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PoolInfo {
    /// The pool's name.
    #[serde(default)]
    pub name: String,
    /// The pool's hotkey: the receiver of signed requests.
    #[serde(deserialize_with = "parsed")]
    pub hotkey: Hotkey,
}

/// Work, ready to hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Work {
    /// The job's name.
    #[serde(deserialize_with = "parsed")]
    pub job_id: JobId,
    /// How to hash.
    #[serde(deserialize_with = "parsed")]
    pub algorithm: Algorithm,
    /// The height of the block that is searched.
    pub height: u32,
    /// The header with nonce 0.
    #[serde(deserialize_with = "header")]
    pub header: Header,
    /// Version bits that may be changed.
    #[serde(deserialize_with = "mask")]
    pub version_mask: u32,
    /// Earliest header time, Unix seconds.
    pub time_min: u32,
    /// Latest header time, Unix seconds.
    pub time_max: u32,
    /// What a share's hash must not exceed.
    #[serde(deserialize_with = "parsed")]
    pub share_target: Target,
    /// What a block's hash must not exceed.
    #[serde(deserialize_with = "parsed")]
    pub network_target: Target,
    /// Until when shares are taken at the latest.
    #[serde(deserialize_with = "instant")]
    pub expires_at: Timestamp,
}

/// A share to submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The job.
    pub job_id: JobId,
    /// The nonce.
    pub nonce: u32,
    /// The header's time, if it was changed.
    pub time: Option<u32>,
    /// The header's version, if it was changed.
    pub version: Option<u32>,
}

impl Share {
    fn to_json(self) -> Value {
        let mut share = json!({ "job_id": self.job_id.to_string(), "nonce": self.nonce });
        if let Some(time) = self.time {
            share["time"] = time.into();
        }
        if let Some(version) = self.version {
            share["version"] = version.into();
        }
        share
    }
}

/// What the pool says to a share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It counts.
    Accepted {
        /// Whether it is a block.
        #[serde(default)]
        block: bool,
    },
    /// It does not count.
    Rejected {
        /// The reason's name.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Verdicts {
    results: Vec<Verdict>,
}

/// A miner's money, in sats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Balances {
    /// From blocks that are not deep enough yet.
    pub immature: u64,
    /// To be paid.
    pub payable: u64,
    /// Being paid.
    pub in_flight: u64,
    /// Paid.
    pub paid: u64,
}

impl Balances {
    /// All that the miner has earned so far.
    pub fn earned(&self) -> u64 {
        [self.payable, self.in_flight, self.paid]
            .into_iter()
            .fold(self.immature, u64::saturating_add)
    }
}

/// A miner, as the pool shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MinerStatus {
    /// Hashes per second, as the pool estimates them.
    #[serde(default)]
    pub hashrate: f64,
    /// Its money.
    #[serde(default)]
    pub balance_sats: Balances,
}

#[derive(Deserialize)]
struct OpenedSession {
    token: String,
    #[serde(deserialize_with = "instant")]
    expires_at: Timestamp,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer)
}

fn parsed<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text(deserializer)?.parse().map_err(D::Error::custom)
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
    let mut bytes = [0; Header::LEN];
    hex::decode_to_slice(text(deserializer)?, &mut bytes)
        .map_err(|_| D::Error::custom("expected a header of 160 hex digits"))?;
    Ok(Header::from_bytes(bytes))
}

fn mask<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let mut bytes = [0; 4];
    hex::decode_to_slice(text(deserializer)?, &mut bytes)
        .map_err(|_| D::Error::custom("expected a version mask of 8 hex digits"))?;
    Ok(u32::from_be_bytes(bytes))
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let instant = DateTime::<Utc>::deserialize(deserializer)?;
    Ok(Timestamp::from_millis(instant.timestamp_millis()))
}

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
    session: Option<(String, Timestamp)>,
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
        let nonce = RequestNonce::at(SystemClock.unix_nanos());
        let headers = self.key.sign_request("POST", &path, &body, nonce, receiver);
        let answer = self
            .transport
            .call(Method::POST, &path, &headers, Some(&body), TIMEOUT);
        if answer
            .as_ref()
            .is_err_and(|error| error.code() == Some("wrong_receiver"))
        {
            // Another pool answers under this address now; its hotkey is asked for before the next try.
            self.receiver = None;
        }
        answer
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
        let good_until = SystemClock.now().plus(RENEW_BEFORE);
        if let Some((token, expires_at)) = &self.session
            && *expires_at > good_until
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
        let opened: OpenedSession = understood(opened?)?;
        self.session = Some((opened.token.clone(), opened.expires_at));
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
        let mut route = format!("/v1/work?worker={worker}");
        let mut timeout = TIMEOUT;
        if let Some(job_id) = newer_than {
            route.push_str(&format!("&longpoll={job_id}"));
            timeout = LONG_POLL_TIMEOUT;
        }
        understood(self.in_session(&Method::GET, &route, None, timeout)?)
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
