//! What the routes of one HTTP worker know, and how they ask.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use dwarves_actors::ask::{AskError, Port, Request};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{PoolTotals, SharedStore, StoreFuture};

use super::answers::ShownDifficulties;
use super::bodies::Bodies;
use super::connections::line;
use super::date_header::DateHeader;
use super::deps::{HttpDeps, HttpLimits, WorkerPorts};
use super::events::streams::Streams;
use super::known_rates::PoolRates;
use super::problem::{Code, Problem};
use super::transactions::TransactionsCache;

/// What the routes of one HTTP worker know. Made in the App factory, as `web::Data<HttpState>`.
pub struct HttpState {
    deps: Arc<HttpDeps>,
    worker: WorkerPorts,
    /// The last sums over the ledger and when they were read. An HTTP worker is one thread.
    totals: RefCell<Option<(Timestamp, PoolTotals)>>,
    /// The pool's rates and when they were read.
    rates: RefCell<Option<(Timestamp, PoolRates)>>,
    transactions: TransactionsCache,
    bodies: Bodies,
    date: DateHeader,
    difficulties: ShownDifficulties,
    events: Rc<Streams>,
}

/// How old sums over the ledger may be when they are shown.
const TOTALS_AGE_MAX: Span = Span::from_millis(500);
/// How long beyond the long poll's own time its answer may take.
const LONG_POLL_GRACE: Duration = Duration::from_secs(5);

impl HttpState {
    /// The state of one HTTP worker, ready for `App::app_data`.
    pub fn new(deps: Arc<HttpDeps>, worker: WorkerPorts) -> web::Data<Self> {
        web::Data::new(Self {
            events: Streams::new(deps.limits.event_streams, deps.events.clone()),
            bodies: Bodies::new(deps.limits.bodies_bytes, deps.limits.body_bytes),
            deps,
            worker,
            totals: RefCell::new(None),
            rates: RefCell::new(None),
            transactions: TransactionsCache::default(),
            date: DateHeader::default(),
            difficulties: ShownDifficulties::default(),
        })
    }

    /// This worker's event streams.
    pub fn events(&self) -> &Rc<Streams> {
        &self.events
    }

    /// What all HTTP workers share.
    pub fn deps(&self) -> &HttpDeps {
        &self.deps
    }

    /// This worker's handler actors.
    pub fn worker(&self) -> &WorkerPorts {
        &self.worker
    }

    /// The present template's transactions, as miners over JSON-RPC get them.
    pub fn transactions(&self) -> &TransactionsCache {
        &self.transactions
    }

    /// The date of answers.
    pub(crate) fn date(&self) -> &DateHeader {
        &self.date
    }

    /// How difficulties are shown.
    pub fn difficulties(&self) -> &ShownDifficulties {
        &self.difficulties
    }

    /// Room for bodies that are on their way.
    pub fn bodies(&self) -> &Bodies {
        &self.bodies
    }

    /// How long and how large things may be.
    pub fn limits(&self) -> &HttpLimits {
        &self.deps.limits
    }

    /// Asks an actor.
    ///
    /// # Errors
    /// `busy` or `stopping` if there is no answer (in time).
    pub async fn ask<R: Request>(&self, port: &Port<R>, payload: R) -> Result<R::Reply, Problem> {
        Ok(port.ask(payload, self.limits().ask_deadline).await?)
    }

    /// Asks an actor that may take as long as a long poll, for as long as the client of `req` is there.
    ///
    /// # Errors
    /// `busy` or `stopping` if there is no answer (in time).
    pub async fn ask_long<R: Request>(
        &self,
        req: &HttpRequest,
        port: &Port<R>,
        payload: R,
    ) -> Result<R::Reply, Problem> {
        let deadline = self.limits().long_poll + LONG_POLL_GRACE;
        let mut stopping = self.deps.stopping.clone();
        tokio::select! {
            reply = port.ask(payload, deadline) => Ok(reply?),
            // Whoever waits for newer work need not hold up the end. Without a sender it never comes.
            Ok(_) = stopping.wait_for(|stopping| *stopping) => Err(AskError::Gone.into()),
            // Its place among those that wait is another one's.
            () = line::gone(req) => {
                Err(Problem::new(Code::Busy, "the connection was closed before there was newer work"))
            }
        }
    }

    /// Sums over the whole ledger, at most half a second old: anybody may ask as often as they like.
    ///
    /// # Errors
    /// As [`HttpState::read`].
    pub async fn totals(&self) -> Result<PoolTotals, Problem> {
        let now = self.deps.clock.now();
        if let Some((at, totals)) = self.totals.borrow().as_ref()
            && now.since(*at) < TOTALS_AGE_MAX
            && now >= *at
        {
            return Ok(totals.clone());
        }
        let totals = self.read(|store| store.totals()).await?;
        *self.totals.borrow_mut() = Some((now, totals.clone()));
        Ok(totals)
    }

    /// The pool's rates, if they were noted within the last half second.
    pub fn known_rates(&self) -> Option<PoolRates> {
        let now = self.deps.clock.now();
        let rates = self.rates.borrow();
        let (at, rates) = rates.as_ref()?;
        (now.since(*at) < TOTALS_AGE_MAX && now >= *at).then(|| rates.clone())
    }

    /// Notes the pool's rates as of now.
    pub fn note_rates(&self, rates: &PoolRates) {
        let now = self.deps.clock.now();
        *self.rates.borrow_mut() = Some((now, rates.clone()));
    }

    /// Reads from the store.
    ///
    /// # Errors
    /// `busy` if it does not answer in time, `unavailable` or `internal` if it fails.
    pub async fn read<T>(&self, question: impl FnOnce(&SharedStore) -> StoreFuture<T>) -> Result<T, Problem> {
        self.within_deadline(question(&self.deps.store))
            .await?
            .map_err(Problem::from)
    }

    async fn within_deadline<F: Future>(&self, future: F) -> Result<F::Output, Problem> {
        tokio::time::timeout(self.limits().ask_deadline, future)
            .await
            .map_err(|_| Problem::from(AskError::TimedOut))
    }
}
