//! The ports that Stratum is served on: bound, and with their certificates read, before anything else starts.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::login::LoginRules;
use dwarves_domain::network::Subnet;
use dwarves_domain::target::Difficulty;
use dwarves_domain::vardiff;
use dwarves_stratum::conversation::{Rules, rejects};
use dwarves_stratum::settings::Listener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use super::StartError;
use super::sockets::open;
use crate::config::{Config, StratumListenerConfig};

/// Bound listeners that do not answer yet.
pub(super) struct BoundStratum {
    pub(super) bound: Vec<TcpListener>,
    pub(super) listeners: Vec<BoundListener>,
}

/// What is known of a listener before the chain is.
pub(super) struct BoundListener {
    pub(super) address: SocketAddr,
    pub(super) prepared: PreparedListener,
}

/// What is known of a listener before it is bound.
pub(super) struct PreparedListener {
    start: Difficulty,
    vardiff: vardiff::Settings,
    pub(super) tls: Option<TlsAcceptor>,
    proxies: Vec<Subnet>,
}

impl BoundStratum {
    /// Binds all listeners for which no socket was handed over (in the settings' order) and reads their certificates, so
    /// that what is wrong is reported before anything else starts.
    pub(super) fn bind(
        config: &Config,
        mut handed_over: impl Iterator<Item = Option<TcpListener>>,
    ) -> Result<Self, StartError> {
        let mut bound = Vec::new();
        let mut listeners = Vec::new();
        for (setting, listener) in config.stratum.named_listeners() {
            let (socket, address) = bind(&setting, listener.listen, handed_over.next().flatten())?;
            bound.push(socket);
            let prepared = prepare(&setting, listener, config)?;
            listeners.push(BoundListener { address, prepared });
        }
        Ok(Self { bound, listeners })
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).collect()
    }
}

/// The port to which miners may be sent that come over HTTP: of a listener without TLS and PROXY headers that is open
/// wherever HTTP is.
pub(super) fn plain_port(config: &Config, http: SocketAddr, bound: &[SocketAddr]) -> Option<u16> {
    let listeners = config.stratum.all_listeners();
    let plain = listeners.iter().zip(bound).find(|(listener, bound)| {
        let is_plain = listener.tls_certificate.is_none() && listener.proxies.is_empty();
        is_plain && (bound.ip().is_unspecified() || bound.ip() == http.ip())
    });
    plain.map(|(_, bound)| bound.port())
}

/// Opens every listener and closes it again; see [`super::try_listeners`].
pub(super) fn try_listeners(config: &Config, is_running: bool) -> Vec<(String, Result<String, StartError>)> {
    let mut open = Vec::new();
    let listeners = config.stratum.named_listeners().into_iter();
    let tried = listeners.map(|(setting, listener)| {
        let listen = listener.listen;
        let outcome = prepare(&setting, listener, config).and_then(|prepared| {
            let with_tls = if prepared.tls.is_some() { " with TLS" } else { "" };
            if is_running {
                return Ok(format!("{listen}{with_tls}, in use by the running pool"));
            }
            let (socket, address) = bind(&setting, listen, None)?;
            open.push(socket);
            Ok(format!("{address}{with_tls}"))
        });
        (format!("{setting}.listen"), outcome)
    });
    tried.collect()
}

/// Reads what a listener needs beside its port.
fn prepare(
    setting: &str,
    listener: StratumListenerConfig,
    config: &Config,
) -> Result<PreparedListener, StartError> {
    let [start, min, max] = listener.difficulties(config.difficulties());
    let vardiff = vardiff::Settings::new(config.work.share_interval, min, max)
        .map_err(|error| StartError::Settings(format!("{setting}: {error}")))?;
    Ok(PreparedListener {
        start,
        vardiff,
        tls: tls(setting, &listener)?,
        proxies: [listener.proxies, config.front.peers.clone()].concat(),
    })
}

fn bind(
    setting: &str,
    listen: SocketAddr,
    handed_over: Option<TcpListener>,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let socket = handed_over.map_or_else(|| open(listen), Ok);
    let bound = socket.and_then(|socket| {
        let address = socket.local_addr()?;
        Ok((socket, address))
    });
    bound.map_err(|source| StartError::Bind {
        setting: format!("{setting}.listen"),
        listen,
        source,
    })
}

impl BoundListener {
    pub(super) fn with_rules(self, config: &Config, addresses: AddressFormat) -> Listener {
        Listener {
            address: self.address,
            rules: Rules {
                start: self.prepared.start,
                vardiff: self.prepared.vardiff,
                algorithm: config.chain.algorithm,
                extranonce2_len: config.stratum.extranonce2_bytes,
                logins: LoginRules {
                    addresses,
                    allow_address: config.stratum.allow_address_login,
                },
                workers_max: config.stratum.workers_per_connection,
                rejects: rejects::Limits {
                    window: config.stratum.reject_window,
                    percent_max: config.stratum.reject_percent,
                    keep_out: config.stratum.ban,
                },
            },
            tls: self.prepared.tls,
            proxies: self.prepared.proxies,
        }
    }
}

/// TLS with the listener's certificate, if it has one.
fn tls(setting: &str, listener: &StratumListenerConfig) -> Result<Option<TlsAcceptor>, StartError> {
    let (Some(certificate), Some(key)) = (&listener.tls_certificate, &listener.tls_key) else {
        return Ok(None);
    };
    let failed = |name: &str, file: &Path, error: &dyn std::fmt::Display| StartError::StratumTls {
        setting: format!("{setting}.{name}"),
        detail: format!("{}: {error}", file.display()),
    };
    let bad_chain = |error: &dyn std::fmt::Display| failed("tls_certificate", certificate, error);
    let bad_key = |error: &dyn std::fmt::Display| failed("tls_key", key, error);
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| bad_chain(&error))?;
    if chain.is_empty() {
        return Err(bad_chain(&"there is no certificate in it"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_key(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => bad_key(&"it is not the key of the certificate"),
            rustls::Error::InvalidCertificate(_) => bad_chain(&error),
            _ => bad_key(&error),
        })?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_to(listeners: &str, http: &str) -> Option<u16> {
        let config: Config = toml::from_str(listeners).expect("the test's settings are right");
        let bound: Vec<_> = config.stratum.all_listeners().iter().map(|l| l.listen).collect();
        plain_port(&config, http.parse().expect("an address"), &bound)
    }

    #[test]
    fn miners_are_sent_to_a_plain_listener_that_is_open_where_http_is_or_nowhere() {
        let tls = "{ listen = '0.0.0.0:1', tls_certificate = 'c', tls_key = 'k' }";
        let proxy = "{ listen = '0.0.0.0:2', proxies = ['127.0.0.1'] }";
        let local = "{ listen = '127.0.0.1:3' }";
        let plain = "{ listen = '0.0.0.0:4' }";
        for (listeners, http, port) in [
            (vec![], "0.0.0.0:8080", None),
            (vec![tls, proxy], "0.0.0.0:8080", None),
            (vec![tls, proxy, plain], "0.0.0.0:8080", Some(4)),
            (vec![tls, proxy, plain], "127.0.0.1:8080", Some(4)),
            (vec![local, plain], "0.0.0.0:8080", Some(4)),
            (vec![local], "0.0.0.0:8080", None),
            (vec![local, plain], "127.0.0.1:8080", Some(3)),
        ] {
            let text = format!("[stratum]\nlisteners = [{}]", listeners.join(", "));
            assert_eq!(sent_to(&text, http), port, "{text} {http}");
        }
    }
}
