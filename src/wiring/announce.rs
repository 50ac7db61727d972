//! Who tells what happens: the feed of events, between the ledger and the HTTP workers.

use std::sync::Arc;

use actix::Actor;
use dwarves_actors::ask::Outbox;
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::news::AttachNews;
use dwarves_http::events::{EventFeed, EventFeedParts, Tower};
use dwarves_system::{Randomness, SystemRandomness};

use super::{Ground, StartError};

/// Starts the feed, and lets the ledger know of it.
pub(super) fn start(ground: &Ground, ports: &PoolPorts) -> Result<Tower, StartError> {
    // By chance rather than by the ledger's count of lives: an older ledger that is put back counts them again.
    let mut epoch = [0; 8];
    SystemRandomness.fill(&mut epoch)?;
    let tower = Tower::new(&format!("{:016x}", u64::from_be_bytes(epoch)));
    let feed = EventFeed::new(EventFeedParts {
        store: Arc::clone(&ground.store),
        tower: tower.clone(),
    })
    .start();
    if ports.attach_news.post(AttachNews(Outbox::new(&feed))).is_err() {
        log::error!("the ledger does not know the feed of events; streams will be quiet");
    }
    Ok(tower)
}
