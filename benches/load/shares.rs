//! Miners of the generator: signed requests, sessions, work, and valid shares of it.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use dwarves_api_types::object::Object;
use dwarves_api_types::registration::{OpenSessionBody, OpenedSession, RegisterBody, Registration};
use dwarves_api_types::scalars::{JobName, Word};
use dwarves_api_types::work::{ShareBody, SubmitBody, Work as WorkAnswer};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::signature::{KeyType, SignedRequest};
use dwarves_domain::target::Target;
use dwarves_domain::work::{Header, JobId};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::client::Client;

/// The header's first compression, which no nonce changes.
const MIDSTATE_LEN: usize = 64;
/// The least first byte of a target that every few nonces meet.
const EASY: u8 = 0x20;

/// A registered miner with one worker, a session and work.
pub(crate) struct Miner {
    /// The session's header line.
    pub(crate) session: String,
    worker: String,
    work: Option<Work>,
    body: Vec<u8>,
    /// The shares in `body`, which is their JSON.
    shares: SubmitBody,
    /// The hashes of the shares in `body`, if they are to be kept.
    hashes: Option<Vec<HeaderHash>>,
}

struct Work {
    job_id: JobId,
    midstate: Sha256,
    tail: [u8; Header::LEN - MIDSTATE_LEN],
    share_target: Target,
    nonce: u32,
}

impl Miner {
    /// Registers the miner of this number, always the same key, and opens its session.
    pub(crate) async fn register(
        client: &mut Client,
        number: u32,
        receiver: Hotkey,
        keep_hashes: bool,
    ) -> Result<Self, Error> {
        let mut seed = [0x6d; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let key = schnorrkel::MiniSecretKey::from_bytes(&seed)
            .map_err(|error| error.to_string())?
            .expand_to_keypair(schnorrkel::ExpansionMode::Ed25519);
        let body = serde_json::to_vec(&RegisterBody::default())?;
        let _: Registration = signed_post(client, &key, receiver, "/v1/miners", &body).await?;
        let body = serde_json::to_vec(&OpenSessionBody {})?;
        let OpenedSession { token, .. } = signed_post(client, &key, receiver, "/v1/sessions", &body).await?;
        Ok(Self {
            session: format!("authorization: Bearer {token}\r\n"),
            worker: format!("rig-{number}"),
            work: None,
            body: Vec::new(),
            shares: SubmitBody {
                worker: None,
                shares: Vec::new(),
            },
            hashes: keep_hashes.then(Vec::new),
        })
    }

    /// Fetches new work.
    pub(crate) async fn fetch_work(&mut self, client: &mut Client) -> Result<(), Error> {
        let path = format!("/v1/work?worker={}", self.worker);
        let answer = client.request("GET", &path, &self.session, b"").await?;
        if answer.status != 200 {
            return Err(format!("GET {path}: {} {}", answer.status, answer.body).into());
        }
        let work: WorkAnswer = serde_json::from_str(answer.body)?;
        if work.share_target.to_be_bytes()[0] < EASY {
            return Err(
                "the share target is too hard: finding shares would take longer than judging them".into(),
            );
        }
        let mut tail = [0; Header::LEN - MIDSTATE_LEN];
        let header = work.header.as_bytes();
        tail.copy_from_slice(&header[MIDSTATE_LEN..]);
        self.work = Some(Work {
            job_id: work.job_id,
            midstate: Sha256::new_with_prefix(&header[..MIDSTATE_LEN]),
            tail,
            share_target: work.share_target,
            nonce: 0,
        });
        Ok(())
    }

    /// The body of a request with `count` shares that were never sent before.
    pub(crate) fn next_body(&mut self, count: usize) -> Result<(), Error> {
        let work = self
            .work
            .as_mut()
            .ok_or("work is fetched before shares are made")?;
        self.body.clear();
        self.shares.shares.clear();
        if let Some(hashes) = &mut self.hashes {
            hashes.clear();
        }
        for _ in 0..count {
            let (nonce, hash) = work.next_share()?;
            self.shares.shares.push(Object(ShareBody {
                job_id: JobName(Some(work.job_id)),
                nonce: Word(nonce),
                time: None,
                version: None,
            }));
            if let Some(hashes) = &mut self.hashes {
                hashes.push(hash);
            }
        }
        serde_json::to_writer(&mut self.body, &self.shares)?;
        Ok(())
    }

    /// What [`Self::next_body`] made.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The hashes of the shares in the body, if they are kept.
    pub(crate) fn hashes(&self) -> Option<&[HeaderHash]> {
        self.hashes.as_deref()
    }
}

impl Work {
    fn next_share(&mut self) -> Result<(u32, HeaderHash), Error> {
        loop {
            let nonce = self.nonce;
            self.nonce = nonce.checked_add(1).ok_or("the nonces of a job are used up")?;
            let nonce_at = self.tail.len() - 4;
            self.tail[nonce_at..].copy_from_slice(&nonce.to_le_bytes());
            let inner = self.midstate.clone().chain_update(self.tail).finalize();
            let hash = HeaderHash::from_bytes(Sha256::digest(inner).into());
            if self.share_target.is_met_by(&hash) {
                return Ok((nonce, hash));
            }
        }
    }
}

/// A signed `POST` (btauth/1), whose answer must be a success.
async fn signed_post<T: DeserializeOwned>(
    client: &mut Client,
    key: &schnorrkel::Keypair,
    receiver: Hotkey,
    path: &str,
    body: &[u8],
) -> Result<T, Error> {
    let sender = Hotkey::from_bytes(key.public.to_bytes());
    let nonce = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
    let request = SignedRequest {
        scheme: KeyType::Sr25519,
        method: "POST",
        path,
        body,
        nonce_nanos: nonce,
        sender,
        receiver,
    };
    let signature = key.sign_simple(b"substrate", &request.payload()).to_bytes();
    let mut headers = String::new();
    write!(
        headers,
        "x-bittensor-version: 1\r\nx-bittensor-hotkey: {sender}\r\nx-bittensor-receiver: {receiver}\r\n\
         x-bittensor-nonce: {nonce}\r\nx-bittensor-signature: 0x{}\r\n",
        hex::encode(signature)
    )?;
    let answer = client.request("POST", path, &headers, body).await?;
    if !(200..300).contains(&answer.status) {
        return Err(format!("POST {path}: {} {}", answer.status, answer.body).into());
    }
    Ok(serde_json::from_str(answer.body)?)
}
