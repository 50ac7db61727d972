//! `dwarves watch`: links that show a miner to whom its owner hands them.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use dwarves_api_types::scalars::Instant;
use dwarves_api_types::watches::{HandOutBody, HandedOutWatch, TakenBackWatch, Watch, Watches};
use dwarves_domain::watch::{WatchId, WatchName};
use serde_json::{Value, json};
use ureq::http::Method;

use super::Failure;
use crate::terminal::{self, Align, Table, harmless};
use dwarves_keys::HotkeyFile;
use dwarves_miner::api::PoolClient;

/// Arguments of `dwarves watch`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "A link shows the miner as the miner sees itself, and changes nothing: its money and its workers, also where the
pool shows them to nobody else. Whoever has it can look until it is taken back.

Examples:
  dwarves watch create --hotkey miner.key --name 'screen in the office'
  dwarves watch create --hotkey miner.key --pool https://pool.example --expires-in-secs 604800
  dwarves watch list --hotkey miner.key
  dwarves watch remove 1f6a0c2277b9e4d0 --hotkey miner.key"
)]
pub struct WatchArgs {
    /// Create, list or remove.
    #[command(subcommand)]
    pub command: WatchCommand,
}

/// Which pool, and whose key.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct WatchOf {
    /// The miner's key file
    #[arg(long, value_name = "FILE")]
    pub hotkey: PathBuf,
    /// The pool's address; without a scheme it is plain HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub pool: String,
    /// JSON, also on a terminal
    #[arg(long)]
    pub json: bool,
}

/// What to do with links.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum WatchCommand {
    /// Make a link; it is shown once
    Create {
        /// What you call it, for your own list
        #[arg(long, value_name = "NAME", default_value_t = String::new(), value_parser = parse_name)]
        name: String,
        /// After how many seconds it is over [default: when you remove it]
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=316_224_000))]
        expires_in_secs: Option<u64>,
        /// Which pool, and whose key.
        #[command(flatten)]
        of: WatchOf,
    },
    /// List the links that were not removed
    List {
        /// Which pool, and whose key.
        #[command(flatten)]
        of: WatchOf,
    },
    /// Take a link back: from then on it shows nothing
    Remove {
        /// Which, as the list has it
        #[arg(value_name = "ID")]
        id: WatchId,
        /// Which pool, and whose key.
        #[command(flatten)]
        of: WatchOf,
    },
}

fn parse_name(text: &str) -> Result<String, String> {
    let name: Result<WatchName, _> = text.parse();
    name.map(|name| name.as_str().to_owned())
        .map_err(|error| error.to_string())
}

/// A conversation about one miner's links.
struct Talk {
    client: PoolClient,
    route: String,
    pool: String,
    is_json: bool,
}

impl Talk {
    fn begin(of: WatchOf) -> Result<Self, Failure> {
        let key = HotkeyFile::read(&of.hotkey)?;
        if let Some(warning) = key.warning() {
            log::warn!("{warning}");
        }
        let route = format!("/v1/miners/{}/watches", key.hotkey());
        Ok(Self {
            client: PoolClient::new(&of.pool, Arc::new(key), None)?,
            route,
            pool: of.pool.trim().trim_end_matches('/').to_owned(),
            is_json: of.json || !io::stdout().is_terminal(),
        })
    }

    /// The address of a page of the pool.
    fn link(&self, path: &str) -> String {
        match self.pool.contains("://") {
            true => format!("{}{path}", self.pool),
            false => format!("http://{}{path}", self.pool),
        }
    }
}

fn print(json: &Value) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{json:#}")?)
}

/// Makes, lists or takes back links.
///
/// # Errors
/// If the key cannot be read, the pool does not answer, or it refuses.
pub fn run(args: WatchArgs) -> Result<(), Failure> {
    match args.command {
        WatchCommand::Create {
            name,
            expires_in_secs,
            of,
        } => create(name, expires_in_secs, Talk::begin(of)?),
        WatchCommand::List { of } => list(Talk::begin(of)?),
        WatchCommand::Remove { id, of } => remove(id, Talk::begin(of)?),
    }
}

fn create(name: String, expires_in_secs: Option<u64>, mut talk: Talk) -> Result<(), Failure> {
    let body = HandOutBody {
        name: Some(name).filter(|name| !name.is_empty()),
        expires_in_secs,
    };
    let made: HandedOutWatch = talk.client.post_signed(&talk.route, &body)?.read()?;
    let link = talk.link(&made.path);
    if talk.is_json {
        let mut json = serde_json::to_value(&made).unwrap_or_default();
        json["link"] = json!(link);
        return print(&json);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", harmless(&link))?;
    writeln!(
        out,
        "\nIt is shown this once. Whoever has it sees this miner, until: dwarves watch remove {}",
        harmless(&made.watch.id)
    )?;
    Ok(())
}

fn list(mut talk: Talk) -> Result<(), Failure> {
    let Watches { watches } = talk
        .client
        .signed(&Method::GET, &talk.route, None::<&()>)?
        .read()?;
    if talk.is_json {
        return print(&json!({ "watches": watches }));
    }
    let mut out = io::stdout().lock();
    if watches.is_empty() {
        return Ok(writeln!(out, "no links yet")?);
    }
    let columns = [
        ("id", Align::Left),
        ("name", Align::Left),
        ("made", Align::Left),
        ("over", Align::Left),
    ];
    let rows = watches.iter().map(row).collect();
    write!(out, "{}", Table::new(&columns, rows).fit(terminal::width()))?;
    Ok(())
}

fn row(watch: &Watch) -> Vec<String> {
    let instant = |at: Instant| serde_json::to_value(at).ok()?.as_str().map(str::to_owned);
    let minutes = |text: Option<String>| {
        let text = text.unwrap_or_default();
        text.get(..16)
            .map_or_else(|| text.clone(), |minutes| minutes.replace('T', " "))
    };
    vec![
        harmless(&watch.id),
        harmless(&watch.name),
        minutes(instant(watch.created_at)),
        match watch.expires_at {
            Some(at) => minutes(instant(at)),
            None => "when you remove it".to_owned(),
        },
    ]
}

fn remove(id: WatchId, mut talk: Talk) -> Result<(), Failure> {
    let route = format!("{}/{id}", talk.route);
    let gone: TakenBackWatch = talk.client.signed(&Method::DELETE, &route, None::<&()>)?.read()?;
    if talk.is_json {
        return print(&json!(gone));
    }
    Ok(writeln!(
        io::stdout().lock(),
        "link {} shows nothing from now on",
        harmless(&gone.id)
    )?)
}
