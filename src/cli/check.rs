//! `dwarves check`: looks at settings, listeners, keys, ledger and chain, and says what is wrong and how to mend it.
//!
//! It changes nothing that is there already, and works while the pool runs (then it says so).

use std::fmt::Display;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use dwarves_ports::chain::Chain;

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, PoolArgs};
use crate::config::{ChainKind, Config, Doubts, Reading, origin};
use crate::terminal::harmless_lines;
use crate::wiring::{self, devnet_params};
use dwarves_devnet::chain::{self as devnet, Devnet};
use dwarves_keys::{AdminToken, PoolKey, pool_key};
use dwarves_system::SystemRandomness;
use dwarves_system::clock::SystemClock;

mod ledger;
mod listening;
mod nodes;
mod sides;

/// Arguments of `dwarves check`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct CheckArgs {
    /// All findings as one JSON document: {"ok", "wrong", "findings": [{"ok", "what", "detail", "remedy"}]}
    #[arg(long)]
    pub json: bool,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// What was found, told as it is found, or all together as JSON.
struct Findings<W: Write> {
    out: W,
    wrong: u32,
    /// All of them so far, if they are told at the end.
    kept: Option<Vec<Value>>,
}

impl<W: Write> Findings<W> {
    fn good(&mut self, what: &str, detail: impl Display) -> std::io::Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.push(json!({ "ok": true, "what": what, "detail": detail.to_string(), "remedy": null }));
            return Ok(());
        }
        // Some of it may be a node's words.
        let detail = harmless_lines(&detail.to_string());
        writeln!(self.out, "ok     {what:<9} {detail}")
    }

    fn bad(&mut self, what: &str, detail: impl Display, remedy: &str) -> std::io::Result<()> {
        self.wrong += 1;
        if let Some(kept) = &mut self.kept {
            kept.push(json!({ "ok": false, "what": what, "detail": detail.to_string(), "remedy": remedy }));
            return Ok(());
        }
        let detail = harmless_lines(&detail.to_string());
        writeln!(self.out, "WRONG  {what:<9} {detail}\n       remedy:   {remedy}")
    }
}

/// Checks everything and tells it on standard output.
///
/// # Errors
/// If something is wrong.
pub fn run(args: CheckArgs) -> Result<(), Failure> {
    let mut findings = Findings {
        out: std::io::stdout(),
        wrong: 0,
        kept: args.json.then(Vec::new),
    };
    actix_rt::System::new().block_on(check(&args.pool, &mut findings))?;
    if let Some(kept) = findings.kept {
        let wrong = findings.wrong;
        let all = json!({ "ok": wrong == 0, "wrong": wrong, "findings": kept });
        writeln!(findings.out, "{all:#}")?;
    }
    match findings.wrong {
        0 => Ok(()),
        1 => Err("one thing is wrong".into()),
        wrong => Err(format!("{wrong} things are wrong").into()),
    }
}

async fn check<W: Write>(args: &PoolArgs, findings: &mut Findings<W>) -> Result<(), Failure> {
    let reading = Reading::load(args.config.as_deref());
    for mistake in &reading.mistakes {
        findings.bad(
            "settings",
            mistake,
            "correct the key; `dwarves config defaults` explains each",
        )?;
    }
    let Some(config) = reading.config else {
        return Ok(());
    };
    if !reading.mistakes.is_empty() {
        return Ok(check_rest(config, &reading.doubts, &args.data_dir, findings)?);
    }
    let scheme = config.rewards.scheme;
    findings.good(
        "settings",
        format!("scheme {scheme}, listening on {}", config.http.listen),
    )?;
    for setting in origin::changed(&origin::effective(args.config.as_deref())?) {
        let detail = format!("{} = {} from {}", setting.key, setting.value, setting.origin);
        findings.good("setting", detail)?;
    }
    findings.good(
        "setting",
        "all others are the program's own; config.toml in the repository lists them",
    )?;
    match wiring::chosen_lanes(&config.hashing) {
        Ok(lanes) => findings.good("hashing", format!("SHA-256d by {lanes}"))?,
        Err(missing) => findings.bad("hashing", missing, "take \"auto\", which chooses what is there")?,
    }
    check_files(&config, &Doubts::default(), findings)?;
    if config.chain.kind == ChainKind::Node && !config.is_evaluated() {
        nodes::check(&config, findings).await?;
    }
    let dir = args.data_dir.as_path();
    if !dir.exists() {
        let detail = format!("{} is not there yet; the first start makes it", dir.display());
        findings.good("data", detail)?;
        return Ok(listening::check(&config, &Doubts::default(), false, findings)?);
    }
    check_keys(&config, dir, findings)?;
    let is_running = ledger::check(&config, dir, findings).await?;
    sides::check(&config, dir, is_running, findings).await?;
    listening::check(&config, &Doubts::default(), is_running, findings)?;
    if config.chain.kind == ChainKind::Devnet && !config.is_evaluated() {
        check_devnet(&config, dir, is_running, findings).await?;
    }
    Ok(())
}

/// Checks what can be checked of settings that are wrong elsewhere: the files and the listeners that right ones name.
fn check_rest<W: Write>(
    mut config: Config,
    doubts: &Doubts,
    dir: &Path,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    check_files(&config, doubts, findings)?;
    if ["kind", "path", "url"]
        .iter()
        .any(|key| doubts.holds("store", key))
    {
        // Whether a pool has the ports is known by its ledger.
        return Ok(());
    }
    let is_running = ledger::is_running(&config, dir);
    if doubts.holds("http", "listen") {
        // What stands for it must not be in the way of the others.
        config.http.listen = (Ipv4Addr::LOCALHOST, 0).into();
    }
    listening::check(&config, doubts, is_running, findings)
}

/// Checks files that settings name, but for those that are in doubt.
fn check_files<W: Write>(
    config: &Config,
    doubts: &Doubts,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    for (setting, tried) in wiring::try_files(config) {
        if is_doubtful(doubts, setting) {
            continue;
        }
        match tried {
            Ok(detail) => findings.good("setting", format!("{setting}: {detail}"))?,
            Err(error) => findings.bad(
                "setting",
                error,
                "correct the key, or let this user read the file",
            )?,
        }
    }
    Ok(())
}

/// Whether it is told already that this setting, a key or a whole section, is wrong.
fn is_doubtful(doubts: &Doubts, setting: &str) -> bool {
    match setting.split_once('.') {
        Some((section, key)) => doubts.holds(section, key.split(['.', '[']).next().unwrap_or_default()),
        None => doubts.touch(setting),
    }
}

fn check_keys<W: Write>(config: &Config, dir: &Path, findings: &mut Findings<W>) -> std::io::Result<()> {
    if let Err(missing) = wiring::ledger::key_must_be_there(config, dir) {
        let detail = missing.to_string();
        let detail = detail.split(": ").next().unwrap_or_default();
        return findings.bad("key", detail, pool_key::REMEDY);
    }
    if !dir.join(pool_key::FILE_NAME).exists() {
        return findings.good("key", "not made yet; the first start makes it");
    }
    match PoolKey::open_or_create(dir, &SystemRandomness) {
        Ok(key) => match key.warning() {
            None => findings.good("key", format!("the pool is {}", key.hotkey()))?,
            Some(warning) => findings.bad("key", warning, "chmod 600 the file")?,
        },
        Err(error) => findings.bad(
            "key",
            error,
            "restore pool.key from a backup; a new key is another pool",
        )?,
    }
    match AdminToken::open_or_create(dir, &SystemRandomness) {
        Ok(token) => match token.warning() {
            None => findings.good("token", "admin.token is private"),
            Some(warning) => findings.bad("token", warning, "chmod 600 the file"),
        },
        Err(error) => findings.bad(
            "token",
            error,
            "remove admin.token; the next start makes a new one",
        ),
    }
}

async fn check_devnet<W: Write>(
    config: &Config,
    dir: &Path,
    is_running: bool,
    findings: &mut Findings<W>,
) -> Result<(), Failure> {
    let folder = dir.join("devnet");
    if !folder.exists() {
        findings.good("chain", "the devnet is not made yet; the first start makes it")?;
        return Ok(());
    }
    if is_running {
        findings.good("chain", "the devnet is in use by the running pool")?;
        return Ok(());
    }
    let devnet = match Devnet::open(&folder, &devnet_params(config)?, Arc::new(SystemClock)) {
        Ok(devnet) => devnet,
        Err(error @ devnet::OpenError::InUse(_)) => {
            findings.bad("chain", error, "stop the other process")?;
            return Ok(());
        }
        Err(error) => {
            let remedy = "move the devnet directory away: it holds play money only; a new chain begins";
            findings.bad("chain", error, remedy)?;
            return Ok(());
        }
    };
    match devnet.template().await {
        Ok(template) => findings.good(
            "chain",
            format!("devnet gives work at height {}", template.height),
        )?,
        Err(error) => findings.bad("chain", error, "set this machine's clock")?,
    }
    devnet.close().await;
    Ok(())
}
