//! Measures signed calls of dendrites beside the checking of their signatures: `cargo bench --bench synapse -- [options]`.
//!
//! A call's signature costs more than all else of it, and no server can do with less. So what is measured is how many calls
//! the pool answers in a second of its own CPU time, beside how many single sr25519 signatures are verified in one on the
//! same machine, in turns, in the same run. All calls are signed beforehand, and the CPU time of what sends them is not
//! counted. Every call must be answered 200, and none twice.
//!
//! With `--quick`, and when cargo runs it as a test, it sends a few calls and judges no time.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::signature::{KeyType, verify};
use dwarves_synapse::body::hash;
use dwarves_synapse::class::Class;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};

#[path = "../common/builds.rs"]
#[allow(dead_code, reason = "one build is measured here")]
mod builds;
#[path = "../common/child.rs"]
#[allow(dead_code, reason = "the pool is started and no more")]
mod child;
#[path = "../common/client.rs"]
mod client;
#[path = "../common/proc.rs"]
#[allow(dead_code, reason = "CPU time is all that is asked for")]
mod proc;
#[path = "../common/runner.rs"]
mod runner;

use child::Child;
use client::Client;

/// What can go wrong here: nobody handles it, everybody reads it.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// The pool takes as many calls as it can answer; one miner after the other, all from one address.
const SETTINGS: [(&str, &str); 6] = [
    ("DWARVES__HTTP__LISTEN", "127.0.0.1:0"),
    ("DWARVES__BITTENSOR__LISTEN", "127.0.0.1:0"),
    ("DWARVES__BITTENSOR__SIGNED_CALLS_PER_SEC", "1000000"),
    ("DWARVES__LIMITS__CLIENT_SHARE_PERCENT", "100"),
    ("DWARVES__LIMITS__NEW_MINERS_PER_HOUR", "100000"),
    ("DWARVES__CHAIN__DEVNET_BLOCK_HASHES", "1000000000000000"),
];

/// Miners that call in turns.
const MINERS: u8 = 16;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Call {
    /// The ping: signature, hash and nonce, and nothing else.
    Ping,
    /// Work for a worker.
    GetWork,
}

/// Measures signed calls beside the checking of their signatures.
#[derive(Debug, Parser)]
struct Options {
    /// A few calls, and no time is judged.
    #[arg(long)]
    quick: bool,
    /// What is called; both if absent.
    #[arg(long, value_enum)]
    call: Option<Call>,
    /// Calls of one round.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(64..=500_000))]
    calls: u32,
    /// Connections.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,
    /// Rounds, of which the median is taken.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    #[command(flatten)]
    builds: builds::Builds,
    /// What `cargo bench` passes; without it cargo runs this as a test.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(flatten)]
    runner: runner::Runner,
}

/// A call, signed and written.
struct Signed {
    path: &'static str,
    headers: String,
    body: String,
    signer: Hotkey,
    message: Vec<u8>,
    signature: [u8; 64],
}

fn miner(number: u8) -> Result<Keypair, Error> {
    let seed = MiniSecretKey::from_bytes(&[number + 1; 32]).map_err(|error| error.to_string())?;
    Ok(seed.expand_to_keypair(ExpansionMode::Ed25519))
}

/// Signs a call as a dendrite does.
fn sign(key: &Keypair, class: Class, texts: &[&str], nonce: u128, pool: Hotkey) -> Signed {
    let signer = Hotkey::from_bytes(key.public.to_bytes());
    let body_hash = hash(texts.iter().copied());
    let uuid = "7eafbbfc-e671-11f1-a29b-02fc00000001";
    let message = format!("{nonce}.{signer}.{pool}.{uuid}.{body_hash}").into_bytes();
    let signature = key.sign_simple(b"substrate", &message).to_bytes();
    let hex = hex::encode(signature);
    let name = class.name();
    let headers = format!(
        "name: {name}\r\ntimeout: 12.0\r\nbt_header_axon_ip: 127.0.0.1\r\nbt_header_axon_port: 8091\r\n\
         bt_header_axon_hotkey: {pool}\r\nbt_header_dendrite_ip: 203.0.113.7\r\nbt_header_dendrite_version: 10005000\r\n\
         bt_header_dendrite_nonce: {nonce}\r\nbt_header_dendrite_uuid: {uuid}\r\nbt_header_dendrite_hotkey: {signer}\r\n\
         bt_header_dendrite_signature: 0x{hex}\r\nheader_size: 464\r\ntotal_size: 3206\r\ncomputed_body_hash: {body_hash}\r\n\
         accept: */*\r\naccept-encoding: gzip, deflate\r\nuser-agent: Python/3.11 aiohttp/3.14.5\r\n"
    );
    let fields = class.signed_fields().iter().zip(texts);
    let fields: String = fields
        .map(|(name, text)| format!(", \"{name}\": \"{text}\""))
        .collect();
    let unset = "\"status_code\": null, \"status_message\": null, \"process_time\": null";
    let body = format!(
        "{{\"name\": \"{name}\", \"timeout\": 12.0, \"total_size\": 3206, \"header_size\": 0, \"dendrite\": {{{unset}, \
         \"ip\": \"203.0.113.7\", \"port\": null, \"version\": 10005000, \"nonce\": {nonce}, \"uuid\": \"{uuid}\", \
         \"hotkey\": \"{signer}\", \"signature\": \"0x{hex}\"}}, \"axon\": {{{unset}, \"ip\": \"127.0.0.1\", \"port\": 8091, \
         \"version\": null, \"nonce\": null, \"uuid\": null, \"hotkey\": \"{pool}\", \"signature\": null}}, \
         \"computed_body_hash\": \"\"{fields}}}"
    );
    Signed {
        path: class.path(),
        headers,
        body,
        signer,
        message,
        signature,
    }
}

fn now_nanos() -> Result<u128, Error> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())
}

fn sign_all(call: Call, count: u32, pool: Hotkey) -> Result<Vec<Signed>, Error> {
    let keys = (0..MINERS).map(miner).collect::<Result<Vec<_>, _>>()?;
    let begin = now_nanos()?;
    let texts: (Class, &[&str]) = match call {
        Call::Ping => (Class::Ping, &[]),
        Call::GetWork => (Class::GetWork, &["get_work", "rig1"]),
    };
    let signed = (0..count).map(|number| {
        let key = &keys[number as usize % keys.len()];
        sign(key, texts.0, texts.1, begin + u128::from(number), pool)
    });
    Ok(signed.collect())
}

/// Sends all calls over so many connections. Gives how long that took, and the pool's CPU time for it.
async fn send(
    address: SocketAddr,
    pid: u32,
    calls: &Rc<Vec<Signed>>,
    connections: u32,
) -> Result<(Duration, Duration), Error> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(address).await?);
    }
    let (begin, cpu_before) = (Instant::now(), proc::cpu_time(pid)?);
    let mut tasks = Vec::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        let (calls, step) = (Rc::clone(calls), connections as usize);
        tasks.push(tokio::task::spawn_local(async move {
            for call in calls.iter().skip(number).step_by(step) {
                let answer = client
                    .request("POST", call.path, &call.headers, call.body.as_bytes())
                    .await?;
                if answer.status != 200 {
                    return Err(format!("{}: {} {}", call.path, answer.status, answer.body).into());
                }
            }
            Ok::<(), Error>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok((begin.elapsed(), proc::cpu_time(pid)?.saturating_sub(cpu_before)))
}

/// Verifies every signature by itself. Gives this process's CPU time for it.
fn verify_all(calls: &[Signed]) -> Result<Duration, Error> {
    let before = proc::cpu_time(std::process::id())?;
    for call in calls {
        if !verify(KeyType::Sr25519, &call.signer, &call.message, &call.signature) {
            return Err("a signature of the generator's own does not hold".into());
        }
    }
    Ok(proc::cpu_time(std::process::id())?.saturating_sub(before))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn run(options: &Options) -> Result<(), Error> {
    let is_quick = options.quick || !options.bench;
    let (calls, rounds) = if is_quick {
        (256, 1)
    } else {
        (options.calls, options.rounds)
    };
    let build = options.builds.this("this");
    let dir = child::new_dir(&options.builds.dir)?;
    let child = Child::pool(&build, dir, &SETTINGS)?;
    let address = |key: &str| -> Result<SocketAddr, Error> {
        let url = child.listening[key]
            .as_str()
            .and_then(|url| url.strip_prefix("http://"));
        Ok(url
            .ok_or_else(|| format!("no {key} in {}", child.listening))?
            .parse()?)
    };
    let (http, synapses) = (address("http")?, address("bittensor")?);
    let mut client = Client::connect(http).await?;
    let pool = client.request("GET", "/v1/pool", "", b"").await?;
    let pool: dwarves_api_types::pool::Pool = serde_json::from_str(pool.body)?;
    let pool = pool.hotkey.0;
    let mut client = Client::connect(synapses).await?;
    for number in 0..MINERS {
        let texts = ["register", "rig1", ""];
        let call = sign(&miner(number)?, Class::Register, &texts, now_nanos()?, pool);
        let answer = client
            .request("POST", call.path, &call.headers, call.body.as_bytes())
            .await?;
        if answer.status != 200 {
            return Err(format!("Register: {} {}", answer.status, answer.body).into());
        }
    }
    println!("{}; Linux {}", proc::processor(), proc::kernel());
    for call in [Call::Ping, Call::GetWork] {
        if options.call.is_some_and(|only| only != call) {
            continue;
        }
        let (mut answered, mut verified, mut ratios, mut walls) = (vec![], vec![], vec![], vec![]);
        for _ in 0..rounds {
            let signed = Rc::new(sign_all(call, calls, pool)?);
            let (wall, cpu) = send(synapses, child.pid(), &signed, options.connections.min(calls)).await?;
            let again = client
                .request(
                    "POST",
                    signed[0].path,
                    &signed[0].headers,
                    signed[0].body.as_bytes(),
                )
                .await?;
            if again.status != 401 {
                return Err(format!("a call was taken twice: {} {}", again.status, again.body).into());
            }
            let per_sec = |time: Duration| f64::from(calls) / time.as_secs_f64().max(0.01);
            let checking = per_sec(verify_all(&signed)?);
            answered.push(per_sec(cpu));
            verified.push(checking);
            ratios.push(per_sec(cpu) / checking);
            walls.push(per_sec(wall));
        }
        if is_quick {
            println!("{call:?}: {calls} calls are answered");
            continue;
        }
        println!(
            "{call:?}: {:.0} calls a second of the pool's CPU, {:.0} signatures verified in one: {:.2}; {:.0} calls a second \
             of the clock over {} connections (medians of {rounds} rounds of {calls})",
            median(answered),
            median(verified),
            median(ratios),
            median(walls),
            options.connections,
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.runner.only_asks() {
        return ExitCode::SUCCESS;
    }
    let done = options.builds.check().and_then(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        tokio::task::LocalSet::new().block_on(&runtime, run(&options))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
