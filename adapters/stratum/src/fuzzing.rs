//! Entry points for fuzzing: whatever bytes come in, nothing may panic, and nothing may grow beyond what came.
//!
//! The fuzz targets in `fuzz/` (cargo-fuzz) and the test below, which runs on stable with every
//! `cargo test`, go through the same functions and share one corpus.

use super::protocol::line::{self, LINE_LEN_MAX, Split};
use super::protocol::params;
use super::protocol::request::{self, ID_LEN_MAX, Message, NO_ID};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::login::{LoginRules, parse_password, parse_user};
use dwarves_peers::proxy::HeaderReader;

/// A stream of bytes becomes lines, and lines become requests with params.
///
/// # Panics
/// If a rule of the codec is broken.
pub fn lines(bytes: &[u8]) {
    let mut rest = bytes;
    while let Split::Line(line, after) = line::split(rest) {
        assert!(line.len() <= LINE_LEN_MAX && after.len() < rest.len());
        rest = after;
        match request::parse(line) {
            Message::Request(request) => {
                assert!(request.id.len() <= ID_LEN_MAX.max(NO_ID.len()));
                // What is echoed is JSON, so that the answer is. (A number may be larger than any that we can hold.)
                let _id: serde::de::IgnoredAny = serde_json::from_str(request.id).expect("an id is JSON");
                all_params(request.params);
            }
            Message::Malformed { id } => assert!(id.len() <= ID_LEN_MAX),
            Message::Answer => {}
        }
    }
}

/// A text is read as the params of every method.
pub fn all_params(text: &str) {
    let _subscribed = params::subscribe(text);
    if let Ok([user, password]) = params::authorize(text) {
        let rules = LoginRules {
            addresses: AddressFormat::BitcoinRegtest,
            allow_address: true,
        };
        let _login = parse_user(&user, rules);
        let _wishes = parse_password(&password);
    }
    for extranonce2_len in [4, 8] {
        if let Ok(submit) = params::submit(text, extranonce2_len) {
            assert_eq!(submit.extranonce2.as_bytes().len(), extranonce2_len);
        }
    }
    let _extensions = params::configure(text);
    let _difficulty = params::suggest_difficulty(text);
    let _target = params::suggest_target(text);
}

/// A connection begins with a PROXY header, which comes as the reader asks for it.
///
/// # Panics
/// If the reader asks for nothing, or never ends.
pub fn proxy_header(bytes: &[u8]) {
    let mut reader = HeaderReader::default();
    let mut rest = bytes;
    loop {
        let wanted = reader.wanted();
        assert!(wanted > 0, "a reader that wants nothing would wait for ever");
        if rest.is_empty() {
            return;
        }
        let (part, after) = rest.split_at(wanted.min(rest.len()).min(256));
        rest = after;
        match reader.take(part) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use dwarves_testkit::fuzz_corpus::{corpus, mutated};

    #[test]
    fn the_corpus_is_handled() {
        corpus("stratum_line").iter().for_each(|bytes| lines(bytes));
        for bytes in corpus("stratum_params") {
            all_params(&String::from_utf8_lossy(&bytes));
        }
        corpus("stratum_proxy")
            .iter()
            .for_each(|bytes| proxy_header(bytes));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn changed_lines_are_handled(bytes in mutated("stratum_line")) {
            lines(&bytes);
        }

        #[test]
        fn changed_params_are_handled(bytes in mutated("stratum_params")) {
            all_params(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn changed_proxy_headers_are_handled(bytes in mutated("stratum_proxy")) {
            proxy_header(&bytes);
        }
    }
}
