//! What a mistake is told like, and where.

use super::*;

#[test]
fn a_mistake_in_the_file_is_told_with_line_key_and_what_would_be_right() {
    let cases = [
        (
            "[rewards]\nfee_bps = 20000",
            "config.toml:2:11: rewards.fee_bps: ",
            "from 0 to 10000",
        ),
        (
            "[rewards]\nfee_bps = \"1\"",
            "config.toml:2:11: rewards.fee_bps: ",
            "a whole number from 0 to 10000",
        ),
        (
            "\n[http]\nlisten = \"localhost\"",
            "config.toml:3:10: http.listen: ",
            "an IP address and a port",
        ),
        (
            "[http]\nkeep_alive_secs = 15",
            "config.toml:2:19: http.keep_alive_secs: ",
            "from 16",
        ),
        (
            "[rewards]\nwindow_units = 0.5",
            "config.toml:2:16: rewards.window_units: ",
            "in quotes",
        ),
        (
            "[rewards]\nwindow_units = 0",
            "config.toml:2:16: rewards.window_units: ",
            "above 0",
        ),
        (
            "[rewards]\nscheme = \"PPS\"",
            "config.toml:2:10: rewards.scheme: ",
            "\"pps\"",
        ),
        (
            "[rewards]\nfee = 1",
            "config.toml:2:1: unknown key `fee`",
            "`fee_bps`",
        ),
        (
            "[reward]\nfee_bps = 1",
            "config.toml:1:2: unknown key `reward`",
            "`rewards`",
        ),
        (
            "[admin]\nhotkeys = [\"5x\"]",
            "config.toml:2:",
            "admin.hotkeys: \"5x\": a hotkey is",
        ),
        (
            "[stratum]\nextranonce2_bytes = 6",
            "config.toml:2:21: stratum.extranonce2_bytes: ",
            "set 8",
        ),
        (
            "[stratum]\nextranonce2_bytes = 9",
            "config.toml:2:21: stratum.extranonce2_bytes: ",
            "expected 4 or 8",
        ),
        (
            "[work]\nstart_difficulty = nan",
            "config.toml:2:20: work.start_difficulty: ",
            "a difficulty from",
        ),
        // Another type than the key's: what would be right is told all the same.
        (
            "[http]\nproxies = \"10.0.0.0/8\"",
            "config.toml:2:11: http.proxies: ",
            "a list of addresses and networks",
        ),
        (
            "[chain]\nfallbacks = 1",
            "config.toml:2:13: chain.fallbacks: ",
            "a list of nodes",
        ),
        (
            "[chain]\nurl = 3",
            "config.toml:2:7: chain.url: ",
            "an address such as",
        ),
        (
            "[chain]\ncookie_file = 3",
            "config.toml:2:15: chain.cookie_file: ",
            "integer `3`",
        ),
        (
            "[stratum]\nlisten = 3333",
            "config.toml:2:10: stratum.listen: ",
            "an IP address and a port",
        ),
        (
            "[rewards]\nwindow_units = true",
            "config.toml:2:16: rewards.window_units: ",
            "above 0",
        ),
        (
            "[rewards]\nscheme = 1",
            "config.toml:2:10: rewards.scheme: ",
            "\"fpps\", \"solo\", \"inverse_loss\", \"score\" or \"winner_takes_most\"",
        ),
        // Times with decimals.
        (
            "[chain]\npoll_interval_secs = 0.04",
            "config.toml:2:22: chain.poll_interval_secs: ",
            "a number of seconds from 0.05 to 60",
        ),
        (
            "[work]\nshare_interval_secs = 3601",
            "config.toml:2:23: work.share_interval_secs: ",
            "a number of seconds from 0.01 to 3600",
        ),
        ("[http\n", "config.toml:1:", "`]`"),
        ("http = 3", "config.toml:1:", "expected"),
        (
            "[pool]\nname = \"a\"\nname = \"b\"",
            "config.toml:3:1: ",
            "duplicate key",
        ),
        (
            "[store]\npath = \"\"",
            "config.toml:2:8: store.path: ",
            "the path of a file",
        ),
        (
            "[store]\nread_lag_max_secs = 0",
            "config.toml:2:21: store.read_lag_max_secs: ",
            "from 1 to 3600",
        ),
        (
            "[pool]\ntag = \"ä\"",
            "config.toml:2:7: pool.tag: ",
            "printable ASCII",
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

#[test]
fn rules_between_keys_blame_the_key_that_was_set() {
    let cases = [
        (
            "[chain]\nkind = \"node\"",
            "config.toml:2:1: chain.kind: ",
            "needs chain.url",
        ),
        (
            "[chain]\nkind = \"node\"\nurl = \"http://127.0.0.1:8332\"",
            "config.toml:2:1: chain.kind: ",
            "needs chain.payout_address",
        ),
        (
            "[chain]\nkind = \"node\"\nurl = \"http://127.0.0.1:8332\"\n\
             payout_address = \"rltc1q5xp0ngq23y49v9nc49rn0z7rgs8fevh3c5ttlx\"",
            "config.toml:4:1: chain.payout_address: ",
            "not an address of Bitcoin",
        ),
        (
            "[chain]\nkind = \"node\"\nurl = \"http://127.0.0.1:8332/?x\"",
            "config.toml:3:1: chain.url: ",
            "not a node's address",
        ),
        (
            "[chain]\nalgorithm = \"scrypt\"",
            "config.toml:2:1: chain.algorithm: ",
            "sha256d",
        ),
        (
            "[chain]\npins = [\"961632\"]",
            "config.toml:2:",
            "expected HEIGHT:HASH",
        ),
        (
            "[chain]\nforbidden_deployments = [\"\"]",
            "config.toml:2:",
            "the name of a deployment",
        ),
        (
            "[work]\nversion_rolling = \"bip9\"",
            "config.toml:2:",
            "\"bip323\", \"bip320\" or \"off\"",
        ),
        (
            "[chain]\npayout_address = \"x\"",
            "config.toml:2:1: chain.payout_address: ",
            "bcrt1",
        ),
        (
            "[rewards]\nsource = \"emission\"",
            "config.toml:2:1: rewards.source: ",
            "emission_sats above 0",
        ),
        (
            "[work]\nmin_difficulty = 1\nstart_difficulty = 0.5",
            "config.toml:3:1: work.start_difficulty: ",
            "min_difficulty",
        ),
        (
            "[work]\nmin_difficulty = 1e-10",
            "config.toml:2:18: work.min_difficulty: ",
            "0 for that of the chain",
        ),
        (
            "[work]\nmax_difficulty = 1e-8\nmin_difficulty = 1e-7",
            "config.toml:3:1: work.min_difficulty: ",
            "max_difficulty",
        ),
        (
            "[work]\njob_lifetime_secs = 30",
            "config.toml:2:1: work.job_lifetime_secs: ",
            "above template",
        ),
        (
            "[[stratum.listeners]]\nlisten = \"0.0.0.0:3333\"\nmin_difficulty = 8",
            "config.toml:1:11: stratum.listeners: 0.0.0.0:3333",
            "start_difficulty",
        ),
        (
            "[stratum]\nlisteners = [{ listen = \"0.0.0.0:3333\", tls_key = \"key.pem\" }]",
            "config.toml:2:1: stratum.listeners: 0.0.0.0:3333",
            "go together",
        ),
        (
            "[stratum]\nlisteners = [{ listen = \"0.0.0.0:3333\", proxies = [\"10.0.0.0/64\"] }]",
            "config.toml:2:",
            "10.0.0.0/8",
        ),
        (
            "[store]\nread_url = \"postgresql://pool@standby/dwarves\"",
            "config.toml:2:1: store.read_url: ",
            "a ledger in a file has no standby",
        ),
        (
            "[store]\nkind = \"postgres\"\nurl = \"postgresql://pool@db/dwarves\"\n\
             read_url = \"postgresql://pool:secret@standby\"",
            "config.toml:4:1: store.read_url: ",
            "it names no database",
        ),
    ];
    for (text, begins, contains) in cases {
        let error = load(text, &[]).unwrap_err();
        let mut told = error.each().iter().map(ToString::to_string);
        assert!(
            told.any(|one| one.starts_with(begins) && one.contains(contains)),
            "{text:?}: {error}"
        );
    }
    let error = refusal(
        "[work]\nmin_difficulty = 0.5",
        &[("DWARVES__WORK__MAX_DIFFICULTY", "0.1")],
    );
    assert!(
        error.starts_with("config.toml:2:1: work.min_difficulty: "),
        "{error}"
    );
    let error = load("", &[("DWARVES__CHAIN__KIND", "node")]).unwrap_err();
    let error = error.each()[0].to_string();
    assert!(
        error.starts_with("environment variable DWARVES__CHAIN__KIND: chain.kind: "),
        "{error}"
    );
}

#[test]
fn a_mistake_in_the_environment_is_told_with_the_variables_name() {
    let cases = [
        (
            "DWARVES__REWARDS__FEE_BPS",
            "20000",
            "rewards.fee_bps: ",
            "from 0 to 10000",
        ),
        (
            "DWARVES__REWARDS__FEE_BPS",
            "1\nx = 2",
            "rewards.fee_bps: ",
            "from 0 to 10000",
        ),
        ("DWARVES__REWARDS__FEE", "1", "unknown key `fee`", "`fee_bps`"),
        (
            "DWARVES__REWARD__FEE_BPS",
            "1",
            "unknown key `reward`",
            "`rewards`",
        ),
        (
            "DWARVES__REWARDS",
            "1",
            "expected a name such as",
            "DWARVES__REWARDS__",
        ),
        (
            "DWARVES__http__listen",
            "1",
            "expected a name such as",
            "DWARVES__REWARDS__",
        ),
        (
            "DWARVES__HTTP__LISTEN__X",
            "1",
            "unknown key `listen__x`",
            "`listen`",
        ),
        ("DWARVES__", "", "expected a name such as", "DWARVES__REWARDS__"),
    ];
    for (name, value, begins, contains) in cases {
        let error = refusal("", &[(name, value)]);
        let begins = format!("environment variable {name}: {begins}");
        assert!(
            error.starts_with(&begins) && error.contains(contains),
            "{name}={value}: {error}"
        );
    }
}

#[test]
fn a_nodes_password_is_never_shown() {
    let config = load("[chain]\nurl = \"http://user:p@ss@node:8332\"", &[]).unwrap();
    let shown = format!("{config:?}");
    assert!(
        shown.contains("http://***@node:8332") && !shown.contains("p@ss"),
        "{shown}"
    );
    assert_eq!(
        config.chain.url.unwrap().with_credentials(),
        "http://user:p@ss@node:8332"
    );
    let error = refusal("[chain]\nurl = \"user:secret@node\"", &[]);
    assert!(!error.contains("secret"), "{error}");
}
