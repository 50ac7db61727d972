//! Who remembers jobs for miners that know no other way than `getblocktemplate` and `getwork`.

use std::net::SocketAddr;

use actix::Actor;
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::assembly::PoolPorts;
use dwarves_actors::handlers::header_book::{HeaderBook, HeaderBookLimits};
use dwarves_actors::handlers::last_job::{LastJobLimits, LastJobs};
use dwarves_domain::login::LoginRules;
use dwarves_http::JsonRpcDeps;

use super::{Ground, stratum_listeners};
use crate::config::Config;

/// Workers of `getwork` whose last job is remembered for their long polls, in all and of one miner.
const LAST_JOBS_MAX: usize = 16_384;
const LAST_JOBS_OF_ONE_MAX: usize = 256;

/// Work for miners that know no other way.
pub(super) fn start(
    config: &Config,
    ground: &Ground,
    ports: &PoolPorts,
    http: SocketAddr,
    stratum: &[SocketAddr],
) -> JsonRpcDeps {
    let book = HeaderBook::new(HeaderBookLimits {
        headers_max: config.limits.headers,
        mailbox_capacity: config.limits.handler_mailbox,
    })
    .start();
    let last = LastJobs::new(LastJobLimits {
        workers_max: LAST_JOBS_MAX,
        workers_of_one_max: LAST_JOBS_OF_ONE_MAX,
        mailbox_capacity: config.limits.handler_mailbox,
    })
    .start();
    JsonRpcDeps {
        logins: LoginRules {
            addresses: ground.chain.addresses,
            allow_address: config.stratum.allow_address_login,
        },
        join: ports.join.clone(),
        given: Outbox::new(&book),
        find: Port::new(&book),
        job_given: Outbox::new(&last),
        last_job: Port::new(&last),
        stratum_port: stratum_listeners::plain_port(config, http, stratum),
    }
}
