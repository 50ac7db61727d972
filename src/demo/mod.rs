//! The demo: pool, chain and three miners of different speed in one process, and somebody who tells what happens.
//!
//! Nothing in it is special: the pool is started as `serve` starts it, the miners mine through its HTTP API as
//! `mine` does, and the narrator reads what anybody can read.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bitcoin::key::{CompressedPublicKey, Secp256k1};
use bitcoin::secp256k1::SecretKey;
use bitcoin::{Address, Network};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use tokio::sync::watch;

use crate::config::Config;
use crate::wiring::{self, RunningPool, StartError, signals};
use dwarves_keys::hotkey_file::HotkeyFileError;
use dwarves_keys::{HotkeyFile, PhraseWords};
use dwarves_miner::MinerOptions;
use dwarves_system::SystemRandomness;

mod evaluated;
mod frame;
mod narrator;
mod story;

use narrator::Narrator;
use story::Story;

/// The miners of the demo: a name, and hashes per second at most.
const MINERS: [(&str, u32); 3] = [("fast", 900_000), ("middle", 450_000), ("slow", 150_000)];
/// A block comes after this many hashes on average: about five seconds of all three miners.
const BLOCK_HASHES: u64 = 7_500_000;
/// Shares of all three miners come about twice a second each at first.
const START_DIFFICULTY: f64 = 0.00003;
const SHARE_INTERVAL: Span = Span::from_millis(700);
const RUN_INTERVAL: Span = Span::from_secs(10);
/// Blocks after which a reward is payable: half a minute.
const MATURITY: u32 = 5;
/// Payouts come often and count as paid after two blocks, so that they can be watched.
const PAYOUT_INTERVAL: Span = Span::from_secs(15);
const PAYOUT_CONFIRMATIONS: u32 = 2;

/// How the demo is to be.
#[derive(Clone, Debug, Default)]
pub struct DemoOptions {
    /// Keep everything here; `None`: in a temporary directory that is removed at the end.
    pub data_dir: Option<PathBuf>,
    /// End after this long; `None`: when told to stop.
    pub duration: Option<Duration>,
    /// Where to listen; `None`: on a free port of this machine.
    pub listen: Option<SocketAddr>,
    /// Whether work is evaluated, and no chain mined.
    pub is_evaluated: bool,
}

/// Where the demo's story is told.
pub enum Telling {
    /// On one screen of the terminal on standard output.
    Live,
    /// Line by line.
    Lines(Box<dyn Write + Send>),
}

/// Why the demo ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The pool does not start.
    #[error("the pool does not start")]
    Start(#[from] StartError),
    /// No room for the temporary directory, or no threads.
    #[error("the demo needs a directory and a few threads of this machine")]
    Io(#[from] std::io::Error),
    /// A miner's key cannot be made.
    #[error("a miner's key cannot be made")]
    Key(#[from] HotkeyFileError),
    /// The pool did not stop in good order.
    #[error("the pool did not stop in time; nothing that was acknowledged is lost")]
    Stop,
}

/// A miner of the demo.
#[derive(Clone, Debug)]
struct DemoMiner {
    name: &'static str,
    /// Hashes per second; or steps of training between two submissions.
    speed: u32,
    key: Arc<HotkeyFile>,
}

/// Runs the demo until Ctrl-C or its duration is over, telling `out` what happens.
///
/// # Errors
/// See [`DemoError`].
pub fn run(options: &DemoOptions, telling: Telling) -> Result<(), DemoError> {
    let temporary;
    let data_dir = match &options.data_dir {
        Some(data_dir) => data_dir.as_path(),
        None => {
            temporary = tempfile::Builder::new().prefix("dwarves-demo-").tempdir()?;
            temporary.path()
        }
    };
    if options.is_evaluated {
        let story = match telling {
            // There is nothing to draw but lines.
            Telling::Live => Story::Lines(Box::new(std::io::stdout())),
            Telling::Lines(out) => Story::Lines(out),
        };
        return actix_rt::System::new().block_on(evaluated::run(options, data_dir, story));
    }
    let miners = make_miners(data_dir, &MINERS)?;
    actix_rt::System::new().block_on(run_in_system(options, data_dir, miners, telling))
}

/// The settings of the demo: those of `config.toml`, but quicker.
fn demo_config(listen: Option<SocketAddr>) -> Config {
    let mut config = Config::default();
    config.http.listen = listen.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    config.chain.devnet_block_hashes = BLOCK_HASHES;
    config.chain.maturity_confirmations = MATURITY;
    config.work.share_interval = SHARE_INTERVAL;
    config.work.start_difficulty = Difficulty::from_f64(START_DIFFICULTY);
    config.rewards.run_interval = RUN_INTERVAL;
    config.payouts.interval = PAYOUT_INTERVAL;
    config.payouts.confirmations = PAYOUT_CONFIRMATIONS;
    config
}

/// The miners with their keys, which are kept in the data directory for the next time.
fn make_miners(data_dir: &Path, miners: &[(&'static str, u32)]) -> Result<Vec<DemoMiner>, DemoError> {
    std::fs::create_dir_all(data_dir)?;
    let mut made = Vec::with_capacity(miners.len());
    for &(name, speed) in miners {
        let path = data_dir.join(format!("{name}.hotkey"));
        if !path.exists() {
            let key = HotkeyFile::generate(PhraseWords::Twelve, &SystemRandomness)?;
            key.create(&path, &SystemRandomness)
                .map_err(HotkeyFileError::from)?;
        }
        let key = Arc::new(HotkeyFile::read(&path)?);
        made.push(DemoMiner { name, speed, key });
    }
    Ok(made)
}

/// Where a miner of the demo is paid: an address on the devnet whose secret follows from the miner's key.
fn payout_address(key: &HotkeyFile) -> String {
    let secret = SecretKey::from_slice(&key.derive(b"dwarves/demo-payouts/1"));
    let secret = secret.expect("a hash is a secret key, but for one chance in 2^128");
    let public = CompressedPublicKey(secret.public_key(&Secp256k1::signing_only()));
    Address::p2wpkh(&public, Network::Regtest).to_string()
}

async fn run_in_system(
    options: &DemoOptions,
    data_dir: &Path,
    miners: Vec<DemoMiner>,
    telling: Telling,
) -> Result<(), DemoError> {
    let pool = wiring::start(&demo_config(options.listen), data_dir, Vec::new()).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let names = miners
        .iter()
        .map(|miner| (miner.key.hotkey(), miner.name))
        .collect::<Vec<_>>();
    let narrator = start_narrator(&pool, data_dir, names, telling, Arc::clone(&stop))?;
    let diggers = miners
        .into_iter()
        .map(|miner| start_miner(&pool, miner, Arc::clone(&stop)))
        .collect::<Result<Vec<_>, _>>()?;
    end(
        options,
        pool,
        &stop,
        diggers.into_iter().chain([narrator]).collect(),
    )
    .await
}

/// Waits for the demo's end, then ends its threads and its pool.
async fn end(
    options: &DemoOptions,
    pool: RunningPool,
    stop: &AtomicBool,
    threads: Vec<thread::JoinHandle<()>>,
) -> Result<(), DemoError> {
    let why = until_end(pool.stop_wanted.clone(), options.duration).await?;
    log::info!("the demo ends: {why}");
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        // They end by themselves a moment after the flag; the pool goes on answering until then.
        while !thread.is_finished() {
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        if thread.join().is_err() {
            log::error!("a thread of the demo panicked");
        }
    }
    if pool.stop().await {
        Ok(())
    } else {
        Err(DemoError::Stop)
    }
}

/// Where this machine reaches what listens there: an address that means all of them is this machine's own.
fn url_of(listening: SocketAddr) -> String {
    let mut address = listening;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

async fn until_end(
    by_admin: watch::Receiver<bool>,
    duration: Option<Duration>,
) -> std::io::Result<&'static str> {
    let wanted = signals::stop_wanted(by_admin);
    match duration {
        None => wanted.await,
        Some(duration) => match actix_rt::time::timeout(duration, wanted).await {
            Ok(why) => why,
            Err(_) => Ok("its time is over"),
        },
    }
}

fn start_narrator(
    pool: &RunningPool,
    data_dir: &Path,
    names: Vec<(Hotkey, &'static str)>,
    telling: Telling,
    stop: Arc<AtomicBool>,
) -> std::io::Result<thread::JoinHandle<()>> {
    let url = url_of(pool.http);
    let data_dir = data_dir.to_owned();
    // Only now, so that what hinders the start is told where it stays.
    let story = match telling {
        Telling::Live => Story::live()?,
        Telling::Lines(out) => Story::Lines(out),
    };
    thread::Builder::new().name("narrator".to_owned()).spawn(move || {
        match Narrator::new(&url, &data_dir, &names, story) {
            Ok(narrator) => narrator.run(&stop),
            Err(error) => log::error!("the demo's story cannot be told: {error}"),
        }
    })
}

fn start_miner(
    pool: &RunningPool,
    miner: DemoMiner,
    stop: Arc<AtomicBool>,
) -> std::io::Result<thread::JoinHandle<()>> {
    let options = MinerOptions {
        pool_url: url_of(pool.http),
        key: Arc::clone(&miner.key),
        worker: WorkerName::unnamed(),
        threads: NonZeroU32::MIN,
        payout_address: Some(payout_address(&miner.key)),
        duration: None,
        throttle: Some(miner.speed),
    };
    let name = format!("miner-{}", miner.name);
    thread::Builder::new().name(name).spawn(move || {
        if let Err(error) = dwarves_miner::run(&options, &stop, |_| ()) {
            log::error!("miner {} stopped: {error}", miner.name);
        }
    })
}
