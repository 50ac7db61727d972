//! `dwarves notifications`: what a pool tells one miner, said and read with the miner's key.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, Subcommand};
use dwarves_api_types::notifications::{
    ChannelBody, ConfirmBody, Notifications, NotificationsBody, QuietHoursBody, TestBody, TestSent,
};
use dwarves_keys::HotkeyFile;
use dwarves_miner::api::PoolClient;
use dwarves_miner::transport::Answer;
use serde::Serialize;
use ureq::http::Method;

use super::Failure;

/// The longest file of wishes.
const FILE_LEN_MAX: u64 = 65_536;

/// Arguments of `dwarves notifications`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Examples:
  dwarves notifications set --hotkey miner.key --ntfy phone=https://ntfy.sh/my-topic --events worker_offline,payout_sent
  dwarves notifications set --hotkey miner.key --webhook ops=https://example.org/hook --quiet 22-7 --utc-offset 120 --digest 8
  dwarves notifications set --hotkey miner.key --mail post=me@example.org
  dwarves notifications confirm --hotkey miner.key post CODE
  dwarves notifications test --hotkey miner.key
  dwarves notifications show --hotkey miner.key
  dwarves notifications remove --hotkey miner.key")]
pub struct NotificationsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: NotificationsCommand,
}

/// The pool, and as whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct AsMiner {
    /// The pool's address; without a scheme it is plain HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub pool: String,
    /// The miner's key file (dwarves hotkey new FILE makes one)
    #[arg(long, value_name = "FILE")]
    pub hotkey: PathBuf,
}

/// What to do with a miner's notifications.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum NotificationsCommand {
    /// Show what the miner is told, and how its channels are
    Show(AsMiner),
    /// Say what the miner wants to be told; it replaces what it wanted before
    Set(Box<SetArgs>),
    /// Tell the miner nothing more, and forget its channels
    Remove(AsMiner),
    /// Send a test by one channel, or by all that are open
    Test {
        /// Whom to ask, and as whom.
        #[command(flatten)]
        of: AsMiner,
        /// The channel's name [default: all]
        channel: Option<String>,
    },
    /// Confirm a mail address by the code that was mailed to it
    Confirm {
        /// Whom to ask, and as whom.
        #[command(flatten)]
        of: AsMiner,
        /// The channel's name
        channel: String,
        /// The code
        code: String,
    },
}

/// What a miner wants.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct SetArgs {
    /// Whom to ask, and as whom.
    #[command(flatten)]
    pub of: AsMiner,
    /// A signed webhook; its secret is printed when it is made, and never again
    #[arg(long, value_name = "NAME=URL")]
    pub webhook: Vec<Named>,
    /// A topic of ntfy
    #[arg(long, value_name = "NAME=URL")]
    pub ntfy: Vec<Named>,
    /// A mail address, to which a code goes
    #[arg(long, value_name = "NAME=ADDRESS")]
    pub mail: Vec<Named>,
    /// The file with the access token of a topic of ntfy
    #[arg(long, value_name = "NAME=FILE")]
    pub token_file: Vec<Named>,
    /// A webhook that gets a new secret, by its name
    #[arg(long, value_name = "NAME")]
    pub new_secret: Vec<String>,
    /// What is told [default: everything]
    #[arg(long, value_name = "EVENT,...", value_delimiter = ',')]
    pub events: Option<Vec<String>>,
    /// Hours of your own day in which nothing is told
    #[arg(long, value_name = "FROM-UNTIL")]
    pub quiet: Option<Quiet>,
    /// By how many minutes your clock is ahead of UTC
    #[arg(long, value_name = "MINUTES", allow_hyphen_values = true)]
    pub utc_offset: Option<i16>,
    /// The hour of your own day at which you are told what there was since yesterday
    #[arg(long, value_name = "HOUR")]
    pub digest: Option<u8>,
    /// After how long without a share a worker is offline
    #[arg(long, value_name = "SECONDS")]
    pub offline_after: Option<u64>,
    /// Below how many percent of the last day's hashrate it is low
    #[arg(long, value_name = "PERCENT")]
    pub low: Option<u8>,
    /// From how many percent of rejected shares on there are many
    #[arg(long, value_name = "PERCENT")]
    pub rejects: Option<u8>,
    /// All of it from a file in JSON, as the API takes it; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "webhook", "ntfy", "mail", "token_file", "new_secret", "events", "quiet", "utc_offset", "digest",
        "offline_after", "low", "rejects",
    ])]
    pub file: Option<PathBuf>,
}

/// A channel's name and what belongs to it: `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    name: String,
    value: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Quiet hours: `22-7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet(QuietHoursBody);

impl FromStr for Quiet {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hours = text
            .split_once('-')
            .and_then(|(from, until)| Some((from.parse().ok()?, until.parse().ok()?)));
        let (from, until) = hours.ok_or("expected two hours such as 22-7")?;
        Ok(Self(QuietHoursBody { from, until }))
    }
}

/// What cannot be done.
#[derive(Debug, thiserror::Error)]
enum NotificationsError {
    #[error("{file} cannot be read: {why}")]
    File { file: String, why: String },
    #[error("there is no channel named {0}")]
    NoChannel(String),
    #[error("name at least one channel: --webhook, --ntfy or --mail, or --file")]
    Nothing,
}

fn no_file(file: &str, why: impl std::fmt::Display) -> NotificationsError {
    NotificationsError::File {
        file: file.to_owned(),
        why: why.to_string(),
    }
}

/// Reads a text of bounded length.
fn read(file: &str) -> Result<String, NotificationsError> {
    let mut text = String::new();
    let read = if file == "-" {
        io::stdin().lock().take(FILE_LEN_MAX).read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(file).map_err(|why| no_file(file, why))?;
        opened.take(FILE_LEN_MAX).read_to_string(&mut text)
    };
    read.map_err(|why| no_file(file, why))?;
    Ok(text)
}

/// A conversation with the pool as one miner.
struct Conversation {
    client: PoolClient,
    route: String,
}

impl Conversation {
    fn new(of: &AsMiner) -> Result<Self, Failure> {
        let key = HotkeyFile::read(&of.hotkey)?;
        let route = format!("/v1/miners/{}/notifications", key.hotkey());
        Ok(Self {
            client: PoolClient::new(&of.pool, Arc::new(key), None)?,
            route,
        })
    }

    fn ask(&mut self, method: &Method, rest: &str, body: Option<&impl Serialize>) -> Result<Answer, Failure> {
        let route = format!("{}{rest}", self.route);
        Ok(self.client.signed(method, &route, body)?)
    }
}

/// Does what the arguments ask.
///
/// # Errors
/// If the key or a file cannot be read, or the pool refuses.
pub fn run(args: NotificationsArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match args.command {
        NotificationsCommand::Show(of) => {
            let answer = Conversation::new(&of)?.ask(&Method::GET, "", None::<&()>)?;
            show(&mut out, answer)
        }
        NotificationsCommand::Set(args) => {
            let wanted = wanted(&args)?;
            let answer = Conversation::new(&args.of)?.ask(&Method::PUT, "", Some(&wanted))?;
            show(&mut out, answer)
        }
        NotificationsCommand::Remove(of) => {
            Conversation::new(&of)?.ask(&Method::DELETE, "", None::<&()>)?;
            Ok(writeln!(out, "nothing is told any more")?)
        }
        NotificationsCommand::Test { of, channel } => {
            let answer = Conversation::new(&of)?.ask(&Method::POST, "/test", Some(&TestBody { channel }))?;
            let sent: TestSent = answer.read()?;
            Ok(writeln!(
                out,
                "a test is on its way by {}",
                sent.channels.join(", ")
            )?)
        }
        NotificationsCommand::Confirm { of, channel, code } => {
            let body = ConfirmBody { channel, code };
            Conversation::new(&of)?.ask(&Method::POST, "/confirm", Some(&body))?;
            Ok(writeln!(out, "the address of {} is confirmed", body.channel)?)
        }
    }
}

/// What the arguments ask for, as the API takes it.
fn wanted(args: &SetArgs) -> Result<NotificationsBody, Failure> {
    if let Some(file) = &args.file {
        let name = file.display().to_string();
        let text = read(&name)?;
        return Ok(serde_json::from_str(&text).map_err(|why| no_file(&name, why))?);
    }
    let kinds = [
        ("webhook", &args.webhook),
        ("ntfy", &args.ntfy),
        ("mail", &args.mail),
    ];
    let mut channels = Vec::new();
    for (kind, named) in kinds {
        for Named { name, value } in named {
            let is_mail = kind == "mail";
            channels.push(ChannelBody {
                name: name.clone(),
                kind: kind.to_owned(),
                url: (!is_mail).then(|| value.clone()),
                address: is_mail.then(|| value.clone()),
                token: None,
                new_secret: args.new_secret.contains(name).then_some(true),
            });
        }
    }
    if channels.is_empty() {
        return Err(NotificationsError::Nothing.into());
    }
    for Named { name, value } in &args.token_file {
        let channel = channels.iter_mut().find(|channel| channel.name == *name);
        let channel = channel.ok_or_else(|| NotificationsError::NoChannel(name.clone()))?;
        channel.token = Some(read(value)?.trim().to_owned());
    }
    for name in &args.new_secret {
        if !channels.iter().any(|channel| channel.name == *name) {
            return Err(NotificationsError::NoChannel(name.clone()).into());
        }
    }
    Ok(NotificationsBody {
        channels,
        events: args.events.clone(),
        quiet_hours: args.quiet.map(|quiet| quiet.0),
        utc_offset_minutes: args.utc_offset,
        digest_hour: args.digest,
        offline_after_secs: args.offline_after,
        low_percent: args.low,
        reject_percent: args.rejects,
    })
}

/// Shows what a miner is told: in lines on a terminal, as JSON otherwise.
fn show(out: &mut (impl Write + IsTerminal), answer: Answer) -> Result<(), Failure> {
    if !out.is_terminal() {
        return Ok(writeln!(out, "{:#}", answer.body)?);
    }
    let told: Notifications = answer.read()?;
    for channel in &told.channels {
        let why = channel
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let state = channel.state.replace('_', " ");
        writeln!(
            out,
            "{} ({}) {} {state}{why}",
            channel.name, channel.kind, channel.leads_to
        )?;
        if let Some(secret) = &channel.secret {
            writeln!(out, "  its secret, shown this once: {secret}")?;
        }
        if channel.state == "unconfirmed" {
            let name = &channel.name;
            writeln!(out, "  confirm it: dwarves notifications confirm {name} CODE")?;
        }
    }
    writeln!(out, "told of: {}", told.events.join(", "))?;
    if let Some(quiet) = told.quiet_hours {
        writeln!(out, "quiet from {}:00 until {}:00", quiet.from, quiet.until)?;
    }
    if let Some(hour) = told.digest_hour {
        writeln!(out, "digest at {hour}:00")?;
    }
    Ok(writeln!(
        out,
        "{} waiting, {} dropped",
        told.waiting, told.dropped
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> SetArgs {
        use clap::Parser;
        let parsed = super::super::Cli::try_parse_from(line.split_whitespace()).unwrap();
        match parsed.command {
            Some(super::super::Command::Notifications(NotificationsArgs {
                command: NotificationsCommand::Set(args),
            })) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_become_what_the_api_takes() {
        let line = "dwarves notifications set --hotkey k --webhook a=https://x.org/?b=c --mail p=me@x.org \
                    --new-secret a --events digest,block_found --quiet 22-7 --utc-offset -60 --digest 8";
        let wanted = wanted(&args(line)).unwrap();
        assert_eq!(wanted.channels[0].url.as_deref(), Some("https://x.org/?b=c"));
        assert_eq!(wanted.channels[0].new_secret, Some(true));
        assert_eq!(wanted.channels[1].address.as_deref(), Some("me@x.org"));
        assert_eq!(wanted.events.unwrap(), ["digest", "block_found"]);
        assert_eq!(
            (wanted.utc_offset_minutes, wanted.digest_hour),
            (Some(-60), Some(8))
        );
        assert_eq!(wanted.quiet_hours, Some(QuietHoursBody { from: 22, until: 7 }));
    }

    #[test]
    fn what_fits_no_channel_is_told_before_anybody_is_asked() {
        for line in [
            "dwarves notifications set --hotkey k",
            "dwarves notifications set --hotkey k --ntfy a=https://x.org --new-secret b",
            "dwarves notifications set --hotkey k --ntfy a=https://x.org --token-file b=/none",
            "dwarves notifications set --hotkey k --ntfy a=https://x.org --token-file a=/none/such",
            "dwarves notifications set --hotkey k --file /none/such",
        ] {
            assert!(wanted(&args(line)).is_err(), "{line}");
        }
    }
}
