//! Partitions of shares: made before the first share comes into one, and dropped whole once all of its shares are pruned.
//!
//! A partition is attached, and not made in its place, because that waits for no reader.

use dwarves_ports::store::codec::Cells as _;

use super::client::Db;
use super::error::{Outcome, corrupt};

/// How long dropping one may hold up those who read, before it gives way and is tried again later.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '100ms'";

/// Each partition's first number, in order.
fn firsts(db: &Db) -> Outcome<Vec<u64>> {
    let names = db.all(
        "pg_inherits",
        "SELECT relname::text AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
         WHERE inhparent = 'shares'::regclass",
        &[],
        |cells| cells.string("name"),
    )?;
    let first = |name: &String| name.strip_prefix("shares_").and_then(|name| name.parse().ok());
    let firsts = names.iter().map(|name| {
        first(name).ok_or_else(|| corrupt(format!("{name} is no partition of the pool's making")))
    });
    let mut firsts = firsts.collect::<Outcome<Vec<u64>>>()?;
    firsts.sort_unstable();
    Ok(firsts)
}

/// Where the shares to come go.
#[derive(Clone, Copy)]
pub(crate) struct Partitions {
    /// The first number of the last partition, if there is one.
    last: u64,
    /// The first number that has no partition to go to.
    end: u64,
}

impl Partitions {
    /// Those that there are; if there are none, the first one is to begin at `begin`.
    pub(crate) fn read(db: &Db, begin: u64) -> Outcome<Self> {
        let Some(last) = firsts(db)?.pop() else {
            return Ok(Self {
                last: begin,
                end: begin,
            });
        };
        let sql = format!(
            "SELECT (regexp_match(pg_get_expr(relpartbound, oid), 'TO \\(''(\\d+)''\\)'))[1]::bigint AS ends
             FROM pg_class WHERE oid = 'shares_{last}'::regclass"
        );
        let end = db.always("pg_class", &sql, &[], |cells| cells.u64("ends"))?;
        Ok(Self { last, end })
    }

    /// The same with partitions of `size` shares each made until `last` has one to go to.
    pub(crate) fn reach(mut self, db: &Db, last: u64, size: u64) -> Outcome<Self> {
        while self.end <= last {
            let Self { end, .. } = self;
            let next = end.saturating_add(size);
            db.run(&format!(
                "CREATE TABLE shares_{end} (LIKE shares INCLUDING ALL);
                 ALTER TABLE shares ATTACH PARTITION shares_{end} FOR VALUES FROM ('{end}') TO ('{next}')"
            ))?;
            self = Self { last: end, end: next };
        }
        Ok(self)
    }

    /// Whether the share of this number has one to go to.
    pub(crate) const fn hold(&self, number: u64) -> bool {
        number < self.end
    }

    /// The table to which shares from `first` on are written: mostly the last partition itself, which spares the server
    /// to look for each share's, a fifth of its work.
    pub(crate) fn table_for(&self, first: u64) -> String {
        match first >= self.last {
            true => format!("shares_{}", self.last),
            false => "shares".to_owned(),
        }
    }
}

/// Drops one partition of which no row is asked for any more. Whether there was one.
pub(crate) fn drop_one(db: &Db) -> Outcome<bool> {
    let mut firsts = firsts(db)?.into_iter();
    let (Some(first), Some(next)) = (firsts.next(), firsts.next()) else {
        return Ok(false);
    };
    // Rows of a commit that is not pruned whole are still added up.
    let is_asked_for = db.exists(
        "SELECT 1 WHERE COALESCE((SELECT MIN(first_sequence) FROM batches), 0) < $1",
        super::value::values![next],
    )?;
    if is_asked_for {
        return Ok(false);
    }
    db.run(LOCK_TIMEOUT)?;
    db.run(&format!(
        "ALTER TABLE shares DETACH PARTITION shares_{first}; DROP TABLE shares_{first}"
    ))?;
    Ok(true)
}
