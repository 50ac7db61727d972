//! Who may look at miners: the keeper of watch tokens.

use std::sync::Arc;

use actix::Actor;
use dwarves_actors::ask::Port;
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::handlers::watches::{WatchKeeper, WatchKeeperParts};
use dwarves_http::WatchPorts;
use dwarves_system::{Randomness, SystemRandomness};

use super::Ground;

/// Starts it.
pub(super) fn start(ground: &Ground, ports: &PoolPorts) -> WatchPorts {
    let keeper = WatchKeeper::new(WatchKeeperParts {
        key: ground.pool_key.watch_key(),
        draw: Box::new(|| {
            let mut bytes = [0; 8];
            SystemRandomness.fill(&mut bytes).ok().map(|()| bytes)
        }),
        standing: ports.registration.standing.clone(),
        ledger: ports.commit.clone(),
        store: Arc::clone(&ground.store),
        clock: Arc::clone(&ground.clock),
    })
    .start();
    WatchPorts {
        hand_out: Port::new(&keeper),
        take_back: Port::new(&keeper),
        open: Port::new(&keeper),
    }
}
