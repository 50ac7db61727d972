//! A screen that is written anew, as large as the terminal: of its own, so that what was there before comes back.

use std::io::{self, Write};

use console::{Term, truncate_str};

/// The other screen, without a cursor.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l";
/// The first one again.
const END: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal's other screen, until it is dropped.
pub struct Screen<W: Write> {
    out: W,
}

impl<W: Write> Screen<W> {
    /// Turns to the other screen.
    ///
    /// # Errors
    /// If nobody reads it.
    pub fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(BEGIN.as_bytes())?;
        Ok(Self { out })
    }

    /// Writes these lines in place of what is there, as many and as much of each as there is room for.
    ///
    /// # Errors
    /// If nobody reads them.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let (rows, columns) = Term::stdout().size();
        let (rows, columns) = (usize::from(rows).max(1), usize::from(columns).max(1));
        write_frame(&mut self.out, text, rows, columns)
    }
}

fn write_frame(out: &mut impl Write, text: &str, rows: usize, columns: usize) -> io::Result<()> {
    let mut frame = String::from("\x1b[H");
    for (number, line) in text.lines().take(rows).enumerate() {
        if number > 0 {
            frame.push_str("\r\n");
        }
        frame.push_str(&truncate_str(line, columns, "…"));
        frame.push_str("\x1b[K");
    }
    frame.push_str("\x1b[J");
    out.write_all(frame.as_bytes())?;
    out.flush()
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        // Nobody may be left to see it.
        let _nobody = self.out.write_all(END.as_bytes()).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_as_much_as_there_is_room_for_and_clears_the_rest() {
        let mut out = Vec::new();
        write_frame(&mut out, "one two three\nfour\nfive\n", 2, 8).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\x1b[Hone two…\x1b[K\r\nfour\x1b[K\x1b[J");
    }
}
