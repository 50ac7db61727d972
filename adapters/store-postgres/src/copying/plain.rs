//! Rows of any table but that of shares.

use bytes::{BufMut as _, BytesMut};
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::copying::marks::OF_COPIES;
use dwarves_ports::store::copying::tables::{
    JOURNAL, MINER_HISTORY, POOL, ROUND_PAID, SETTINGS, WORKER_HISTORY,
};
use dwarves_ports::store::copying::{Datum, Key, Kind, Row, Table};

use crate::cells::Cells;
use crate::client::Db;
use crate::error::{Outcome, corrupt};
use crate::value::{Number, Value, values};

/// Which rows are copied: no history that is forgotten, no work of nothing, and nothing that is said of this very ledger.
fn which(table: &Table) -> String {
    if *table == WORKER_HISTORY || *table == MINER_HISTORY {
        return "at >= (SELECT CASE step WHEN 60 THEN minutes_from WHEN 3600 THEN hours_from ELSE days_from END FROM pool)"
            .to_owned();
    }
    if *table == ROUND_PAID {
        return "(value IS NULL OR work <> 0)".to_owned();
    }
    if *table == SETTINGS {
        return format!("name NOT IN ('{}')", OF_COPIES.join("', '"));
    }
    "true".to_owned()
}

/// The next rows. Those that belong together are not parted.
pub(super) fn read(db: &Db, table: &'static Table, after: Option<&Key>, limit: u32) -> Outcome<Vec<Row>> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    // Where rows stay together, places are those of all of them.
    let width = match table.together {
        0 => table.key,
        together => together,
    };
    let (together, key) = (names[..width].join(", "), names[..table.key].join(", "));
    // What was carried comes before all values; it is the one key that may be nothing.
    let order = match *table == ROUND_PAID {
        true => format!("{key} NULLS FIRST"),
        false => key,
    };
    let (name, which) = (table.name, which(table));
    let mut values: Vec<Value<'_>> = after.into_iter().flatten().take(width).map(value).collect();
    let behind = match values.is_empty() {
        true => String::new(),
        false => format!(" AND ({together}) > ({})", places(1, width)),
    };
    let end = end_of(db, table, &together, &behind, &values, limit)?;
    let through = match &end {
        None => String::new(),
        Some(end) => {
            values.extend(end.iter().map(value));
            let first = values.len() + 1 - end.len();
            format!(
                " AND ({}) <= ({})",
                names[..end.len()].join(", "),
                places(first, end.len())
            )
        }
    };
    let limit = match table.together == 0 && *table != JOURNAL {
        true => format!(" LIMIT {limit}"),
        false => String::new(),
    };
    let sql = format!(
        "SELECT {} FROM {name} WHERE {which}{behind}{through} ORDER BY {order}{limit}",
        names.join(", ")
    );
    db.all(name, &sql, &values, |cells| cells_of(table, cells))
}

fn places(first: usize, count: usize) -> String {
    let places = (first..first + count).map(|place| format!("${place}"));
    places.collect::<Vec<_>>().join(", ")
}

/// The last place of the next piece of a table whose rows may not be parted everywhere; `None`: that of all rows.
fn end_of(
    db: &Db,
    table: &'static Table,
    together: &str,
    behind: &str,
    values: &[Value<'_>],
    limit: u32,
) -> Outcome<Option<Key>> {
    let (name, skip) = (table.name, limit.saturating_sub(1));
    if *table == JOURNAL {
        return end_of_journal(db, behind, values, skip);
    }
    if table.together == 0 {
        return Ok(None);
    }
    let sql =
        format!("SELECT {together} FROM {name} WHERE true{behind} ORDER BY {together} OFFSET {skip} LIMIT 1");
    db.one(name, &sql, values, |cells| {
        let columns = table.columns[..table.together].iter();
        columns
            .map(|column| datum(cells, column.name, column.kind))
            .collect()
    })
}

/// Entries of a round are not parted: they stand behind each other.
fn end_of_journal(db: &Db, behind: &str, values: &[Value<'_>], skip: u32) -> Outcome<Option<Key>> {
    let sql = format!("SELECT id, round FROM journal WHERE true{behind} ORDER BY id OFFSET {skip} LIMIT 1");
    let last = db.one("journal", &sql, values, |cells| {
        let round = cells.optional("round", |cells, column| cells.int(column))?;
        Ok((cells.int("id")?, round))
    })?;
    let Some((id, round)) = last else {
        return Ok(None);
    };
    let sql =
        "SELECT id - 1 AS id FROM journal WHERE id > $1 AND round IS DISTINCT FROM $2 ORDER BY id LIMIT 1";
    let next = match round {
        None => Some(id),
        Some(_) => db.one("journal", sql, values![id, round], |cells| cells.int("id"))?,
    };
    Ok(next.map(|id| vec![Datum::Int(id)]))
}

fn cells_of(table: &Table, cells: &Cells) -> Outcome<Row> {
    let columns = table.columns.iter();
    columns
        .map(|column| datum(cells, column.name, column.kind))
        .collect()
}

fn datum(cells: &Cells, column: &str, kind: Kind) -> Outcome<Datum> {
    let datum = cells.optional(column, |cells, column| {
        Ok(match kind {
            Kind::Int => Datum::Int(cells.int(column)?),
            Kind::Flag => Datum::Flag(cells.flag(column)?),
            Kind::Number => Datum::Number(cells.u128(column)?),
            Kind::Real => Datum::Real(cells.real(column)?),
            Kind::Text | Kind::LongText => Datum::Text(cells.string(column)?),
            Kind::Bytes => Datum::Bytes(cells.blob(column)?.to_vec()),
        })
    })?;
    Ok(datum.unwrap_or(Datum::Null))
}

fn value(datum: &Datum) -> Value<'_> {
    match datum {
        Datum::Null => Value::Null,
        Datum::Int(number) => Value::Int(*number),
        Datum::Flag(flag) => Value::Flag(*flag),
        Datum::Number(number) => Value::Number(*number),
        Datum::Real(number) => Value::Other(number),
        Datum::Text(text) => Value::Text(text),
        Datum::Bytes(bytes) => Value::Bytes(bytes),
    }
}

/// Writes the row of what there is once over that of a new ledger.
pub(super) fn write_pool(db: &Db, rows: &[Row]) -> Outcome<()> {
    for row in rows {
        let columns = POOL.columns.iter().zip(1..);
        let sets: Vec<String> = columns
            .map(|(column, place)| format!("{} = ${place}", column.name))
            .collect();
        let values: Vec<Value<'_>> = row.iter().map(value).collect();
        db.execute(&format!("UPDATE pool SET {}", sets.join(", ")), &values)?;
    }
    Ok(())
}

/// What rows in the database's binary form begin with: no flags, and no more of a header.
pub(super) const COPY_BEGIN: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What they end with.
pub(super) const COPY_END: i16 = -1;

/// Writes rows.
pub(super) fn write(db: &Db, table: &'static Table, rows: &[Row]) -> Outcome<()> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let sql = format!(
        "COPY {} ({}) FROM STDIN (FORMAT binary)",
        table.name,
        names.join(", ")
    );
    let mut out = BytesMut::with_capacity(64 + rows.len() * 16 * names.len());
    out.put_slice(COPY_BEGIN);
    for row in rows {
        out.put_i16(i16::try_from(row.len()).map_err(|_| corrupt("a row has too many cells"))?);
        for datum in row {
            put(&mut out, datum)?;
        }
    }
    out.put_i16(COPY_END);
    let stored = db.copy(&sql, out.freeze())?;
    match stored == rows.len() as u64 {
        true => Ok(()),
        false => Err(corrupt(format!(
            "{stored} of {} rows of {} were stored",
            rows.len(),
            table.name
        ))),
    }
}

/// Appends a cell: how many bytes it has, and these.
pub(super) fn put(out: &mut BytesMut, datum: &Datum) -> Outcome<()> {
    let bytes = |out: &mut BytesMut, bytes: &[u8]| -> Outcome<()> {
        let length = i32::try_from(bytes.len()).map_err(|_| corrupt("a cell is too large"))?;
        out.put_i32(length);
        out.put_slice(bytes);
        Ok(())
    };
    match datum {
        Datum::Null => out.put_i32(-1),
        Datum::Int(number) => bytes(out, &number.to_be_bytes())?,
        Datum::Flag(flag) => bytes(out, &[u8::from(*flag)])?,
        Datum::Real(number) => bytes(out, &number.to_be_bytes())?,
        Datum::Text(text) => bytes(out, text.as_bytes())?,
        Datum::Bytes(all) => bytes(out, all)?,
        Datum::Number(number) => {
            let mut digits = BytesMut::new();
            Number(*number).put(&mut digits);
            bytes(out, &digits)?;
        }
    }
    Ok(())
}
