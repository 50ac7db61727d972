//! A server under load, as a child process in a directory of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Error;

/// How long a server may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often is looked whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of a server's log is shown if it does not start.
const LOG_SHOWN: usize = 2_000;
/// Where the pool says where it listens, in its working directory.
const POOL_LISTEN_FILE: &str = "data/listen.json";

/// A running server; it is killed when dropped, and its directory is removed.
pub(crate) struct Child {
    process: std::process::Child,
    /// What it wrote of where it listens.
    pub(crate) listening: Value,
    dir: TempDir,
}

impl Child {
    /// Starts the pool in `dir`, where it keeps its data and finds a `config.toml` if there is one.
    pub(crate) fn pool(binary: &Path, dir: TempDir, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let mut command = Command::new(binary);
        // The caller's own settings may not speak.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("DWARVES__")) {
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
            .stdin(Stdio::null());
        Self::start(command, dir, Path::new(POOL_LISTEN_FILE))
    }

    /// Starts this program itself as another server, with these arguments and `--listen-file`.
    pub(crate) fn this_program(dir: TempDir, arguments: &[&std::ffi::OsStr]) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .arg("--listen-file")
            .arg(dir.path().join("listen.json"))
            .stdin(Stdio::piped());
        Self::start(command, dir, Path::new("listen.json"))
    }

    /// Kills the pool without warning, as a crash would, and starts it again on the same data.
    pub(crate) fn crash_and_restart(
        mut self,
        binary: &Path,
        settings: &[(&str, &str)],
    ) -> Result<Self, Error> {
        self.kill();
        let dir = std::mem::replace(&mut self.dir, new_dir(&std::env::temp_dir())?);
        drop(self);
        std::fs::remove_file(dir.path().join(POOL_LISTEN_FILE))?;
        Self::pool(binary, dir, settings)
    }

    fn start(mut command: Command, dir: TempDir, listen_file: &Path) -> Result<Self, Error> {
        let log_path = dir.path().join("log");
        let log = File::create(&log_path)?;
        let process = command.stdout(log.try_clone()?).stderr(log).spawn()?;
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
            if ended.is_some() || begin.elapsed() > READY_WITHIN {
                let log = std::fs::read_to_string(&log_path)?;
                let shown = log.get(log.len().saturating_sub(LOG_SHOWN)..).unwrap_or(&log);
                return Err(format!("the server is not ready ({ended:?}):\n{shown}").into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The process's id, by which its CPU time and memory are read.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
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
