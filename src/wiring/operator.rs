//! The operator's door: who is logged in at the operator's page.

use std::sync::Arc;

use actix::Actor;
use dwarves_actors::ask::Port;
use dwarves_actors::assembly::{self, PoolPorts};
use dwarves_actors::handlers::operator::{OperatorDoor, OperatorDoorParts, sessions_ended};
use dwarves_http::OperatorPorts;

use super::{Ground, StartError};

/// Starts the actor at the door.
pub(super) async fn start(ground: &Ground, ports: &PoolPorts) -> Result<OperatorPorts, StartError> {
    let settings = ground
        .store
        .settings()
        .await
        .map_err(assembly::StartError::Store)?;
    let door = OperatorDoor::new(OperatorDoorParts {
        ended: sessions_ended(&settings),
        ledger: ports.commit.clone(),
        clock: Arc::clone(&ground.clock),
    })
    .start();
    Ok(OperatorPorts {
        log_in: Port::new(&door),
        log_out: Port::new(&door),
        sessions: Port::new(&door),
    })
}
