//! The thread that moves what stands in the log to the database, beside the commits.
//!
//! SQLite would do it inside a commit, once the log is long: that commit, and every miner who waits for it, would
//! stand still for tens of milliseconds. Moving does not hinder appending, so a second connection does the bulk of
//! it. What was appended meanwhile is little; the writer moves that itself between two commits, because a log
//! begins anew only when all of it has been moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use rusqlite::Connection;

/// Nobody moves.
const IDLE: u8 = 0;
/// The thread was told to move, or does.
const MOVING: u8 = 1;
/// The thread has moved what there was.
const MOVED: u8 = 2;

/// What the writer, its commits and the moving thread tell each other.
#[derive(Default)]
struct Progress {
    /// Pages in the log after the last commit.
    pages: AtomicU32,
    state: AtomicU8,
}

/// The writer's side.
pub(super) struct LogMover {
    progress: Arc<Progress>,
    nudges: SyncSender<()>,
    /// Pages at which moving is worth its flush.
    begin_at: u32,
    /// Pages at which the next move begins: more than `begin_at` while a reader keeps the log from beginning anew.
    next_at: u32,
}

impl LogMover {
    /// Starts the thread, which moves with `mover` once a commit of `writer` leaves `begin_at` pages or more in
    /// the log. It ends when the returned value is dropped.
    ///
    /// # Errors
    /// If SQLite does not let its commits be watched, or there is no thread.
    pub(super) fn start(
        writer: &mut Connection,
        mover: Connection,
        begin_at: u32,
    ) -> Result<(Self, JoinHandle<()>), StartError> {
        let progress = Arc::new(Progress::default());
        let seen = Arc::clone(&progress);
        writer.wal_hook(Some(move |_: &mut _, pages: i32| {
            seen.pages.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        let (nudges, nudged) = mpsc::sync_channel(1);
        let moving = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("store-move".into())
            .spawn(move || {
                while nudged.recv().is_ok() {
                    let state = match move_log(&mover) {
                        Ok(()) => MOVED,
                        Err(error) => {
                            log::warn!("the log is not moved to the database for now: {error}");
                            IDLE
                        }
                    };
                    moving.state.store(state, Ordering::Release);
                }
            })?;
        let this = Self {
            progress,
            nudges,
            begin_at,
            next_at: begin_at,
        };
        Ok((this, thread))
    }

    /// To be called after each commit has been answered.
    pub(super) fn tend(&mut self, writer: &Connection) {
        let pages = self.progress.pages.load(Ordering::Relaxed);
        match self.progress.state.load(Ordering::Acquire) {
            IDLE if pages >= self.next_at => {
                self.progress.state.store(MOVING, Ordering::Relaxed);
                // There is room: the thread has taken the nudge before it is idle again.
                let _full = self.nudges.try_send(());
                // Should it fail, the next attempt waits for more.
                self.next_at = pages.saturating_add(self.begin_at / 4);
            }
            MOVED => {
                if let Err(error) = move_log(writer) {
                    log::warn!("the end of the log is not moved to the database for now: {error}");
                }
                self.next_at = pages.saturating_add(self.begin_at / 4);
                self.progress.state.store(IDLE, Ordering::Relaxed);
            }
            IDLE if pages < self.begin_at => self.next_at = self.begin_at,
            _ => {}
        }
    }
}

/// Moves what can be moved without waiting for readers or the writer.
fn move_log(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row([], |_| Ok(()))
}

/// Why the log cannot be moved by a thread of its own.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// SQLite refuses.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// There is no thread for it.
    #[error("no thread for it: {0}")]
    Thread(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;

    const BEGIN_AT: u32 = 32;

    fn open(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
            .unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        connection
    }

    /// Commits until `is_enough` says so, at most for a minute. Each commit writes more than a page.
    fn commit_until(
        writer: &Connection,
        mover: &mut LogMover,
        mut is_enough: impl FnMut(u32) -> bool,
    ) -> bool {
        #[allow(
            clippy::disallowed_methods,
            reason = "a test that waits for a thread must give up some time"
        )]
        let begin = Instant::now();
        loop {
            writer
                .execute("INSERT INTO t (x) VALUES (randomblob(5000))", [])
                .unwrap();
            mover.tend(writer);
            if is_enough(mover.progress.pages.load(Ordering::Relaxed)) {
                return true;
            }
            if begin.elapsed() > Duration::from_secs(60) {
                return false;
            }
        }
    }

    #[test]
    fn a_log_that_is_written_all_the_time_begins_anew_again_and_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let mut writer = open(&path);
        writer.execute_batch("CREATE TABLE t (x BLOB)").unwrap();
        let (mut mover, thread) = LogMover::start(&mut writer, open(&path), BEGIN_AT).unwrap();
        let (mut before, mut begun_anew) = (0, 0);
        let often = commit_until(&writer, &mut mover, |pages| {
            begun_anew += u32::from(pages < before);
            before = pages;
            begun_anew == 5
        });
        assert!(often, "the log began anew {begun_anew} times in a minute");
        drop(mover);
        thread.join().unwrap();
        let rows: i64 = writer
            .query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert!(rows > 0);
        let check: String = writer
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
    }

    #[test]
    fn a_reader_that_holds_the_log_is_not_fought_and_it_begins_anew_once_the_reader_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let mut writer = open(&path);
        writer.execute_batch("CREATE TABLE t (x BLOB)").unwrap();
        let (mut mover, _thread) = LogMover::start(&mut writer, open(&path), BEGIN_AT).unwrap();
        let reader = open(&path);
        reader.execute_batch("BEGIN; SELECT COUNT(*) FROM t").unwrap();
        assert!(commit_until(&writer, &mut mover, |pages| pages > 4 * BEGIN_AT));
        assert!(
            mover.next_at > BEGIN_AT,
            "the next move waits for more to be moved"
        );
        reader.execute_batch("COMMIT").unwrap();
        assert!(commit_until(&writer, &mut mover, |pages| pages < BEGIN_AT));
    }
}
