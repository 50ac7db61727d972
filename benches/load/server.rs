//! The servers under load.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;

use crate::Error;
use crate::bare::Kind;
use crate::builds::Build;
use crate::child::{Child, new_dir};

/// What the pool is started with, beside its data directory and what its answers wait for.
///
/// About every fourth nonce is a share, and no evidence raises the difficulty; a block would take 10^15 of them, so
/// the tip stays; no round closes meanwhile; and the pool remembers all shares of a whole run, as it would at
/// its own pace, whoever brings them.
const POOL_SETTINGS: [(&str, &str); 10] = [
    ("DWARVES__HTTP__LISTEN", "127.0.0.1:0"),
    ("DWARVES__WORK__START_DIFFICULTY", "0.000000001"),
    ("DWARVES__WORK__MIN_DIFFICULTY", "0.000000001"),
    ("DWARVES__WORK__MAX_DIFFICULTY", "0.000000001"),
    ("DWARVES__CHAIN__DEVNET_BLOCK_HASHES", "1000000000000000"),
    ("DWARVES__REWARDS__RUN_INTERVAL_SECS", "86400"),
    ("DWARVES__LIMITS__RECENT_SHARES", "200000000"),
    ("DWARVES__LIMITS__RECENT_SHARES_PER_MINER_PERCENT", "100"),
    ("DWARVES__LIMITS__RECENT_SHARES_PER_JOB_TIMES", "0"),
    ("DWARVES__LIMITS__NEW_MINERS_PER_HOUR", "100000"),
];

/// A running server; it is killed when dropped, and its directory is removed.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the pool in a new data directory. `acknowledge` is `durable` or `queued`.
    pub(crate) fn pool(build: &Build, parent: &Path, acknowledge: &str) -> Result<Self, Error> {
        Self::of(Child::pool(build, new_dir(parent)?, &settings(acknowledge))?)
    }

    /// Kills the pool without warning, as a crash would, and starts it again on the same data.
    pub(crate) fn crash_and_restart(self, build: &Build, acknowledge: &str) -> Result<Self, Error> {
        Self::of(self.child.crash_and_restart(build, &settings(acknowledge))?)
    }

    /// Starts this program as a bare server of this kind, which answers `answer`.
    pub(crate) fn bare(parent: &Path, kind: Kind, answer: &str) -> Result<Self, Error> {
        let dir = new_dir(parent)?;
        let answer_file = dir.path().join("answer.json");
        std::fs::write(&answer_file, answer)?;
        let arguments = [
            OsStr::new("--bare"),
            answer_file.as_os_str(),
            OsStr::new("--kind"),
            OsStr::new(kind.name()),
        ];
        Self::of(Child::this_program(dir, &arguments)?)
    }

    fn of(child: Child) -> Result<Self, Error> {
        let address = child.listening["http"]
            .as_str()
            .and_then(|url| url.strip_prefix("http://"))
            .ok_or_else(|| format!("no address in {}", child.listening))?
            .parse()?;
        Ok(Self { child, address })
    }

    /// The process's id, by which its CPU time and memory are read.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// How the pool hashes, as it said.
    pub(crate) fn lanes(&self) -> Result<String, Error> {
        self.child.lanes()
    }

    /// A directory on the same disk as the server's data.
    pub(crate) fn dir(&self) -> &Path {
        self.child.dir()
    }
}

fn settings(acknowledge: &str) -> Vec<(&str, &str)> {
    let mut settings = POOL_SETTINGS.to_vec();
    settings.push(("DWARVES__STORE__ACKNOWLEDGE", acknowledge));
    settings
}
