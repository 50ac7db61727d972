//! How miners connect, as `GET /v1/connect` tells them.

use std::net::SocketAddr;

use dwarves_api_types::chain::{Connect, ConnectListener, ConnectLogin};
use dwarves_domain::target::Difficulty;

use super::stratum_listeners::BoundStratum;
use crate::config::Config;

/// Stands in a URL for the name by which the reader reached the pool.
const HOST: &str = "HOST";

/// Every port at which miners are served, and what they log in with.
pub(super) fn connect(config: &Config, http: SocketAddr, stratum: &BoundStratum) -> Connect {
    let host = config.pool.public_host.clone();
    let listener =
        |protocol: &'static str, scheme: &str, at: SocketAddr, tls, difficulties: [Difficulty; 3]| {
            let [start, min, max] = difficulties.map(Difficulty::shown);
            let name = match host.as_deref() {
                Some(v6) if v6.contains(':') => format!("[{v6}]"),
                name => name.unwrap_or(HOST).to_owned(),
            };
            ConnectListener {
                protocol: protocol.into(),
                url: format!("{scheme}://{name}:{}", at.port()),
                host: host.clone(),
                port: at.port(),
                tls,
                start_difficulty: start,
                min_difficulty: min,
                max_difficulty: max,
                note: None,
            }
        };
    let local = "it listens on the pool's own machine alone";
    let noted = |mut listener: ConnectListener, at: SocketAddr, note: &str| {
        let notes = [Some(note), at.ip().is_loopback().then_some(local)];
        let notes: Vec<&str> = notes
            .into_iter()
            .flatten()
            .filter(|note| !note.is_empty())
            .collect();
        listener.note = (!notes.is_empty()).then(|| notes.join("; "));
        listener
    };
    let settings = config.stratum.all_listeners();
    let of_stratum = settings.iter().zip(stratum.addresses()).map(|(setting, at)| {
        let tls = setting.tls_certificate.is_some();
        let scheme = if tls { "stratum+ssl" } else { "stratum+tcp" };
        let difficulties = setting.difficulties(config.difficulties());
        let note = if setting.proxies.is_empty() {
            ""
        } else {
            "for miners behind the operator's proxy"
        };
        noted(listener("stratum", scheme, at, tls, difficulties), at, note)
    });
    let mut listeners: Vec<ConnectListener> = of_stratum.collect();
    for (protocol, note) in [
        ("http", "for the pool's own miner: dwarves mine"),
        (
            "getwork",
            "for miners that know getwork or getblocktemplate alone",
        ),
    ] {
        let listener = listener(protocol, "http", http, false, config.difficulties());
        listeners.push(noted(listener, http, note));
    }
    Connect {
        listeners,
        login: login(config.stratum.allow_address_login),
        public_host: config.pool.public_host.clone(),
    }
}

/// An address that anybody could copy would be paid: so the example is none.
fn login(is_address_enough: bool) -> ConnectLogin {
    let (form, example) = if is_address_enough {
        ("ADDRESS.WORKER", "YOUR_ADDRESS.rig1")
    } else {
        ("HOTKEY.WORKER", "YOUR_HOTKEY.rig1")
    };
    ConnectLogin {
        form: form.to_owned(),
        example: example.to_owned(),
        password: "x".to_owned(),
    }
}
