//! What a front does that stands by: it passes on to the front that leads whoever comes to it, byte by byte, with a PROXY
//! header that says who it is. So a miner, a page or a proxy may come to any front, and TLS, long polls and event
//! streams are what they are at the one that leads.
//!
//! | module | its one job |
//! |---|---|
//! | [`Relay`] | a thread that accepts at every listener |
//! | `passing` | one connection |
//! | `figures` | what is measured of it, for Prometheus |
//!
//! Two questions are answered here, because they ask for this very process: whether it lives (`GET /healthz`), and its
//! figures (`GET /metrics`). Everything ends when the relay is dropped, which is when this front leads itself.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dwarves_domain::network::Subnet;
use dwarves_ports::fronts::Fronts;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

mod figures;
mod passing;

use figures::Figures;
use passing::Passing;

/// How long nothing is accepted after accepting failed.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A listener whose connections are passed on.
pub struct Entrance {
    /// The setting that it is of, by which the leading front's listener is found.
    pub setting: String,
    /// Where it accepts.
    pub listener: TcpListener,
    /// Proxies in front of it, whose word for a client's address is taken.
    pub proxies: Vec<Subnet>,
    /// Whether HTTP is spoken, so that whoever cannot be passed on is told why.
    pub is_http: bool,
    /// Connections at a time.
    pub connections_max: usize,
}

/// Whole answers of HTTP, after which a connection is closed.
pub struct Answers {
    /// The process lives.
    pub alive: Vec<u8>,
    /// No front leads, or it cannot be reached.
    pub no_leader: Vec<u8>,
    /// There are as many connections as there may be.
    pub full: Vec<u8>,
    /// The head of an answer with figures, up to its length.
    pub figures_head: Vec<u8>,
}

/// What is measured of the process beside what is passed on: a whole page of OpenMetrics.
pub type MoreFigures = Box<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

/// How connections are passed on.
pub struct Settings {
    /// All fronts, as they are seen.
    pub fronts: watch::Receiver<Fronts>,
    /// Whether connections are passed on at all: the one that leads takes the header from known addresses alone.
    pub passes_on: bool,
    /// How long a client may take to begin.
    pub begin_max: Duration,
    /// What is answered here.
    pub answers: Answers,
    /// The figures that come behind the relay's own.
    pub more_figures: MoreFigures,
}

/// A relay at work; dropping it ends it, with all of its connections.
pub struct Relay {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What all relays of a process have in common: their settings, and what is measured of them.
#[derive(Clone)]
pub struct Common(Arc<Passing>);

impl Common {
    /// For relays of listeners with these settings.
    pub fn new(listeners: impl Iterator<Item = String>, settings: Settings) -> Self {
        Self(Arc::new(Passing {
            figures: Figures::new(listeners),
            settings,
        }))
    }

    /// Notes whether there is a link with the front that leads, so that miners are served here.
    pub fn set_linked(&self, is_linked: bool) {
        self.0.figures.set_linked(is_linked);
    }
}

impl Relay {
    /// Begins to accept.
    ///
    /// # Errors
    /// If there can be no thread for it, or a listener cannot be used.
    pub fn start(entrances: Vec<Entrance>, common: &Common) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let passing = Arc::clone(&common.0);
        for entrance in &entrances {
            entrance.listener.set_nonblocking(true)?;
        }
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("relay".into()).spawn(move || {
            runtime.block_on(async {
                let mut doors = JoinSet::new();
                for entrance in entrances {
                    doors.spawn(accept(entrance, Arc::clone(&passing)));
                }
                // Whoever holds the other end is gone, or says so.
                let _either_way = stopped.await;
            });
            // Whoever owns a task ends it: the doors end, and with each its connections.
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the relay's thread panicked");
        }
    }
}

async fn accept(entrance: Entrance, passing: Arc<Passing>) {
    let listener = match tokio::net::TcpListener::from_std(entrance.listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("{}: nothing can be accepted: {error}", entrance.setting);
            return;
        }
    };
    let places = Arc::new(Semaphore::new(entrance.connections_max));
    let door = Arc::new(passing::Door {
        setting: entrance.setting,
        proxies: entrance.proxies,
        is_http: entrance.is_http,
    });
    let mut passed = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_ended) = passed.join_next() => continue,
        };
        match accepted {
            Ok((client, peer)) => {
                let place = Arc::clone(&places).try_acquire_owned().ok();
                let (door, passing) = (Arc::clone(&door), Arc::clone(&passing));
                passed.spawn(async move {
                    if let Err(error) = passing.pass(&door, client, peer, place.is_some()).await {
                        log::debug!("{}: {peer} is passed on no more: {error}", door.setting);
                    }
                    drop(place);
                });
            }
            Err(error) => {
                log::warn!("{}: a connection could not be accepted: {error}", door.setting);
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests;
