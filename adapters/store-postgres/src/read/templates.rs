//! Questions about templates, and about the shares of those that live.

use dwarves_domain::ids::{Sequence, TemplateId};
use dwarves_ports::store::codec::{Cells as _, rows};
use dwarves_ports::store::{RecentShare, TemplateRow};

use crate::client::Db;
use crate::error::Outcome;
use crate::value::{Value, values};

/// A template, unless its transactions are gone.
pub(crate) fn whole(db: &Db, id: TemplateId) -> Outcome<Option<TemplateRow>> {
    let sql = "SELECT * FROM templates WHERE id = $1 AND NOT retired";
    let row = db.one("templates", sql, values![id], rows::template)?;
    Ok(row.map(|(template, _)| template))
}

/// The shares of live templates, which a start remembers.
pub(crate) fn recent_shares(db: &Db, after: Sequence, limit: u32) -> Outcome<Vec<RecentShare>> {
    let sql =
        "SELECT id, first_share FROM templates WHERE NOT retired AND id >= (SELECT live_from FROM pool)";
    let live = db.all("templates", sql, &[], |cells| {
        Ok((cells.int("id")?, cells.sequence("first_share")?))
    })?;
    let Some(first) = live.iter().map(|(_, first)| *first).min() else {
        return Ok(Vec::new());
    };
    let ids: Vec<i64> = live.iter().map(|(id, _)| *id).collect();
    let sql = "SELECT template, hash, sequence, worker FROM shares
        WHERE sequence >= $1 AND sequence > (SELECT pruned_through FROM pool) AND template = ANY($2)
        ORDER BY sequence LIMIT $3";
    let first = first.max(after.next());
    db.all(
        "shares",
        sql,
        values![first, Value::Other(&ids), limit],
        |cells| {
            Ok(RecentShare {
                template: cells.template("template")?,
                hash: cells.hash("hash")?,
                sequence: cells.sequence("sequence")?,
                worker: cells.worker("worker")?,
            })
        },
    )
}
