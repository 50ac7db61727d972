//! What a front passes on that stands by: which listeners, and what is said to whoever cannot be passed on.

use std::io;
use std::time::Duration;

use actix_web::{HttpResponse, ResponseError as _};
use dwarves_actors::ask::Port;
use dwarves_actors::gate::ReadGate;
use dwarves_api_types::pool::Alive;
use dwarves_http::connections::handshake::in_bytes;
use dwarves_http::problem::{Code, Problem};
use dwarves_http::routes::metrics::of_this_process;
use dwarves_ports::fronts::Fronts;
use dwarves_relay::{Answers, Common, Entrance};
use tokio::sync::watch;

use super::StartError;
use super::sockets::Sockets;
use crate::config::Config;

/// How long the figures wait for those of the sessions that are served here.
const GATE_DEADLINE: Duration = Duration::from_secs(2);

/// What all relays have in common. The gate is that of the sessions which are served here, while there is a link.
pub(super) fn common(
    config: &Config,
    sockets: &Sockets,
    fronts: watch::Receiver<Fronts>,
    gate: watch::Receiver<Option<Port<ReadGate>>>,
) -> Result<Common, StartError> {
    let settings = dwarves_relay::Settings {
        fronts,
        passes_on: !config.front.peers.is_empty(),
        begin_max: config.http.header_timeout.to_std(),
        answers: Answers {
            alive: in_bytes(HttpResponse::Ok().json(Alive {
                status: "alive".into(),
            })),
            no_leader: in_bytes(
                Problem::new(
                    Code::NotReady,
                    "this front stands by, and the one that leads cannot be reached; try again, or come to another front",
                )
                .error_response(),
            ),
            full: in_bytes(Problem::busy().error_response()),
            figures_head: b"HTTP/1.1 200 OK\r\nconnection: close\r\ncache-control: no-store\r\n\
                content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
                .to_vec(),
        },
        more_figures: Box::new(move || {
            let gate = gate.borrow().clone();
            Box::pin(async move {
                let view = match gate {
                    Some(gate) => gate.ask(ReadGate, GATE_DEADLINE).await.ok(),
                    None => None,
                };
                of_this_process(view.as_ref())
            })
        }),
    };
    let sockets = sockets.again().map_err(StartError::Relay)?;
    let passed_on = sockets.into_iter().map(|(setting, ..)| setting);
    let passed_on = passed_on.filter(|setting| setting != dwarves_link::SETTING);
    Ok(Common::new(passed_on, settings))
}

/// The listeners of these settings. Links are no connections to be passed on: they are for the front that leads alone.
pub(super) fn entrances(
    config: &Config,
    sockets: &Sockets,
    is_wanted: impl Fn(&str) -> bool,
) -> io::Result<Vec<Entrance>> {
    let stratum = config.stratum.named_listeners();
    let wanted = sockets.again()?.into_iter();
    let wanted = wanted.filter(|(setting, ..)| setting != dwarves_link::SETTING && is_wanted(setting));
    let entrances = wanted.map(|(setting, _, listener)| {
        let of_stratum = stratum.iter().find(|(name, _)| *name == setting);
        let proxies = of_stratum.map_or(&config.http.proxies, |(_, listener)| &listener.proxies);
        Entrance {
            proxies: [proxies.clone(), config.front.peers.clone()].concat(),
            connections_max: of_stratum
                .map_or(config.http.max_connections, |_| config.stratum.max_connections),
            is_http: of_stratum.is_none(),
            setting,
            listener,
        }
    });
    Ok(entrances.collect())
}
