//! What validators are told, and who they are.

use super::*;

#[test]
fn what_validators_are_told_is_refused_by_place_where_it_is_wrong() {
    let cases = [
        (
            "[statements]\nepoch_secs = 86401",
            "config.toml:2:14: statements.epoch_secs: ",
            "from 0 to 86400",
        ),
        (
            "[validators]\ncoins = [\"b.c\"]",
            "config.toml:2:9: validators.coins: ",
            "names such as",
        ),
        (
            "[validators]\nsubaccount = \"\"",
            "config.toml:2:14: validators.subaccount: ",
            "without dots",
        ),
        (
            "[validators]\nworker_percentage = 1.5",
            "config.toml:2:21: validators.worker_percentage: ",
            "from 0.0 to 1.0",
        ),
        (
            "[validators]\ntokens = [{ name = \"a\", sha256 = \"ab\" }]",
            "config.toml:2:",
            "64 hex digits",
        ),
        (
            "[validators]\ntokens = [{ name = \"a\" }]",
            "config.toml:2:",
            "one of sha256 and token_file",
        ),
        (
            "[privacy]\nworker_names = \"owner\"\n[statements]\nepoch_secs = 60",
            "config.toml:2:1: privacy.worker_names: ",
            "epoch_secs = 0",
        ),
    ];
    for (text, begins, contains) in cases {
        let error = refusal(text, &[]);
        assert!(
            error.starts_with(begins) && error.contains(contains),
            "{text:?}: {error}"
        );
    }
}
