//! Tables: columns line up, and what is too wide for the terminal is cut where it hurts least.

use std::borrow::Cow;

use console::{measure_text_width, truncate_str};

use super::harmless;

/// Between two columns.
const GAP: usize = 2;
/// A column is not cut below this.
const CUT_LEAST: usize = 6;

/// On which side the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Texts: on the left. These are cut if the table is too wide.
    Left,
    /// Dates and other texts that mean nothing if they are cut: on the left.
    Whole,
    /// Numbers: on the right. These are never cut.
    Right,
}

/// Rows under a header.
#[derive(Clone, Debug)]
pub struct Table {
    header: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(columns: &[(&str, Align)], rows: Vec<Vec<String>>) -> Self {
        let header = columns.iter().map(|(name, align)| ((*name).to_owned(), *align));
        let clean = |row: Vec<String>| row.iter().map(|cell| harmless(cell)).collect();
        Self {
            header: header.collect(),
            rows: rows.into_iter().map(clean).collect(),
        }
    }

    /// The table without the columns of texts that have nothing in any row.
    pub fn without_empty_columns(mut self) -> Self {
        let is_used = |column: usize, align: Align| {
            align != Align::Left
                || self
                    .rows
                    .iter()
                    .any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()))
        };
        let header = self.header.iter().enumerate();
        let used: Vec<bool> = header
            .map(|(column, (_, align))| is_used(column, *align))
            .collect();
        let keep = |column: usize| used.get(column).copied().unwrap_or(false);
        let mut columns = 0..;
        self.header.retain(|_| columns.next().is_some_and(keep));
        for row in &mut self.rows {
            let mut columns = 0..;
            row.retain(|_| columns.next().is_some_and(keep));
        }
        self
    }

    fn widths(&self) -> Vec<usize> {
        let of = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|cell| measure_text_width(cell));
            let header = measure_text_width(&self.header[column].0);
            cells.chain([header]).max().unwrap_or(0)
        };
        (0..self.header.len()).map(of).collect()
    }

    /// The table in lines of at most `width` columns, if texts can be cut that far.
    pub fn fit(&self, width: usize) -> String {
        let mut widths = self.widths();
        let gaps = GAP * widths.len().saturating_sub(1);
        loop {
            let total = widths.iter().sum::<usize>() + gaps;
            let columns = widths.iter().zip(&self.header).enumerate();
            let texts = columns.filter(|(_, (wide, (_, align)))| *align == Align::Left && **wide > CUT_LEAST);
            let widest = texts
                .max_by_key(|(_, (wide, _))| **wide)
                .map(|(column, _)| column);
            match widest {
                Some(column) if total > width => widths[column] -= 1,
                _ => break,
            }
        }
        let mut text = String::new();
        let header: Vec<String> = self.header.iter().map(|(name, _)| name.clone()).collect();
        for row in std::iter::once(&header).chain(&self.rows) {
            text.push_str(self.line(row, &widths).trim_end());
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (width, (_, align))) in widths.iter().zip(&self.header).enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            let cell: Cow<'_, str> = truncate_str(cell, *width, "…");
            let pad = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
            if column > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            match align {
                Align::Left | Align::Whole => line.extend([&*cell, &pad]),
                Align::Right => line.extend([pad.as_str(), &cell]),
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 2]]) -> Table {
        let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec());
        Table::new(&[("miner", Align::Left), ("n", Align::Right)], rows.collect())
    }

    #[test]
    fn columns_line_up() {
        let text = table(&[["fast", "1"], ["a", "1234"]]).fit(80);
        assert_eq!(text, "miner     n\nfast      1\na      1234\n");
    }

    #[test]
    fn texts_are_cut_and_numbers_are_not() {
        let long = table(&[["5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "21000000"]]);
        for width in [20, 40, 57] {
            let text = long.fit(width);
            let fits = text.lines().all(|line| measure_text_width(line) <= width);
            assert!(fits && text.contains("…  21000000\n"), "{width}: {text}");
        }
        assert!(long.fit(80).contains("KutQY"));
    }

    #[test]
    fn what_is_empty_is_left_out_and_dates_are_never_cut() {
        let columns = [
            ("state", Align::Left),
            ("at", Align::Whole),
            ("txid", Align::Left),
            ("note", Align::Left),
        ];
        let row = |note: &str| {
            vec![
                "sent".to_owned(),
                "2026-11-29 12:34".to_owned(),
                "ab".repeat(32),
                note.to_owned(),
            ]
        };
        let text = Table::new(&columns, vec![row(""), row("")])
            .without_empty_columns()
            .fit(40);
        assert!(
            !text.contains("note") && text.contains("2026-11-29 12:34"),
            "{text}"
        );
        assert!(text.lines().all(|line| measure_text_width(line) <= 40), "{text}");
        let text = Table::new(&columns, vec![row(""), row("stuck")])
            .without_empty_columns()
            .fit(50);
        assert!(text.contains("note") && text.contains("stuck"), "{text}");
    }

    #[test]
    fn what_would_steer_a_terminal_is_shown_as_something_else() {
        let text = table(&[["a\u{1b}[2Jb\nc", "1"]]).fit(80);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
