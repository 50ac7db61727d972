//! Counts by size, in fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets of a histogram at most, beside the one for all that is larger.
const BUCKETS_MAX: usize = 16;

/// From 0.1 ms, which is less than a disk takes, to 30 s, after which nobody waits any more; in nanoseconds.
pub const LATENCY: &[u64] = &[
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    10_000_000_000,
    30_000_000_000,
];

/// What handling one question takes: from a microsecond to what keeps a thread from all others; in nanoseconds.
pub const HANDLING: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    10_000_000,
    50_000_000,
    250_000_000,
    1_000_000_000,
];

/// Numbers of things: powers of four.
pub const SIZES: &[u64] = &[1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536];

/// What its numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Nanoseconds, shown as seconds.
    Seconds,
    /// Things, shown as they are.
    Units,
}

/// Counts by size. Whoever notes something and whoever reads wait for nobody: a reading may lack what is being noted.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    scale: Scale,
    counts: [AtomicU64; BUCKETS_MAX + 1],
    sum: AtomicU64,
}

/// What a histogram has counted.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramView {
    /// The upper bound of each bucket, and how many were in it and in none before. The last one has no bound.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all.
    pub sum: f64,
    /// How many there were.
    pub count: u64,
}

impl Histogram {
    /// An empty one with these upper bounds, in order.
    pub const fn new(bounds: &'static [u64], scale: Scale) -> Self {
        assert!(
            bounds.len() <= BUCKETS_MAX,
            "as many buckets as there is room for"
        );
        Self {
            bounds,
            scale,
            counts: [const { AtomicU64::new(0) }; BUCKETS_MAX + 1],
            sum: AtomicU64::new(0),
        }
    }

    /// Counts `times` things of this size.
    pub fn note(&self, size: u64, times: usize) {
        let times = times as u64;
        let bucket = self.bounds.partition_point(|bound| *bound < size);
        self.counts[bucket].fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(size.wrapping_mul(times), Ordering::Relaxed);
    }

    /// What it has counted.
    pub fn view(&self) -> HistogramView {
        let scale = match self.scale {
            Scale::Seconds => 1e9,
            Scale::Units => 1.0,
        };
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / scale);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        HistogramView {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: self.sum.load(Ordering::Relaxed) as f64 / scale,
            buckets,
        }
    }
}

impl HistogramView {
    /// The bound below which this part of all lie; `None` while there are none. It is as exact as the buckets are narrow.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = part * self.count as f64;
        let mut before = 0;
        let within = self.buckets.iter().find(|(_, count)| {
            before += count;
            before > 0 && before as f64 >= wanted
        });
        within.map(|(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(SIZES, Scale::Units);
        assert_eq!(histogram.view().quantile(0.5), None);
        for (size, times) in [(0, 1), (1, 1), (2, 3), (65_536, 2), (65_537, 1)] {
            histogram.note(size, times);
        }
        let view = histogram.view();
        let counts: Vec<_> = view.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 3, 0, 0, 0, 0, 0, 0, 2, 1]);
        assert_eq!(view.count, 8);
        assert_eq!(view.sum, 1.0 + 6.0 + 131_072.0 + 65_537.0);
        let quantiles = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| view.quantile(part).unwrap());
        assert_eq!(quantiles, [1.0, 1.0, 4.0, 65_536.0, f64::INFINITY]);
    }

    #[test]
    fn nanoseconds_are_shown_as_seconds() {
        for bounds in [LATENCY, HANDLING] {
            let histogram = Histogram::new(bounds, Scale::Seconds);
            histogram.note(1_500_000_000, 1);
            let view = histogram.view();
            assert_eq!((view.sum, view.count), (1.5, 1));
            assert!(view.buckets.is_sorted_by(|(a, _), (b, _)| a < b));
            assert_eq!(view.buckets[0].0, bounds[0] as f64 / 1e9);
        }
    }
}
