//! What the routes for validators know, beside what all routes know.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dwarves_actors::ask::Port;
use dwarves_actors::ledger::messages::Commit;
use dwarves_actors::miner_manager::bindings::ReadBindings;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::miners::Bindings;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::SharedClock;

use crate::answer::Fault;
use crate::tokens::{Doorkeeper, Turned, Validator, token_in};
use crate::work::WorkOfHotkeys;

/// How long the miner manager may take.
const ASK_DEADLINE: Duration = Duration::from_secs(5);
/// For how long the work of the last day is answered again to those who ask how things are.
const RECENT_AGE_MAX: Span = Span::from_secs(10);

/// What stands for a hotkey in answers that have one name a hotkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Its first and last four characters; the whole of it, if several hotkeys share these.
    Suffix,
    /// The whole of it.
    Hotkey,
}

/// What validators' routes are made with.
#[derive(Clone, Debug)]
pub struct ValidatorDeps {
    /// The ledger, which is told when a time is over.
    pub commit: Port<Commit>,
    /// The miner manager: which hotkeys there are, and where each is paid.
    pub bindings: Port<ReadBindings>,
    /// Who may ask.
    pub validators: Vec<Validator>,
    /// How often in a minute each may.
    pub per_minute: u32,
    /// The longest time that may be asked for at once.
    pub range_max: Span,
    /// What stands for a hotkey.
    pub names: Names,
    /// The names of coins under which TAOHash's validators find the work.
    pub coins: Vec<String>,
    /// The part of a worker's value that TAOHash's validators pay for, from 0 to 1.
    pub worker_percentage: f64,
    /// The wallet under which HashTensor's validators look for workers.
    pub wallet: String,
    /// The first part of workers' names as InfiniteHash's miners write them.
    pub subaccount: String,
}

/// What the routes know. There is one worker.
#[derive(Debug)]
pub struct ValidatorState {
    deps: ValidatorDeps,
    clock: SharedClockOf,
    door: RefCell<Doorkeeper>,
    is_reading: Rc<Cell<bool>>,
    recent: RefCell<Option<(Timestamp, Rc<Vec<WorkOfHotkeys>>)>>,
}

/// A clock that does not show itself.
struct SharedClockOf(SharedClock);

impl std::fmt::Debug for SharedClockOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedClock")
    }
}

/// The right to have work added up: one at a time, since it may take one of the store's readers for seconds.
#[derive(Debug)]
pub struct Turn(Rc<Cell<bool>>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl ValidatorState {
    /// The state of the worker.
    pub fn new(deps: ValidatorDeps, clock: SharedClock) -> Self {
        let door = Doorkeeper::new(deps.validators.clone(), deps.per_minute);
        Self {
            deps,
            clock: SharedClockOf(clock),
            door: RefCell::new(door),
            is_reading: Rc::default(),
            recent: RefCell::default(),
        }
    }

    /// How it was made.
    pub fn deps(&self) -> &ValidatorDeps {
        &self.deps
    }

    /// The date now.
    pub fn date(&self) -> Timestamp {
        self.clock.0.date()
    }

    /// Lets a validator in by its `Authorization` header.
    ///
    /// # Errors
    /// If nobody has the token, or it has asked too often.
    pub fn admit(&self, authorization: Option<&str>) -> Result<(), Fault> {
        let token = authorization.and_then(token_in);
        let mut door = self.door.borrow_mut();
        match door.admit(token.as_deref(), self.clock.0.now()) {
            Ok(name) => {
                log::debug!("validator={name} asks");
                Ok(())
            }
            Err(Turned::Unknown) => Err(Fault::forbidden()),
            Err(Turned::TooOften(empty)) => Err(Fault::too_often(empty.try_again)),
        }
    }

    /// A turn, if nobody else has it.
    pub fn turn(&self) -> Option<Turn> {
        let is_free = !self.is_reading.replace(true);
        is_free.then(|| Turn(Rc::clone(&self.is_reading)))
    }

    /// The ledger.
    pub fn commit(&self) -> &Port<Commit> {
        &self.deps.commit
    }

    /// Which hotkeys there are, and where each is paid.
    ///
    /// # Errors
    /// If the miner manager does not answer.
    pub async fn bindings(&self) -> Result<Bindings, Fault> {
        let bindings = self.deps.bindings.ask(ReadBindings, ASK_DEADLINE).await;
        bindings.map_err(|_| Fault::busy())
    }

    /// What stands for a hotkey.
    pub fn name_of(&self, hotkey: &Hotkey, bindings: &Bindings) -> String {
        match self.deps.names {
            Names::Suffix => bindings.name_of(hotkey),
            Names::Hotkey => hotkey.to_string(),
        }
    }

    /// What was answered a moment ago to who asked how things are.
    pub fn recent(&self) -> Option<Rc<Vec<WorkOfHotkeys>>> {
        let recent = self.recent.borrow();
        let (at, work) = recent.as_ref()?;
        let now = self.clock.0.now();
        (now >= *at && now.since(*at) < RECENT_AGE_MAX).then(|| Rc::clone(work))
    }

    /// Notes what is answered now.
    pub fn note_recent(&self, work: Vec<WorkOfHotkeys>) -> Rc<Vec<WorkOfHotkeys>> {
        let work = Rc::new(work);
        *self.recent.borrow_mut() = Some((self.clock.0.now(), Rc::clone(&work)));
        work
    }
}
