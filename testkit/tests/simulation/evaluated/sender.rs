//! A miner that sends work, sends it again when an answer gets lost or when it likes to, goes away before it is answered, and
//! has some of it removed.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use dwarves_actors::ask::AskError;
use dwarves_actors::assembly::{EvaluatorPorts, PoolPorts};
use dwarves_actors::miner_manager::messages::RegisterMiner;
use dwarves_actors::work_evaluator::messages::{RemoveSubmission, SubmitWork, Submitted};
use dwarves_domain::evaluation::SubmissionId;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::Prng;
use dwarves_testkit::build::{hotkey, worker_name};

use super::MAX_AGE;
use super::oracle::row_of;
use super::records::Records;

/// Works that a miner remembers.
const MEMORY: usize = 8;

/// What a miner knows; it outlives the pool's lives.
pub(super) struct Sender {
    n: u8,
    prng: Prng,
    next: u64,
    /// What it sent, and the name by which that is known, if it was told one.
    sent: Vec<(String, Option<SubmissionId>)>,
    /// What was not answered.
    unanswered: Option<String>,
    is_registered: bool,
    /// Sends nothing any more.
    pub(super) retired: bool,
}

impl Sender {
    pub(super) fn new(n: u8, prng: Prng) -> Self {
        Self {
            n,
            prng,
            next: 0,
            sent: Vec::new(),
            unanswered: None,
            is_registered: false,
            retired: false,
        }
    }

    pub(super) fn hotkey(&self) -> Hotkey {
        hotkey(self.n)
    }

    /// What it sends next.
    fn work(&mut self) -> String {
        if let Some(work) = self.unanswered.clone() {
            return work;
        }
        if !self.sent.is_empty() && self.prng.chance(25) {
            let place = self.prng.below(self.sent.len() as u64) as usize;
            return self.sent[place].0.clone();
        }
        self.next += 1;
        format!("{{\"by\": {}, \"n\": {}}}", self.n, self.next)
    }
}

/// Where a life is.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) ports: PoolPorts,
    pub(super) evaluator: EvaluatorPorts,
    pub(super) memory: InlineStore,
    pub(super) records: Records,
    /// Whether no submission ever makes room for another.
    pub(super) keeps_all: bool,
}

/// Goes on for as long as the life does.
pub(super) async fn send(state: Rc<RefCell<Sender>>, door: Door) {
    loop {
        let wait = 50 + state.borrow_mut().prng.below(2_500);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        if state.borrow().retired {
            return;
        }
        // Some send before they are registered.
        let forgets = state.borrow_mut().prng.chance(20);
        if !state.borrow().is_registered && !forgets {
            register(&state, &door).await;
        }
        let removes = state.borrow_mut().prng.chance(6);
        if removes {
            remove(&state, &door).await;
        } else {
            submit(&state, &door).await;
        }
    }
}

async fn register(state: &Rc<RefCell<Sender>>, door: &Door) {
    let register = RegisterMiner {
        hotkey: state.borrow().hotkey(),
        payout_address: None,
        payout_threshold: None,
        from: Ipv4Addr::LOCALHOST.into(),
    };
    let port = &door.ports.registration.register;
    let answer = port.ask(register, Duration::from_secs(5)).await;
    state.borrow_mut().is_registered |= matches!(answer, Ok(Ok(_)));
}

async fn submit(state: &Rc<RefCell<Sender>>, door: &Door) {
    let (work, hotkey, wait, patience) = {
        let mut state = state.borrow_mut();
        let (work, wait) = (state.work(), state.prng.below(6_000));
        // Some are gone before they are answered.
        let patience = if state.prng.chance(20) {
            state.prng.below(1_000)
        } else {
            30_000
        };
        (work, state.hotkey(), wait, patience)
    };
    let submit = SubmitWork {
        hotkey,
        worker: worker_name("rig"),
        work: work.clone(),
        wait: Span::from_millis(wait),
    };
    let answer = door
        .evaluator
        .submit
        .ask(submit, Duration::from_millis(patience))
        .await;
    let n = state.borrow().n;
    match answer {
        Ok(Ok(Submitted { row, is_new })) => {
            assert_eq!(row.hotkey, hotkey, "work of another");
            door.records.submitted(&row, is_new);
            is_known(&row.id, door);
            let word = match (&row.evaluated, is_new) {
                (None, _) => "queued",
                (Some(_), true) => "evaluated",
                (Some(_), false) => "evaluated before",
            };
            door.records.event(format!("{n}: {} is {word}", row.id));
            answered(state, door, work, row.id, is_new);
        }
        Ok(Err(refusal)) => {
            door.records.event(format!("{n}: refused: {refusal:?}"));
            match refusal {
                Refusal::MinerUnknown => state.borrow_mut().is_registered = false,
                Refusal::Banned { .. } | Refusal::Paused | Refusal::TooMuchWaits { .. } | Refusal::Busy => {}
                // Whether it was done is unknown.
                Refusal::Unavailable => state.borrow_mut().unanswered = Some(work),
                other => panic!("work cannot be refused with {other:?}"),
            }
        }
        Err(error) => {
            if error != AskError::Busy {
                state.borrow_mut().unanswered = Some(work);
            }
            door.records.event(format!("{n}: no answer: {error:?}"));
        }
    }
}

/// Whoever is told of a submission finds it, unless somebody wanted it removed, or it made room.
fn is_known(id: &SubmissionId, door: &Door) {
    let may_be_gone = !door.keeps_all || door.records.told().unwanted.contains(id);
    let is_there = row_of(&door.memory, id).is_some();
    assert!(
        is_there || may_be_gone,
        "{id} was acknowledged and is not in the ledger"
    );
}

/// The same work has another name only if what came of it under the one before counts no more.
fn answered(state: &Rc<RefCell<Sender>>, door: &Door, work: String, id: SubmissionId, is_new: bool) {
    let mut state = state.borrow_mut();
    state.unanswered = None;
    let before = state.sent.iter().position(|(sent, _)| *sent == work);
    if let Some(place) = before {
        let known = state.sent.remove(place).1;
        if let Some(known) = known.filter(|known| *known != id && is_new) {
            let received_at = row_of(&door.memory, &id).map(|row| row.received_at);
            if let (Some(row), Some(received_at)) = (row_of(&door.memory, &known), received_at) {
                let evaluated = row.evaluated.expect("the same work waits twice");
                let counts = evaluated.outcome.is_ok() && evaluated.at >= received_at.minus(MAX_AGE);
                assert!(!counts, "{known} counts, and the same work is {id} now");
                door.records.event(format!("{}: {known} is made anew", state.n));
            }
        }
    }
    state.sent.push((work, Some(id)));
    if state.sent.len() > MEMORY {
        state.sent.remove(0);
    }
}

/// It removes one of its own, or tries to remove somebody else's.
async fn remove(state: &Rc<RefCell<Sender>>, door: &Door) {
    let told = door.records.told();
    let (id, owner, is_own) = {
        let mut state = state.borrow_mut();
        let own = state.hotkey();
        let is_own = state.prng.chance(60);
        let mut of_whom = told.acknowledged.iter();
        let Some((id, _)) =
            of_whom.rfind(|(id, (hotkey, _))| (*hotkey == own) == is_own && !told.removed.contains(*id))
        else {
            return;
        };
        (*id, own, is_own)
    };
    if is_own {
        door.records.change(|told| told.unwanted.insert(id));
    }
    let remove = RemoveSubmission { id, owner };
    let answer = door.evaluator.remove.ask(remove, Duration::from_secs(10)).await;
    match answer {
        Ok(Ok(true)) => {
            assert!(is_own, "{id} was removed by a stranger");
            door.records.change(|told| told.removed.insert(id));
            door.records.event(format!("{id} is removed"));
        }
        Ok(Ok(false)) if !is_own => door.records.event(format!("{id} is not a stranger's to remove")),
        other => door.records.event(format!("{id} is not removed: {other:?}")),
    }
}
