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

/// The first number that has no partition to go to.
pub(crate) fn end(db: &Db) -> Outcome<u64> {
    let Some(last) = firsts(db)?.pop() else {
        return Ok(0);
    };
    db.always(
        "pg_class",
        &format!(
            "SELECT (regexp_match(pg_get_expr(relpartbound, oid), 'TO \\(''(\\d+)''\\)'))[1]::bigint AS ends
             FROM pg_class WHERE oid = 'shares_{last}'::regclass"
        ),
        &[],
        |cells| cells.u64("ends"),
    )
}

/// Makes partitions of `size` shares each until `last` has one to go to. Gives the first number that has none.
pub(crate) fn make(db: &Db, mut end: u64, last: u64, size: u64) -> Outcome<u64> {
    while end <= last {
        let next = end.saturating_add(size);
        db.run(&format!(
            "CREATE TABLE shares_{end} (LIKE shares INCLUDING ALL);
             ALTER TABLE shares ATTACH PARTITION shares_{end} FOR VALUES FROM ('{end}') TO ('{next}')"
        ))?;
        end = next;
    }
    Ok(end)
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
