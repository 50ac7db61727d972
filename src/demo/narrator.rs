//! Tells what happens, from what the API shows to anybody.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dwarves_domain::hotkey::Hotkey;
use serde_json::Value;
use ureq::http::Method;

use super::table::{coins, hashrate, table};
use dwarves_miner::transport::{ApiError, Transport};
use dwarves_system::clock::Stopwatch;

/// How often the API is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the miners' standing is told.
const STANDING_EVERY: Duration = Duration::from_secs(15);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Looks at the API and tells what is new.
pub(super) struct Narrator {
    transport: Transport,
    url: String,
    names: BTreeMap<String, &'static str>,
    out: Box<dyn Write + Send>,
    since: Stopwatch,
    registered: BTreeMap<String, bool>,
    /// States of the blocks that were told of, by hash.
    blocks: BTreeMap<String, String>,
    last_round: u64,
    /// States of the payouts that were told of, by their number.
    payouts: BTreeMap<u64, String>,
    standing_told: Duration,
    has_told_payable: bool,
}

impl Narrator {
    /// A narrator that has told where to look, and nothing else yet.
    pub(super) fn new(
        url: &str,
        data_dir: &Path,
        names: &[(Hotkey, &'static str)],
        out: Box<dyn Write + Send>,
    ) -> Result<Self, ApiError> {
        let mut narrator = Self {
            transport: Transport::new(url)?,
            url: url.to_owned(),
            names: names
                .iter()
                .map(|(hotkey, name)| (hotkey.to_string(), *name))
                .collect(),
            out,
            since: Stopwatch::start(),
            registered: BTreeMap::new(),
            blocks: BTreeMap::new(),
            last_round: 0,
            payouts: BTreeMap::new(),
            standing_told: Duration::ZERO,
            has_told_payable: false,
        };
        narrator.introduce(data_dir);
        Ok(narrator)
    }

    fn introduce(&mut self, data_dir: &Path) {
        let url = self.url.clone();
        self.write(&format!(
            "A mining pool, its chain and three miners in one process. Ctrl-C ends it.\n\n  \
             pool    {url}\n  data    {}\n  look    curl -s {url}/v1/pool\n          curl -s {url}/v1/blocks\n          \
             curl -s {url}/v1/rounds\n          curl -s {url}/openapi.json\n\n",
            data_dir.display()
        ));
    }

    /// Looks and tells until `stop` is set.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = self.look() {
                log::debug!("the narrator sees nothing: {error}");
            }
            thread::sleep(LOOK_EVERY);
        }
        if let Err(error) = self.look().and_then(|()| self.tell_standing()) {
            log::debug!("the narrator sees nothing: {error}");
        }
        self.write("\nStopping: every share that was acknowledged is on disk.\n");
    }

    fn write(&mut self, text: &str) {
        // A closed pipe must not end the demo's pool.
        if let Err(error) = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
        {
            log::debug!("nobody listens: {error}");
        }
    }

    fn tell(&mut self, text: &str) {
        let secs = self.since.elapsed().as_secs();
        self.write(&format!("{:02}:{:02}  {text}\n", secs / 60, secs % 60));
    }

    fn get(&self, route: &str) -> Result<Value, ApiError> {
        let path = self.transport.path(route);
        Ok(self
            .transport
            .call(Method::GET, &path, &[], None, ANSWER_WITHIN)?
            .body)
    }

    fn name_of(&self, hotkey: &str) -> String {
        self.names
            .get(hotkey)
            .map_or_else(|| hotkey.to_owned(), |name| (*name).to_owned())
    }

    fn look(&mut self) -> Result<(), ApiError> {
        self.look_for_registrations();
        self.look_at_blocks()?;
        self.look_at_rounds()?;
        self.look_at_payouts()?;
        if self.since.elapsed() >= self.standing_told + STANDING_EVERY {
            self.standing_told = self.since.elapsed();
            self.tell_standing()?;
        }
        Ok(())
    }

    fn look_for_registrations(&mut self) {
        for (hotkey, name) in self.names.clone() {
            if !self.registered.contains_key(&hotkey) && self.get(&format!("/v1/miners/{hotkey}")).is_ok() {
                self.tell(&format!("miner {name} registered with hotkey {hotkey}"));
                self.registered.insert(hotkey, true);
            }
        }
    }

    fn look_at_blocks(&mut self) -> Result<(), ApiError> {
        let page = self.get("/v1/blocks?limit=100")?;
        let blocks = page["blocks"].as_array().cloned().unwrap_or_default();
        for block in blocks.iter().rev() {
            let (hash, state) = (text(&block["hash"]), text(&block["state"]));
            let height = &block["height"];
            let known = self.blocks.insert(hash.clone(), state.clone());
            if known.is_none() {
                let finder = self.name_of(&text(&block["found_by"]));
                let reward = coins(block["reward_sats"].as_u64().unwrap_or(0));
                let effort = block["effort"].as_f64().unwrap_or(0.0) * 100.0;
                self.tell(&format!(
                    "block {height} found by {finder}: {reward} coins after {effort:.0} % of the expected work"
                ));
            }
            if known.as_ref() != Some(&state) && matches!(state.as_str(), "mature" | "orphaned" | "refused") {
                self.tell(&format!("block {height} is {state}"));
            }
        }
        Ok(())
    }

    fn look_at_rounds(&mut self) -> Result<(), ApiError> {
        let page = self.get("/v1/rounds?limit=20")?;
        let rounds = page["rounds"].as_array().cloned().unwrap_or_default();
        for round in rounds.iter().rev() {
            let id = round["id"].as_u64().unwrap_or(0);
            if id > self.last_round {
                self.last_round = id;
                self.tell_round(id)?;
            }
        }
        Ok(())
    }

    fn tell_round(&mut self, id: u64) -> Result<(), ApiError> {
        let round = self.get(&format!("/v1/rounds/{id}"))?;
        let sats = |key: &str| round[key].as_u64().unwrap_or(0);
        let blocks = round["blocks"].as_array().map_or(0, Vec::len);
        if sats("reward_sats") == 0 {
            self.tell(&format!("round {id} closed: no new block"));
            return Ok(());
        }
        let plural = if blocks == 1 { "block" } else { "blocks" };
        self.tell(&format!(
            "round {id} closed: {blocks} {plural}, {} coins",
            coins(sats("reward_sats"))
        ));
        let credited = sats("credited_sats").max(1) as f64;
        let mut rows: Vec<Vec<String>> = round["credits"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|credit| {
                let amount = credit["amount_sats"].as_u64().unwrap_or(0);
                let units: f64 = text(&credit["units"]).parse().unwrap_or(0.0);
                let share = amount as f64 / credited * 100.0;
                vec![
                    self.name_of(&text(&credit["hotkey"])),
                    format!("{units:.4}"),
                    format!("{share:.1} %"),
                    coins(amount),
                ]
            })
            .collect();
        rows.push(vec![
            "pool's fee".to_owned(),
            String::new(),
            String::new(),
            coins(sats("fee_sats")),
        ]);
        self.write(&table(
            "         ",
            &["miner", "units", "share", "credited"],
            &rows,
        ));
        Ok(())
    }

    /// Tells every payout when it is sent and when it is deep, with each miner's part.
    fn look_at_payouts(&mut self) -> Result<(), ApiError> {
        let mut payouts: BTreeMap<u64, (String, String, Vec<Vec<String>>)> = BTreeMap::new();
        for (hotkey, name) in self.names.clone() {
            let Ok(page) = self.get(&format!("/v1/miners/{hotkey}/payouts?limit=20")) else {
                continue;
            };
            for payout in page["payouts"].as_array().into_iter().flatten() {
                let id = payout["payout_id"].as_u64().unwrap_or(0);
                let (state, txid) = (text(&payout["state"]), text(&payout["txid"]));
                let (_, _, rows) = payouts.entry(id).or_insert((state.clone(), txid, Vec::new()));
                rows.push(vec![
                    name.to_owned(),
                    coins(payout["amount_sats"].as_u64().unwrap_or(0)),
                    state,
                    payout["confirmations"].to_string(),
                    text(&payout["address"]),
                ]);
            }
        }
        for (id, (state, txid, mut rows)) in payouts {
            let is_telling = matches!(state.as_str(), "broadcast" | "confirmed" | "returned");
            if !is_telling || self.payouts.get(&id) == Some(&state) {
                continue;
            }
            self.payouts.insert(id, state.clone());
            rows.sort();
            self.tell(&format!("payout {id} is {state}: transaction {txid}"));
            let header = ["miner", "paid", "state", "confirmations", "address"];
            self.write(&table("         ", &header, &rows));
        }
        Ok(())
    }

    fn tell_standing(&mut self) -> Result<(), ApiError> {
        let mut rows = Vec::new();
        let mut payable = 0;
        for (hotkey, name) in self.names.clone() {
            let Ok(miner) = self.get(&format!("/v1/miners/{hotkey}")) else {
                continue;
            };
            let balance = |key: &str| miner["balance_sats"][key].as_u64().unwrap_or(0);
            payable += balance("payable");
            rows.push(vec![
                name.to_owned(),
                hashrate(miner["hashrate"].as_f64().unwrap_or(0.0)),
                miner["shares"]["accepted"].to_string(),
                coins(balance("immature")),
                coins(balance("payable")),
                coins(balance("in_flight")),
                coins(balance("paid")),
            ]);
        }
        rows.sort();
        let pool = self.get("/v1/pool")?;
        let ledger_sum = pool["ledger_sum_sats"].to_string();
        self.tell(&format!("standing; the ledger's sum is {ledger_sum}"));
        self.write(&table(
            "         ",
            &[
                "miner",
                "hashrate",
                "shares",
                "immature",
                "payable",
                "in flight",
                "paid",
            ],
            &rows,
        ));
        if payable > 0 && !self.has_told_payable {
            self.has_told_payable = true;
            self.tell("the first rewards are payable: their blocks are deep enough");
        }
        Ok(())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
