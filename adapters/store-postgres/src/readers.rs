//! The threads that read: each has a connection of its own, asks, and waits. A question goes to the one with the least to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::JoinHandle;

use dwarves_ports::store::StoreError;
use tokio::sync::{oneshot, watch};

use super::client::Db;
use super::error::{Outcome, unavailable};
use super::options::PostgresOptions;
use super::questions::{Of, Question};
use super::server;

/// Threads of one side: a long fold over a window leaves some for quick questions.
pub(crate) const READERS: usize = 3;
/// Questions that may wait for one thread; more are refused.
const QUEUE_MAX: usize = 64;

/// A question on its way: it gets the connection, or why there is none, and which chance this is.
pub(crate) type Asking = Box<dyn FnMut(Result<&Db, StoreError>, Chance) -> Asked + Send>;

/// Which chance a question has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    /// On the standby: whatever is wrong there, and what is not to be found there, is asked on the primary.
    Standby,
    /// On the primary: once more on another connection, if this one is lost.
    First,
    /// Whatever it comes to is the answer.
    Last,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It was answered, and the connection is as it was.
    Answered,
    /// It was answered, and the connection is no good any more.
    Broken,
    /// It failed, and the connection is no good any more: it waits for another one.
    Again,
    /// There is nothing of it on the standby, whose connection is as it was: it waits for the primary.
    NotThere,
}

/// A question for the threads, and where its answer comes. `is_nothing` says of an answer whether it is that there is no
/// such thing, which a standby may merely not know yet.
pub(crate) fn asking<T: Send + 'static>(
    question: Question,
    is_nothing: fn(&T) -> bool,
    read: impl Fn(&Db) -> Outcome<T> + Send + 'static,
) -> (Asking, oneshot::Receiver<Result<T, StoreError>>) {
    let (reply, answer) = oneshot::channel();
    let mut reply = Some(reply);
    let asking: Asking = Box::new(move |db, chance| {
        let (answered, asked) = match db {
            Ok(db) => {
                let (answered, is_well) = in_snapshot(db, question.of(), &read);
                match (answered, chance) {
                    (Err(fail), Chance::Standby) => {
                        let error = fail.into_store_error(question.name());
                        log::debug!("asked on the primary, since the standby does not answer: {error}");
                        return Asked::Again;
                    }
                    (Ok(value), Chance::Standby) if is_nothing(&value) => {
                        return if is_well { Asked::NotThere } else { Asked::Again };
                    }
                    (Err(_), Chance::First) if db.is_gone() => return Asked::Again,
                    (answered, _) if is_well => (answered, Asked::Answered),
                    (answered, _) => (answered, Asked::Broken),
                }
            }
            Err(error) => (Err(error.into()), Asked::Broken),
        };
        if let Some(reply) = reply.take() {
            let _gone = reply.send(answered.map_err(|fail| fail.into_store_error(question.name())));
        }
        asked
    });
    (asking, answer)
}

/// Reads in one transaction, so that all that is read is of one moment. Also whether the connection is as it was.
fn in_snapshot<T>(db: &Db, of: Of, read: &impl Fn(&Db) -> Outcome<T>) -> (Outcome<T>, bool) {
    if of == Of::OneStatement {
        let answered = read(db);
        return (answered, !db.is_gone());
    }
    let answered = db
        .run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .and_then(|()| read(db));
    let is_over = db
        .run(if answered.is_ok() { "COMMIT" } else { "ROLLBACK" })
        .is_ok();
    (answered, is_over && !db.is_gone())
}

/// The threads of one side. Dropping them ends their queues and waits for them.
pub(crate) struct Readers(Vec<Reader>);

struct Reader {
    questions: Option<SyncSender<Asking>>,
    /// Questions that wait or are being answered.
    pending: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Readers {
    /// A thread for each of `answer`, which does what is to be done with a question.
    pub(crate) fn start(
        name: &str,
        closed: &watch::Receiver<bool>,
        answer: impl IntoIterator<Item = impl FnMut(Asking) + Send + 'static>,
    ) -> std::io::Result<Self> {
        let mut readers = Self(Vec::new());
        for answer in answer {
            readers.0.push(Reader::start(name, closed.clone(), answer)?);
        }
        Ok(readers)
    }

    /// Gives a question to the thread with the least to do, or back if that one has no room.
    pub(crate) fn take(&self, asking: Asking) -> Result<(), Asking> {
        let least_busy = self.0.iter().min_by_key(|r| r.pending.load(Ordering::Relaxed));
        match least_busy {
            Some(reader) => reader.take(asking),
            None => Err(asking),
        }
    }
}

impl Reader {
    fn start(
        name: &str,
        closed: watch::Receiver<bool>,
        mut answer: impl FnMut(Asking) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (questions, asked) = mpsc::sync_channel::<Asking>(QUEUE_MAX);
        let pending = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn({
            let pending = Arc::clone(&pending);
            move || {
                while let Ok(asking) = asked.recv() {
                    // Dropping a question unanswered tells the asker that the store is closing.
                    if !*closed.borrow() {
                        answer(asking);
                    }
                    pending.fetch_sub(1, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self {
            questions: Some(questions),
            pending,
            thread: Some(thread),
        })
    }

    fn take(&self, asking: Asking) -> Result<(), Asking> {
        let Some(questions) = &self.questions else {
            return Err(asking);
        };
        self.pending.fetch_add(1, Ordering::Relaxed);
        questions.try_send(asking).map_err(|refused| {
            self.pending.fetch_sub(1, Ordering::Relaxed);
            match refused {
                TrySendError::Full(asking) | TrySendError::Disconnected(asking) => asking,
            }
        })
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for reader in &mut self.0 {
            reader.questions = None;
        }
        for thread in self.0.iter_mut().filter_map(|reader| reader.thread.take()) {
            if thread.join().is_err() {
                log::error!("a thread of the store panicked");
            }
        }
    }
}

/// A connection to the primary that is made again when it was lost, as one thread uses it.
pub(crate) struct Asker {
    db: Option<Db>,
    options: PostgresOptions,
    closed: watch::Receiver<bool>,
}

impl Asker {
    pub(crate) fn new(db: Db, options: &PostgresOptions, closed: &watch::Receiver<bool>) -> Self {
        Self {
            db: Some(db),
            options: options.clone(),
            closed: closed.clone(),
        }
    }

    /// Asks on the connection, or on a new one if it is gone.
    pub(crate) fn answer(&mut self, mut asking: Asking) {
        if self.ask(&mut asking, Chance::First) == Asked::Again {
            self.ask(&mut asking, Chance::Last);
        }
    }

    fn ask(&mut self, asking: &mut Asking, chance: Chance) -> Asked {
        let connected = match self.db.take().filter(|db| !db.is_gone()) {
            Some(connected) => Ok(connected),
            None => server::connect(&self.options).map(|connected| connected.until(self.closed.clone())),
        };
        match connected {
            Ok(connected) => {
                let asked = asking(Ok(&connected), chance);
                if asked == Asked::Answered {
                    self.db = Some(connected);
                }
                asked
            }
            Err(error) => asking(Err(unavailable(error.to_string())), chance),
        }
    }
}
