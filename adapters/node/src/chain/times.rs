//! Which times a header may have, so that a node takes the block.

use super::network::SlowBlocks;

/// How far ahead of the node's clock miners may set the time, in seconds: within the two hours that the network
/// allows, with some minutes to spare for a clock that is set back.
const FUTURE_SECS: u32 = 7_000;

/// The times of a header: the one that is told, the earliest and the latest. Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) time: u32,
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Times {
    /// The times of a template that names `curtime` and `mintime`, read at `now` by the pool's clock.
    ///
    /// A node names its own clock, but never less than `mintime`. If the two are equal its clock is somewhere before
    /// them, as is usual on testnet4; how far, only the pool's own clock can tell.
    pub(super) fn of_template(curtime: u32, mintime: u32, now: u32) -> Self {
        let clock = if curtime > mintime {
            curtime
        } else {
            now.min(mintime)
        };
        Self {
            time: curtime.max(mintime),
            min: mintime,
            max: clock.saturating_add(FUTURE_SECS).max(mintime),
        }
    }

    /// The same times on a test network where a block that comes late must have the least difficulty, and one that
    /// does not must have the usual one. `previous` is the time of the block before.
    ///
    /// The template's bits fit the template's time, so the header must stay on the same side of the limit.
    pub(super) fn on(mut self, rule: &SlowBlocks, height: u32, bits: u32, previous: u32) -> Self {
        if !rule.holds_at(height) {
            return self;
        }
        let last_in_time = previous.saturating_add(rule.after_secs);
        if bits != rule.bits {
            self.max = self.max.min(last_in_time);
            self.min = self.min.min(self.max);
            self.time = self.time.min(self.max);
        } else if self.time > last_in_time {
            // Before the limit the usual bits would be demanded, whatever they are.
            self.min = self.min.max(last_in_time.saturating_add(1));
            self.max = self.max.max(self.min);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULE: SlowBlocks = SlowBlocks {
        after_secs: 1_200,
        bits: 0x1d00_ffff,
    };
    const USUAL: u32 = 0x1c0f_ffff;

    #[test]
    fn the_latest_time_is_within_what_the_nodes_clock_allows() {
        for (curtime, mintime, now, expected) in [
            (1_000_000, 999_000, 1_000_000, (1_000_000, 999_000, 1_007_000)),
            // The node's clock counts, not the pool's.
            (1_000_000, 999_000, 5, (1_000_000, 999_000, 1_007_000)),
            (1_000_000, 999_000, 9_000_000, (1_000_000, 999_000, 1_007_000)),
            // The earliest time is ahead of both clocks.
            (1_006_000, 1_006_000, 1_000_000, (1_006_000, 1_006_000, 1_007_000)),
            (1_000_000, 1_006_000, 1_000_000, (1_006_000, 1_006_000, 1_007_000)),
            // So far ahead that there is one time only, and none that the node takes now.
            (1_009_000, 1_009_000, 1_000_000, (1_009_000, 1_009_000, 1_009_000)),
            // The pool's clock is later than the node's can be.
            (1_000_000, 1_000_000, 2_000_000, (1_000_000, 1_000_000, 1_007_000)),
            (u32::MAX, 7, 0, (u32::MAX, 7, u32::MAX)),
        ] {
            let times = Times::of_template(curtime, mintime, now);
            assert_eq!(
                (times.time, times.min, times.max),
                expected,
                "{curtime} {mintime} {now}"
            );
        }
    }

    #[test]
    fn a_late_block_and_one_in_time_stay_what_they_are() {
        let previous = 1_000_000;
        let on = |curtime: u32, height, bits| {
            let times = Times::of_template(curtime, previous - 3_600, curtime);
            let times = times.on(&RULE, height, bits, previous);
            (times.min, times.time, times.max)
        };
        // 600 s after the block before: from 1,201 s on another difficulty is demanded.
        assert_eq!(on(1_000_600, 5, USUAL), (996_400, 1_000_600, 1_001_200));
        assert_eq!(on(1_001_200, 5, USUAL), (996_400, 1_001_200, 1_001_200));
        // The node said so a moment before the limit, and its clock went on.
        assert_eq!(on(1_001_300, 5, USUAL), (996_400, 1_001_200, 1_001_200));
        // Late: before the limit the usual difficulty is demanded.
        assert_eq!(on(1_001_201, 5, RULE.bits), (1_001_201, 1_001_201, 1_008_201));
        // In time, and the usual difficulty is the least one: both sides of the limit demand the same.
        assert_eq!(on(1_000_600, 5, RULE.bits), (996_400, 1_000_600, 1_007_600));
        // Where difficulty is calculated anew the rule does not hold.
        assert_eq!(on(1_000_600, 4_032, USUAL), (996_400, 1_000_600, 1_007_600));
        assert_eq!(on(1_001_201, 4_032, RULE.bits), (996_400, 1_001_201, 1_008_201));
    }

    proptest! {
        #[test]
        fn times_are_in_order_and_no_input_panics(
            curtime in any::<u32>(), mintime in any::<u32>(), now in any::<u32>(), previous in any::<u32>(),
            height in any::<u32>(), is_least in any::<bool>(),
        ) {
            let bits = if is_least { RULE.bits } else { USUAL };
            let times = Times::of_template(curtime, mintime, now);
            for times in [times, times.on(&RULE, height, bits, previous)] {
                prop_assert!(times.min <= times.max, "{times:?}");
                prop_assert!(times.time <= times.max.max(curtime), "{times:?}");
            }
        }
    }
}
