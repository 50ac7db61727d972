//! The ledger, wherever it is kept: whether a pool could start on it, whether one runs on it, and what admins stored there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use dwarves_actors::pool_manager::settings;
use dwarves_ports::fronts::FrontRow;
use dwarves_ports::store::{SharedStore, Store};
use dwarves_store_postgres::{OpenError as DatabaseError, PostgresOptions, PostgresStore};
use dwarves_store_sqlite::{OpenError, SqliteOptions, SqliteStore};

use super::{Failure, Findings};
use crate::config::{Config, StoreKind};
use crate::wiring::{ledger, listen_file};

/// Payouts that are looked at; a pool follows no more.
const PAYOUTS_MAX: u32 = 1_000;

/// Checks the ledger; tells whether a pool is running on it here.
pub(super) async fn check<W: Write>(
    config: &Config,
    dir: &Path,
    findings: &mut Findings<W>,
) -> Result<bool, Failure> {
    match config.store.kind {
        StoreKind::Sqlite => of_file(config, dir, findings).await,
        StoreKind::Postgres => match ledger::database(config) {
            Ok(Some(options)) => of_database(&options, dir, findings).await,
            Ok(None) => Ok(false),
            Err(error) => {
                findings.bad("ledger", error, "correct the key, or let this user read the file")?;
                Ok(false)
            }
        },
    }
}

/// Whether a pool has the ledger and its addresses here, as far as that can be told.
pub(super) fn is_running(config: &Config, dir: &Path) -> bool {
    match config.store.kind {
        StoreKind::Sqlite => {
            let file = config.store.file_in(dir);
            file.exists()
                && matches!(
                    SqliteStore::open(&file, SqliteOptions::default()),
                    Err(OpenError::InUse { .. })
                )
        }
        StoreKind::Postgres => match ledger::database(config) {
            Ok(Some(options)) => runs_here(dir, PostgresStore::holder(&options).ok().flatten().is_some()),
            _ => false,
        },
    }
}

/// A pool that has the database may be another machine's: one of this data directory says where it listens.
fn runs_here(dir: &Path, has_ledger: bool) -> bool {
    has_ledger && listen_file::address(dir).is_some()
}

/// The ledger, to be compared with its chain; `None` if there is none yet, or it cannot be opened.
pub(super) fn to_compare(config: &Config, dir: &Path) -> Option<SharedStore> {
    match config.store.kind {
        StoreKind::Sqlite => {
            let file = config.store.file_in(dir);
            let store = file
                .exists()
                .then(|| SqliteStore::open(&file, SqliteOptions::default()))?;
            Some(Arc::new(store.ok()?))
        }
        StoreKind::Postgres => {
            let options = ledger::database(config).ok()??;
            Some(Arc::new(PostgresStore::open_to_look(&options).ok()?))
        }
    }
}

async fn of_file<W: Write>(config: &Config, dir: &Path, findings: &mut Findings<W>) -> Result<bool, Failure> {
    let path = config.store.file_in(dir);
    if !path.exists() {
        findings.good("ledger", "not made yet; the first start makes it")?;
        return Ok(false);
    }
    let store = match SqliteStore::open(&path, SqliteOptions::default()) {
        Ok(store) => store,
        Err(OpenError::InUse { .. }) => {
            findings.good("ledger", running(dir))?;
            match SqliteStore::settings_in_use(&path) {
                Ok(settings) => tell_stored(&settings, findings)?,
                Err(error) => findings.bad(
                    "setting",
                    format!("what admins stored cannot be read now: {error}"),
                    "ask the pool: dwarves admin pool_manager status",
                )?,
            }
            return Ok(true);
        }
        Err(error) => {
            findings.bad(
                "ledger",
                error,
                "see the message; a backup is put back by `dwarves restore`",
            )?;
            return Ok(false);
        }
    };
    tell(&store, findings).await?;
    Ok(false)
}

/// What is said of a pool that has the ledger.
fn running(dir: &Path) -> String {
    match listen_file::address(dir) {
        Some(address) => format!("a pool is running on it {address}; ask its /readyz"),
        None => "a pool that starts or stops has it".to_owned(),
    }
}

async fn of_database<W: Write>(
    options: &PostgresOptions,
    dir: &Path,
    findings: &mut Findings<W>,
) -> Result<bool, Failure> {
    let server = match PostgresStore::check(options) {
        Ok(server) => server,
        Err(error) => {
            findings.bad(
                "ledger",
                format!("the {}: {error}", options.place()),
                remedy(&error),
            )?;
            return Ok(false);
        }
    };
    let standbys = match server.synchronous_standbys.as_str() {
        "" => "no standby has to confirm what is stored".to_owned(),
        names => format!(
            "{names} must confirm what is stored, {} do now",
            server.standbys_confirming
        ),
    };
    let version = &server.version;
    findings.good(
        "ledger",
        format!("the {}, PostgreSQL {version}; {standbys}", options.place()),
    )?;
    for warning in &server.warnings {
        findings.bad("ledger", warning, "see the message and docs/scale.md")?;
    }
    match PostgresStore::check_standby(options) {
        Ok(None) => {}
        Ok(Some(standby)) => {
            let detail = format!(
                "pages are read from its standby, the {}, PostgreSQL {}, {:.1} s behind",
                standby.place,
                standby.version,
                standby.lag.millis() as f64 / 1_000.0
            );
            findings.good("ledger", detail)?;
        }
        Err(why) => {
            let place = options.standby_place().unwrap_or_default();
            let remedy = "pages are read from store.url until then; docs/scale.md says how to have a standby";
            findings.bad("ledger", format!("the standby, the {place}, {why}"), remedy)?;
        }
    }
    let holder = PostgresStore::holder(options)?;
    if let Some(holder) = &holder {
        let detail = format!("a pool is running on it ({holder})");
        findings.good("ledger", detail)?;
    }
    // A schema that is newer is told of below.
    for front in PostgresStore::fronts(options).unwrap_or_default() {
        let FrontRow {
            number,
            name,
            version,
            ..
        } = &front;
        let front = match (front.lives(), front.leads) {
            (true, true) => format!("front {number}, {name}, leads; version {version}"),
            (true, false) => format!("front {number}, {name}, stands by; version {version}"),
            (false, _) => format!(
                "front {number}, {name}, has said nothing for {} s",
                front.silent.secs()
            ),
        };
        findings.good("ledger", front)?;
    }
    match PostgresStore::open_to_look(options) {
        Ok(store) => tell(&store, findings).await?,
        Err(DatabaseError::Empty) => {
            findings.good("ledger", "no tables yet; the first start makes them")?;
        }
        Err(error) => findings.bad("ledger", &error, remedy(&error))?,
    }
    Ok(runs_here(dir, holder.is_some()))
}

/// What to do, in general; the message itself says what in particular.
fn remedy(error: &DatabaseError) -> &'static str {
    match error {
        DatabaseError::Connect(_) => "start the server, or correct store.url; docs/scale.md has the way",
        DatabaseError::Corrupt(_) => {
            "do not start the pool; put a backup of the database back (docs/scale.md) and report this"
        }
        _ => "see the message; docs/scale.md says how to set the database up",
    }
}

/// Tells what is in a ledger.
async fn tell<W: Write>(store: &impl Store, findings: &mut Findings<W>) -> Result<(), Failure> {
    match store.totals().await {
        Ok(totals) if totals.ledger_sum == 0 => {
            let detail = format!(
                "{} shares, {} blocks, the sum of all accounts is 0",
                totals.shares, totals.blocks
            );
            findings.good("ledger", detail)?;
        }
        Ok(totals) => {
            let detail = format!("the sum of all accounts is {} instead of 0", totals.ledger_sum);
            findings.bad(
                "ledger",
                detail,
                "do not start the pool; restore a backup and report this",
            )?;
        }
        Err(error) => findings.bad("ledger", error, "restore a backup")?,
    }
    tell_stored(&store.settings().await?, findings)?;
    check_payouts(store, findings).await
}

/// Tells which settings admins stored: they hold, whatever is configured.
fn tell_stored<W: Write>(
    settings: &BTreeMap<String, String>,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    for setting in settings::stored(settings) {
        let detail = format!(
            "{} = {}, stored by an admin, beats file and environment (pool_manager forget_setting takes it back)",
            setting.key, setting.value
        );
        findings.good("setting", detail)?;
    }
    Ok(())
}

/// Tells which payouts are under way, and what is out of the ordinary about them.
async fn check_payouts<W: Write>(store: &impl Store, findings: &mut Findings<W>) -> Result<(), Failure> {
    let open = match store.watched_payouts(PAYOUTS_MAX).await {
        Ok(open) => open,
        Err(error) => return Ok(findings.bad("payouts", error, "restore a backup of the ledger")?),
    };
    for payout in open.iter().filter(|payout| !payout.note.is_empty()) {
        let detail = format!("payout {} is {}: {}", payout.id, payout.state, payout.note);
        findings.bad("payouts", detail, "see payouts in RUNBOOK.md")?;
    }
    let under_way = open.iter().filter(|payout| payout.state.is_in_flight()).count();
    let detail = format!("{under_way} under way, {} followed in all", open.len());
    Ok(findings.good("payouts", detail)?)
}
