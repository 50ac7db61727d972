//! A stand-in for a node: templates as mainnet has them (its difficulty, 2,500 transactions, 1.7 MB of JSON), and a
//! new tip whenever the generator wants one.
//!
//! A node on regtest is of no use under load: every second share would be a block. It answers what a pool asks
//! at its start and while it follows a tip, takes the pool's block when it is offered as a proposal, and has no wallet
//! worth the name.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::Error;

/// The target of Bitcoin's blocks in 2025: no share of a run is one.
const BITS: &str = "17026c0b";
/// A height of that time.
const HEIGHT: u32 = 900_000;
/// Transactions of a template on mainnet.
pub(crate) const MAINNET_TRANSACTIONS: usize = 2_500;
/// Bytes of a transaction: 1.7 MB of JSON in all, as mainnet's templates have.
const TRANSACTION_LEN: usize = 250;
/// A request's body is a proposal of the pool's block at the most.
const BODY_MAX: usize = 16 << 20;

/// Whose node it is a stand-in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coin {
    /// Bitcoin, whose proofs of work are SHA-256d.
    Bitcoin,
    /// Litecoin, whose proofs of work are scrypt.
    Litecoin,
}

impl Coin {
    /// Its mainnet's genesis block, by which the pool knows the chain.
    fn genesis(self) -> &'static str {
        match self {
            Self::Bitcoin => "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            Self::Litecoin => "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
        }
    }
}

/// The running stand-in.
pub(crate) struct StandIn {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Whose node it stands for.
    pub(crate) coin: Coin,
    height: watch::Sender<u32>,
}

struct Node {
    coin: Coin,
    height: watch::Receiver<u32>,
    /// The `transactions` of every template, as JSON.
    transactions: String,
}

#[derive(Deserialize)]
struct Call {
    method: String,
    #[serde(default)]
    params: Vec<Value>,
    #[serde(default)]
    id: Value,
}

impl StandIn {
    /// Starts it on a thread of its own, with this many transactions in its templates.
    pub(crate) fn start(coin: Coin, transaction_count: usize) -> Result<Self, Error> {
        let (height, heights) = watch::channel(HEIGHT);
        let node = web::Data::new(Node {
            coin,
            height: heights,
            transactions: transactions(transaction_count),
        });
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(node.clone())
                        .app_data(web::PayloadConfig::new(BODY_MAX))
                        .default_service(web::post().to(answer))
                })
                .workers(1)
                .disable_signals()
                .bind((Ipv4Addr::LOCALHOST, 0))?;
                // Whoever started it waits for this.
                let _told = tell.send(server.addrs().first().copied());
                server.run().await
            })
        });
        let address = told.recv()?.ok_or("the stand-in was not bound")?;
        Ok(Self {
            address,
            coin,
            height,
        })
    }

    /// Finds a block, and says when.
    pub(crate) fn find_block(&self) -> Instant {
        let at = Instant::now();
        self.height.send_modify(|height| *height += 1);
        at
    }
}

async fn answer(node: web::Data<Node>, body: web::Bytes) -> HttpResponse {
    let Ok(call) = serde_json::from_slice::<Call>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let mut heights = node.height.clone();
    let height = *heights.borrow_and_update();
    let result = match call.method.as_str() {
        "getblocktemplate" => {
            let request = call.params.first().unwrap_or(&Value::Null);
            if request["mode"] == "proposal" {
                Value::Null
            } else {
                if request["longpollid"] == long_poll_id(height) {
                    // A pool that goes away ends the request.
                    let _changed = heights.changed().await;
                }
                let height = *heights.borrow();
                return json_answer(template(height, &node.transactions), &call.id);
            }
        }
        "getblockchaininfo" => json!({
            "chain": "main", "blocks": height, "headers": height, "bestblockhash": hash_at(height),
            "initialblockdownload": false,
        }),
        "getblockhash" => {
            let at = call.params.first().and_then(Value::as_u64).unwrap_or(0);
            Value::String(match at {
                0 => node.coin.genesis().to_owned(),
                at => hash_at(u32::try_from(at).unwrap_or(u32::MAX)),
            })
        }
        "getblockheader" => json!({ "confirmations": 1 }),
        "validateaddress" => json!({ "isvalid": true }),
        "getaddressinfo" => json!({ "ismine": true }),
        other => {
            let error = json!({ "code": -32601, "message": format!("no {other}") });
            let document = json!({ "result": null, "error": error, "id": call.id });
            return HttpResponse::NotFound().json(document);
        }
    };
    json_answer(result.to_string(), &call.id)
}

fn json_answer(result: String, id: &Value) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(format!("{{\"result\":{result},\"error\":null,\"id\":{id}}}"))
}

fn template(height: u32, transactions: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let previous = hash_at(height);
    format!(
        "{{\"capabilities\":[\"proposal\"],\"version\":536870912,\"rules\":[\"csv\",\"!segwit\",\"taproot\"],\
         \"vbavailable\":{{}},\"vbrequired\":0,\"previousblockhash\":\"{previous}\",\"transactions\":{transactions},\
         \"coinbaseaux\":{{}},\"coinbasevalue\":320000000,\"longpollid\":{},\"mintime\":{},\
         \"curtime\":{now},\"bits\":\"{BITS}\",\"height\":{},\"default_witness_commitment\":\
         \"6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9\"}}",
        long_poll_id(height),
        now.saturating_sub(3_600),
        height + 1,
    )
}

fn long_poll_id(height: u32) -> Value {
    Value::String(format!("{}1", hash_at(height)))
}

fn hash_at(height: u32) -> String {
    hex::encode(Sha256::digest(format!("block {height}")))
}

/// The transactions are not real ones, but as long, each with an id of its own.
fn transactions(count: usize) -> String {
    let entries: Vec<String> = (0..count)
        .map(|number| {
            let id = hex::encode(Sha256::digest(format!("transaction {number}")));
            let data = id.repeat(TRANSACTION_LEN / 32 + 1);
            let data = &data[..2 * TRANSACTION_LEN];
            format!(
                "{{\"data\":\"{data}\",\"txid\":\"{id}\",\"hash\":\"{id}\",\"depends\":[],\"fee\":3000,\
                 \"sigops\":4,\"weight\":660}}"
            )
        })
        .collect();
    format!("[{}]", entries.join(","))
}
