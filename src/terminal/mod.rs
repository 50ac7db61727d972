//! What people read in a terminal: tables that fit it, amounts with units, a screen that is written anew, a bar.
//!
//! What comes from a pool is another program's word: control characters in it are not passed on to the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

mod bar;
mod screen;
mod table;
mod units;
mod value;

pub use bar::Bar;
pub use screen::Screen;
pub use table::{Align, Table};
pub use units::{amount, coins, count, hashrate, span};
pub use value::described;

/// How wide what is not a terminal is taken to be.
const WIDTH_OTHERWISE: usize = 80;
/// The narrowest that is written for.
const WIDTH_LEAST: usize = 20;

/// Columns of the terminal on standard output.
pub fn width() -> usize {
    let size = console::Term::stdout().size_checked();
    size.map_or(WIDTH_OTHERWISE, |(_, columns)| {
        usize::from(columns).max(WIDTH_LEAST)
    })
}

/// As [`width`]; this if standard output is no terminal.
pub fn width_or(otherwise: usize) -> usize {
    if io::stdout().is_terminal() {
        width()
    } else {
        otherwise
    }
}

/// Writes a line to standard output for whoever reads it. What was done is done, whether anybody hears of it or not: a
/// pipe that is closed or a disk that is full ends no restore half way.
pub fn say(line: impl Display) {
    let _nobody = writeln!(io::stdout(), "{line}");
}

/// As [`say`], to standard error.
pub fn say_aside(line: impl Display) {
    let _nobody = writeln!(io::stderr(), "{line}");
}

/// A text without what moves a cursor or changes a colour.
pub fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// As [`harmless`], but that lines end where they end.
pub fn harmless_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(harmless).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let text = "a\x1b[2J\rb\u{9b}2K\x07\tc\nd";
        assert_eq!(
            harmless(text),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}2K\u{fffd}\u{fffd}c\u{fffd}d"
        );
        assert_eq!(harmless_lines(text), harmless(text).replace("c\u{fffd}d", "c\nd"));
    }
}
