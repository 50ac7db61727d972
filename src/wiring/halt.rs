//! The emergency stop of the real process.

use dwarves_ports::halt::Halt;

/// The exit code after an emergency stop: an internal error, by the BSD convention of `sysexits.h`.
const EXIT_CODE: i32 = 70;

/// Ends the process at once. Nothing that was acknowledged is lost: a restart begins with what the store has.
pub(super) struct ProcessHalt;

impl Halt for ProcessHalt {
    fn halt(&self, why: &str) {
        log::error!("emergency stop: {why}. Restart the pool; if it happens again, run `dwarves check`");
        std::process::exit(EXIT_CODE);
    }
}
