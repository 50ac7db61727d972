//! Where the pool listens: whether each address can be bound, and certificates can be used. Tried as the pool's start
//! does it, all of them at once.

use std::fmt::Write as _;
use std::io::Write;

use super::Findings;
use crate::config::{Config, Doubts};
use crate::wiring::{self, StartError};

/// Tries to open every listener, if no running pool has them, but for those whose settings are in doubt.
pub(super) fn check<W: Write>(
    config: &Config,
    doubts: &Doubts,
    is_running: bool,
    findings: &mut Findings<W>,
) -> std::io::Result<()> {
    for (setting, tried) in wiring::try_listeners(config, is_running) {
        if super::is_doubtful(doubts, &setting) {
            continue;
        }
        match tried {
            Ok(detail) => findings.good("listening", format!("{setting}: {detail}"))?,
            Err(error) => findings.bad("listening", with_causes(&error), remedy(&error))?,
        }
    }
    Ok(())
}

fn remedy(error: &StartError) -> &'static str {
    match error {
        StartError::StratumTls { .. } => {
            "give a PEM file with the certificate chain and one with its own private key, readable by this user"
        }
        StartError::Settings(_) => "correct the key; config.toml in the repository explains each",
        _ => "choose an address of this machine and a port that is free and that this user may open",
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _infallible = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::{Path, PathBuf};

    use super::*;

    /// A certificate and a key that belong together, and a key that belongs to neither.
    fn tls_file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/tls")
            .join(name)
    }

    fn listener(certificate: &Path, key: &Path) -> String {
        format!(
            "[[stratum.listeners]]\nlisten = \"127.0.0.1:0\"\ntls_certificate = {certificate:?}\ntls_key = {key:?}\n"
        )
    }

    /// What is told of this configuration, and how much of it is wrong.
    fn told(text: &str, is_running: bool) -> (String, u32) {
        let config = Config::from_sources("config.toml", text, std::iter::empty()).unwrap();
        let mut findings = Findings {
            out: Vec::new(),
            wrong: 0,
            kept: None,
        };
        check(&config, &Doubts::default(), is_running, &mut findings).unwrap();
        (String::from_utf8(findings.out).unwrap(), findings.wrong)
    }

    #[test]
    fn free_ports_and_a_certificate_with_its_key_are_right() {
        let tls = listener(&tls_file("chain.pem"), &tls_file("key.pem"));
        let text = format!("[http]\nlisten = \"127.0.0.1:0\"\n[stratum]\nlisten = \"127.0.0.1:0\"\n{tls}");
        let (told, wrong) = told(&text, false);
        assert_eq!(wrong, 0, "{told}");
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert!(lines[0].contains("http.listen: 127.0.0.1:"), "{told}");
        assert!(lines[1].contains("stratum.listen: 127.0.0.1:"), "{told}");
        assert!(
            lines[2].contains("stratum.listeners[0].listen: 127.0.0.1:") && lines[2].contains("with TLS"),
            "{told}"
        );
    }

    #[test]
    fn a_taken_port_is_told_with_its_setting_unless_the_pool_itself_has_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[[stratum.listeners]]\nlisten = \"127.0.0.1:0\"\n\
             [[stratum.listeners]]\nlisten = \"{address}\"\n"
        );
        let (said, wrong) = told(&text, false);
        assert_eq!(wrong, 1, "{said}");
        let expected = format!("cannot listen on {address} (stratum.listeners[1].listen)");
        assert!(said.contains(&expected) && said.contains("in use"), "{said}");
        assert_eq!(told(&text, true).1, 0);
    }

    #[test]
    fn certificates_and_keys_that_can_not_be_used_are_told_by_name_also_while_the_pool_runs() {
        let (chain, key, none) = (tls_file("chain.pem"), tls_file("key.pem"), tls_file("none.pem"));
        let other = tls_file("other-key.pem");
        for (certificate, secret, setting, file) in [
            (&none, &key, "tls_certificate", &none),
            (&chain, &none, "tls_key", &none),
            // No certificate in it, and no key in it.
            (&key, &key, "tls_certificate", &key),
            (&chain, &chain, "tls_key", &chain),
            // Each is right, but they do not belong together.
            (&chain, &other, "tls_key", &other),
        ] {
            let text = format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[[stratum.listeners]]\nlisten = \"127.0.0.1:0\"\n{}",
                listener(certificate, secret)
            );
            for is_running in [false, true] {
                let (said, wrong) = told(&text, is_running);
                assert_eq!(wrong, 1, "{said}");
                let expected = format!("stratum.listeners[1].{setting}: {}: ", file.display());
                assert!(said.contains(&expected), "{said}");
            }
        }
    }
}
