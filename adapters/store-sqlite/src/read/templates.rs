//! Questions about templates.

use dwarves_domain::ids::TemplateId;
use dwarves_ports::store::TemplateRow;
use rusqlite::{Connection, OptionalExtension};

use crate::error::Outcome;
use crate::row_codec;

/// A template, unless its transactions are gone.
pub(crate) fn whole(connection: &Connection, id: TemplateId) -> Outcome<Option<TemplateRow>> {
    let row = connection
        .prepare_cached("SELECT * FROM templates WHERE id = ?1 AND retired = 0")?
        .query_row([id.get()], |row| Ok(row_codec::template(row)))
        .optional()?
        .transpose()?;
    Ok(row.map(|(template, _)| template))
}
