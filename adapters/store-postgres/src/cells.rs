//! Cells of rows, by the names of their columns.

use dwarves_ports::store::codec;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::error::{Fail, Outcome, corrupt};
use super::value::Number;

/// The cells of one row.
pub(crate) struct Cells {
    row: Row,
    /// The table that it comes from, for errors.
    table: &'static str,
}

impl Cells {
    /// The cells of `row`, which comes from `table`.
    pub(crate) fn new(row: Row, table: &'static str) -> Self {
        Self { row, table }
    }

    fn get<'b, T: FromSql<'b>>(&'b self, column: &str, expected: &str) -> Outcome<T> {
        self.row
            .try_get(column)
            .map_err(|_| codec::Cells::bad(self, column, expected))
    }
}

/// Whether a cell is null, whatever its type.
struct IsNull(bool);

impl<'a> FromSql<'a> for IsNull {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(false))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(true))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl codec::Cells for Cells {
    type Fail = Fail;

    fn bad(&self, column: &str, expected: &str) -> Fail {
        corrupt(format!("{}.{column} must be {expected}", self.table))
    }

    fn is_null(&self, column: &str) -> Outcome<bool> {
        Ok(self.get::<IsNull>(column, "selected")?.0)
    }

    fn int(&self, column: &str) -> Outcome<i64> {
        self.get(column, "an integer")
    }

    fn real(&self, column: &str) -> Outcome<f64> {
        self.get(column, "a float")
    }

    fn flag(&self, column: &str) -> Outcome<bool> {
        self.get(column, "true or false")
    }

    fn u128(&self, column: &str) -> Outcome<u128> {
        Ok(self.get::<Number>(column, "a whole number of 128 bits")?.0)
    }

    fn blob(&self, column: &str) -> Outcome<&[u8]> {
        self.get(column, "bytes")
    }

    fn text(&self, column: &str) -> Outcome<&str> {
        self.get(column, "a text")
    }
}
