//! How far something long is: a bar on the terminal of standard error, so that standard output stays what was asked for.
//! Where nobody watches, nothing is written.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over so many of something.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for what is called this.
    pub fn new(what: &str) -> Self {
        let bar = ProgressBar::new(0).with_message(what.to_owned());
        let style = "{msg} [{bar:24}] {percent:>3} % {human_pos} of {human_len}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    /// So many are done, of so many.
    pub fn at(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    /// Takes it off the screen.
    pub fn end(self) {
        self.0.finish_and_clear();
    }
}
