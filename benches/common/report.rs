//! Figures of runs, their medians, and the table.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::proc;

/// The figures of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Shares answered a second.
    pub(crate) rate: f64,
    /// Percentiles of the acknowledgement in milliseconds: the 50th, the 99th, the 99.9th.
    pub(crate) latency_ms: [f64; 3],
    /// CPU seconds of the server per million shares.
    pub(crate) server_cpu: f64,
    /// CPU seconds of the generator per million shares.
    pub(crate) generator_cpu: f64,
    /// The most memory that the server has held so far, in MiB.
    pub(crate) peak_mib: f64,
}

impl Figures {
    /// The figures of a run in which so much was answered.
    pub(crate) fn new(
        answers: u64,
        elapsed: Duration,
        latency_micros: &Histogram<u64>,
        [server_cpu, generator_cpu]: [Duration; 2],
        peak_memory: u64,
    ) -> Self {
        let answers = answers as f64;
        let percentile = |q| latency_micros.value_at_quantile(q) as f64 / 1_000.0;
        Self {
            rate: answers / elapsed.as_secs_f64(),
            latency_ms: [percentile(0.5), percentile(0.99), percentile(0.999)],
            server_cpu: server_cpu.as_secs_f64() * 1e6 / answers,
            generator_cpu: generator_cpu.as_secs_f64() * 1e6 / answers,
            peak_mib: peak_memory as f64 / f64::from(1 << 20),
        }
    }
}

/// The runs of one server in one scenario, in the order of the rounds.
pub(crate) struct Series {
    /// The server's name.
    pub(crate) name: String,
    /// One entry a round.
    pub(crate) runs: Vec<Figures>,
}

impl Series {
    /// The median of one figure.
    pub(crate) fn median(&self, figure: impl Fn(&Figures) -> f64) -> f64 {
        median_of(&mut self.runs.iter().map(figure).collect::<Vec<_>>())
    }

    /// The rates of this series over those of `other`, round by round.
    pub(crate) fn ratio_to(&self, other: &Self) -> Spread {
        self.ratio_of(other, |run| run.rate)
    }

    /// A figure of this series over that of `other`, round by round.
    pub(crate) fn ratio_of(&self, other: &Self, figure: impl Fn(&Figures) -> f64) -> Spread {
        let pairs = self.runs.iter().zip(&other.runs);
        Spread::of(
            pairs
                .map(|(mine, theirs)| figure(mine) / figure(theirs))
                .collect(),
        )
    }
}

/// The median of some numbers and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        let median = median_of(&mut values);
        Self {
            median,
            least: values.first().copied().unwrap_or(f64::NAN),
            greatest: values.last().copied().unwrap_or(f64::NAN),
        }
    }
}

/// What is printed.
#[derive(Default)]
pub(crate) struct Report {
    remarks: String,
    rows: String,
    ratios: String,
}

impl Report {
    /// What is to be known of all figures.
    pub(crate) fn remark(&mut self, text: &str) {
        let _written = writeln!(self.remarks, "{text}");
    }

    /// A row of the table: the medians of one series.
    pub(crate) fn row(&mut self, scenario: &str, series: &Series) {
        let [p50, p99, p999] = [0, 1, 2].map(|index| series.median(|run| run.latency_ms[index]));
        // Writing to a text cannot fail.
        let _written = writeln!(
            self.rows,
            "{:<47} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.1} {:>8.1} {:>8.0}",
            format!("{scenario}, {}", series.name),
            series.median(|run| run.rate),
            p50,
            p99,
            p999,
            series.median(|run| run.server_cpu),
            series.median(|run| run.generator_cpu),
            series.median(|run| run.peak_mib),
        );
    }

    /// A line below the table: a ratio or another number, and the goal that it is held against.
    pub(crate) fn line(&mut self, what: &str, value: Spread, goal: &str) {
        let digits = if value.median.abs() < 100.0 { 3 } else { 0 };
        let _written = writeln!(
            self.ratios,
            "{what:<57} {:>9.digits$} [{:.digits$} - {:.digits$}]  goal {goal}",
            value.median, value.least, value.greatest,
        );
    }

    /// Prints everything.
    pub(crate) fn print(&self, durability: &str, rounds: usize, seconds: f64) {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        println!(
            "{cores} cores, Linux {}; medians of {rounds} rounds of {seconds} s; durable: {durability}",
            proc::kernel()
        );
        println!("processor: {}", proc::processor());
        print!("{}", self.remarks);
        println!(
            "{:<47} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "", "shares/s", "p50 ms", "p99 ms", "p999 ms", "server", "gen.", "peak"
        );
        println!(
            "{:<47} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "", "", "", "", "", "CPU us", "CPU us", "MiB"
        );
        print!("{}", self.rows);
        if !self.ratios.is_empty() {
            print!(
                "{:<57} {:>9} [least - greatest of the rounds]\n{}",
                "", "median", self.ratios
            );
        }
    }
}

/// The median; the mean of the two in the middle if there is none. The values are sorted.
pub(crate) fn median_of(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
