//! What people read in a terminal: tables that fit it, amounts with units, a screen that is written anew, a bar.
//!
//! What comes from a pool is another program's word: control characters in it are not passed on to the terminal.

mod bar;
mod screen;
mod table;
mod units;
mod value;

pub use bar::Bar;
pub use screen::Screen;
pub use table::{Align, Table};
pub use units::{coins, count, hashrate, span};
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

/// A text without what moves a cursor or changes a colour.
pub fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}
