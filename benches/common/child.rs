//! A server under load, as a child process in a directory of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Error;
use crate::builds::Build;

/// How long a server may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often is looked whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of a server's log is shown if it does not start.
const LOG_SHOWN: usize = 2_000;
/// What a server says, in its directory.
const LOG: &str = "log";
/// Where the pool says where it listens, in its working directory.
const POOL_LISTEN_FILE: &str = "data/listen.json";
/// What the pool logs of how it hashes, before the name of the lanes.
const LANES: &str = "SHA-256d is hashed by ";

/// A running server; it is killed when dropped, and its directory is removed.
pub(crate) struct Child {
    process: std::process::Child,
    /// What it wrote of where it listens.
    pub(crate) listening: Value,
    dir: TempDir,
}

impl Child {
    /// Starts the pool in `dir`, where it keeps its data and finds a `config.toml` if there is one. Another build than this
    /// may be older: what it does not know of the settings, it does without.
    pub(crate) fn pool(build: &Build, dir: TempDir, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let mut command = Command::new(&build.binary);
        // The caller's own settings may not speak.
        for (name, _) in std::env::vars_os() {
            let is_setting = |name: &str| name.starts_with("DWARVES__") || name == "RUST_LOG";
            if name.to_str().is_some_and(is_setting) {
                command.env_remove(name);
            }
        }
        let data: PathBuf = dir.path().join("data");
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(data)
            .current_dir(dir.path())
            .envs(settings.iter().copied())
            .envs(build.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        Self::start(command, dir, Path::new(POOL_LISTEN_FILE), build.may_be_older)
    }

    /// Starts this program itself as another server, with these arguments and `--listen-file`.
    pub(crate) fn this_program(dir: TempDir, arguments: &[&std::ffi::OsStr]) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .arg("--listen-file")
            .arg(dir.path().join("listen.json"))
            .stdin(Stdio::piped());
        Self::start(command, dir, Path::new("listen.json"), false)
    }

    /// Kills the pool without warning, as a crash would. Its directory is left as it was.
    pub(crate) fn crash(mut self) -> Result<TempDir, Error> {
        self.kill();
        let dir = std::mem::replace(&mut self.dir, new_dir(&std::env::temp_dir())?);
        drop(self);
        std::fs::remove_file(dir.path().join(POOL_LISTEN_FILE))?;
        Ok(dir)
    }

    /// Kills the pool without warning and starts it again on the same data.
    #[allow(dead_code, reason = "not every benchmark asks for it")]
    pub(crate) fn crash_and_restart(self, build: &Build, settings: &[(&str, &str)]) -> Result<Self, Error> {
        Self::pool(build, self.crash()?, settings)
    }

    fn start(
        mut command: Command,
        dir: TempDir,
        listen_file: &Path,
        may_be_older: bool,
    ) -> Result<Self, Error> {
        let log_path = dir.path().join(LOG);
        let process = spawn(&mut command, &log_path)?;
        let mut child = Self {
            process,
            listening: Value::Null,
            dir,
        };
        let listen_file = child.dir.path().join(listen_file);
        let begin = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(&listen_file) {
                child.listening = serde_json::from_str(&text)?;
                return Ok(child);
            }
            let ended = child.process.try_wait()?;
            let is_late = begin.elapsed() > READY_WITHIN;
            if ended.is_none() && !is_late {
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
            let log = std::fs::read_to_string(&log_path)?;
            if let Some(name) = unknown_setting(&log).filter(|_| may_be_older && !is_late) {
                command.env_remove(name);
                child.process = spawn(&mut command, &log_path)?;
                continue;
            }
            let shown = log.get(log.len().saturating_sub(LOG_SHOWN)..).unwrap_or(&log);
            return Err(format!("the server is not ready ({ended:?}):\n{shown}").into());
        }
    }
    /// The process's id, by which its CPU time and memory are read.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How the pool hashes, as it said at its start. Older builds say nothing of it.
    pub(crate) fn lanes(&self) -> Result<String, Error> {
        let log = std::fs::read_to_string(self.dir.path().join(LOG))?;
        let named = log.lines().find_map(|line| line.split_once(LANES));
        let name = named.and_then(|(_, rest)| rest.split([' ', ',', ';', '"']).next());
        Ok(name.unwrap_or("not said").to_owned())
    }

    /// A directory on the same disk as the server's data.
    #[allow(dead_code, reason = "not every benchmark asks for it")]
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn kill(&mut self) {
        // A process that is gone already is what is wanted.
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a process whose log is a new file.
fn spawn(command: &mut Command, log: &Path) -> Result<std::process::Child, Error> {
    let log = File::create(log)?;
    Ok(command.stdout(log.try_clone()?).stderr(log).spawn()?)
}

/// The variable of which the pool says that it knows no such setting.
fn unknown_setting(log: &str) -> Option<&str> {
    let (_, rest) = log.split_once("environment variable ")?;
    let (name, complaint) = rest.split_once(": ")?;
    complaint.starts_with("unknown key").then_some(name)
}

/// A new directory for a server.
pub(crate) fn new_dir(parent: &Path) -> Result<TempDir, Error> {
    std::fs::create_dir_all(parent)?;
    Ok(tempfile::Builder::new()
        .prefix("dwarves-load-")
        .tempdir_in(parent)?)
}

/// Ends this process when the generator is gone, which holds the other end of its input and never writes.
pub(crate) fn end_with_the_generator() {
    std::thread::spawn(|| {
        let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(i32::from(ended.is_err()));
    });
}

/// Says where this server listens, once it does.
pub(crate) fn tell_address(listen_file: &Path, listening: &Value) -> Result<(), Error> {
    let unfinished = listen_file.with_extension("part");
    std::fs::write(&unfinished, listening.to_string())?;
    std::fs::rename(unfinished, listen_file)?;
    Ok(())
}
