//! A running pool on the stand-in's chain, and the count of what it answered.

use std::net::SocketAddr;
use std::path::Path;

use bitcoin::bech32::{Hrp, segwit};
use tempfile::TempDir;

use crate::Error;
use crate::builds::Build;
use crate::child::{Child, new_dir};
use crate::client::Client;
use crate::flood::{Expect, Load, Outcome, Script};
use crate::processes::Processes;
use crate::session::Session;
use crate::standin::{Coin, StandIn};

/// What the pool is started with, beside `config.toml`.
///
/// No round closes meanwhile, nobody is put out, and the pool remembers all shares of a whole run, as it would at
/// its own pace, whoever brings them.
const POOL_SETTINGS: [(&str, &str); 9] = [
    ("DWARVES__HTTP__LISTEN", "127.0.0.1:0"),
    ("DWARVES__REWARDS__RUN_INTERVAL_SECS", "86400"),
    ("DWARVES__LIMITS__RECENT_SHARES", "200000000"),
    ("DWARVES__LIMITS__RECENT_SHARES_PER_MINER_PERCENT", "100"),
    ("DWARVES__LIMITS__RECENT_SHARES_PER_JOB_TIMES", "0"),
    ("DWARVES__WORK__MIN_DIFFICULTY", "0.000000001"),
    ("DWARVES__STRATUM__MAX_CONNECTIONS_PER_ADDRESS", "20000"),
    ("DWARVES__STRATUM__MAX_CONNECTIONS_PER_SUBNET", "20000"),
    ("DWARVES__STRATUM__REJECT_PERCENT", "100"),
];
/// Payout addresses over which the sessions are spread, each a worker.
const MINERS: usize = 100;

/// A pool under load.
pub(crate) struct Pool {
    /// What it is called in the report.
    pub(crate) name: String,
    child: Child,
    coin: Coin,
    /// The shares that it accepted and refused, over all runs.
    accepted: u64,
    refused: u64,
}

impl Pool {
    /// Starts a pool in a new data directory.
    pub(crate) fn start(build: &Build, parent: &Path, node: &StandIn) -> Result<Self, Error> {
        Self::start_in(new_dir(parent)?, build, node)
    }

    /// Starts another front of a pool, which has its keys and so must have its ledger.
    pub(crate) fn start_beside(
        first: &Self,
        build: &Build,
        parent: &Path,
        node: &StandIn,
    ) -> Result<Self, Error> {
        let dir = new_dir(parent)?;
        std::fs::create_dir(dir.path().join("data"))?;
        for key in ["data/pool.key", "data/admin.token"] {
            std::fs::copy(first.child.dir().join(key), dir.path().join(key))?;
        }
        Self::start_in(dir, build, node)
    }

    /// Starts a pool in this directory, in which there may be what belongs to it.
    pub(crate) fn start_in(dir: TempDir, build: &Build, node: &StandIn) -> Result<Self, Error> {
        std::fs::write(dir.path().join("config.toml"), configuration(node))?;
        Ok(Self {
            name: build.name.clone(),
            child: Child::pool(build, dir, &POOL_SETTINGS)?,
            coin: node.coin,
            accepted: 0,
            refused: 0,
        })
    }

    /// The process's id, by which its CPU time and memory are read.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// How the pool hashes, as it said.
    pub(crate) fn lanes(&self) -> Result<String, Error> {
        self.child.lanes()
    }

    /// Where about every fourth nonce is a share, or where none is.
    pub(crate) fn address(&self, expect: Expect) -> Result<SocketAddr, Error> {
        let number = match expect {
            Expect::Accepted => 0,
            Expect::Refused => 1,
        };
        let address = self.child.listening["stratum"][number].as_str();
        Ok(address.ok_or("a pool without a Stratum port")?.parse()?)
    }

    /// Where it serves HTTP.
    pub(crate) fn http(&self) -> Result<SocketAddr, Error> {
        let url = self.child.listening["http"].as_str().unwrap_or_default();
        let address = url.strip_prefix("http://").ok_or("a pool without HTTP")?;
        Ok(address.parse()?)
    }

    /// Opens sessions and writes their scripts, of `count` lines each.
    pub(crate) async fn scripts(
        &self,
        sessions: usize,
        count: usize,
        expect: Expect,
    ) -> Result<Vec<Script>, Error> {
        let address = self.address(expect)?;
        let mut scripts = Vec::with_capacity(sessions);
        for user in users(self.coin, sessions) {
            scripts.push(Script::write(Session::open(address, user).await?, count, expect)?);
        }
        Ok(scripts)
    }

    /// Runs `load` with these scripts.
    pub(crate) async fn run(
        &mut self,
        scripts: Vec<Script>,
        load: &Load,
        expect: Expect,
    ) -> Result<Outcome, Error> {
        self.run_with(&self.pid().into(), scripts, load, expect).await
    }

    /// The same with other processes at work, too.
    pub(crate) async fn run_with(
        &mut self,
        server: &Processes,
        scripts: Vec<Script>,
        load: &Load,
        expect: Expect,
    ) -> Result<Outcome, Error> {
        let outcome = crate::flood::run(server, scripts, load, expect)
            .await
            .map_err(|error| format!("{}: {error}", self.name))?;
        match expect {
            Expect::Accepted => self.accepted += outcome.all_answered,
            Expect::Refused => self.refused += outcome.all_answered,
        }
        Ok(outcome)
    }

    /// Kills the pool, and leaves its directory as it was.
    pub(crate) fn crash(self) -> Result<TempDir, Error> {
        self.child.crash()
    }

    /// Kills the pool and starts it again.
    pub(crate) fn crash_and_restart(self, build: &Build) -> Result<Self, Error> {
        let child = self.child.crash_and_restart(build, &POOL_SETTINGS)?;
        Ok(Self { child, ..self })
    }

    /// Compares what the pool counted as accepted with what it answered.
    pub(crate) async fn check_totals(&self) -> Result<(), Error> {
        let mut client = Client::connect(self.http()?).await?;
        // The pool's own sums may be half a second old.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let answer = client.request("GET", "/v1/pool", "", b"").await?;
        if answer.status != 200 {
            return Err(format!("GET /v1/pool: {} {}", answer.status, answer.body).into());
        }
        let pool: dwarves_api_types::pool::Pool = serde_json::from_str(answer.body)?;
        let counted = pool.shares.accepted;
        if counted != self.accepted {
            let (name, accepted) = (&self.name, self.accepted);
            return Err(
                format!("{name}: {accepted} shares were accepted, the pool counted {counted}").into(),
            );
        }
        Ok(())
    }

    /// How much was answered in all.
    pub(crate) fn totals(&self) -> String {
        format!("{} shares accepted, {} refused", self.accepted, self.refused)
    }
}

/// As many user names as there are sessions: addresses of the coin's mainnet, with a worker each.
pub(crate) fn users(coin: Coin, sessions: usize) -> Vec<String> {
    let prefix = Hrp::parse_unchecked(match coin {
        Coin::Bitcoin => "bc",
        Coin::Litecoin => "ltc",
    });
    let address = |number: usize| {
        let mut hash = [0x6d; 20];
        hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
        segwit::encode_v0(prefix, &hash).expect("twenty bytes have an address")
    };
    (0..sessions)
        .map(|number| format!("{}.rig{}", address(number % MINERS), number / MINERS))
        .collect()
}

fn configuration(node: &StandIn) -> String {
    let payout_address = users(node.coin, 1).remove(0);
    let payout_address = payout_address.split('.').next().unwrap_or_default();
    let algorithm = match node.coin {
        Coin::Bitcoin => "sha256d",
        Coin::Litecoin => "scrypt",
    };
    format!(
        r#"
[chain]
kind = "node"
algorithm = "{algorithm}"
url = "http://user:password@{}"
payout_address = "{payout_address}"

[[stratum.listeners]]
listen = "127.0.0.1:0"
start_difficulty = 0.000000001
min_difficulty = 0.000000001
max_difficulty = 0.000000001

[[stratum.listeners]]
listen = "127.0.0.1:0"
start_difficulty = 1000000.0
min_difficulty = 1000000.0
max_difficulty = 1000000.0
"#,
        node.address
    )
}
