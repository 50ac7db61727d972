//! `dwarves status`: how the pool is, on a terminal as a screen that goes on, otherwise once as JSON.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use clap::Args;
use dwarves_api_types::books::Blocks;
use dwarves_api_types::operator::{AdminState, FrontState, StandbyState, StatementsState};
use dwarves_api_types::pool::{EvaluatedPool, Pool, Ready};
use dwarves_keys::AdminToken;
use dwarves_miner::transport::{ApiError, Transport};
use dwarves_ports::clock::Clock as _;
use dwarves_system::clock::SystemClock;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Method;

use super::{DATA_DIR, Failure, signals};
use crate::terminal::{self, Align, Screen, Table, amount, coins, count, hashrate, span};
use crate::wiring::listen_file;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often the screen is written anew, and how often it is looked whether it is to end.
const EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Blocks that are shown.
const BLOCKS: u32 = 8;

/// Arguments of `dwarves status`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "With the admin token in the data directory it shows payouts, too.

Examples:
  dwarves status                               a screen that goes on until Ctrl-C
  dwarves status --json | jq .pool.hashrate
  dwarves status --pool https://pool.example"
)]
pub struct StatusArgs {
    /// The pool's address [default: that of the pool that runs in the data directory]
    #[arg(long, value_name = "URL")]
    pub pool: Option<String>,
    /// Once, as JSON, also on a terminal
    #[arg(long)]
    pub json: bool,
    /// Once, also on a terminal
    #[arg(long, conflicts_with = "json")]
    pub once: bool,
    /// The pool's data directory
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub data_dir: PathBuf,
}

/// Shows how the pool is.
///
/// # Errors
/// If no pool runs there, or it does not answer when it is asked once.
pub fn run(args: &StatusArgs) -> Result<(), Failure> {
    let url = args.pool.clone().or_else(|| listen_file::address(&args.data_dir));
    let url = url.ok_or_else(|| {
        format!(
            "no pool runs in {} (it would say so in listening.json); start it, or name one with --pool",
            args.data_dir.display()
        )
    })?;
    // The token is for the pool of this directory alone.
    let is_own = args.pool.is_none();
    let file = args.data_dir.join(dwarves_keys::admin_token::FILE_NAME);
    let token = AdminToken::read(&file).ok().filter(|_| is_own);
    let pool = Asked {
        transport: Transport::new(&url)?,
        url,
        token,
    };
    let mut out = io::stdout();
    if args.json || (!args.once && !out.is_terminal()) {
        return Ok(writeln!(out, "{:#}", pool.look()?.to_json())?);
    }
    if args.once {
        return Ok(write!(
            out,
            "{}",
            pool.look()?.frame(&pool.url, terminal::width())
        )?);
    }
    let stop = signals::stop_flag()?;
    let mut screen = Screen::begin(out)?;
    while !stop.load(Ordering::Relaxed) {
        let text = match pool.look() {
            Ok(seen) => seen.frame(&pool.url, terminal::width()),
            Err(error) => format!(
                "{}\n\n{}\n\ntrying again; Ctrl-C ends this\n",
                pool.url,
                terminal::harmless(&error.to_string())
            ),
        };
        screen.show(&text)?;
        let mut waited = Duration::ZERO;
        while waited < EVERY && !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }
    Ok(())
}

/// The pool that is asked.
struct Asked {
    transport: Transport,
    url: String,
    token: Option<AdminToken>,
}

/// What it said.
struct Seen {
    pool: Pool,
    ready: Ready,
    blocks: Blocks,
    /// What it says to its operator alone.
    operator: Option<AdminState>,
}

impl Asked {
    fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T, ApiError> {
        let path = self.transport.path(route);
        self.transport
            .call(Method::GET, &path, &[], None, TIMEOUT)?
            .read()
    }

    fn look(&self) -> Result<Seen, ApiError> {
        let ready = match self.get::<Ready>("/readyz") {
            // Not ready is an answer like any other; what hinders it is in the operator's state.
            Err(ApiError::Problem {
                status: 503, detail, ..
            }) => not_ready(detail),
            other => other?,
        };
        Ok(Seen {
            pool: self.get("/v1/pool")?,
            ready,
            blocks: self.get(&format!("/v1/blocks?limit={BLOCKS}"))?,
            operator: self.operators(),
        })
    }

    /// The pool as its operator sees it. It is read: a control message would leave a row in the audit trail at every look.
    fn operators(&self) -> Option<AdminState> {
        let token = self.token.as_ref()?;
        let headers = [("Authorization", format!("Bearer {}", token.text()))];
        let path = self.transport.path("/v1/admin/state");
        let answer = self.transport.call(Method::GET, &path, &headers, None, TIMEOUT);
        serde_json::from_value(answer.ok()?.body).ok()
    }
}

fn not_ready(detail: String) -> Ready {
    Ready {
        status: "not_ready".into(),
        state: "".into(),
        started_at: dwarves_api_types::scalars::Instant(SystemClock.now()),
        hindrances: vec![detail],
    }
}

/// How far work is stated, if statements are made.
fn stated(statements: &StatementsState) -> Option<String> {
    if statements.epoch_secs == 0 {
        return None;
    }
    let last = match statements.stated {
        Some(epoch) => format!("the last is of epoch {epoch}"),
        None => "none yet".to_owned(),
    };
    Some(match statements.overdue_secs {
        0 => last,
        secs => format!("{last}, the next is overdue since {}", span(secs)),
    })
}

/// A front in a line.
fn front(front: &FrontState) -> String {
    let does = match (front.leads, front.lives) {
        (true, true) => "leads".to_owned(),
        (false, true) => match (front.linked, front.unlinked_ms) {
            (true, _) => "stands by, linked".to_owned(),
            (false, Some(millis)) => format!("stands by, no link for {}", span(millis / 1_000)),
            (false, None) => "stands by".to_owned(),
        },
        (_, false) => format!("silent for {}", span(front.silent_ms / 1_000)),
    };
    format!(
        "{} {}: {does}, version {}",
        front.number, front.name, front.version
    )
}

/// Who answers pages, if there is a standby for it.
fn pages(standby: &StandbyState) -> String {
    let lag = standby.lag_secs.map_or_else(
        || "nobody knows how far behind".to_owned(),
        |secs| format!("{secs:.1} s behind"),
    );
    let place = terminal::harmless(&standby.place);
    match &standby.why {
        None => format!("read from the standby ({place}), {lag}"),
        Some(why) => format!(
            "read from the primary: the standby ({place}) {}",
            terminal::harmless(why)
        ),
    }
}

impl Seen {
    fn to_json(&self) -> Value {
        json!({
            "pool": self.pool,
            "ready": self.ready,
            "blocks": self.blocks.blocks,
            "operator": self.operator,
        })
    }

    /// The hindrances, from whoever knows them.
    fn hindrances(&self) -> Vec<String> {
        match &self.operator {
            Some(told) => told.hindrances.iter().map(|one| one.text.clone()).collect(),
            None => self.ready.hindrances.clone(),
        }
    }

    /// As a screen shows it.
    fn frame(&self, url: &str, width: usize) -> String {
        let pool = &self.pool;
        // The pool may be anybody's.
        let said = |words: &dyn std::fmt::Display| terminal::harmless(&words.to_string());
        let mut text = format!("{}  {url}  {}\n\n", said(&pool.name), said(&pool.state));
        let until = pool
            .next_round_at
            .0
            .millis()
            .saturating_sub(SystemClock.now().millis());
        let until = span(u64::try_from(until).unwrap_or(0) / 1_000);
        let lines = match &pool.evaluated {
            Some(evaluated) => self.of_evaluated(evaluated, &until),
            None => self.of_mining(&until),
        };
        for (name, value) in lines {
            text.push_str(&format!("{name:<11}{value}\n"));
        }
        if pool.evaluated.is_none()
            && let Some(told) = &self.operator
        {
            let paused = if told.payouts.paused { "paused, " } else { "" };
            text.push_str(&format!(
                "{:<11}{paused}{} under way\n",
                "payouts",
                told.payouts.open.len()
            ));
        }
        let statements = self.operator.as_ref().and_then(|told| told.statements.as_ref());
        if let Some(stated) = statements.and_then(stated) {
            text.push_str(&format!("{:<11}{stated}\n", "statements"));
        }
        for line in self.operator.iter().flat_map(|told| &told.fronts).map(front) {
            text.push_str(&format!("{:<11}{}\n", "front", terminal::harmless(&line)));
        }
        let standby = self.operator.as_ref().and_then(|told| told.standby.as_ref());
        if let Some(standby) = standby {
            text.push_str(&format!("{:<11}{}\n", "pages", pages(standby)));
        }
        let hindrances = self.hindrances();
        if hindrances.is_empty() {
            text.push_str(&format!("{:<11}none\n", "hindrances"));
        }
        for hindrance in hindrances {
            text.push_str(&format!("! {}\n", terminal::harmless(&hindrance)));
        }
        if pool.evaluated.is_none() {
            text.push('\n');
            text.push_str(&self.last_blocks().fit(width));
        }
        text
    }

    /// What there is to say of a pool that mines.
    fn of_mining(&self, until: &str) -> Vec<(&'static str, String)> {
        let pool = &self.pool;
        let error = pool
            .hashrate_error
            .map_or(String::new(), |error| format!(" ± {:.0} %", error * 100.0));
        let rejected = serde_json::to_value(pool.shares.rejected).unwrap_or_default();
        let rejected: Vec<String> = rejected
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, count)| count.as_u64() > Some(0))
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        let rejected = if rejected.is_empty() {
            "none".to_owned()
        } else {
            rejected.join(", ")
        };
        let height = pool.height.map_or("-".to_owned(), |height| height.to_string());
        vec![
            ("hashrate", format!("{}{error}", hashrate(pool.hashrate))),
            (
                "miners",
                format!(
                    "{}, workers {} ({} active)",
                    count(pool.miners),
                    count(pool.workers),
                    count(pool.workers_active)
                ),
            ),
            (
                "shares",
                format!("{} accepted; rejected: {rejected}", count(pool.shares.accepted)),
            ),
            (
                "chain",
                format!("{} at height {height}", terminal::harmless(&pool.chain)),
            ),
            (
                "round",
                format!("effort {:.0} %, {}", pool.round_effort * 100.0, self.terms(until)),
            ),
        ]
    }

    /// What there is to say of a pool that has work evaluated: it has no hashrate, no shares and no chain.
    fn of_evaluated(&self, evaluated: &EvaluatedPool, until: &str) -> Vec<(&'static str, String)> {
        let said = |words: &str| terminal::harmless(words);
        let emission = amount(evaluated.emission_sats.into(), self.pool.unit_decimals);
        vec![
            ("miners", count(self.pool.miners)),
            (
                "work",
                format!(
                    "{} being evaluated, {} waiting",
                    count(evaluated.at_work),
                    count(evaluated.waiting)
                ),
            ),
            (
                "pays",
                format!(
                    "{emission} {} a round, by {}",
                    said(&self.pool.unit),
                    said(&evaluated.pays_by)
                ),
            ),
            ("round", self.terms(until)),
        ]
    }

    fn terms(&self, until: &str) -> String {
        let pool = &self.pool;
        format!(
            "next in {until}; {}, fee {:.2} %",
            pool.scheme,
            f64::from(pool.fee_bps) / 100.0
        )
    }

    fn last_blocks(&self) -> Table {
        let columns = [
            ("block", Align::Right),
            ("state", Align::Left),
            ("deep", Align::Right),
            ("coins", Align::Right),
            ("effort", Align::Right),
            ("found", Align::Right),
        ];
        let now = SystemClock.now().millis();
        let rows = self.blocks.blocks.iter().map(|block| {
            let age = u64::try_from(now.saturating_sub(block.found_at.0.millis())).unwrap_or(0);
            vec![
                block.height.to_string(),
                block.state.to_string(),
                block.confirmations.to_string(),
                coins(block.reward_sats.into()),
                format!("{:.0} %", block.effort * 100.0),
                format!("{} ago", span(age / 1_000)),
            ]
        });
        Table::new(&columns, rows.collect())
    }
}
