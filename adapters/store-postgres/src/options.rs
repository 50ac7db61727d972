//! Where the server is, and how the pool comes in.

use std::net::IpAddr;
use std::time::Duration;

use dwarves_domain::time::Span;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::error::OpenError;
use super::tls::Tls;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long nothing may come back of what was sent, before the connection counts as cut.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Shares of one partition: some hundred megabytes.
const SHARES_PER_PARTITION: u64 = 4_000_000;

/// The same for a standby, of which nobody need wait long: the primary answers as well.
const STANDBY_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const STANDBY_SILENCE_MAX: Duration = Duration::from_secs(3);

/// Where a standby is that pages may be read from.
#[derive(Clone)]
pub(crate) struct StandbyOptions {
    pub(crate) options: PostgresOptions,
    /// By how much it may be behind.
    pub(crate) lag_max: Span,
}

/// Where the ledger is.
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
    pub(crate) shares_per_partition: u64,
    pub(crate) standby: Option<Box<StandbyOptions>>,
}

impl PostgresOptions {
    /// The database at `url` (`postgresql://user@host:port/name?…`, or `key=value …` as libpq has it), with a password
    /// beside it and the authorities that its server's certificate is checked against, as PEM.
    ///
    /// Over a network TLS is used and the server's certificate is checked, unless the URL says `sslmode=disable`. On this
    /// very machine (a Unix socket, `localhost`, 127.0.0.1, ::1) it is used if the URL says `sslmode=require`.
    ///
    /// # Errors
    /// If the URL is none, names no database or user, or the authorities cannot be read.
    pub fn new(url: &str, password: Option<&str>, authorities: Option<&[u8]>) -> Result<Self, OpenError> {
        let wrong = |why: &str| {
            OpenError::Settings(format!(
                "store.url: {why}; expected postgresql://USER@HOST:PORT/DATABASE, or postgresql:///DATABASE?host=/run/postgresql&user=USER"
            ))
        };
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // The parser's words never repeat the URL, which may carry a password.
            wrong(&super::error::words(&error))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        if config.get_dbname().is_none() {
            return Err(wrong("it names no database"));
        }
        if let Some(password) = password {
            config.password(password);
        }
        if config.get_ssl_mode() == SslMode::Prefer {
            let mode = match config.get_hosts().iter().all(is_here)
                && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
            {
                true => SslMode::Disable,
                false => SslMode::Require,
            };
            config.ssl_mode(mode);
        }
        if config.get_application_name().is_none() {
            config.application_name("dwarves");
        }
        config
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(2);
        Ok(Self {
            config,
            tls: Tls::new(authorities)?,
            shares_per_partition: SHARES_PER_PARTITION,
            standby: None,
        })
    }

    /// The same with a standby that pages are read from, as long as it is not further behind than `lag_max`.
    #[must_use]
    pub fn with_standby(mut self, mut standby: Self, lag_max: Span) -> Self {
        standby
            .config
            .connect_timeout(STANDBY_CONNECT_TIMEOUT)
            .tcp_user_timeout(STANDBY_SILENCE_MAX)
            .keepalives_idle(Duration::from_secs(1))
            .keepalives_interval(Duration::from_secs(1));
        self.standby = Some(Box::new(StandbyOptions {
            options: standby,
            lag_max,
        }));
        self
    }

    pub(crate) fn without_standby(&self) -> Self {
        Self {
            standby: None,
            ..self.clone()
        }
    }

    /// The standby that pages are read from, as [`Self::place`] says it, if there is one.
    pub fn standby_place(&self) -> Option<String> {
        self.standby.as_ref().map(|standby| standby.options.place())
    }

    /// The same with partitions of so many shares each: for tests, which cannot wait for millions.
    #[must_use]
    pub fn with_partitions_of(mut self, shares: u64) -> Self {
        self.shares_per_partition = shares.max(1);
        self
    }

    /// The server and the database, without the password: for people.
    pub fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        let name = self.config.get_dbname().unwrap_or_default();
        format!("database {name} on {}", hosts.join(", "))
    }

    /// Whether what is sent can be read on its way.
    pub fn is_in_clear_on_a_network(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Disable && !self.config.get_hosts().iter().all(is_here)
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        PostgresOptions::new(url, None, None)
            .map_err(|error| error.to_string())
            .unwrap()
            .config
            .get_ssl_mode()
    }

    #[test]
    fn over_a_network_the_server_must_show_who_it_is() {
        assert_eq!(mode("postgresql://pool@db.example/dwarves"), SslMode::Require);
        assert_eq!(
            mode("postgresql://pool@10.0.0.7,10.0.0.8/dwarves"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgresql://pool@localhost,10.0.0.8/dwarves"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgresql://pool@db.example/dwarves?sslmode=disable"),
            SslMode::Disable
        );
        assert_eq!(mode("postgresql://pool@127.0.0.1/dwarves"), SslMode::Disable);
        assert_eq!(
            mode("postgresql://pool@[::1]/dwarves?sslmode=require"),
            SslMode::Require
        );
        assert_eq!(
            mode("host=/run/postgresql user=pool dbname=dwarves"),
            SslMode::Disable
        );
    }

    #[test]
    fn what_is_no_place_is_refused_without_its_password() {
        for url in [
            "mysql://pool:secret@db/dwarves",
            "postgresql://pool:secret@db",
            "postgresql:///dwarves",
            "postgresql://pool:secret@db:99999/dwarves",
            "postgresql://pool:secret@db/dwarves?sslmode=maybe",
        ] {
            let refused = PostgresOptions::new(url, None, None)
                .err()
                .map(|error| error.to_string());
            let refused = refused.unwrap();
            assert!(
                refused.starts_with("store.url: ") && !refused.contains("secret"),
                "{refused}"
            );
        }
    }

    #[test]
    fn authorities_must_be_certificates() {
        let with = |pem: &[u8]| PostgresOptions::new("postgresql://pool@db/dwarves", None, Some(pem)).err();
        assert!(with(b"").unwrap().to_string().starts_with("store.ca_file: "));
        assert!(with(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_some());
    }
}
