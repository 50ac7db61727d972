//! What the log is told of found blocks: all of it as a rule, and on a chain whose blocks come by the hundred a few
//! lines a minute and how many more there were.

use dwarves_domain::time::{Span, Timestamp};

/// Lines about found blocks in one minute.
const LINES_MAX: u32 = 60;
const MINUTE: Span = Span::from_secs(60);

/// Counts lines.
#[derive(Debug, Default)]
pub(super) struct Voice {
    since: Timestamp,
    said: u32,
    left_out: u64,
}

impl Voice {
    /// Whether one more line may be said now.
    pub(super) fn may_speak(&mut self, now: Timestamp) -> bool {
        self.look(now);
        if self.said < LINES_MAX {
            self.said += 1;
            return true;
        }
        self.left_out += 1;
        false
    }

    /// Begins another minute if it is time, and says how many lines the last one left out.
    pub(super) fn look(&mut self, now: Timestamp) -> u64 {
        if now >= self.since && now.since(self.since) < MINUTE {
            return 0;
        }
        (self.since, self.said) = (now, 0);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            log::warn!("{left_out} more lines about found blocks were left out in the last minute");
        }
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_lines_and_tells_of_the_rest() {
        let mut voice = Voice::default();
        let said = |voice: &mut Voice, at| {
            (0..1_000)
                .filter(|_| voice.may_speak(Timestamp::from_secs(at)))
                .count()
        };
        assert_eq!(said(&mut voice, 1_000), LINES_MAX as usize);
        assert_eq!(said(&mut voice, 1_059), 0);
        assert_eq!(voice.look(Timestamp::from_secs(1_060)), 1_940);
        assert_eq!(said(&mut voice, 1_061), LINES_MAX as usize);
        // A clock that steps back begins anew.
        assert_eq!(said(&mut voice, 10), LINES_MAX as usize);
    }
}
