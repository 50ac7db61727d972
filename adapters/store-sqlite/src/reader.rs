//! Threads that read, each with a connection of its own: reads see the last commit and never wait for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use dwarves_ports::store::{StoreError, StoreErrorKind, StoreFuture};
use rusqlite::{Connection, InterruptHandle};
use tokio::sync::oneshot;

use super::error::Outcome;

/// Questions that may wait for one thread; more are refused.
const QUEUE_MAX: usize = 64;

type Question = Box<dyn FnOnce(&mut Connection) + Send>;

/// The threads that read.
pub(super) struct Readers {
    readers: Vec<Reader>,
    is_closing: Arc<AtomicBool>,
}

struct Reader {
    questions: Option<SyncSender<Question>>,
    /// Questions that wait or are being answered.
    pending: Arc<AtomicUsize>,
    interrupt: InterruptHandle,
    thread: Option<JoinHandle<()>>,
}

fn unavailable(why: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, why)
}

impl Readers {
    /// Starts one thread a connection.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let is_closing = Arc::new(AtomicBool::new(false));
        let start = |connection: Connection| {
            let (questions, asked) = mpsc::sync_channel::<Question>(QUEUE_MAX);
            let pending = Arc::new(AtomicUsize::new(0));
            let interrupt = connection.get_interrupt_handle();
            let thread = std::thread::Builder::new().name("store-read".into()).spawn({
                let (pending, is_closing) = (Arc::clone(&pending), Arc::clone(&is_closing));
                move || answer_all(connection, &asked, &pending, &is_closing)
            })?;
            Ok(Reader {
                questions: Some(questions),
                pending,
                interrupt,
                thread: Some(thread),
            })
        };
        let readers = connections
            .into_iter()
            .map(start)
            .collect::<std::io::Result<_>>()?;
        Ok(Self { readers, is_closing })
    }

    /// Asks the thread with the least to do.
    pub(super) fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<T> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            let answered = in_snapshot(connection, read);
            let _gone = reply.send(answered.map_err(|fail| fail.into_store_error(name)));
        });
        let least_busy = self
            .readers
            .iter()
            .min_by_key(|r| r.pending.load(Ordering::Relaxed));
        let is_taken = least_busy.is_some_and(|reader| reader.take(question));
        Box::pin(async move {
            if !is_taken {
                return Err(unavailable("too many reads wait"));
            }
            let closed = |_| Err(unavailable("the store is closing"));
            answer.await.unwrap_or_else(closed)
        })
    }
}

/// Reads in one transaction, so that all that is read is of one moment.
pub(super) fn in_snapshot<T>(
    connection: &mut Connection,
    read: impl FnOnce(&Connection) -> Outcome<T>,
) -> Outcome<T> {
    let snapshot = connection.transaction()?;
    read(&snapshot)
}

impl Reader {
    fn take(&self, question: Question) -> bool {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let sent = self
            .questions
            .as_ref()
            .map(|questions| questions.try_send(question));
        let is_taken = matches!(sent, Some(Ok(())));
        if !is_taken {
            self.pending.fetch_sub(1, Ordering::Relaxed);
        }
        is_taken
    }
}

fn answer_all(
    mut connection: Connection,
    questions: &Receiver<Question>,
    pending: &AtomicUsize,
    is_closing: &AtomicBool,
) {
    while let Ok(question) = questions.recv() {
        // Dropping a question unanswered tells the asker that the store is closing.
        if !is_closing.load(Ordering::Relaxed) {
            question(&mut connection);
        }
        pending.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Readers {
    /// Ends what is being read and waits for the threads.
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Relaxed);
        for reader in &mut self.readers {
            reader.questions = None;
            reader.interrupt.interrupt();
        }
        for reader in &mut self.readers {
            if let Some(thread) = reader.thread.take() {
                // A thread that panicked has nothing more to say.
                let _panicked = thread.join();
            }
        }
    }
}
