//! One run: sessions that submit, for a time, and what was seen meanwhile.
//!
//! What is sent was made before the run, so that the generator takes little of the machine while it is measured.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::processes::Processes;
use crate::report::Figures;
use crate::session::{Line, Session};
use crate::{Error, proc};

/// How long answers may take to come when the time is over.
const COME_BACK_WITHIN: Duration = Duration::from_secs(30);
/// What every accepted share is answered with, behind its id.
const ACCEPTED: &[u8] = b",\"result\":true,\"error\":null}";
/// How a refusal for its difficulty goes on behind the id.
const REFUSED: &[u8] = b",\"result\":null,\"error\":[23,";
/// How an answer begins, and how the server's own messages go on from there.
const ANSWER: &[u8] = b"{\"id\":";
const NO_ANSWER: &[u8] = b"null,\"method\"";

/// How submits are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// This many are always on their way.
    InFlight(usize, Writes),
    /// One at a time, this many a second over all sessions, at fixed times.
    Steady(f64),
}

/// How many submits go into one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Writes {
    /// As many as may be on their way.
    Many,
    /// One each, as most miners send them.
    One,
}

/// What is done to a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Sessions.
    pub(crate) sessions: usize,
    /// How they submit.
    pub(crate) pace: Pace,
    /// What comes first and does not count.
    pub(crate) warm_up: Duration,
    /// What counts.
    pub(crate) measured: Duration,
}

/// What answers must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// That each is accepted.
    Accepted,
    /// That each is too easy (23).
    Refused,
}

/// What a session submits, one line after the other.
pub(crate) struct Script {
    line: Line,
    lines: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
    /// Whether it may begin again at its end: the bare server does not know what it has had before.
    is_endless: bool,
}

impl Script {
    /// `count` lines that are what is expected.
    pub(crate) fn write(mut session: Session, count: usize, expect: Expect) -> Result<Self, Error> {
        let (mut lines, mut ends) = (String::new(), Vec::with_capacity(count));
        for id in 0..count {
            let is_share = expect == Expect::Accepted;
            session.work.submit(&session.user, id, is_share, &mut lines)?;
            ends.push(lines.len());
        }
        Ok(Self {
            line: session.line,
            lines: lines.into_bytes(),
            ends,
            is_endless: false,
        })
    }

    /// The same lines, over and over, through a connection to the bare server.
    pub(crate) fn through(self, line: Line) -> Self {
        Self {
            line,
            is_endless: true,
            ..self
        }
    }

    /// Up to which line may be sent at once, if all before `sent` are and no more than `wanted` should be.
    fn until(&self, sent: usize, wanted: usize) -> Result<usize, Error> {
        let count = self.ends.len();
        if wanted > count && !self.is_endless {
            return Err("a server was faster than lines had been made for; raise --greatest".into());
        }
        Ok(wanted.min((sent / count + 1) * count))
    }

    /// The lines from number `from` to, but without, number `to`, which [`Self::until`] gave.
    fn part(&self, from: usize, to: usize) -> &[u8] {
        let (from, count) = (from % self.ends.len(), to - from);
        let to = from + count;
        let begin = from.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = to.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.lines[begin..end]
    }
}

/// What was seen in the measured time.
pub(crate) struct Outcome {
    /// Submits answered.
    answered: u64,
    elapsed: Duration,
    /// Microseconds from sending a line to its answer.
    latency: Histogram<u64>,
    /// Of the servers, with what their ledger is kept by.
    server_cpu: Duration,
    /// Of that alone.
    database_cpu: Duration,
    generator_cpu: Duration,
    peak_memory: u64,
    /// Submits answered from the first to the last, measured or not.
    pub(crate) all_answered: u64,
}

impl Outcome {
    /// CPU time of the server that the ledger is on for each submit, in microseconds.
    pub(crate) fn database_us(&self) -> f64 {
        self.database_cpu.as_secs_f64() * 1e6 / self.answered as f64
    }
}

impl From<&Outcome> for Figures {
    fn from(outcome: &Outcome) -> Self {
        Self::new(
            outcome.answered,
            outcome.elapsed,
            &outcome.latency,
            [outcome.server_cpu, outcome.generator_cpu],
            outcome.peak_memory,
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measured,
    Over,
}

/// What the sessions of a run note in common. They share one thread.
struct Tally {
    phase: Phase,
    answered: u64,
    latency: Histogram<u64>,
}

/// Runs `load` with these scripts against the server that these processes are.
///
/// # Errors
/// If a connection breaks, an answer is not the expected one or out of order, or a script is too short.
pub(crate) async fn run(
    server: &Processes,
    scripts: Vec<Script>,
    load: &Load,
    expect: Expect,
) -> Result<Outcome, Error> {
    let tally = Rc::new(RefCell::new(Tally {
        phase: Phase::WarmUp,
        answered: 0,
        latency: Histogram::new(3)?,
    }));
    let begin = Instant::now();
    let mut sessions = JoinSet::new();
    for (index, script) in scripts.into_iter().enumerate() {
        let tally = Rc::clone(&tally);
        match load.pace {
            Pace::InFlight(depth, writes) => {
                sessions.spawn_local(keep_in_flight(script, depth, writes, expect, tally));
            }
            Pace::Steady(rate) => {
                let first = begin + Duration::from_secs_f64(index as f64 / rate);
                let every = Duration::from_secs_f64(load.sessions as f64 / rate);
                sessions.spawn_local(submit_every(script, first, every, expect, tally));
            }
        }
    }
    tokio::time::sleep(load.warm_up).await;
    let before = enter(&tally, Phase::Measured, server)?;
    tokio::time::sleep(load.measured).await;
    let after = enter(&tally, Phase::Over, server)?;
    while let Some(ended) = tokio::time::timeout(COME_BACK_WITHIN, sessions.join_next()).await? {
        ended??;
    }
    let tally = Rc::into_inner(tally)
        .ok_or("all sessions have ended")?
        .into_inner();
    let [pools, database] =
        [0, 1].map(|part| after.servers_cpu[part].saturating_sub(before.servers_cpu[part]));
    Ok(Outcome {
        answered: after.answered - before.answered,
        elapsed: after.at - before.at,
        latency: tally.latency,
        server_cpu: pools + database,
        database_cpu: database,
        generator_cpu: after.generator_cpu.saturating_sub(before.generator_cpu),
        peak_memory: server.peak_memory()?,
        all_answered: tally.answered,
    })
}

struct Reading {
    at: Instant,
    servers_cpu: [Duration; 2],
    generator_cpu: Duration,
    answered: u64,
}

fn enter(tally: &RefCell<Tally>, phase: Phase, server: &Processes) -> Result<Reading, Error> {
    let mut tally = tally.borrow_mut();
    tally.phase = phase;
    Ok(Reading {
        at: Instant::now(),
        servers_cpu: server.cpu_times()?,
        generator_cpu: proc::cpu_time(std::process::id())?,
        answered: tally.answered,
    })
}

async fn keep_in_flight(
    mut script: Script,
    depth: usize,
    writes: Writes,
    expect: Expect,
    tally: Rc<RefCell<Tally>>,
) -> Result<(), Error> {
    let (mut sent, mut answered) = (0, 0);
    // When lines were sent, and up to which.
    let mut sendings: VecDeque<(Instant, usize)> = VecDeque::new();
    loop {
        let phase = tally.borrow().phase;
        while phase != Phase::Over && answered + depth > sent {
            let wanted = match writes {
                Writes::Many => answered + depth,
                Writes::One => sent + 1,
            };
            let until = script.until(sent, wanted)?;
            sendings.push_back((Instant::now(), until));
            script.line.send(script.part(sent, until)).await?;
            sent = until;
        }
        if answered == sent {
            return Ok(());
        }
        let before = answered;
        let count = script.ends.len();
        script
            .line
            .receive(|line| count_answer(line, expect, count, &mut answered))
            .await?;
        let mut tally = tally.borrow_mut();
        tally.answered += (answered - before) as u64;
        let now = Instant::now();
        let mut counted = before;
        while let Some((at, upto)) = sendings.front().copied().filter(|_| counted < answered) {
            let upto_now = upto.min(answered);
            if tally.phase == Phase::Measured {
                let micros = u64::try_from((now - at).as_micros())?;
                tally.latency.record_n(micros, (upto_now - counted) as u64)?;
            }
            counted = upto_now;
            if upto <= answered {
                sendings.pop_front();
            }
        }
    }
}

async fn submit_every(
    mut script: Script,
    first: Instant,
    every: Duration,
    expect: Expect,
    tally: Rc<RefCell<Tally>>,
) -> Result<(), Error> {
    let (mut due, mut answered) = (first, 0);
    loop {
        tokio::time::sleep_until(due.into()).await;
        due += every;
        if tally.borrow().phase == Phase::Over {
            return Ok(());
        }
        let (number, count) = (answered, script.ends.len());
        script.until(number, number + 1)?;
        let sent_at = Instant::now();
        script.line.send(script.part(number, number + 1)).await?;
        while answered == number {
            script
                .line
                .receive(|line| count_answer(line, expect, count, &mut answered))
                .await?;
        }
        let mut tally = tally.borrow_mut();
        tally.answered += 1;
        if tally.phase == Phase::Measured {
            tally
                .latency
                .record(u64::try_from(sent_at.elapsed().as_micros())?)?;
        }
    }
}

/// Counts an answer, which must be the next and as expected. The server's own messages are passed over. Ids are the
/// lines' numbers in a script of `count`.
fn count_answer(line: &[u8], expect: Expect, count: usize, answered: &mut usize) -> Result<(), Error> {
    let unexpected = || -> Error { format!("{}", String::from_utf8_lossy(line)).into() };
    let rest = line.strip_prefix(ANSWER).ok_or_else(unexpected)?;
    if rest.starts_with(NO_ANSWER) {
        return Ok(());
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let id = rest[..digits]
        .iter()
        .fold(0, |id, digit| id * 10 + usize::from(digit - b'0'));
    let is_expected = match expect {
        Expect::Accepted => &rest[digits..] == ACCEPTED,
        Expect::Refused => rest[digits..].starts_with(REFUSED),
    };
    if id != *answered % count || !is_expected {
        return Err(format!("answer {answered} is {}", unexpected()).into());
    }
    *answered += 1;
    Ok(())
}
