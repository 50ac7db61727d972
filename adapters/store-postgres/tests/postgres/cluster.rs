//! A PostgreSQL server of this very process: in a directory of its own, on a socket there, gone when the process is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dwarves_store_postgres::PostgresOptions;
use tokio_postgres::NoTls;

/// A server.
pub(crate) struct Cluster {
    directory: PathBuf,
    /// How the server is run.
    postgres: Vec<String>,
    /// Stops the server and tidies up once its standard input ends, however this process ends.
    keeper: Option<Child>,
}

/// The server that all tests share.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(""))
}

/// Where the server's programs are.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut places: Vec<PathBuf> = debian
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("bin"))
        .collect();
    places.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.reverse();
    places.extend(std::env::split_paths(&path));
    let found = places
        .into_iter()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists());
    found.expect(
        "these tests need PostgreSQL's server: apt install postgresql (initdb and postgres are not found)",
    )
}

/// Whether a server and all that is tested on it fit there: containers have 64 MiB of such memory, often.
fn has_room(place: &str) -> bool {
    const MEBIBYTES: u64 = 2_048;
    let told = Command::new("df")
        .args(["--output=avail", "--block-size=1M", place])
        .output();
    told.is_ok_and(|told| {
        let text = String::from_utf8_lossy(&told.stdout);
        let free = text.lines().last().and_then(|line| line.trim().parse().ok());
        free.is_some_and(|free: u64| free >= MEBIBYTES)
    })
}

/// A server refuses to run as root.
fn as_nobody(directory: &Path) -> Vec<String> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return Vec::new();
    }
    let owned = Command::new("chown")
        .args(["nobody"])
        .arg(directory)
        .status()
        .unwrap();
    assert!(owned.success());
    ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        .map(str::to_owned)
        .to_vec()
}

/// A new directory, in memory if there is room: disks differ too much for tests.
fn new_directory() -> PathBuf {
    let mut directory = tempfile::Builder::new();
    directory.prefix("dwarves-pg-");
    let directory = match has_room("/dev/shm") {
        true => directory.tempdir_in("/dev/shm"),
        false => directory.tempdir(),
    };
    directory.unwrap().keep()
}

impl Cluster {
    /// A new server with these lines in its settings.
    pub(crate) fn start(settings: &str) -> Self {
        let options = "-U dwarves -A trust -E UTF8 --locale=C -N";
        Self::made_by("initdb", options, settings)
    }

    /// A standby of this one, which follows it by streaming.
    pub(crate) fn standby(&self, settings: &str) -> Self {
        let primary = self.directory.display();
        let options = format!("-h {primary} -U dwarves -R -X stream -c fast --no-sync");
        Self::made_by("pg_basebackup", &options, settings)
    }

    /// A server whose files a program makes.
    fn made_by(program: &str, options: &str, settings: &str) -> Self {
        let directory = new_directory();
        let become_nobody = as_nobody(&directory);
        let data = directory.join("data");
        let data = data.to_str().unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let program = programs().join(program);
            let mut words = become_nobody.clone();
            words.push(program.display().to_string());
            words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
            words
        };
        let mut arguments = vec!["-D", data];
        arguments.extend(options.split_whitespace());
        let making = run(program, &arguments);
        let made = Command::new(&making[0])
            .args(&making[1..])
            .current_dir(&directory)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // What is set last holds.
        let conf = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 120\nshared_buffers = 64MB\n\
             max_wal_size = 256MB\ndynamic_shared_memory_type = mmap\n{settings}\n",
            directory.display()
        );
        let file = directory.join("data/postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap() + &conf;
        std::fs::write(&file, text).unwrap();
        let postgres = run("postgres", &["-D", data]);
        let mut cluster = Self {
            directory,
            postgres,
            keeper: None,
        };
        cluster.run();
        cluster
    }

    fn run(&mut self) {
        // `exec` in the background: the number is the server's own.
        let script = "exec 3<&0; \"$@\" >>\"$LOG\" 2>&1 3<&- & server=$!; echo $server >\"$PID\"; cat <&3 >/dev/null; \
                      kill -QUIT $server 2>/dev/null; wait $server; [ -e \"$STAY\" ] || rm -rf \"$DIRECTORY\"";
        let keeper = Command::new("sh")
            .args(["-c", script, "keeper"])
            .args(&self.postgres)
            .env("LOG", self.directory.join("log"))
            .env("PID", self.directory.join("pid"))
            .env("DIRECTORY", &self.directory)
            .env("STAY", self.directory.join("stay"))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.keeper = Some(keeper);
        self.wait_until_ready();
    }

    /// Waits until it takes connections.
    pub(crate) fn wait_until_ready(&self) {
        for _ in 0..600 {
            if self.try_sql("postgres", "SELECT 1").is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        panic!("the server does not start: {log}");
    }

    /// Where a database is.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("host={} user=dwarves dbname={database}", self.directory.display())
    }

    pub(crate) fn options(&self, database: &str) -> PostgresOptions {
        PostgresOptions::new(&self.url(database), None, None).unwrap()
    }

    /// Runs statements; what the first columns of their rows say.
    pub(crate) fn try_sql(&self, database: &str, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        // Whoever asks may be within a runtime.
        std::thread::scope(|scope| scope.spawn(|| self.ask(database, sql)).join().unwrap())
    }

    fn ask(&self, database: &str, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url(database), NoTls).await?;
            let local = tokio::task::LocalSet::new();
            local.spawn_local(connection);
            let messages = local.run_until(client.simple_query(sql)).await?;
            let row = |message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            };
            Ok(messages.into_iter().filter_map(row).collect())
        })
    }

    pub(crate) fn sql(&self, database: &str, sql: &str) -> Vec<String> {
        self.try_sql(database, sql).unwrap()
    }

    /// Kills the server as a machine that stops does: all of its processes, at once.
    pub(crate) fn kill(&mut self) {
        std::fs::write(self.directory.join("stay"), "").unwrap();
        let process = std::fs::read_to_string(self.directory.join("pid")).unwrap();
        let server = process.trim();
        // It begins nothing more, so that all are killed.
        signal("-STOP", &[server]);
        let children = Command::new("pgrep").args(["-P", server]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        let mut all = vec![server];
        all.extend(children.split_whitespace());
        signal("-KILL", &all);
        while all.iter().any(|process| is_running(process)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut keeper = self.keeper.take().unwrap();
        drop(keeper.stdin.take());
        keeper.wait().unwrap();
        std::fs::remove_file(self.directory.join("stay")).unwrap();
    }

    /// Starts it again where it was killed.
    pub(crate) fn restart(&mut self) {
        self.run();
    }
}

fn signal(which: &str, processes: &[&str]) {
    let mut kill = Command::new("kill");
    let _some_ended_already = kill
        .arg(which)
        .args(processes)
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

/// Whether a process is there, and no mere entry that nobody has looked at yet.
fn is_running(process: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = state.rsplit_once(") ").map(|(_, rest)| rest);
    after_name.is_some_and(|rest| !rest.starts_with(['Z', 'X']))
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ended = keeper.wait();
        }
    }
}

/// A database of its own on the shared server, dropped at the end.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("ledger_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        shared().sql("postgres", &format!("CREATE DATABASE {name}"));
        Self { name }
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        shared().options(&self.name)
    }

    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        shared().sql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        if !std::thread::panicking() {
            shared().sql("postgres", &sql);
        }
    }
}
