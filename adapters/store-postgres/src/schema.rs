//! Versions of the schema. A table of the database says which are applied; each is applied in one transaction.

use super::client::Db;
use super::error::OpenError;
use super::value::values;
use dwarves_ports::store::codec::Cells as _;

/// All versions, with their names and what they do.
const MIGRATIONS: &[(u32, &str, &str)] = &[
    (1, "begin", include_str!("migrations/0001_begin.sql")),
    (2, "fronts", include_str!("migrations/0002_fronts.sql")),
];

/// The newest version that this program knows.
pub(crate) const NEWEST: u32 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The first version in which fronts are known.
pub(crate) const WITH_FRONTS: u32 = 2;

/// Which version the database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    /// There are no tables at all.
    Nothing,
    /// A pool's.
    Version(u32),
}

/// Which version the tables have, whoever made them; 0: there are none.
pub(crate) fn version(db: &Db) -> super::error::Outcome<u32> {
    if !db.exists("SELECT 1 WHERE to_regclass('dwarves_schema') IS NOT NULL", &[])? {
        return Ok(0);
    }
    let sql = "SELECT COALESCE(MAX(version), 0) AS version FROM dwarves_schema";
    db.always("dwarves_schema", sql, &[], |cells| cells.u32("version"))
}

/// Looks at the version, and refuses what is newer or somebody else's.
pub(crate) fn look(db: &Db) -> Result<Found, OpenError> {
    let looked = |db: &Db| -> super::error::Outcome<Result<Found, OpenError>> {
        if !db.exists("SELECT 1 WHERE to_regclass('dwarves_schema') IS NOT NULL", &[])? {
            let others = db.all(
                "pg_class",
                "SELECT relname::text AS name FROM pg_class
                 WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
                     AND relkind IN ('r', 'p', 'v', 'm', 'f')
                     AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
                 ORDER BY 1 LIMIT 3",
                &[],
                |cells| cells.string("name"),
            )?;
            return Ok(match others.is_empty() {
                true => Ok(Found::Nothing),
                false => Err(OpenError::NotOurs(format!(
                    "it has tables such as {}",
                    others.join(", ")
                ))),
            });
        }
        let version = version(db)?;
        Ok(match version > NEWEST {
            true => Err(OpenError::NewerSchema {
                found: version,
                known: NEWEST,
            }),
            false => Ok(Found::Version(version)),
        })
    };
    looked(db).map_err(|fail| OpenError::of_fail(fail, "looking at its schema"))?
}

/// Brings the database up to date. The caller holds the ledger's lock.
pub(crate) fn migrate(db: &Db) -> Result<(), OpenError> {
    migrate_to(db, NEWEST)
}

/// Brings the database up to this version, if it is older. The caller holds the ledger's lock.
pub(crate) fn migrate_to(db: &Db, newest: u32) -> Result<(), OpenError> {
    let version = match look(db)? {
        Found::Nothing => 0,
        Found::Version(version) => version,
    };
    for (number, name, sql) in MIGRATIONS
        .iter()
        .filter(|(number, ..)| *number > version && *number <= newest)
    {
        log::info!("bringing the database to schema version {number} ({name})");
        let apply = || {
            db.run("BEGIN")?;
            db.run(
                "CREATE TABLE IF NOT EXISTS dwarves_schema (
                     version bigint PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
            )?;
            db.run(sql)?;
            db.execute(
                "INSERT INTO dwarves_schema (version, name) VALUES ($1, $2)",
                values![*number, *name],
            )?;
            db.run("COMMIT")
        };
        apply().map_err(|fail| OpenError::of_fail(fail, &format!("migrating to version {number}")))?;
    }
    Ok(())
}
