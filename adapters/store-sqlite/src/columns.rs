//! Cells of rows as the domain's types. Bad data is an error that names its table and column, never a panic.

use std::str::FromStr;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::codec;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row, RowIndex};

use super::error::{Fail, Outcome, corrupt};

pub(super) use dwarves_ports::store::codec::{block_states, int, sats};

/// The cells of one row. Columns are named, or numbered where many rows are read.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a, 's> {
    row: &'a Row<'s>,
    table: &'static str,
}

impl<'a, 's> Cells<'a, 's> {
    /// The cells of `row`, which comes from `table` (for errors).
    pub(super) fn new(row: &'a Row<'s>, table: &'static str) -> Self {
        Self { row, table }
    }

    fn bad(&self, column: impl RowIndex, expected: &str) -> Fail {
        let statement: &rusqlite::Statement<'_> = self.row.as_ref();
        let index = column.idx(statement);
        let name = index.and_then(|index| statement.column_name(index));
        let name = name.unwrap_or("(missing)");
        corrupt(format!("{}.{name} must be {expected}", self.table))
    }

    fn value(&self, column: impl RowIndex) -> Outcome<ValueRef<'a>> {
        self.row.get_ref(column).map_err(|_| self.bad(column, "selected"))
    }

    /// An integer.
    pub(super) fn int(&self, column: impl RowIndex) -> Outcome<i64> {
        match self.value(column)? {
            ValueRef::Integer(value) => Ok(value),
            _ => Err(self.bad(column, "an integer")),
        }
    }

    fn int_as<T: TryFrom<i64>>(&self, column: impl RowIndex) -> Outcome<T> {
        T::try_from(self.int(column)?).map_err(|_| self.bad(column, "an integer in its range"))
    }

    /// A float.
    pub(super) fn real(&self, column: impl RowIndex) -> Outcome<f64> {
        match self.value(column)? {
            ValueRef::Real(number) => Ok(number),
            _ => Err(self.bad(column, "a float")),
        }
    }

    /// A count.
    pub(super) fn u64(&self, column: impl RowIndex) -> Outcome<u64> {
        self.int_as(column)
    }

    /// A 32-bit number.
    pub(super) fn u32(&self, column: impl RowIndex) -> Outcome<u32> {
        self.int_as(column)
    }

    /// 64 bits that are no count.
    pub(super) fn bits(&self, column: impl RowIndex) -> Outcome<u64> {
        Ok(self.int(column)?.cast_unsigned())
    }

    /// A compact target.
    pub(super) fn compact(&self, column: impl RowIndex) -> Outcome<CompactTarget> {
        Ok(CompactTarget::from_bits(self.u32(column)?))
    }

    /// Bytes of any length.
    pub(super) fn blob(&self, column: impl RowIndex) -> Outcome<&'a [u8]> {
        match self.value(column)? {
            ValueRef::Blob(bytes) => Ok(bytes),
            _ => Err(self.bad(column, "a blob")),
        }
    }

    /// Bytes of one length.
    pub(super) fn array<const N: usize>(&self, column: impl RowIndex) -> Outcome<[u8; N]> {
        let bytes = self.blob(column)?;
        bytes
            .try_into()
            .map_err(|_| self.bad(column, &format!("{N} bytes")))
    }

    /// A text.
    pub(super) fn text(&self, column: impl RowIndex) -> Outcome<&'a str> {
        let ValueRef::Text(bytes) = self.value(column)? else {
            return Err(self.bad(column, "a text"));
        };
        std::str::from_utf8(bytes).map_err(|_| self.bad(column, "UTF-8"))
    }

    /// A text that names something.
    pub(super) fn named<T: FromStr>(&self, column: impl RowIndex) -> Outcome<T> {
        let text = self.text(column)?;
        text.parse().map_err(|_| self.bad(column, "a known name"))
    }

    /// What `read` makes of the cell, or nothing if it is null.
    pub(super) fn optional<T, C: RowIndex>(
        &self,
        column: C,
        read: impl FnOnce(&Self, C) -> Outcome<T>,
    ) -> Outcome<Option<T>> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            _ => read(self, column).map(Some),
        }
    }

    /// A 128-bit number.
    pub(super) fn u128(&self, column: impl RowIndex) -> Outcome<u128> {
        self.array(column).map(u128::from_be_bytes)
    }

    /// Units of work.
    pub(super) fn units(&self, column: impl RowIndex) -> Outcome<Units> {
        self.u128(column).map(Units::from_raw)
    }

    /// An amount of sats.
    pub(super) fn amount(&self, column: impl RowIndex) -> Outcome<Amount> {
        let amount = Amount::from_sats(self.u64(column)?);
        amount.ok_or_else(|| self.bad(column, "an amount"))
    }

    /// An instant.
    pub(super) fn time(&self, column: impl RowIndex) -> Outcome<Timestamp> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// A miner.
    pub(super) fn hotkey(&self, column: impl RowIndex) -> Outcome<Hotkey> {
        self.array(column).map(Hotkey::from_bytes)
    }

    /// A header's hash.
    pub(super) fn hash(&self, column: impl RowIndex) -> Outcome<HeaderHash> {
        self.array(column).map(HeaderHash::from_bytes)
    }

    /// A share's number.
    pub(super) fn sequence(&self, column: impl RowIndex) -> Outcome<Sequence> {
        self.u64(column).map(Sequence::new)
    }

    /// A round's number.
    pub(super) fn round(&self, column: impl RowIndex) -> Outcome<RoundId> {
        self.u64(column).map(RoundId::new)
    }

    /// A template's number.
    pub(super) fn template(&self, column: impl RowIndex) -> Outcome<TemplateId> {
        self.u32(column).map(TemplateId::new)
    }

    /// A worker's number.
    pub(super) fn worker(&self, column: impl RowIndex) -> Outcome<WorkerId> {
        self.u32(column).map(WorkerId::new)
    }
}

impl codec::Cells for Cells<'_, '_> {
    type Fail = Fail;

    fn bad(&self, column: &str, expected: &str) -> Fail {
        Self::bad(self, column, expected)
    }

    fn is_null(&self, column: &str) -> Outcome<bool> {
        Ok(matches!(self.value(column)?, ValueRef::Null))
    }

    fn int(&self, column: &str) -> Outcome<i64> {
        Self::int(self, column)
    }

    fn real(&self, column: &str) -> Outcome<f64> {
        Self::real(self, column)
    }

    fn flag(&self, column: &str) -> Outcome<bool> {
        Ok(Self::int(self, column)? == 1)
    }

    fn u128(&self, column: &str) -> Outcome<u128> {
        Self::u128(self, column)
    }

    fn blob(&self, column: &str) -> Outcome<&[u8]> {
        Self::blob(self, column)
    }

    fn text(&self, column: &str) -> Outcome<&str> {
        Self::text(self, column)
    }
}

/// Units as a column holds them.
pub(super) fn units(units: Units) -> [u8; 16] {
    units.raw().to_be_bytes()
}

/// Every row that a statement gives.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn read<T>(sql: &str, read: impl Fn(&Cells<'_, '_>) -> Outcome<T>) -> Result<T, String> {
        let connection = Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let row = rows.next().unwrap().unwrap();
        read(&Cells::new(row, "blocks")).map_err(|fail| fail.into_store_error("").to_string())
    }

    #[test]
    fn bad_data_names_its_table_and_column() {
        let cases = [
            read("SELECT x'00' AS units", |c| c.units("units").map(drop)),
            read("SELECT -1 AS reward", |c| c.amount("reward").map(drop)),
            read("SELECT 4294967296 AS height", |c| c.u32("height").map(drop)),
            read("SELECT 'x' AS confirmations", |c| {
                c.u32("confirmations").map(drop)
            }),
            read("SELECT NULL AS hash", |c| c.hash("hash").map(drop)),
            read("SELECT CAST(x'ff' AS TEXT) AS state", |c| {
                c.text("state").map(drop)
            }),
        ];
        let expected = [
            "blocks.units must be 16 bytes",
            "blocks.reward must be an integer in its range",
            "blocks.height must be an integer in its range",
            "blocks.confirmations must be an integer",
            "blocks.hash must be a blob",
            "blocks.state must be UTF-8",
        ];
        for (case, expected) in cases.into_iter().zip(expected) {
            assert_eq!(case, Err(expected.to_owned()));
        }
        let by_number = read("SELECT 1, 'x' AS worker", |c| c.worker(1));
        assert_eq!(by_number, Err("blocks.worker must be an integer".to_owned()));
        let missing = read("SELECT 1", |c| c.int("sequence"));
        assert_eq!(missing, Err("blocks.(missing) must be selected".to_owned()));
    }

    #[test]
    fn the_order_of_units_is_the_order_of_their_bytes() {
        let ordered = [0, 1, 255, 256, u128::from(u64::MAX), u128::MAX].map(Units::from_raw);
        assert!(ordered.map(units).is_sorted());
        assert_eq!(int(u64::MAX), i64::MAX);
    }

    #[test]
    fn an_amount_fits_a_column_to_the_last_sat() {
        for amount in [0, 1, i64::MAX - 1, i64::MAX] {
            let raw = amount.unsigned_abs();
            assert_eq!(sats(Amount::from_sats(raw).unwrap()), amount);
        }
    }
}
