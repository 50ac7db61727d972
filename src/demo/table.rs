//! Small tables and amounts for people.

/// Sats as coins with all eight decimal places.
pub(super) fn coins(sats: u64) -> String {
    format!("{}.{:08}", sats / 100_000_000, sats % 100_000_000)
}

/// Hashes per second with a unit.
pub(super) fn hashrate(per_sec: f64) -> String {
    let units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s"];
    let mut value = per_sec;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// Rows under a header; the first column left, all others right, each as wide as its widest cell.
pub(super) fn table(indent: &str, header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells.chain([header[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
        format!("{indent}{}\n", padded.collect::<Vec<_>>().join("  "))
    };
    let mut text = line(header.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_have_eight_decimal_places() {
        assert_eq!(coins(0), "0.00000000");
        assert_eq!(coins(5_000_000_001), "50.00000001");
    }

    #[test]
    fn hashrates_have_a_fitting_unit() {
        assert_eq!(hashrate(12.0), "12.0 H/s");
        assert_eq!(hashrate(1_500_000.0), "1.5 MH/s");
        assert_eq!(hashrate(1e24), "1000000.0 EH/s");
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["fast".to_owned(), "1".to_owned()],
            vec!["a".to_owned(), "1234".to_owned()],
        ];
        assert_eq!(
            table("  ", &["miner", "n"], &rows),
            "  miner     n\n  fast      1\n  a      1234\n"
        );
    }
}
