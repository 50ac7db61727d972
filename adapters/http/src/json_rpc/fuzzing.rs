//! Entry points for fuzzing: whatever body or user name comes in, nothing may panic, and nothing may grow beyond what
//! came.
//!
//! The fuzz targets in `fuzz/` (cargo-fuzz) and the tests below, which run with every `cargo test`, go through the same
//! functions and share one corpus. What a body is read as is told, so that a run can show that it came that far.

use actix_web::body::MessageBody;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::work::Header;
use serde_json::Value;

use super::call::{Call, Failure, MESSAGE_LEN_MAX};
use super::{block_template, caller, getwork};
use dwarves_domain::login::{LoginRules, parse_user};

/// What was read out of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Calls that were parsed.
    pub calls: usize,
    /// Questions for a template, with or without a long poll.
    pub questions: usize,
    /// Those of them that wait for a newer one.
    pub long_polls: usize,
    /// Headers that `submitblock` would submit.
    pub blocks: usize,
    /// Those of them that name their job.
    pub named: usize,
    /// Headers that `getwork` would submit.
    pub works: usize,
    /// User names that were parsed.
    pub users: usize,
    /// Those of them that may mine.
    pub logins: usize,
}

impl std::ops::AddAssign for Reached {
    fn add_assign(&mut self, more: Self) {
        self.calls += more.calls;
        self.questions += more.questions;
        self.long_polls += more.long_polls;
        self.blocks += more.blocks;
        self.named += more.named;
        self.works += more.works;
        self.users += more.users;
        self.logins += more.logins;
    }
}

/// A body is read as a call, and its params as those of every method.
///
/// # Panics
/// If a rule of the reading is broken.
pub fn body(bytes: &[u8]) -> Reached {
    match Call::parse(bytes) {
        Ok(call) => {
            refusal(
                Failure::unknown_method(&call.method).answering(call.id),
                bytes.len(),
            );
            let mut reached = params(&call.params, bytes.len());
            reached.calls = 1;
            reached
        }
        Err(failure) => {
            refusal(failure, bytes.len());
            Reached::default()
        }
    }
}

/// A text is read as the params of every method: a JSON array, as in a call.
///
/// # Panics
/// If a rule of the reading is broken.
pub fn all_params(text: &str) -> Reached {
    serde_json::from_str::<Vec<Value>>(text)
        .map(|values| params(&values, text.len()))
        .unwrap_or_default()
}

fn params(values: &[Value], input_len: usize) -> Reached {
    let mut reached = Reached::default();
    match block_template::known_of(values) {
        Ok(known) => {
            reached.questions = 1;
            reached.long_polls = usize::from(known.is_some());
        }
        Err(failure) => refusal(failure, input_len),
    }
    let first = values.first().and_then(Value::as_str).unwrap_or_default();
    match block_template::submission_of(values) {
        Ok((header, named)) => {
            // It is what the text begins with, in either case of letters.
            assert_eq!(
                hex::encode(header.as_bytes()),
                first[..2 * Header::LEN].to_ascii_lowercase()
            );
            reached.blocks = 1;
            reached.named = usize::from(named.is_some());
        }
        Err(failure) => refusal(failure, input_len),
    }
    match getwork::solution_of(values) {
        Ok(header) => {
            // Turned back, it is what the text begins with.
            let written = getwork::data_of(&header);
            assert_eq!(
                written[..2 * Header::LEN],
                first[..2 * Header::LEN].to_ascii_lowercase()
            );
            reached.works = 1;
        }
        Err(failure) => refusal(failure, input_len),
    }
    reached
}

/// A text is read as an `Authorization` header, and what is in it as a user name.
pub fn authorization(text: &str) -> Reached {
    let mut reached = Reached::default();
    let Some(user) = caller::user_of(text) else {
        return reached;
    };
    assert!(user.len() <= text.len(), "{user:?} is longer than what it was in");
    reached.users = 1;
    let rules = LoginRules {
        addresses: AddressFormat::BitcoinRegtest,
        allow_address: true,
    };
    match parse_user(&user, rules) {
        Ok(_) => reached.logins = 1,
        Err(error) => refusal(Failure::unauthorized(error.to_string()), text.len()),
    }
    reached
}

/// A refusal is JSON, and no longer than its own words and the id that is echoed. (Six bytes are the longest way to
/// write one: a control character; a number such as 1e15 grows by less.)
fn refusal(failure: Failure, input_len: usize) {
    let response = failure.into_response();
    assert!(!response.status().is_server_error(), "{}", response.status());
    let written = response
        .into_body()
        .try_into_bytes()
        .expect("the answer is in memory");
    let len_max = 6 * (input_len + MESSAGE_LEN_MAX) + 100;
    assert!(
        written.len() <= len_max,
        "{} bytes for {input_len}",
        written.len()
    );
    let _json: serde::de::IgnoredAny = serde_json::from_slice(&written).expect("an answer is JSON");
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_testkit::fuzz_corpus::{corpus, mutated, mutations};
    use proptest::prelude::*;

    /// What all inputs together reached.
    fn sum(inputs: impl IntoIterator<Item = Vec<u8>>, read: fn(&[u8]) -> Reached) -> Reached {
        let mut sum = Reached::default();
        inputs.into_iter().for_each(|bytes| sum += read(&bytes));
        sum
    }

    fn params_of(bytes: &[u8]) -> Reached {
        all_params(&String::from_utf8_lossy(bytes))
    }

    fn authorization_of(bytes: &[u8]) -> Reached {
        authorization(&String::from_utf8_lossy(bytes))
    }

    #[test]
    fn the_corpus_reaches_every_part() {
        let bodies = sum(corpus("json_rpc_body"), body);
        assert!(bodies.calls >= 8 && bodies.questions >= 3, "{bodies:?}");
        assert!(bodies.long_polls >= 1 && bodies.blocks >= 2, "{bodies:?}");
        assert!(bodies.named >= 1 && bodies.works >= 2, "{bodies:?}");
        let params = sum(corpus("json_rpc_params"), params_of);
        assert!(
            params.long_polls >= 1 && params.named >= 1 && params.works >= 1,
            "{params:?}"
        );
        let logins = sum(corpus("json_rpc_login"), authorization_of);
        assert!(logins.users > logins.logins && logins.logins >= 2, "{logins:?}");
    }

    #[test]
    fn changed_bodies_are_handled() {
        let reached = sum(mutations("json_rpc_body", 5_000), body);
        assert!(
            reached.calls > 100 && reached.blocks > 0 && reached.works > 0,
            "{reached:?}"
        );
    }

    #[test]
    fn changed_params_are_handled() {
        let reached = sum(mutations("json_rpc_params", 5_000), params_of);
        assert!(reached.questions > 100, "{reached:?}");
        assert!(reached.blocks > 0 && reached.works > 0, "{reached:?}");
    }

    #[test]
    fn changed_logins_are_handled() {
        let reached = sum(mutations("json_rpc_login", 5_000), authorization_of);
        assert!(reached.users > 100 && reached.logins > 0, "{reached:?}");
    }

    // Other ones in every run, of which a failure is shrunk and printed.
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn bodies_changed_anew_are_handled(bytes in mutated("json_rpc_body")) {
            body(&bytes);
        }

        #[test]
        fn params_changed_anew_are_handled(bytes in mutated("json_rpc_params")) {
            params_of(&bytes);
        }

        #[test]
        fn logins_changed_anew_are_handled(bytes in mutated("json_rpc_login")) {
            authorization_of(&bytes);
        }
    }
}
