//! One run: connections that submit, for a time, and what was seen meanwhile.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dwarves_api_types::work::{ShareResult, SubmitAnswer};
use dwarves_domain::ids::HeaderHash;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::client::{Answer, Client};
use crate::report::Figures;
use crate::shares::Miner;
use crate::{Error, proc};

/// How long requests under way may take to come back when the time is over.
const COME_BACK_WITHIN: Duration = Duration::from_secs(30);

/// What is done to a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections, each with one request at a time.
    pub(crate) connections: usize,
    /// Shares of one request.
    pub(crate) shares: usize,
    /// Requests a second that are begun at fixed times; `None`: each as soon as the one before is answered.
    pub(crate) offered: Option<f64>,
    /// What comes first and does not count.
    pub(crate) warm_up: Duration,
    /// What counts.
    pub(crate) measured: Duration,
}

/// What was seen in the measured time.
pub(crate) struct Outcome {
    /// Shares acknowledged.
    pub(crate) shares: u64,
    /// How long it really was.
    pub(crate) elapsed: Duration,
    /// Microseconds from sending a request (or from when it should have been sent) to its whole answer.
    pub(crate) latency: Histogram<u64>,
    /// CPU time of the server.
    pub(crate) server_cpu: Duration,
    /// CPU time of this process.
    pub(crate) generator_cpu: Duration,
    /// The most memory that the server has held so far, in bytes.
    pub(crate) peak_memory: u64,
    /// Shares acknowledged from the first request to the last, measured or not.
    pub(crate) acknowledged: u64,
    /// Their sequence numbers, if answers were read in full.
    pub(crate) sequences: Vec<u64>,
}

impl From<&Outcome> for Figures {
    fn from(outcome: &Outcome) -> Self {
        Self::new(
            outcome.shares,
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

/// What the connections of a run note in common. They share one thread.
struct Tally {
    phase: Phase,
    acknowledged: u64,
    latency: Histogram<u64>,
    sequences: Vec<u64>,
}

/// When a connection sends under a fixed rate: every `every`, first at `first`.
#[derive(Clone, Copy)]
struct Schedule {
    first: Instant,
    every: Duration,
}

/// Whose answers are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The pool's: about the very shares that were sent.
    Verdicts,
    /// The bare server's, always the same.
    Fixed,
}

/// Runs `load` with the first of `miners`, which have fresh work, against the server at `address`.
///
/// # Errors
/// If any request fails or any share is not accepted.
pub(crate) async fn run(
    address: SocketAddr,
    pid: u32,
    miners: &mut Vec<Miner>,
    load: &Load,
    expect: Expect,
) -> Result<Outcome, Error> {
    let tally = Rc::new(RefCell::new(Tally {
        phase: Phase::WarmUp,
        acknowledged: 0,
        latency: Histogram::new(3)?,
        sequences: Vec::new(),
    }));
    if miners.len() < load.connections {
        return Err("every connection needs a miner".into());
    }
    let mut clients = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        clients.push(Client::connect(address).await?);
    }
    let begin = Instant::now();
    let mut connections = JoinSet::new();
    for (index, (client, miner)) in clients
        .into_iter()
        .zip(miners.drain(..load.connections))
        .enumerate()
    {
        let schedule = load.offered.map(|rate| Schedule {
            first: begin + Duration::from_secs_f64(index as f64 / rate),
            every: Duration::from_secs_f64(load.connections as f64 / rate),
        });
        connections.spawn_local(submit(
            client,
            miner,
            load.shares,
            schedule,
            expect,
            Rc::clone(&tally),
        ));
    }
    tokio::time::sleep(load.warm_up).await;
    let before = (
        Instant::now(),
        proc::cpu_time(pid)?,
        proc::cpu_time(std::process::id())?,
    );
    let acknowledged_before = {
        let mut tally = tally.borrow_mut();
        tally.phase = Phase::Measured;
        tally.acknowledged
    };
    tokio::time::sleep(load.measured).await;
    let after = (
        Instant::now(),
        proc::cpu_time(pid)?,
        proc::cpu_time(std::process::id())?,
    );
    let acknowledged_after = {
        let mut tally = tally.borrow_mut();
        tally.phase = Phase::Over;
        tally.acknowledged
    };
    while let Some(ended) = tokio::time::timeout(COME_BACK_WITHIN, connections.join_next()).await? {
        miners.push(ended??);
    }
    let tally = Rc::into_inner(tally)
        .ok_or("all connections have ended")?
        .into_inner();
    Ok(Outcome {
        shares: acknowledged_after - acknowledged_before,
        elapsed: after.0 - before.0,
        latency: tally.latency,
        server_cpu: after.1.saturating_sub(before.1),
        generator_cpu: after.2.saturating_sub(before.2),
        peak_memory: proc::peak_memory(pid)?,
        acknowledged: tally.acknowledged,
        sequences: tally.sequences,
    })
}

async fn submit(
    mut client: Client,
    mut miner: Miner,
    shares: usize,
    schedule: Option<Schedule>,
    expect: Expect,
    tally: Rc<RefCell<Tally>>,
) -> Result<Miner, Error> {
    let mut due = schedule.map(|schedule| schedule.first);
    while tally.borrow().phase != Phase::Over {
        miner.next_body(shares)?;
        let mut start = Instant::now();
        if let (Some(at), Some(schedule)) = (due, schedule) {
            if at > start {
                tokio::time::sleep_until(at.into()).await;
            }
            // Counted from when it was due: a server that is slow for a while may not hide what waited. The
            // runtime's timer is up to a millisecond late, which is in the figure too.
            start = at;
            due = Some(at + schedule.every);
        }
        let answer = client
            .request("POST", "/v1/work", &miner.session, miner.body())
            .await?;
        let took = start.elapsed();
        let hashes = miner.hashes().filter(|_| expect == Expect::Verdicts);
        let sequences = check_answer(&answer, shares, hashes)?;
        let mut tally = tally.borrow_mut();
        tally.acknowledged += shares as u64;
        tally.sequences.extend(sequences);
        if tally.phase == Phase::Measured {
            tally.latency.record(u64::try_from(took.as_micros())?)?;
        }
    }
    Ok(miner)
}

/// Whether all of `shares` were accepted. With their `hashes` the answer is read in full: each result must
/// name its share; the sequence numbers are returned.
///
/// # Errors
/// If any share was not accepted.
pub(crate) fn check_answer(
    answer: &Answer<'_>,
    shares: usize,
    hashes: Option<&[HeaderHash]>,
) -> Result<Vec<u64>, Error> {
    let accepted = answer.body.matches("\"verdict\":\"accepted\"").count();
    if answer.status != 200 || accepted != shares {
        let body = answer.body.get(..1_000).unwrap_or(answer.body);
        return Err(format!(
            "{accepted} of {shares} shares were accepted: {} {body}",
            answer.status
        )
        .into());
    }
    let Some(hashes) = hashes else {
        return Ok(Vec::new());
    };
    let SubmitAnswer { results } = serde_json::from_str(answer.body)?;
    if results.len() != hashes.len() {
        return Err(format!("{} results for {} shares", results.len(), hashes.len()).into());
    }
    let about = |(result, hash): (ShareResult, &HeaderHash)| match result {
        ShareResult::Accepted {
            share_id, sequence, ..
        } if share_id.0 == *hash => Ok(sequence),
        other => Err(format!("share {hash} was answered as {other:?}").into()),
    };
    results.into_iter().zip(hashes).map(about).collect()
}
