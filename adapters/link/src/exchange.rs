//! The end of all links at the front that leads: it accepts them, and each is an actor of its own from then on.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use actix_rt::Arbiter;
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::handlers::submission::SubmissionPeers;
use dwarves_actors::miner_manager::messages::{JoinWorker, WatchMiners};
use dwarves_actors::work_manager::messages::LookForTip;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::FrontNumber;
use dwarves_domain::work::{FrontEnd, JobKey};
use dwarves_ports::clock::SharedClock;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::channel::{self, LinkError, LinkKey};
use crate::downlink::Downlink;
use crate::words::Hello;

/// How long shaking hands may take.
const BEGIN_MAX: Duration = Duration::from_secs(5);
/// Connections that may be shaking hands: whoever else comes waits in the listener's queue.
const BEGINNING_MAX: usize = 64;
/// How long nothing is accepted after accepting failed.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Whom the other fronts' sessions ask here, and what is needed to understand them.
#[derive(Clone)]
pub struct Exchanging {
    /// The secret of all fronts.
    pub key: LinkKey,
    /// The key of job ids.
    pub job_key: JobKey,
    /// How addresses are written.
    pub addresses: AddressFormat,
    /// Which extranonces this front gives out.
    pub front_end: FrontEnd,
    /// The owners of miners, work and blocks.
    pub submission: SubmissionPeers,
    /// Lets workers into sessions.
    pub join: Port<JoinWorker>,
    /// Tells what operators decide about miners.
    pub watch_miners: Port<WatchMiners>,
    /// Hears that other fronts' nodes have another tip.
    pub look_for_tip: Option<Outbox<LookForTip>>,
    /// Where it reads the time.
    pub clock: SharedClock,
}

/// Links at work; dropping it ends them.
pub struct Exchange {
    stop: Option<oneshot::Sender<()>>,
    thread: Arbiter,
    fronts: watch::Receiver<BTreeSet<FrontNumber>>,
}

impl Exchange {
    /// Begins to accept links, on a thread of its own.
    pub fn start(listener: TcpListener, parts: Exchanging) -> Self {
        let thread = Arbiter::new();
        let (stop, stopped) = oneshot::channel();
        let (known, fronts) = watch::channel(BTreeSet::new());
        thread.spawn_fn(move || {
            actix_rt::spawn(async move {
                let places = Places(Rc::new(RefCell::new(Taken {
                    numbers: [parts.front_end].into(),
                    known,
                })));
                let listener = listener
                    .set_nonblocking(true)
                    .and_then(|()| tokio::net::TcpListener::from_std(listener));
                match listener {
                    Ok(listener) => tokio::select! {
                        () = accept_all(listener, parts, places) => {}
                        _ = stopped => {}
                    },
                    Err(error) => log::error!("no front can link itself to this one: {error}"),
                }
            });
        });
        Self {
            stop: Some(stop),
            thread,
            fronts,
        }
    }

    /// The fronts that have a link now.
    pub fn fronts(&self) -> watch::Receiver<BTreeSet<FrontNumber>> {
        self.fronts.clone()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _gone = stop.send(());
        }
        self.thread.stop();
    }
}

/// Who is linked, and which extranonces are somebody's.
struct Taken {
    numbers: BTreeSet<FrontEnd>,
    known: watch::Sender<BTreeSet<FrontNumber>>,
}

#[derive(Clone)]
struct Places(Rc<RefCell<Taken>>);

/// A link's place, given back when it is dropped.
pub(crate) struct LinkPlace {
    places: Places,
    front_end: FrontEnd,
    number: FrontNumber,
    name: String,
}

impl Places {
    /// A place for a front, if nobody gives out its extranonces already: two sessions would have the same work.
    fn take(&self, hello: Hello) -> Result<LinkPlace, String> {
        let front_end = FrontEnd::new(hello.front_end).ok_or("there is no such number of a front")?;
        let mut taken = self.0.borrow_mut();
        if !taken.numbers.insert(front_end) {
            return Err(format!(
                "another front gives out the extranonces of number {}: a link of it that is not over yet, or one whose number \
                 is 64 more or less",
                hello.front_end
            ));
        }
        let number = FrontNumber::new(hello.number);
        taken.known.send_modify(|known| {
            known.insert(number);
        });
        Ok(LinkPlace {
            places: self.clone(),
            front_end,
            number,
            name: hello.name,
        })
    }
}

impl LinkPlace {
    /// What the log calls it.
    pub(crate) fn name(&self) -> String {
        format!("{} (front {})", self.name, self.number)
    }
}

impl Drop for LinkPlace {
    fn drop(&mut self) {
        let mut taken = self.places.0.borrow_mut();
        taken.numbers.remove(&self.front_end);
        taken.known.send_modify(|known| {
            known.remove(&self.number);
        });
    }
}

async fn accept_all(listener: tokio::net::TcpListener, parts: Exchanging, places: Places) {
    let mut beginning = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if beginning.len() < BEGINNING_MAX => match accepted {
                Ok((stream, from)) => {
                    let (parts, places) = (parts.clone(), places.clone());
                    beginning.spawn_local(async move {
                        let begun = tokio::time::timeout(BEGIN_MAX, begin(stream, parts, places)).await;
                        if let Err(error) = begun.unwrap_or(Err(LinkError::Silent)) {
                            log::warn!("no link with a front at {from}: {error}");
                        }
                    });
                }
                Err(error) => {
                    log::warn!("a link cannot be accepted: {error}");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            },
            Some(_) = beginning.join_next() => {}
        }
    }
}

/// Shakes hands; from then on the link is an actor's.
async fn begin(stream: TcpStream, parts: Exchanging, places: Places) -> Result<(), LinkError> {
    let taken = channel::accept(stream, &parts.key, |hello: Hello| match places.take(hello) {
        Ok(place) => (Ok(()), Ok(place)),
        Err(why) => (Err(why.clone()), Err(why)),
    });
    let (place, reading, writing) = taken.await?;
    let place = place.map_err(LinkError::Refused)?;
    Downlink::create(|ctx| Downlink::new(parts, place, reading, writing, ctx));
    Ok(())
}
