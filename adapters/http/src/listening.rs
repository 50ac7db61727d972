//! What a worker hears, and asks, for its event streams.

use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_web::web;
use dwarves_api_types::chain::ChainState;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::events::streams::Streams;
use super::events::topic::Topic;
use super::events::{Tidings, text};
use super::routes::{chain, pool};
use super::state::HttpState;

/// How often it is looked whether somebody listens, and how the chain is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks from one telling of the pool's figures to the next.
const POOL_LOOKS: u64 = 5;
/// Looks from one comment to the next.
const COMMENT_LOOKS: u64 = 15;

/// Begins to hear, and to ask while somebody listens.
pub(crate) fn start(state: &web::Data<HttpState>) {
    let streams = Rc::clone(state.events());
    let heard = state.deps().events.hear();
    let weak = Arc::downgrade(&state.clone().into_inner());
    actix_rt::spawn(hear(streams, heard, state.deps().stopping.clone()));
    actix_rt::spawn(look(weak));
}

/// Hears what happens until the pool stops, which ends all streams at once.
async fn hear(streams: Rc<Streams>, mut heard: Receiver<Tidings>, mut stopping: watch::Receiver<bool>) {
    loop {
        let tidings = tokio::select! {
            tidings = heard.recv() => tidings,
            // Without a sender it never comes.
            Ok(_) = stopping.wait_for(|stopping| *stopping) => return streams.end(),
        };
        match tidings {
            Ok(tidings) => streams.hear(tidings),
            // By its number the next one shows that some were missed.
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        }
        while let Ok(tidings) = heard.try_recv() {
            streams.hear(tidings);
        }
        streams.wake().await;
    }
}

/// Tells how the pool and the chain are for as long as somebody listens.
async fn look(state: Weak<HttpState>) {
    let mut looks = 0;
    let mut known = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(state) = state.upgrade() else { return };
        let streams = state.events();
        if streams.is_over() {
            return;
        }
        if streams.count() == 0 {
            streams.rest();
            (looks, known) = (0, None);
            continue;
        }
        if looks % POOL_LOOKS == 0 {
            tell_pool(&state).await;
        }
        tell_chain(&state, &mut known).await;
        looks += 1;
        if looks % COMMENT_LOOKS == 0 {
            streams.say_nothing();
        }
        streams.wake().await;
    }
}

async fn tell_pool(state: &HttpState) {
    match pool::current(state).await {
        Ok(pool) => {
            let text = text::event(Topic::Pool.name(), None, &text::data(&pool));
            state.events().tell_now(Topic::Pool, text);
        }
        Err(problem) => log::debug!("those who listen are not told of the pool: {problem}"),
    }
}

/// Tells how the chain is, if anything but the age of tips is another than it was.
async fn tell_chain(state: &HttpState, known: &mut Option<ChainState>) {
    let Ok(now) = chain::current(state).await else {
        return;
    };
    let mut ageless = ChainState {
        tip_age_secs: None,
        ..now.clone()
    };
    for node in &mut ageless.nodes {
        node.tip_age_secs = None;
    }
    if known.as_ref() != Some(&ageless) {
        let text = text::event(Topic::Chain.name(), None, &text::data(&now));
        state.events().tell_now(Topic::Chain, text);
        *known = Some(ageless);
    }
}
