//! The real binary, and a miner that finds one block at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dwarves_api_types::work::{ShareResult, Work};
use dwarves_domain::share::Submission;
use dwarves_domain::target::Target;
use dwarves_keys::HotkeyFile;
use dwarves_lanes::Lanes;
use dwarves_miner::api::PoolClient;
use dwarves_miner::hasher::Hasher;
use dwarves_miner::transport::{ApiError, Transport};
use dwarves_system::clock::Stopwatch;
use dwarves_testkit::free_port;
use serde_json::Value;
use ureq::http::Method;

use super::litecoin::{Network, wait_until};

/// How long the pool may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A pool in its own process.
pub(crate) struct Pool {
    dir: PathBuf,
    process: Child,
    pub(crate) url: String,
}

/// Writes the settings of a pool on these nodes and returns their file.
pub(crate) fn settings(dir: &Path, network: &Network) -> PathBuf {
    settings_on(dir, network, 0)
}

/// The same with HTTP on this port; 0: a free one.
fn settings_on(dir: &Path, network: &Network, port: u16) -> PathBuf {
    let file = dir.join("pool.toml");
    let cookie = |path: PathBuf| path.display().to_string();
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:{port}\"\n[chain]\nkind = \"node\"\nalgorithm = \"scrypt\"\nurl = {:?}\n\
         cookie_file = {:?}\nfallbacks = [{{ url = {:?}, cookie_file = {:?} }}]\npayout_address = {:?}\n\
         poll_interval_secs = 2.0\n[rewards]\nrun_interval_secs = 1\n[work]\ntemplate_refresh_secs = 2\n\
         [payouts]\nthreshold_sats = 100000000000000\nconfirmations = 3\n",
        network.first.url(),
        cookie(network.first.cookie_file()),
        network.second.url(),
        cookie(network.second.cookie_file()),
        network.address,
    );
    fs::write(&file, text).unwrap();
    file
}

/// The program with this command.
pub(crate) fn dwarves(command: &str, settings: &Path, data_dir: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dwarves"));
    program.arg(command).arg("--config").arg(settings);
    program.arg("--data-dir").arg(data_dir);
    program
}

/// What `dwarves check` says.
pub(crate) fn check(settings: &Path, data_dir: &Path) -> (bool, String) {
    let Output { status, stdout, .. } = dwarves("check", settings, data_dir).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap())
}

impl Pool {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(dir: &Path, network: &Network) -> Self {
        let mut pool = Self::launch(dir, network);
        wait_until("the pool is ready", || {
            pool.assert_alive();
            dir.join("data/listen.json").exists()
        });
        pool
    }

    /// Starts it; it may have to wait for its nodes.
    pub(crate) fn launch(dir: &Path, network: &Network) -> Self {
        let port = free_port();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(dir.join("pool.log"))
            .unwrap();
        let process = dwarves("serve", &settings_on(dir, network, port), &dir.join("data"))
            .env("RUST_LOG", "info")
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            dir: dir.to_owned(),
            process,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    /// What `/readyz` says, ready or not.
    pub(crate) fn readiness(&self) -> (bool, String) {
        match self.get("/readyz") {
            Ok(ready) => (true, ready.to_string()),
            Err(error) => (false, error.to_string()),
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("pool.log")).unwrap()
    }

    pub(crate) fn assert_alive(&mut self) {
        let ended = self.process.try_wait().unwrap();
        assert!(ended.is_none(), "the pool ended: {ended:?}\n{}", self.log());
    }

    /// Sends a control message as an operator does.
    pub(crate) fn admin(&self, actor: &str, message: &str, fields: &[&str]) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_dwarves"));
        program.args(["admin", actor, message]).args(fields);
        program.arg("--data-dir").arg(self.dir.join("data"));
        let Output { status, stderr, .. } = program.output().unwrap();
        assert!(
            status.success(),
            "{actor} {message}: {}",
            String::from_utf8_lossy(&stderr)
        );
    }

    /// A GET request: the status and the body, also of a refusal.
    pub(crate) fn get(&self, path: &str) -> Result<Value, ApiError> {
        let transport = Transport::new(&self.url).unwrap();
        Ok(transport.call(Method::GET, path, &[], None, TIMEOUT)?.body)
    }

    /// Every block that the pool knows, newest first.
    pub(crate) fn blocks(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut path = "/v1/blocks?limit=100".to_owned();
        loop {
            let page = self.get(&path).unwrap();
            all.extend(page["blocks"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => path = format!("/v1/blocks?limit=100&cursor={next}"),
                None => return all,
            }
        }
    }

    pub(crate) fn state_of(&self, hash: &str) -> Option<String> {
        let blocks = self.blocks();
        let block = blocks.iter().find(|block| block["hash"] == hash)?;
        block["state"].as_str().map(str::to_owned)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// A miner that hands in one block at a time, as one does who has a node's difficulty to beat.
pub(crate) struct Miner {
    client: PoolClient,
    hotkey: String,
    last: Option<Work>,
}

impl Miner {
    /// One that registers, and is paid to this address.
    pub(crate) fn new(pool: &Pool, seed: u8, payout_address: Option<&str>) -> Self {
        let key = Arc::new(HotkeyFile::from_seed([seed; 32]));
        let hotkey = key.hotkey().to_string();
        let mut client = PoolClient::new(&pool.url, key, payout_address.map(str::to_owned)).unwrap();
        client.register().unwrap();
        let last = None;
        Self { client, hotkey, last }
    }

    /// The miner's hotkey in SS58.
    pub(crate) fn hotkey(&self) -> &str {
        &self.hotkey
    }

    /// The height of the last work.
    pub(crate) fn height(&self) -> Option<u32> {
        self.last.as_ref().map(|work| work.height)
    }

    /// Takes the next work as it comes, also if it is lower than the last.
    pub(crate) fn start_over(&mut self) {
        self.last = None;
    }

    /// Work on another block than the last.
    pub(crate) fn next_work(&mut self) -> Work {
        let worker = "test".parse().unwrap();
        let watch = Stopwatch::start();
        loop {
            let newer_than = self.last.as_ref().map(|work| work.job_id);
            match self.client.fetch_work(&worker, newer_than) {
                Ok(work) if self.last.as_ref().is_none_or(|last| last.height < work.height) => {
                    self.last = Some(work.clone());
                    return work;
                }
                // A refresh on the same tip.
                Ok(work) => self.last = Some(work),
                Err(error) => {
                    assert!(watch.elapsed() < super::litecoin::PATIENCE, "no work: {error}");
                    std::thread::sleep(Duration::from_millis(100));
                    self.last = None;
                }
            }
        }
    }

    /// Finds a header of this work that meets the network's target.
    pub(crate) fn solve(work: &Work) -> Submission {
        assert!(work.network_target > Target::difficulty_one(), "this is regtest");
        let mut hasher = Hasher::new(&work.header, work.algorithm, Lanes::best());
        for first in (0..10_000).step_by(16) {
            let mut found = None;
            hasher.scan(first, 16, work.network_target, |nonce| {
                found = found.or(Some(nonce))
            });
            if let Some(nonce) = found {
                return Submission {
                    job_id: work.job_id,
                    nonce,
                    time: None,
                    version: None,
                };
            }
        }
        panic!("every second hash is a block");
    }

    pub(crate) fn submit(&mut self, share: Submission) -> ShareResult {
        let worker = "test".parse().unwrap();
        self.client.submit(&worker, &[share]).unwrap().remove(0)
    }

    /// Mines one block and returns its height.
    pub(crate) fn mine(&mut self) -> u32 {
        let work = self.next_work();
        let verdict = self.submit(Self::solve(&work));
        assert!(
            matches!(verdict, ShareResult::Accepted { block: true, .. }),
            "{verdict:?}"
        );
        work.height
    }
}
