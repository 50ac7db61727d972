//! The thread that says that a front lives, and looks at who does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use dwarves_ports::clock::Moment;
use dwarves_ports::fronts::Fronts;
use tokio::sync::watch;

use super::rows::{self, Lease};
use super::succession::{Succession, Verdict};
use crate::client::Db;
use crate::error::OpenError;
use crate::options::PostgresOptions;

/// How often.
const EVERY: Duration = Duration::from_millis(500);
/// How soon a session that was ended is looked at again.
const SOON: Duration = Duration::from_millis(100);

/// What the thread tells.
struct Telling {
    seen: watch::Sender<Fronts>,
    may_lead: watch::Sender<bool>,
    superseded: watch::Sender<bool>,
    /// The epoch in which this front took the lead; 0: it did not.
    led: Arc<AtomicU64>,
}

/// The thread.
pub(super) struct Beating {
    seen: watch::Receiver<Fronts>,
    may_lead: watch::Receiver<bool>,
    superseded: watch::Receiver<bool>,
    led: Arc<AtomicU64>,
    /// Dropped to end it.
    ending: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beating {
    pub(super) fn start(db: Db, options: &PostgresOptions, lease: Lease) -> Result<Self, OpenError> {
        let (seen, see) = watch::channel(Fronts {
            this: lease.number,
            ..Fronts::default()
        });
        let (may_lead, watch_lead) = watch::channel(false);
        let (superseded, watch_superseded) = watch::channel(false);
        let led = Arc::new(AtomicU64::new(0));
        let telling = Telling {
            seen,
            may_lead,
            superseded,
            led: Arc::clone(&led),
        };
        let (ending, ended) = mpsc::sync_channel(1);
        let (begun, first) = mpsc::sync_channel(1);
        let options = options.clone();
        let thread = std::thread::Builder::new()
            .name("front-beat".into())
            .spawn(move || {
                let mut beat = Beat {
                    db: Some(db),
                    options,
                    lease,
                    began: Moment::now(),
                    succession: Succession::default(),
                    telling,
                };
                let next = beat.once();
                let _nobody_waits = begun.send(());
                beat.go_on(&ended, next);
            })
            .map_err(|error| OpenError::Database(format!("no thread for it: {error}")))?;
        // Whoever starts is to know at once who leads. If the thread is gone, so is the sender.
        let _gone = first.recv();
        Ok(Self {
            seen: see,
            may_lead: watch_lead,
            superseded: watch_superseded,
            led,
            ending: Some(ending),
            thread: Some(thread),
        })
    }

    pub(super) fn seen(&self) -> watch::Receiver<Fronts> {
        self.seen.clone()
    }

    pub(super) fn may_lead(&self) -> watch::Receiver<bool> {
        self.may_lead.clone()
    }

    pub(super) fn superseded(&self) -> watch::Receiver<bool> {
        self.superseded.clone()
    }

    pub(super) fn led(&self, epoch: u64) {
        self.led.store(epoch, Ordering::SeqCst);
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.ending = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread of the front's beats panicked");
        }
    }
}

struct Beat {
    /// Gone after the connection was lost, until it is made again.
    db: Option<Db>,
    options: PostgresOptions,
    lease: Lease,
    /// When it began to look.
    began: Moment,
    succession: Succession,
    telling: Telling,
}

impl Beat {
    fn go_on(&mut self, ended: &Receiver<()>, mut pause: Duration) {
        while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            pause = self.once();
        }
        // Whoever stops in order is not missed.
        if let Some(db) = self.db.as_ref().filter(|db| !db.is_gone())
            && let Err(fail) = rows::leave(db, self.lease)
        {
            log::debug!("{}", fail.into_store_error("leaving the other fronts"));
        }
    }

    /// One beat and one look. How long to wait until the next.
    fn once(&mut self) -> Duration {
        match self.look() {
            Ok(pause) => pause,
            Err(why) => {
                self.db = None;
                self.succession.forget();
                self.telling.may_lead.send_if_modified(std::mem::take);
                self.telling.seen.send_if_modified(|seen| {
                    let is_news = seen.unreached.as_ref() != Some(&why);
                    if is_news {
                        log::debug!("the other fronts are not seen: {why}");
                        seen.unreached = Some(why);
                    }
                    is_news
                });
                EVERY
            }
        }
    }

    fn look(&mut self) -> Result<Duration, String> {
        if self.db.as_ref().is_none_or(Db::is_gone) {
            self.db = None;
            self.db = Some(self.connect_again()?);
        }
        let Some(db) = &self.db else {
            return Err("there is no connection to the database".to_owned());
        };
        let in_words =
            |fail: crate::error::Fail| fail.into_store_error("saying that this front lives").to_string();
        let Some((look, fronts)) = rows::beat(db, self.lease).map_err(in_words)? else {
            return Err(format!(
                "another process has the number {} of this front",
                self.lease.number
            ));
        };
        let led = self.telling.led.load(Ordering::SeqCst);
        let mut pause = EVERY;
        let mut may_lead = false;
        if led == 0 {
            match self
                .succession
                .judge(self.lease.number.get(), look, self.began.elapsed())
            {
                Verdict::Wait => {}
                Verdict::Lead => may_lead = true,
                Verdict::End => {
                    match look.leader {
                        Some((number, ..)) if number == self.lease.number.get() => {
                            log::info!("what this front's process before left at the server is ended");
                        }
                        _ => {
                            log::warn!("the front that leads is silent: its session with the ledger is ended")
                        }
                    }
                    rows::end_leader(db, look).map_err(in_words)?;
                    pause = SOON;
                }
            }
        } else if look.epoch > led {
            self.telling.superseded.send_replace(true);
        }
        self.telling.seen.send_if_modified(|seen| {
            let is_news = *seen != fronts;
            *seen = fronts;
            is_news
        });
        // Whoever failed to take it is to hear of it again.
        match may_lead {
            true => drop(self.telling.may_lead.send_replace(true)),
            false => drop(self.telling.may_lead.send_if_modified(std::mem::take)),
        }
        Ok(pause)
    }

    /// A new connection, with the lock of this front's number.
    fn connect_again(&self) -> Result<Db, String> {
        let db = super::connect(&self.options).map_err(|error| error.to_string())?;
        match rows::lock(&db, self.lease.number.get()) {
            Ok(true) => Ok(db),
            Ok(false) => Err("the session from before still has this front's number".to_owned()),
            Err(fail) => Err(fail
                .into_store_error("taking this front's number again")
                .to_string()),
        }
    }
}
