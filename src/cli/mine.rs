//! `dwarves mine`: mines on a pool with this machine's CPU.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dwarves_domain::ids::WorkerName;

use super::{Failure, signals};
use crate::terminal::{self, coins, span};
use dwarves_keys::HotkeyFile;
use dwarves_miner::{MinerOptions, Money, Progress};

/// How often a line is printed where it cannot be rewritten.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often the line on a terminal is rewritten.
const REWRITE_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `dwarves mine`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Examples:
  dwarves hotkey new miner.key
  dwarves mine --hotkey miner.key
  dwarves mine --hotkey miner.key --pool pool.example:8080
  dwarves mine --hotkey miner.key --pool https://pool.example --worker rig-1 --threads 4
  dwarves mine --hotkey miner.key --payout-address bcrt1q... --duration-secs 60

Ctrl-C stops after the last shares are submitted; a second Ctrl-C at once.")]
pub struct MineArgs {
    /// The pool's address; without a scheme it is plain HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub pool: String,
    /// The miner's key file (dwarves hotkey new FILE makes one)
    #[arg(long, value_name = "FILE")]
    pub hotkey: PathBuf,
    /// This machine's name: 1 to 64 letters, digits, '.', '_' or '-'
    #[arg(long, value_name = "NAME", default_value_t = WorkerName::unnamed())]
    pub worker: WorkerName,
    /// Hashing threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<NonZeroU32>,
    /// Where payouts shall go [default: as the pool has it]
    #[arg(long, value_name = "ADDRESS")]
    pub payout_address: Option<String>,
    /// Hashes per second of each thread at most [default: as many as it can]
    #[arg(long, value_name = "HASHES", value_parser = clap::value_parser!(u32).range(1..))]
    pub throttle: Option<u32>,
    /// Stop after this many seconds [default: when Ctrl-C is pressed]
    #[arg(long, value_name = "SECONDS")]
    pub duration_secs: Option<u64>,
}

/// The most threads that make sense on one machine.
const THREADS_MAX: u32 = 1_024;

fn parse_threads(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .ok()
        .filter(|threads: &NonZeroU32| threads.get() <= THREADS_MAX)
        .ok_or_else(|| format!("expected a whole number from 1 to {THREADS_MAX}"))
}

/// Mines until it is told to stop.
///
/// # Errors
/// If the key cannot be read, or the pool refuses for good.
pub fn run(args: MineArgs) -> Result<(), Failure> {
    if !args.hotkey.exists() {
        return Err(MineError::NoKey(args.hotkey.display().to_string()).into());
    }
    let key = HotkeyFile::read(&args.hotkey)?;
    if let Some(warning) = key.warning() {
        log::warn!("{warning}");
    }
    let threads = args
        .threads
        .or_else(|| NonZeroU32::try_from(std::thread::available_parallelism().ok()?).ok())
        .unwrap_or(NonZeroU32::MIN);
    log::info!(
        "mining at {} as {} ({}), {threads} threads",
        args.pool,
        key.hotkey(),
        args.worker
    );
    let options = MinerOptions {
        pool_url: args.pool,
        key: Arc::new(key),
        worker: args.worker,
        threads,
        payout_address: args.payout_address,
        duration: args.duration_secs.map(Duration::from_secs),
        throttle: args.throttle,
    };
    let stop = signals::stop_flag()?;
    let mut display = Display::new(io::stdout(), io::stdout().is_terminal(), terminal::width);
    let outcome = dwarves_miner::run(&options, &stop, |progress| display.show(progress));
    display.finish(outcome.as_ref().ok());
    outcome?;
    Ok(())
}

/// Why mining does not begin.
#[derive(Debug, thiserror::Error)]
enum MineError {
    #[error("there is no key file {0}; make one with: dwarves hotkey new {0}")]
    NoKey(String),
}

/// The line that tells how it goes.
struct Display<W> {
    out: W,
    rewrites: bool,
    shown_at: Option<Duration>,
    /// Whether the cursor stands behind a line that may be rewritten.
    open_line: bool,
    trouble: Option<String>,
    /// What was told of a wrong clock.
    clock: Option<String>,
    /// Whether it was told that the pool knows no address.
    has_told_address: bool,
    /// What was told last: it holds if the run ends by a refusal.
    last: Option<Progress>,
    /// How wide the terminal is now.
    width: fn() -> usize,
}

impl<W: Write> Display<W> {
    fn new(out: W, rewrites: bool, width: fn() -> usize) -> Self {
        Self {
            has_told_address: false,
            last: None,
            width,
            out,
            rewrites,
            shown_at: None,
            open_line: false,
            trouble: None,
            clock: None,
        }
    }

    fn show(&mut self, progress: &Progress) {
        if progress.trouble != self.trouble {
            self.trouble.clone_from(&progress.trouble);
            let news = match &self.trouble {
                Some(trouble) => format!("trouble: {trouble}; trying again"),
                None => "the pool answers again".to_owned(),
            };
            self.line(&news, false);
        }
        if progress.clock != self.clock {
            self.clock.clone_from(&progress.clock);
            if let Some(clock) = &progress.clock {
                self.line(clock, false);
            }
        }
        let has_address = progress.money.as_ref().is_none_or(|money| money.has_address);
        if !has_address && !self.has_told_address {
            self.line(NO_ADDRESS, false);
        }
        self.has_told_address |= !has_address;
        self.last = Some(progress.clone());
        let every = if self.rewrites { REWRITE_EVERY } else { LINE_EVERY };
        let due = match self.shown_at {
            // The first line waits until there is something to tell.
            None => progress.hashes > 0,
            Some(shown_at) => progress.elapsed.saturating_sub(shown_at) >= every,
        };
        if due {
            self.shown_at = Some(progress.elapsed);
            let width = if self.rewrites { (self.width)() } else { usize::MAX };
            self.line(&summary(progress, width), self.rewrites);
        }
    }

    fn finish(&mut self, progress: Option<&Progress>) {
        let last = self.last.take();
        if let Some(progress) = progress.or(last.as_ref()) {
            let head = format!("stopped after {}:", span(progress.elapsed.as_secs()));
            let summary = summary(progress, usize::MAX);
            let width = if self.rewrites { (self.width)() } else { usize::MAX };
            for line in wrapped(&format!("{head} {summary}"), width) {
                self.line(&line, false);
            }
        } else if self.open_line {
            self.line("stopped", false);
        }
    }

    /// Writes a line, over the last one if that was open. That nobody reads it must not stop the miner.
    fn line(&mut self, text: &str, open: bool) {
        let erase = if self.open_line { "\r\x1b[2K" } else { "" };
        let end = if open { "" } else { "\n" };
        // Some of it may be the pool's words.
        let text = terminal::harmless(text);
        let _nobody_reads = write!(self.out, "{erase}{text}{end}").and_then(|()| self.out.flush());
        self.open_line = open;
    }
}

/// What a miner should know whose coins have nowhere to go.
const NO_ADDRESS: &str =
    "no payout address is set: what you earn waits in the pool until you mine with --payout-address ADDRESS";

/// How it goes, in one line of at most `width` columns: what is worth least is left out first.
fn summary(progress: &Progress, width: usize) -> String {
    // In the order in which they are read, each with its worth.
    let mut parts = vec![
        (9, rate(progress.hashrate)),
        (8, format!("accepted {}", progress.accepted)),
        (5, rejected(progress)),
        (3, format!("blocks {}", progress.blocks)),
    ];
    if progress.waiting > 0 {
        parts.insert(3, (2, format!("unanswered {}", progress.waiting)));
    }
    if let Some(Money { balances, .. }) = &progress.money {
        parts.push((7, format!("payable {}", coins(balances.payable.into()))));
        parts.push((6, format!("immature {}", coins(balances.immature.into()))));
        if balances.in_flight > 0 {
            parts.push((1, format!("on its way {}", coins(balances.in_flight.into()))));
        }
        parts.push((4, format!("paid {}", coins(balances.paid.into()))));
    }
    loop {
        let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
        let line = texts.join("  ");
        // The last column stays free: a terminal that is full begins another line.
        if line.chars().count() < width || parts.len() == 1 {
            return line.chars().take(width.saturating_sub(1)).collect();
        }
        let least = parts.iter().enumerate().min_by_key(|(_, (worth, _))| *worth);
        let least = least.map_or(0, |(place, _)| place);
        parts.remove(least);
    }
}

/// A summary in lines of less than `width` columns, broken between its parts.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split("  ") {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() < width => {
                line.push_str("  ");
                line.push_str(part);
            }
            Some(_) => lines.push(format!("  {part}")),
            None => lines.push(part.to_owned()),
        }
    }
    lines
}

/// How many shares did not count, and why.
fn rejected(progress: &Progress) -> String {
    let mut line = format!("rejected {}", progress.rejected_total());
    if !progress.rejected.is_empty() {
        let reasons: Vec<String> = progress
            .rejected
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        let _ = write!(line, " ({})", reasons.join(", "));
    }
    line
}

/// Hashes per second with a unit that fits.
fn rate(hashes_per_sec: f64) -> String {
    let units = [(1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s")];
    units
        .into_iter()
        .find(|(size, _)| hashes_per_sec >= *size)
        .map_or_else(
            || format!("{hashes_per_sec:.0} H/s"),
            |(size, name)| format!("{:.2} {name}", hashes_per_sec / size),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(secs: u64) -> Progress {
        Progress {
            elapsed: Duration::from_secs(secs),
            hashes: 1,
            hashrate: 5_250_000.0,
            accepted: 3,
            ..Progress::default()
        }
    }

    fn money(has_address: bool) -> Money {
        let status = serde_json::json!({ "immature": 99, "payable": 150_000_000, "in_flight": 0, "paid": 0 });
        Money {
            balances: serde_json::from_value(status).unwrap(),
            has_address,
        }
    }

    fn shown(rewrites: bool, readings: &[Progress]) -> String {
        let mut display = Display::new(Vec::new(), rewrites, || 80);
        readings.iter().for_each(|progress| display.show(progress));
        display.finish(readings.last());
        String::from_utf8(display.out).unwrap()
    }

    #[test]
    fn a_line_tells_rate_shares_blocks_and_earnings() {
        let mut full = progress(1);
        full.rejected.insert("stale".to_owned(), 2);
        full.waiting = 4;
        full.money = Some(money(true));
        assert_eq!(
            summary(&full, usize::MAX),
            "5.25 MH/s  accepted 3  rejected 2 (stale 2)  unanswered 4  blocks 0  payable 1.50000000  immature 0.00000099  \
             paid 0.00000000"
        );
        assert_eq!(
            summary(&full, 80),
            "5.25 MH/s  accepted 3  payable 1.50000000  immature 0.00000099"
        );
        assert_eq!(summary(&full, 24), "5.25 MH/s  accepted 3");
        for width in 1..200 {
            assert!(summary(&full, width).chars().count() < width, "{width}");
        }
        assert_eq!(
            [rate(0.0), rate(999.4), rate(1_500.0)],
            ["0 H/s", "999 H/s", "1.50 kH/s"]
        );
    }

    #[test]
    fn without_a_terminal_a_line_comes_every_ten_seconds() {
        let readings: Vec<Progress> = (1..=25).map(progress).collect();
        let text = shown(false, &readings);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(
            !text.contains('\r') && text.lines().last().unwrap().starts_with("stopped after 25 s: "),
            "{text}"
        );
    }

    #[test]
    fn that_no_address_is_set_is_told_once_and_totals_outlive_a_refusal() {
        let mut without = progress(1);
        without.money = Some(money(false));
        let text = shown(true, &[without.clone(), without.clone()]);
        assert_eq!(text.matches("no payout address is set").count(), 1, "{text}");
        let mut display = Display::new(Vec::new(), true, || 80);
        display.show(&without);
        display.finish(None);
        let text = String::from_utf8(display.out).unwrap();
        assert!(
            text.ends_with(
                "accepted 3  rejected 0  blocks 0\n  payable 1.50000000  immature 0.00000099  paid 0.00000000\n"
            ) && text.lines().last().is_some_and(|line| line.chars().count() < 80),
            "{text}"
        );
        without.money = Some(money(true));
        assert!(!shown(true, &[without]).contains("address"));
    }

    #[test]
    fn on_a_terminal_the_line_is_rewritten_and_trouble_stays_in_sight() {
        let mut away = progress(3);
        away.trouble = Some("the pool does not answer".to_owned());
        let text = shown(true, &[progress(1), progress(2), away, progress(4)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].ends_with("trouble: the pool does not answer; trying again"),
            "{text:?}"
        );
        assert!(lines[1].ends_with("the pool answers again"), "{text:?}");
        assert_eq!(lines.len(), 3, "{text:?}");
    }
}
