//! The servers under load, as child processes.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Error;

/// How long a server may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often is looked whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of a server's log is shown if it does not start.
const LOG_SHOWN: usize = 2_000;

/// What the pool is started with, beside its data directory.
///
/// About every fourth nonce is a share, and no evidence raises the difficulty; a block would take 10^15 of them, so
/// the tip stays; no round closes meanwhile; and the pool remembers all shares of a whole run, as it would at
/// its own pace.
const POOL_SETTINGS: [(&str, &str); 7] = [
    ("DWARVES__HTTP__LISTEN", "127.0.0.1:0"),
    ("DWARVES__WORK__START_DIFFICULTY", "0.000000001"),
    ("DWARVES__WORK__MIN_DIFFICULTY", "0.000000001"),
    ("DWARVES__WORK__MAX_DIFFICULTY", "0.000000001"),
    ("DWARVES__CHAIN__DEVNET_BLOCK_HASHES", "1000000000000000"),
    ("DWARVES__REWARDS__RUN_INTERVAL_SECS", "86400"),
    ("DWARVES__LIMITS__RECENT_SHARES", "200000000"),
];

/// A running server; it is killed when dropped, and its directory is removed.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    dir: TempDir,
}

impl Server {
    /// Starts the pool in a new data directory. `acknowledge` is `durable` or `queued`.
    pub(crate) fn pool(binary: &Path, parent: &Path, acknowledge: &str) -> Result<Self, Error> {
        let dir = new_dir(parent)?;
        let command = pool_command(binary, dir.path(), acknowledge);
        Self::start(command, dir, Path::new("data/listen.json"))
    }

    /// Kills the pool without warning, as a crash would, and starts it again on the same data.
    pub(crate) fn crash_and_restart(mut self, binary: &Path, acknowledge: &str) -> Result<Self, Error> {
        self.kill();
        let dir = std::mem::replace(&mut self.dir, new_dir(&std::env::temp_dir())?);
        drop(self);
        std::fs::remove_file(dir.path().join("data/listen.json"))?;
        let command = pool_command(binary, dir.path(), acknowledge);
        Self::start(command, dir, Path::new("data/listen.json"))
    }

    /// Starts this program as the bare server, which answers `answer`.
    pub(crate) fn bare(parent: &Path, answer: &str) -> Result<Self, Error> {
        let dir = new_dir(parent)?;
        let answer_file = dir.path().join("answer.json");
        std::fs::write(&answer_file, answer)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--bare")
            .arg(answer_file)
            .arg("--listen-file")
            .arg(dir.path().join("listen.json"))
            .stdin(Stdio::piped());
        Self::start(command, dir, Path::new("listen.json"))
    }

    fn start(mut command: Command, dir: TempDir, listen_file: &Path) -> Result<Self, Error> {
        let log_path = dir.path().join("log");
        let log = File::create(&log_path)?;
        let child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let unspecified = SocketAddr::from(([0; 4], 0));
        let mut server = Self {
            child,
            address: unspecified,
            dir,
        };
        let listen_file = server.dir.path().join(listen_file);
        let begin = Instant::now();
        loop {
            if let Some(address) = listens_at(&listen_file)? {
                server.address = address;
                return Ok(server);
            }
            let ended = server.child.try_wait()?;
            if ended.is_some() || begin.elapsed() > READY_WITHIN {
                let log = std::fs::read_to_string(&log_path)?;
                let shown = log.get(log.len().saturating_sub(LOG_SHOWN)..).unwrap_or(&log);
                return Err(format!("the server is not ready ({ended:?}):\n{shown}").into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A directory on the same disk as the server's data.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn kill(&mut self) {
        // A process that is gone already is what is wanted.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn new_dir(parent: &Path) -> Result<TempDir, Error> {
    std::fs::create_dir_all(parent)?;
    Ok(tempfile::Builder::new()
        .prefix("dwarves-load-")
        .tempdir_in(parent)?)
}

fn pool_command(binary: &Path, dir: &Path, acknowledge: &str) -> Command {
    let mut command = Command::new(binary);
    // The working directory is empty, so no config.toml is read; nor may the caller's environment speak.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("DWARVES__")) {
            command.env_remove(name);
        }
    }
    let data: PathBuf = dir.join("data");
    command
        .arg("serve")
        .arg("--data-dir")
        .arg(data)
        .current_dir(dir)
        .envs(POOL_SETTINGS)
        .env("DWARVES__STORE__ACKNOWLEDGE", acknowledge)
        .stdin(Stdio::null());
    command
}

/// The address in a `listen.json`, once it is there.
fn listens_at(file: &Path) -> Result<Option<SocketAddr>, Error> {
    let Ok(text) = std::fs::read_to_string(file) else {
        return Ok(None);
    };
    let listening: serde_json::Value = serde_json::from_str(&text)?;
    let address = listening["http"]
        .as_str()
        .and_then(|url| url.strip_prefix("http://"))
        .ok_or_else(|| format!("no address in {text}"))?;
    Ok(Some(address.parse()?))
}
