//! The operator's door: who is logged in at the operator's page.

use std::path::Path;
use std::sync::Arc;

use actix::Actor;
use dwarves_actors::ask::Port;
use dwarves_actors::assembly::{self, PoolPorts};
use dwarves_actors::handlers::operator::{OperatorDoor, OperatorDoorParts, sessions_ended};
use dwarves_domain::operator::OperatorKey;
use dwarves_http::{OperatorFiles, OperatorPorts, OperatorRules};

use super::{Ground, StartError};
use crate::config::Config;

/// What sessions in browsers are made with.
pub(super) fn rules(config: &Config, ground: &Ground) -> OperatorRules {
    OperatorRules {
        key: OperatorKey::of_token(ground.admin_token.text()),
        session: config.admin.session,
        secure: config.admin.secure_cookie,
    }
}

/// What is read for operators beside the ledger.
pub(super) fn files(config: &Config, data_dir: &Path) -> OperatorFiles {
    OperatorFiles {
        backup_record: data_dir.join("backup.json"),
        metagraph: config.bittensor.metagraph.clone(),
        version_key: config.bittensor.version_key,
    }
}

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
