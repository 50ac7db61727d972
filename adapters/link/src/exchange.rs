//! The end of all links at the front that leads: it accepts them, and each is an actor of its own from then on.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use actix::prelude::*;
use actix_rt::Arbiter;
use dwarves_domain::ids::FrontNumber;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::channel::{self, LinkError};
use crate::downlink::{Downlink, Exchanging};
use crate::places::Places;
use crate::words::Hello;

/// How long shaking hands may take.
const BEGIN_MAX: Duration = Duration::from_secs(5);
/// Connections that may be shaking hands: whoever else comes waits in the listener's queue.
const BEGINNING_MAX: usize = 64;
/// How long nothing is accepted after accepting failed.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

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
                let places = Places::new(parts.front_end, known);
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
