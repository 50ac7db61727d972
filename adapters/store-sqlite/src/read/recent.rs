//! The shares of live templates, which a start remembers: in pieces, each in one run over the end of the ledger.

use std::ops::ControlFlow;

use dwarves_domain::ids::{Sequence, TemplateId};
use dwarves_ports::store::RecentShare;
use rusqlite::Connection;

use crate::batches;
use crate::columns::{Cells, all};
use crate::error::Outcome;

/// Room for a piece is made at once, but not for more than so many.
const ROOM_MAX: usize = 65_536;

pub(crate) fn shares(connection: &Connection, after: Sequence, limit: u32) -> Outcome<Vec<RecentShare>> {
    let sql =
        "SELECT id, first_share FROM templates WHERE retired = 0 AND id >= (SELECT live_from FROM pool)";
    let live = all(connection, sql, [], |row| {
        let cells = Cells::new(row, "templates");
        Ok((cells.template(0)?, cells.sequence(1)?))
    })?;
    let limit = limit as usize;
    let Some(first) = live.iter().map(|(_, first)| *first).min() else {
        return Ok(Vec::new());
    };
    let mut shares = Vec::with_capacity(limit.min(ROOM_MAX));
    if limit == 0 {
        return Ok(shares);
    }
    let is_live = |template| live.iter().any(|(id, _)| *id == template);
    // Of many shares one after the other are one template's.
    let mut last = (TemplateId::new(0), is_live(TemplateId::new(0)));
    batches::walk(connection, first.max(after.next()), batches::LAST, |found| {
        let template = found.share.terms.template;
        if last.0 != template {
            last = (template, is_live(template));
        }
        if last.1 {
            shares.push(RecentShare {
                template,
                hash: found.share.hash,
                sequence: found.sequence,
                worker: found.share.worker,
            });
        }
        Ok(if shares.len() < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(shares)
}
