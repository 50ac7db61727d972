//! What the pool demands of a server and of its way there, and what it says of it to people.

use std::time::Duration;

use dwarves_ports::store::codec::Cells as _;

use super::client::Db;
use super::error::{OpenError, Outcome};
use super::options::PostgresOptions;
use super::value::values;

/// The oldest version that the pool runs on.
const VERSION_MIN: i64 = 150_000;
/// The ledger's lock: held by the session that writes, so that there is one. (The letters of the pool's name.)
pub(crate) const LOCK: i64 = 0x64_7761_7276_6573;

/// How often it is asked for by whoever waits for it, and how long between.
pub(crate) const LOCK_TRIES: u32 = 30;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// What is known of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its version, as it says it.
    pub version: String,
    /// Which standbys must have what is stored before it counts (`synchronous_standby_names`); empty: none.
    pub synchronous_standbys: String,
    /// Standbys that follow now and confirm what they have.
    pub standbys_confirming: u64,
    /// What an operator should know, each with what to do.
    pub warnings: Vec<String>,
}

/// Connects, and looks at whether the server is what the pool needs.
pub(crate) fn connect(options: &PostgresOptions) -> Result<Db, OpenError> {
    let db = Db::connect(options)?;
    demand(&db)?;
    Ok(db)
}

pub(crate) fn setting(db: &Db, name: &str) -> Outcome<String> {
    let sql = "SELECT current_setting($1, true) AS value";
    let value = db.always("pg_settings", sql, values![name], |cells| {
        cells.optional("value", |cells, column| cells.string(column))
    })?;
    Ok(value.unwrap_or_default())
}

fn demand(db: &Db) -> Result<(), OpenError> {
    let failed = |fail| OpenError::of_fail(fail, "looking at the server");
    let get = |name| setting(db, name).map_err(failed);
    let version = get("server_version_num")?.parse::<i64>().unwrap_or(0);
    if version < VERSION_MIN {
        return Err(OpenError::Version(get("server_version")?));
    }
    if get("fsync")? == "off" {
        return Err(OpenError::NotDurable);
    }
    let encoding = get("server_encoding")?;
    if encoding != "UTF8" {
        return Err(OpenError::Settings(format!(
            "store.url: the database's encoding is {encoding}, but the pool needs UTF8: make another (createdb --encoding UTF8 --template template0)"
        )));
    }
    // What an operator set for all sessions may not weaken what the pool promises, nor end its transactions. No question of
    // the pool takes so long that compiling it first would pay, but many partitions look as if it did.
    db.run(
        "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0;
         SET client_min_messages = warning; SET jit = off",
    )
    .map_err(failed)?;
    // `remote_apply` promises more than `on`; all others promise less.
    match get("synchronous_commit")?.as_str() {
        "on" | "remote_apply" => Ok(()),
        weaker => {
            log::warn!("synchronous_commit is {weaker} at the server: the pool's own sessions set it on");
            db.run("SET synchronous_commit = on").map_err(failed)
        }
    }
}

/// Connects to a server that takes writes.
pub(crate) fn connect_to_write(options: &PostgresOptions) -> Result<Db, OpenError> {
    let db = connect(options)?;
    must_take_writes(&db)?;
    Ok(db)
}

/// Whether the server takes writes.
fn must_take_writes(db: &Db) -> Result<(), OpenError> {
    let sql =
        "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS refuses";
    let refuses = db.always("pg_settings", sql, &[], |cells| cells.flag("refuses"));
    match refuses.map_err(|fail| OpenError::of_fail(fail, "looking at the server"))? {
        true => Err(OpenError::ReadOnly),
        false => Ok(()),
    }
}

/// Takes the ledger's lock for this session. Whether it could.
pub(crate) fn lock(db: &Db) -> Outcome<bool> {
    let sql = "SELECT pg_try_advisory_lock($1) AS locked";
    db.always("pg_locks", sql, values![LOCK], |cells| cells.flag("locked"))
}

/// Takes the ledger's lock, for which it is asked so often: a session that was just closed may take a moment to be over.
///
/// # Errors
/// If another session keeps it, which is named.
pub(crate) fn take_lock(db: &Db, tries_max: u32) -> Result<(), OpenError> {
    let failed = |fail| OpenError::of_fail(fail, "taking the ledger's lock");
    let mut tries = 0;
    while !lock(db).map_err(failed)? {
        tries += 1;
        if tries == tries_max {
            let holder = holder(db).map_err(failed)?;
            return Err(OpenError::InUse(
                holder.unwrap_or_else(|| "by another session".to_owned()),
            ));
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Ok(())
}

/// Whose session has the ledger's lock.
pub(crate) fn holder(db: &Db) -> Outcome<Option<String>> {
    let sql =
        "SELECT COALESCE(host(client_addr), 'this machine') || ', session ' || pg_locks.pid || ' since '
            || to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS TZ') AS holder
        FROM pg_locks LEFT JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
            AND ((classid::bigint << 32) | objid::bigint) = $1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1";
    let holder = db.one("pg_locks", sql, values![LOCK], |cells| {
        cells.optional("holder", |cells, column| cells.string(column))
    })?;
    Ok(holder.flatten())
}

/// Whether `writer` still is the session that it was, while `other` has a transaction open: a pooler that gives each
/// transaction to whatever connection is free gives it another one.
pub(crate) fn must_keep_its_session(writer: &Db, other: &Db) -> Result<(), OpenError> {
    let look = || -> Outcome<bool> {
        other.run("BEGIN; SELECT 1")?;
        let sql = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
            AND ((classid::bigint << 32) | objid::bigint) = $1";
        let has_lock = writer.exists(sql, values![LOCK]);
        other.run("COMMIT")?;
        has_lock
    };
    match look().map_err(|fail| OpenError::of_fail(fail, "looking at the way to the server"))? {
        true => Ok(()),
        false => Err(OpenError::Pooler),
    }
}

/// What people want to know of a server.
pub(crate) fn describe(db: &Db, options: &PostgresOptions) -> Result<Server, OpenError> {
    let failed = |fail| OpenError::of_fail(fail, "looking at the server");
    let get = |name| setting(db, name).map_err(failed);
    let sql = "SELECT COUNT(*) AS count FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
    let standbys = db.always("pg_stat_replication", sql, &[], |cells| cells.u64("count"));
    let mut server = Server {
        version: get("server_version")?,
        synchronous_standbys: get("synchronous_standby_names")?,
        standbys_confirming: standbys.map_err(failed)?,
        warnings: Vec::new(),
    };
    if !server.synchronous_standbys.is_empty() && server.standbys_confirming == 0 {
        server.warnings.push(
            "synchronous_standby_names is set, but no standby confirms: nothing can be stored until one does; start the \
             standby, or empty the setting"
                .to_owned(),
        );
    }
    if get("full_page_writes")? == "off" {
        server.warnings.push(
            "full_page_writes = off: a machine that stops may leave pages half written; set it on".to_owned(),
        );
    }
    if get("data_checksums")? == "off" {
        server.warnings.push(
            "the server has no data checksums, so a disk that forgets goes unnoticed; pg_checksums --enable while it is \
             stopped"
                .to_owned(),
        );
    }
    if options.is_in_clear_on_a_network() {
        server.warnings.push(
            "sslmode=disable in store.url: whoever is on the way reads and changes the ledger; take it out"
                .to_owned(),
        );
    }
    Ok(server)
}
