//! A pool of a few lines that answers as a test wants.
#![allow(
    clippy::unwrap_used,
    reason = "these are helpers of tests, which other packages use"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use dwarves_api_types::miners::{RejectedCounts, ShareCounts};
use dwarves_api_types::pool::Pool;
use dwarves_api_types::scalars::{Instant, Ss58};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards;
use dwarves_domain::signature::{KeyType, SignedRequest};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::Algorithm;
use serde_json::Value;

/// The scripted pool's hotkey.
pub const POOL: [u8; 32] = [9; 32];

/// A request as the scripted pool sees it.
pub struct Seen {
    /// `GET`, `POST`, …
    pub method: String,
    /// With its query.
    pub path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Seen {
    /// A header's value; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the signature of `btauth/1` holds.
    pub fn is_signed(&self) -> bool {
        let signature = hex::decode(&self.header("X-Bittensor-Signature")[2..]).unwrap();
        SignedRequest {
            scheme: KeyType::Sr25519,
            method: &self.method,
            path: &self.path,
            body: &self.body,
            nonce_nanos: self.header("X-Bittensor-Nonce").parse().unwrap(),
            sender: self.header("X-Bittensor-Hotkey").parse().unwrap(),
            receiver: self.header("X-Bittensor-Receiver").parse().unwrap(),
        }
        .is_signed_by(&signature.try_into().unwrap())
            && self.header("X-Bittensor-Receiver") == Hotkey::from_bytes(POOL).to_string()
    }
}

/// What the scripted pool does.
pub enum Act {
    /// Status and body.
    Answer(u16, Value),
    /// An answer with a `Retry-After` header.
    Later(u16, Value, u64),
    /// An answer at this date, as HTTP writes it.
    At(String, u16, Value),
    /// Closes the connection without an answer.
    HangUp,
}

/// What the scripted pool says of itself, on `GET /v1/pool`.
pub fn pool() -> Pool {
    Pool {
        name: "Test".to_owned(),
        hotkey: Ss58(Hotkey::from_bytes(POOL)),
        chain: "devnet".to_owned(),
        unit: String::new(),
        unit_decimals: 8,
        evaluated: None,
        algorithm: Algorithm::Sha256d.into(),
        state: "running".into(),
        height: Some(3),
        network_difficulty: None,
        miners: 0,
        workers: 0,
        workers_active: 0,
        hashrate: 0.0,
        hashrate_error: None,
        hashrates: Vec::new(),
        share_rate: 0.0,
        registration_open: true,
        scheme: rewards::Scheme::Pplns.into(),
        fee_bps: 0,
        run_interval_secs: 60,
        next_round_at: Instant(Timestamp::from_secs(0)),
        luck: None,
        luck_error: None,
        luck_percentile: None,
        round_effort: 0.0,
        effort_percentile: 0.0,
        shares: ShareCounts {
            accepted: 0,
            rejected: RejectedCounts::default(),
        },
        privacy: None,
        ledger_sum_sats: 0,
    }
}

type Script = Arc<dyn Fn(&Seen) -> Act + Send + Sync>;

/// Serves `script` on a free port for the rest of the test process.
pub fn serve(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let script: Script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let script = Arc::clone(&script);
            std::thread::spawn(move || converse(stream.unwrap(), &script));
        }
    });
    url
}

fn converse(stream: TcpStream, script: &Script) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut seen = Seen {
            method,
            path,
            headers,
            body: Vec::new(),
        };
        seen.body = vec![0; seen.header("Content-Length").parse().unwrap_or(0)];
        reader.read_exact(&mut seen.body).ok()?;
        let (status, body, more) = match script(&seen) {
            Act::Answer(status, body) => (status, body, String::new()),
            Act::Later(status, body, secs) => (status, body, format!("Retry-After: {secs}\r\n")),
            Act::At(date, status, body) => (status, body, format!("Date: {date}\r\n")),
            Act::HangUp => return None,
        };
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )
        .ok()?;
    }
}
