//! Tables that are in the file as they are copied.

use dwarves_ports::store::copying::marks::OF_COPIES;
use dwarves_ports::store::copying::tables::{CREDITED_BLOCKS, SETTINGS, WORKERS};
use dwarves_ports::store::copying::{Datum, Key, Kind, Row, Table};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::columns::Cells;
use crate::deflated::{deflated, inflated};
use crate::error::{Outcome, corrupt};

/// The column beside a long text that says how many bytes it has.
fn length_of(column: &str) -> &'static str {
    match column {
        "csv" => "csv_length",
        _ => "length",
    }
}

/// The columns of a table, as the file has them.
fn columns(table: &Table) -> Vec<&'static str> {
    let mut columns = Vec::new();
    for column in table.columns {
        columns.push(column.name);
        if column.kind == Kind::LongText {
            columns.push(length_of(column.name));
        }
    }
    columns
}

/// Which rows are copied: workers of whom nothing is left but their rows stay behind, and what is said of this very
/// ledger.
fn which(table: &Table) -> String {
    if *table == WORKERS {
        return "outlived = 0".to_owned();
    }
    if *table == SETTINGS {
        return format!("name NOT IN ('{}')", OF_COPIES.join("', '"));
    }
    "true".to_owned()
}

/// The next rows.
pub(super) fn read(
    connection: &Connection,
    table: &'static Table,
    after: Option<&Key>,
    limit: u32,
) -> Outcome<Vec<Row>> {
    let key: Vec<&str> = table.columns[..table.key]
        .iter()
        .map(|column| column.name)
        .collect();
    let key = key.join(", ");
    let mut which = which(table);
    if after.is_some() {
        let places: Vec<String> = (1..=table.key).map(|place| format!("?{place}")).collect();
        which = format!("{which} AND ({key}) > ({})", places.join(", "));
    }
    let (name, columns) = (table.name, columns(table).join(", "));
    let sql = format!("SELECT {columns} FROM {name} WHERE {which} ORDER BY {key} LIMIT {limit}");
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(after.into_iter().flatten().map(value)))?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        read.push(cells(table, &Cells::new(row, name))?);
    }
    Ok(read)
}

fn cells(table: &Table, cells: &Cells<'_, '_>) -> Outcome<Row> {
    let mut row = Row::with_capacity(table.columns.len());
    let mut place = 0;
    for column in table.columns {
        let datum = cells.optional(place, |cells, place| {
            Ok(match column.kind {
                Kind::Int => Datum::Int(cells.int(place)?),
                Kind::Flag => Datum::Flag(cells.int(place)? == 1),
                Kind::Number => Datum::Number(cells.u128(place)?),
                Kind::Real => Datum::Real(cells.real(place)?),
                Kind::Text => Datum::text(cells.text(place)?),
                Kind::LongText => {
                    let of = format!("{}.{}", table.name, column.name);
                    Datum::Text(inflated(cells.blob(place)?, cells.u64(place + 1)?, &of)?)
                }
                Kind::Bytes => Datum::Bytes(cells.blob(place)?.to_vec()),
            })
        })?;
        row.push(datum.unwrap_or(Datum::Null));
        place += match column.kind {
            Kind::LongText => 2,
            _ => 1,
        };
    }
    Ok(row)
}

pub(super) fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Int(number) => Value::Integer(*number),
        Datum::Flag(flag) => Value::Integer(i64::from(*flag)),
        Datum::Number(number) => Value::Blob(number.to_be_bytes().to_vec()),
        Datum::Real(number) => Value::Real(*number),
        Datum::Text(text) => Value::Text(text.clone()),
        Datum::Bytes(bytes) => Value::Blob(bytes.clone()),
    }
}

/// Writes rows.
pub(super) fn write(connection: &Connection, table: &'static Table, rows: &[Row]) -> Outcome<()> {
    let mut columns = columns(table);
    // Parts come later, and are in no table of before.
    if *table == CREDITED_BLOCKS {
        columns.push("parts");
    }
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
    let (name, columns, places) = (table.name, columns.join(", "), places.join(", "));
    let sql = format!("INSERT INTO {name} ({columns}) VALUES ({places})");
    let mut insert = connection.prepare_cached(&sql)?;
    for row in rows {
        let mut values = Vec::with_capacity(row.len() + 2);
        for (column, datum) in table.columns.iter().zip(row) {
            match (column.kind, datum) {
                (Kind::LongText, Datum::Text(text)) => {
                    let length = i64::try_from(text.len());
                    let length = length.map_err(|_| corrupt("a text is too long"))?;
                    values.push(Value::Blob(deflated(text)?));
                    values.push(Value::Integer(length));
                }
                (_, datum) => values.push(value(datum)),
            }
        }
        if *table == CREDITED_BLOCKS {
            values.push(Value::Blob(Vec::new()));
        }
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}
