//! Very many sessions that wait: what each holds of the server's memory, when the last hears of a block, and what that takes
//! of the server's CPU time.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::session::{Line, Session};
use crate::standin::StandIn;
use crate::{Error, proc};

/// Sessions that are opened at the same time.
const OPENED_AT_ONCE: usize = 64;
/// How long the server gets to come to rest before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);
/// How long the last session may wait for a block that everybody else heard of.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// What a notify that ends all earlier work ends with, and what tells it from an answer.
const CLEAN: &[u8] = b",true]}";

/// What is known of many sessions.
pub(crate) struct Crowd {
    /// How many there are.
    count: usize,
    /// Bytes of the server's own memory when all have their work.
    idle: u64,
    /// The same after the blocks.
    told: u64,
    /// How they heard of the blocks.
    pub(crate) hearing: Heard,
}

/// How a crowd heard of some blocks.
pub(crate) struct Heard {
    /// For each block, when the first, half of the sessions and the last had heard, in milliseconds.
    pub(crate) ms: Vec<[f64; 3]>,
    /// Microseconds of the server's CPU time for each session and block, with all that a block takes by itself.
    pub(crate) cpu_us: f64,
}

impl Crowd {
    /// Bytes of each session, before the blocks and after them. `few` is what was seen at a server of its own with few
    /// sessions and as many blocks: what the server holds by itself is not the sessions'.
    pub(crate) fn bytes_each(&self, few: &Self) -> [f64; 2] {
        let count = self.count.saturating_sub(few.count) as f64;
        [(self.idle, few.idle), (self.told, few.told)]
            .map(|(all, few)| all.saturating_sub(few) as f64 / count)
    }
}

/// What the sessions note. They share one thread.
#[derive(Default)]
struct Hearing {
    heard: Vec<Instant>,
}

/// Opens `users.len()` sessions at the pool, then finds `blocks` blocks.
///
/// # Errors
/// If any session is not let in or does not hear of every block.
pub(crate) async fn at_pool(
    address: SocketAddr,
    pid: u32,
    node: &StandIn,
    users: Vec<String>,
    blocks: usize,
) -> Result<Crowd, Error> {
    let count = users.len();
    let mut lines = Vec::with_capacity(count);
    let mut opening = JoinSet::new();
    let mut users = users.into_iter();
    loop {
        while opening.len() < OPENED_AT_ONCE
            && let Some(user) = users.next()
        {
            opening.spawn_local(async move { Ok::<_, Error>(Session::open(address, user).await?.line) });
        }
        match opening.join_next().await {
            Some(opened) => lines.push(opened??),
            None => break,
        }
    }
    tokio::time::sleep(SETTLE).await;
    let idle = proc::own_memory(pid)?;
    let mut ms = Vec::with_capacity(blocks);
    let (hearing, _listening) = listen(lines);
    let before = proc::cpu_time(pid)?;
    for _ in 0..blocks {
        let found_at = node.find_block();
        ms.push(wait_for_all(&hearing, count, found_at).await?);
        tokio::time::sleep(SETTLE).await;
    }
    let hearing = Heard {
        cpu_us: micros_each(proc::cpu_time(pid)? - before, count * blocks),
        ms,
    };
    let told = proc::own_memory(pid)?;
    Ok(Crowd {
        count,
        idle,
        told,
        hearing,
    })
}

fn micros_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// The same at the bare server, which is asked `blocks` times to write `text` to everybody.
pub(crate) async fn at_bare(
    address: SocketAddr,
    pid: u32,
    count: usize,
    text: &str,
    blocks: usize,
) -> Result<Heard, Error> {
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        lines.push(Line::connect(address).await?);
    }
    let asking = Line::connect(address).await?;
    let ask = json!({ "id": 1, "method": "bare.broadcast", "params": [text] });
    let (hearing, _listening) = listen(lines);
    let mut ms = Vec::with_capacity(blocks);
    let before = proc::cpu_time(pid)?;
    for _ in 0..blocks {
        tokio::time::sleep(SETTLE).await;
        let at = Instant::now();
        asking.send(format!("{ask}\n").as_bytes()).await?;
        ms.push(wait_for_all(&hearing, count, at).await?);
    }
    let cpu_us = micros_each(proc::cpu_time(pid)? - before, count * blocks);
    Ok(Heard { ms, cpu_us })
}

/// Lets every connection note when it hears of a block. Dropping the set closes them.
fn listen(lines: Vec<Line>) -> (Rc<RefCell<Hearing>>, JoinSet<()>) {
    let hearing = Rc::new(RefCell::new(Hearing::default()));
    let mut listening = JoinSet::new();
    for mut line in lines {
        let hearing = Rc::clone(&hearing);
        listening.spawn_local(async move {
            let note = |text: &[u8]| {
                if text.ends_with(CLEAN) {
                    hearing.borrow_mut().heard.push(Instant::now());
                }
                Ok(())
            };
            // A connection that breaks hears nothing any more, which is noticed.
            while line.receive(note).await.is_ok() {}
        });
    }
    (hearing, listening)
}

async fn wait_for_all(hearing: &RefCell<Hearing>, count: usize, since: Instant) -> Result<[f64; 3], Error> {
    let begin = Instant::now();
    while hearing.borrow().heard.len() < count {
        if begin.elapsed() > HEARD_WITHIN {
            let heard = hearing.borrow().heard.len();
            return Err(format!("{heard} of {count} sessions heard of a block").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let heard = std::mem::take(&mut hearing.borrow_mut().heard);
    if heard.len() > count {
        return Err("a block was told more than once".into());
    }
    let millis = |at: usize| (heard[at] - since).as_secs_f64() * 1_000.0;
    Ok([millis(0), millis(count / 2), millis(count - 1)])
}
