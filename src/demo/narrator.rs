//! Tells what happens, from what the API shows to anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dwarves_api_types::books::{Blocks, RoundDetails, Rounds};
use dwarves_api_types::credits::MinerPayouts;
use dwarves_api_types::miners::MinerStatus;
use dwarves_api_types::named::{BlockStateName, PayoutStateName};
use dwarves_api_types::pool::Pool;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::payouts::PayoutState;
use dwarves_ports::store::BlockState;
use serde::de::DeserializeOwned;
use ureq::http::Method;

use super::story::Story;
use crate::terminal::{Align, Table, coins, hashrate};
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
    pub(super) url: String,
    pub(super) names: BTreeMap<Hotkey, &'static str>,
    story: Story,
    since: Stopwatch,
    registered: BTreeSet<Hotkey>,
    /// States of the blocks that were told of, by hash.
    pub(super) blocks: BTreeMap<HeaderHash, BlockStateName>,
    last_round: u64,
    /// States of the payouts that were told of, by their number.
    payouts: BTreeMap<u64, PayoutStateName>,
    standing_told: Duration,
    has_told_payable: bool,
}

impl Narrator {
    /// A narrator that has told where to look, and nothing else yet.
    pub(super) fn new(
        url: &str,
        data_dir: &Path,
        names: &[(Hotkey, &'static str)],
        story: Story,
    ) -> Result<Self, ApiError> {
        let mut narrator = Self {
            transport: Transport::new(url)?,
            url: url.to_owned(),
            names: names.iter().copied().collect(),
            story,
            since: Stopwatch::start(),
            registered: BTreeSet::new(),
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
            if self.story.is_live()
                && let Ok(frame) = self.frame()
            {
                self.story.draw(&frame);
            }
            thread::sleep(LOOK_EVERY);
        }
        self.story.end();
        // Told below, whatever is due.
        self.standing_told = self.since.elapsed();
        if let Err(error) = self.look().and_then(|()| self.tell_standing()) {
            log::debug!("the narrator sees nothing: {error}");
        }
        if let Err(error) = self.tell_summary() {
            log::debug!("the narrator sees nothing: {error}");
        }
        self.write("\nStopping: every share that was acknowledged is on disk.\n");
    }

    fn write(&mut self, text: &str) {
        self.story.write(text);
    }

    fn tell(&mut self, text: &str) {
        let line = format!("{}  {text}", self.time());
        self.story.tell(&line);
    }

    /// How long it has been going on.
    pub(super) fn time(&self) -> String {
        let secs = self.since.elapsed().as_secs();
        format!("{:02}:{:02}", secs / 60, secs % 60)
    }

    pub(super) fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T, ApiError> {
        let path = self.transport.path(route);
        self.transport
            .call(Method::GET, &path, &[], None, ANSWER_WITHIN)?
            .read()
    }

    pub(super) fn miner(&self, hotkey: &Hotkey) -> Result<MinerStatus, ApiError> {
        self.get(&format!("/v1/miners/{hotkey}"))
    }

    fn name_of(&self, hotkey: Hotkey) -> String {
        self.names
            .get(&hotkey)
            .map_or_else(|| hotkey.to_string(), |name| (*name).to_owned())
    }

    fn look(&mut self) -> Result<(), ApiError> {
        self.look_for_registrations();
        self.look_at_blocks()?;
        self.look_at_rounds()?;
        self.look_at_payouts()?;
        // A screen shows it all the time.
        if !self.story.is_live() && self.since.elapsed() >= self.standing_told + STANDING_EVERY {
            self.standing_told = self.since.elapsed();
            self.tell_standing()?;
        }
        Ok(())
    }

    fn look_for_registrations(&mut self) {
        for (hotkey, name) in self.names.clone() {
            if !self.registered.contains(&hotkey) && self.miner(&hotkey).is_ok() {
                self.tell(&format!("miner {name} registered with hotkey {hotkey}"));
                self.registered.insert(hotkey);
            }
        }
    }

    fn look_at_blocks(&mut self) -> Result<(), ApiError> {
        let Blocks { blocks, .. } = self.get("/v1/blocks?limit=100")?;
        for block in blocks.into_iter().rev() {
            let (height, state) = (block.height, block.state);
            let known = self.blocks.insert(block.hash.0, state.clone());
            if known.is_none() {
                let finder = block
                    .found_by
                    .map_or_else(String::new, |finder| self.name_of(finder.0));
                let reward = coins(block.reward_sats.into());
                let effort = block.effort * 100.0;
                self.tell(&format!(
                    "block {height} found by {finder}: {reward} coins after {effort:.0} % of the expected work"
                ));
            }
            let is_settled = [BlockState::Mature, BlockState::Orphaned, BlockState::Refused]
                .into_iter()
                .any(|settled| state.is(settled));
            if is_settled && known.as_ref() != Some(&state) {
                self.tell(&format!("block {height} is {state}"));
            }
        }
        Ok(())
    }

    fn look_at_rounds(&mut self) -> Result<(), ApiError> {
        let Rounds { rounds, .. } = self.get("/v1/rounds?limit=20")?;
        for round in rounds.iter().rev() {
            if round.id > self.last_round {
                self.last_round = round.id;
                self.tell_round(round.id)?;
            }
        }
        Ok(())
    }

    fn tell_round(&mut self, id: u64) -> Result<(), ApiError> {
        let RoundDetails { round, credits, .. } = self.get(&format!("/v1/rounds/{id}"))?;
        let blocks = round.blocks.len();
        if round.reward_sats == 0 {
            self.tell(&format!("round {id} closed: no new block"));
            return Ok(());
        }
        let plural = if blocks == 1 { "block" } else { "blocks" };
        self.tell(&format!(
            "round {id} closed: {blocks} {plural}, {} coins",
            coins(round.reward_sats.into())
        ));
        let credited = round.credited_sats.max(1) as f64;
        let mut rows: Vec<Vec<String>> = credits
            .iter()
            .map(|credit| {
                let units: f64 = credit.units.parse().unwrap_or(0.0);
                let share = credit.amount_sats as f64 / credited * 100.0;
                vec![
                    self.name_of(credit.hotkey.0),
                    format!("{units:.4}"),
                    format!("{share:.1} %"),
                    coins(credit.amount_sats.into()),
                ]
            })
            .collect();
        rows.push(vec![
            "pool's fee".to_owned(),
            String::new(),
            String::new(),
            coins(round.fee_sats.into()),
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
        let mut payouts: BTreeMap<u64, (PayoutStateName, String, Vec<Vec<String>>)> = BTreeMap::new();
        for (hotkey, name) in self.names.clone() {
            let page = self.get::<MinerPayouts>(&format!("/v1/miners/{hotkey}/payouts?limit=20"));
            let Ok(MinerPayouts { payouts: parts, .. }) = page else {
                continue;
            };
            for part in parts {
                let txid = part.txid.unwrap_or_default();
                let row = vec![
                    name.to_owned(),
                    coins(part.amount_sats.into()),
                    part.state.to_string(),
                    part.confirmations.to_string(),
                    part.address,
                ];
                let (_, _, rows) = payouts
                    .entry(part.payout_id)
                    .or_insert((part.state, txid, Vec::new()));
                rows.push(row);
            }
        }
        for (id, (state, txid, mut rows)) in payouts {
            let is_telling = [
                PayoutState::Broadcast,
                PayoutState::Confirmed,
                PayoutState::Returned,
            ]
            .into_iter()
            .any(|telling| state.is(telling));
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

    /// What it all came to.
    fn tell_summary(&mut self) -> Result<(), ApiError> {
        let pool: Pool = self.get("/v1/pool")?;
        let sent = self.payouts.len();
        let (found, rounds) = (self.blocks.len(), self.last_round);
        let text = format!(
            "\nIn {}: {} shares, {found} blocks, {rounds} rounds, {sent} payouts; the ledger's sum is {}.\n",
            self.time(),
            pool.shares.accepted,
            pool.ledger_sum_sats
        );
        self.write(&text);
        Ok(())
    }

    fn tell_standing(&mut self) -> Result<(), ApiError> {
        let mut rows = Vec::new();
        let mut payable = 0;
        for (hotkey, name) in self.names.clone() {
            let Ok(miner) = self.miner(&hotkey) else {
                continue;
            };
            let Some(balance) = miner.balance_sats else {
                continue;
            };
            payable += balance.payable;
            rows.push(vec![
                name.to_owned(),
                hashrate(miner.hashrate),
                miner.shares.accepted.to_string(),
                coins(balance.immature.into()),
                coins(balance.payable.into()),
                coins(balance.in_flight.into()),
                coins(balance.paid.into()),
            ]);
        }
        rows.sort();
        let pool: Pool = self.get("/v1/pool")?;
        self.tell(&format!("standing; the ledger's sum is {}", pool.ledger_sum_sats));
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

/// A table under the time at which something is told: the first column left, all others right.
pub(super) fn table(indent: &str, header: &[&str], rows: &[Vec<String>]) -> String {
    let align = |column: usize| if column == 0 { Align::Left } else { Align::Right };
    let columns: Vec<(&str, Align)> = (0..)
        .zip(header)
        .map(|(column, name)| (*name, align(column)))
        .collect();
    let text = Table::new(&columns, rows.to_vec()).fit(usize::MAX);
    text.lines().map(|line| format!("{indent}{line}\n")).collect()
}
