//! `dwarves admin`: sends one control message and prints the actor's answer.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use ureq::http::Method;

use super::{DATA_DIR, Failure};
use crate::terminal;
use crate::wiring::listen_file;
use dwarves_api_types::control::ControlBody;
use dwarves_keys::admin_token::AdminTokenError;
use dwarves_keys::{AdminToken, HotkeyFile};
use dwarves_miner::api::PoolClient;
use dwarves_miner::transport::Transport;

/// How long an actor may take.
const TIMEOUT: Duration = Duration::from_secs(30);
const ROUTE: &str = "/v1/admin/control";

/// Arguments of `dwarves admin`.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(after_help = "Actors and messages:
  pool_manager         status | pause | resume | drain | shutdown |
                       forget_setting setting=
  miner_manager        ban hotkey= reason= [until=] | unban hotkey= | open_registration |
                       close_registration | set_share_difficulty hotkey= [worker=] difficulty= |
                       remove_worker hotkey= worker= | remove_miner hotkey=
  work_manager         refresh
  work_evaluator       status | remove_submission submission=
  stratum_gate         status | lift address=
  http_gate            status | lift address=
  reward_distributor   set_run_interval run_interval_secs= | distribute_now | pause | resume |
                       set_fee fee_bps= | set_emission emission_sats= | reset_schedule
  paymaster            pause | resume | pay_now [dry_run= plan=] | cancel payout= |
                       set_threshold threshold_sats= | adopt [txid=] [reserve_bears=] |
                       release hold=
  payout_exporter      status | export batch= | mark_paid batch= reference= [payouts=] |
                       unmark_paid batch= reference= [payouts=] | give_back batch= [payouts=]

A value is read as JSON if it is JSON, and as a text otherwise. The answer is JSON where it is piped.

Examples:
  dwarves admin pool_manager status
  dwarves admin reward_distributor set_run_interval run_interval_secs=30
  dwarves admin miner_manager ban hotkey=5F... reason='sends stale shares' until=2030-01-01T00:00:00Z
  dwarves admin miner_manager set_share_difficulty hotkey=5F... difficulty=null
  dwarves admin pool_manager drain --pool https://pool.example --hotkey operator.key")]
pub struct AdminArgs {
    /// The actor that gets it, such as pool_manager
    pub actor: String,
    /// The message's name, such as status
    pub message: String,
    /// The message's fields
    #[arg(value_name = "KEY=VALUE", value_parser = parse_field)]
    pub fields: Vec<(String, Value)>,
    /// JSON, also on a terminal
    #[arg(long)]
    pub json: bool,
    /// The pool's address [default: that of the pool that runs in the data directory]
    #[arg(long, value_name = "URL")]
    pub pool: Option<String>,
    /// File with the admin token [default: admin.token in the data directory]
    #[arg(long, value_name = "FILE", conflicts_with = "hotkey")]
    pub token_file: Option<PathBuf>,
    /// Sign with this key file instead; its hotkey must be in admin.hotkeys
    #[arg(long, value_name = "FILE")]
    pub hotkey: Option<PathBuf>,
    /// The pool's data directory, for the defaults above
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub data_dir: PathBuf,
}

/// Why a message is not sent.
#[derive(Debug, thiserror::Error)]
enum AdminError {
    #[error(
        "no admin token: the pool's first start writes it to its data directory; see --data-dir, --token-file"
    )]
    Token(#[source] AdminTokenError),
    #[error(
        "no pool runs in {} (it would say so in listening.json); start it, or name one with --pool, such as \
         --pool http://127.0.0.1:8080",
        data_dir.display()
    )]
    NoPool { data_dir: PathBuf },
}

/// Whom to ask. Nobody is guessed: the token is for this pool alone.
fn pool_of(args: &AdminArgs) -> Result<String, AdminError> {
    let named = args.pool.clone().or_else(|| listen_file::address(&args.data_dir));
    named.ok_or_else(|| AdminError::NoPool {
        data_dir: args.data_dir.clone(),
    })
}

/// A field as it is written on the command line.
fn parse_field(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, such as run_interval_secs=30")?;
    if key.is_empty() || key == "actor" || key == "message" {
        return Err(format!("{key:?} cannot be the name of a field"));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((key.to_owned(), value))
}

/// The message as the API takes it.
fn body(args: &AdminArgs) -> Result<ControlBody, Failure> {
    let mut fields = Map::new();
    for (key, value) in &args.fields {
        if fields.insert(key.clone(), value.clone()).is_some() {
            return Err(format!("{key} is given twice").into());
        }
    }
    Ok(ControlBody {
        actor: args.actor.clone(),
        message: args.message.clone(),
        fields,
    })
}

/// Sends the message and returns the actor's answer.
fn send(args: &AdminArgs) -> Result<Value, Failure> {
    let body = body(args)?;
    if let Some(file) = &args.hotkey {
        let key = HotkeyFile::read(file)?;
        warn(key.warning());
        let mut client = PoolClient::new(&pool_of(args)?, Arc::new(key), None)?;
        return Ok(client.post_signed(ROUTE, &body)?.body);
    }
    let file = args
        .token_file
        .clone()
        .unwrap_or_else(|| args.data_dir.join(dwarves_keys::admin_token::FILE_NAME));
    let token = AdminToken::read(&file).map_err(AdminError::Token)?;
    warn(token.warning());
    let transport = Transport::new(&pool_of(args)?)?;
    let headers = [("Authorization", format!("Bearer {}", token.text()))];
    let path = transport.path(ROUTE);
    let body = serde_json::to_vec(&body)?;
    let answer = transport.call(Method::POST, &path, &headers, Some(&body), TIMEOUT)?;
    Ok(answer.body)
}

fn warn(warning: Option<&str>) {
    if let Some(warning) = warning {
        log::warn!("{warning}");
    }
}

/// Sends the message and prints the actor's answer: for people on a terminal, as JSON otherwise.
///
/// # Errors
/// If there is no key to it, the pool does not answer, or the actor refuses.
pub fn run(args: AdminArgs) -> Result<(), Failure> {
    let answer = send(&args)?;
    let mut out = io::stdout();
    if args.json || !out.is_terminal() {
        return Ok(writeln!(out, "{answer:#}")?);
    }
    let text = terminal::described(&answer, terminal::width());
    Ok(out.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_miner::scripted_pool::{Act, pool, serve};
    use dwarves_system::SystemRandomness;
    use serde_json::json;
    use std::path::Path;

    fn args(pool: &str, data_dir: &Path, fields: &[&str]) -> AdminArgs {
        AdminArgs {
            actor: "reward_distributor".to_owned(),
            message: "set_run_interval".to_owned(),
            fields: fields.iter().map(|field| parse_field(field).unwrap()).collect(),
            pool: Some(pool.to_owned()),
            json: false,
            token_file: None,
            hotkey: None,
            data_dir: data_dir.to_owned(),
        }
    }

    #[test]
    fn a_value_is_json_if_it_can_be_and_a_text_otherwise() {
        for (text, value) in [
            ("a=5", json!(5)),
            ("a=null", json!(null)),
            ("a=x=y", json!("x=y")),
            ("a=\"5\"", json!("5")),
            ("a=5F x", json!("5F x")),
            ("a=", json!("")),
        ] {
            assert_eq!(parse_field(text), Ok(("a".to_owned(), value)), "{text}");
        }
        for wrong in ["a", "=5", "actor=x", "message=x"] {
            assert!(parse_field(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_a_pool_in_the_data_directory_nobody_gets_the_token() {
        let folder = tempfile::tempdir().unwrap();
        AdminToken::open_or_create(folder.path(), &SystemRandomness).unwrap();
        let nameless = AdminArgs {
            pool: None,
            ..args("", folder.path(), &[])
        };
        let refused = send(&nameless).unwrap_err().to_string();
        assert!(refused.contains("--pool"), "{refused}");
    }

    #[test]
    fn the_token_in_the_data_directory_opens_the_door() {
        let folder = tempfile::tempdir().unwrap();
        let token = AdminToken::open_or_create(folder.path(), &SystemRandomness).unwrap();
        let bearer = format!("Bearer {}", token.text());
        let url = serve(move |seen| {
            assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", ROUTE));
            assert_eq!(seen.header("Authorization"), bearer);
            assert_eq!(seen.header("Content-Type"), "application/json");
            Act::Answer(200, json!({ "echo": seen.json() }))
        });
        std::fs::write(
            folder.path().join("listen.json"),
            json!({ "http": url }).to_string(),
        )
        .unwrap();
        let mut by_file = args(&url, folder.path(), &["run_interval_secs=30"]);
        let expected =
            json!({"actor": "reward_distributor", "message": "set_run_interval", "run_interval_secs": 30});
        assert_eq!(send(&by_file).unwrap()["echo"], expected);
        // The same without an address: the running pool's own file has it.
        by_file.pool = None;
        assert_eq!(send(&by_file).unwrap()["echo"], expected);
        let twice = args(&url, folder.path(), &["a=1", "a=2"]);
        assert_eq!(send(&twice).unwrap_err().to_string(), "a is given twice");
    }

    #[test]
    fn a_hotkey_signs_instead() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operator.key");
        HotkeyFile::from_seed([1; 32])
            .create(&file, &SystemRandomness)
            .unwrap();
        let url = serve(|seen| match seen.path.as_str() {
            "/v1/pool" => Act::Answer(200, json!(pool())),
            ROUTE if seen.is_signed() => Act::Answer(200, json!({"done": true})),
            _ => Act::Answer(403, json!({"code": "forbidden", "detail": "no"})),
        });
        let mut signed = args(&url, folder.path(), &[]);
        signed.hotkey = Some(file);
        assert_eq!(send(&signed).unwrap(), json!({"done": true}));
    }

    #[test]
    fn a_refusal_is_told_in_the_pools_words() {
        let folder = tempfile::tempdir().unwrap();
        AdminToken::open_or_create(folder.path(), &SystemRandomness).unwrap();
        let url = serve(|_| {
            Act::Answer(
                409,
                json!({"code": "control_refused", "detail": "a round is in flight"}),
            )
        });
        let error = send(&args(&url, folder.path(), &[])).unwrap_err();
        assert_eq!(error.to_string(), "a round is in flight (409 control_refused)");
    }
}
