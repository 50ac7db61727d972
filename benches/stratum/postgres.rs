//! The PostgreSQL server that ledgers are kept on: one of its own, of what is installed, or one that somebody names.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Error;
use crate::child::new_dir;

/// Where Debian has a server's programs, a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// How long a server may take until it is ready, or has stopped.
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The port that its socket is named after.
const PORT: u16 = 5432;
/// What the server is set to, beside its defaults. What it says is durable is on disk.
pub(crate) const SETTINGS: [(&str, &str); 5] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
];

/// Which server.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// An empty database for the ledgers (the scenarios `ledgers` and `sizes`), such as
    /// postgresql://dwarves@localhost/ledger. If absent, a server is started of what is installed.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// The first process of the server of --postgres, if it runs here: its CPU time is counted, with that of all that it
    /// started.
    #[arg(long, value_name = "PID", requires = "postgres")]
    postgres_pid: Option<u32>,
}

/// A server.
pub(crate) enum Databases {
    Own(Box<Server>),
    Named { url: String, process: Option<u32> },
}

impl Databases {
    /// The one that is asked for. The files of its own are in `parent`.
    pub(crate) fn open(asked: &Where, parent: &Path) -> Result<Self, Error> {
        match &asked.postgres {
            None => Ok(Self::Own(Box::new(Server::start(parent)?))),
            Some(url) => Ok(Self::Named {
                url: url.clone(),
                process: asked.postgres_pid,
            }),
        }
    }

    /// Whether there can be one.
    pub(crate) fn can_be_had(asked: &Where) -> bool {
        asked.postgres.is_some() || programs().is_ok()
    }

    /// An empty database; of a named server there is one.
    pub(crate) fn database(&self, name: &str) -> Result<String, Error> {
        match self {
            Self::Own(server) => server.create(name),
            Self::Named { url, .. } => Ok(url.clone()),
        }
    }

    /// Its first process, if it is known.
    pub(crate) fn process(&self) -> Option<u32> {
        match self {
            Self::Own(server) => Some(server.process.id()),
            Self::Named { process, .. } => *process,
        }
    }

    /// What is to be known of it.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Own(server) => {
                let settings = SETTINGS.map(|(name, value)| format!("{name} = {value}"));
                format!("{}, {}, by its socket", server.version, settings.join(", "))
            }
            Self::Named { process: Some(_), .. } => "the server of --postgres".to_owned(),
            Self::Named { process: None, .. } => {
                "the server of --postgres, whose CPU time is not counted (--postgres-pid)".to_owned()
            }
        }
    }
}

/// A server of its own; it is stopped when dropped, and its files are removed.
pub(crate) struct Server {
    process: Child,
    /// What comes before the name of a program and where it is.
    become_nobody: Vec<String>,
    programs: PathBuf,
    version: String,
    /// Where its socket is: a path that is short.
    socket: TempDir,
    _files: TempDir,
}

impl Server {
    fn start(parent: &Path) -> Result<Self, Error> {
        let programs = programs()?;
        let (files, socket) = (new_dir(parent)?, new_dir(&std::env::temp_dir())?);
        let become_nobody = match rustix::process::geteuid().is_root() {
            true => become_nobody(&[&files, &socket])?,
            false => Vec::new(),
        };
        let data = files.path().join("data");
        let run = |program: &str| command(&become_nobody, &programs, program, files.path());
        let words = ["-U", "dwarves", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"];
        answer(run("initdb").args(words).arg(&data))?;
        let version = answer(run("postgres").arg("--version"))?;
        let mut server = run("postgres");
        let socket_dir = socket.path().display();
        server.arg("-D").arg(&data).args(["-c", "listen_addresses="]);
        server.args(["-c", &format!("unix_socket_directories={socket_dir}")]);
        server.args(["-c", &format!("port={PORT}")]);
        for (name, value) in SETTINGS {
            server.args(["-c", &format!("{name}={value}")]);
        }
        let log = File::create(files.path().join("log"))?;
        let process = server.stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self {
            process,
            become_nobody,
            programs,
            version: version.trim().to_owned(),
            socket,
            _files: files,
        })
    }

    /// Makes a database; the server may have been started just now.
    fn create(&self, name: &str) -> Result<String, Error> {
        let begin = Instant::now();
        loop {
            let mut create = command(
                &self.become_nobody,
                &self.programs,
                "createdb",
                self.socket.path(),
            );
            let create = create.arg("-h").arg(self.socket.path());
            let create = create.args(["-p", &PORT.to_string(), "-U", "dwarves", name]);
            match answer(create) {
                Ok(_) => break,
                Err(error) if begin.elapsed() > READY_WITHIN => return Err(error),
                Err(_) => std::thread::sleep(LOOK_EVERY),
            }
        }
        let socket = self.socket.path().display().to_string().replace('/', "%2F");
        Ok(format!("postgresql://dwarves@{socket}:{PORT}/{name}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends at once, and writes nothing more: its files go anyway. One that has ended already is what is wanted.
        if let Some(process) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ended = kill_process(process, Signal::QUIT);
        }
        let _waited = self.process.wait();
    }
}

/// Where a server's programs are.
fn programs() -> Result<PathBuf, Error> {
    let mut places: Vec<PathBuf> = Vec::new();
    if let Ok(told) = answer(Command::new("pg_config").arg("--bindir")) {
        places.push(told.trim().into());
    }
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    places.extend(versions.into_iter().rev());
    let is_whole = |place: &PathBuf| {
        ["initdb", "postgres", "createdb"]
            .iter()
            .all(|name| place.join(name).exists())
    };
    let found = places.into_iter().find(is_whole);
    let missing = "the scenarios ledgers and sizes need PostgreSQL's server (Debian: apt install postgresql), or --postgres";
    found.ok_or_else(|| missing.into())
}

/// A server refuses to run as root: these directories become nobody's, and so does it.
fn become_nobody(directories: &[&TempDir]) -> Result<Vec<String>, Error> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let nobody = users.lines().find_map(|line| line.strip_prefix("nobody:"));
    let mut ids = nobody.unwrap_or_default().split(':').skip(1);
    let mut id = || -> Result<u32, Error> { Ok(ids.next().ok_or("there is no user nobody")?.parse()?) };
    let (user, group) = (id()?, id()?);
    for directory in directories {
        chown(directory.path(), Some(user), Some(group))?;
    }
    // Should this program be killed, so is the server.
    let words = ["setpriv", "--pdeathsig", "QUIT", "--clear-groups"].map(str::to_owned);
    let ids = [format!("--reuid={user}"), format!("--regid={group}")];
    Ok(words.into_iter().chain(ids).collect())
}

/// Whether everybody may go there, as a server must that is nobody's.
pub(crate) fn is_open_to_all(place: &Path) -> bool {
    let is_open = |directory: &Path| {
        let mode = directory.metadata().map(|found| found.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o001 != 0)
    };
    std::path::absolute(place).is_ok_and(|place| place.ancestors().all(is_open))
}

fn command(become_nobody: &[String], programs: &Path, program: &str, directory: &Path) -> Command {
    let program = programs.join(program);
    let mut command = match become_nobody {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.current_dir(directory).stdin(Stdio::null());
    command
}

/// What a program says that does well.
fn answer(command: &mut Command) -> Result<String, Error> {
    let done = command.output()?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr)).into()),
    }
}
