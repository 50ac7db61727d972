use std::ffi::OsString;

use super::*;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::Units;
use proptest::prelude::*;

const FILE: &str = include_str!("../../config.toml");

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::from_sources("config.toml", text, environment)
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    load(text, variables).unwrap_err().to_string()
}

/// The names in backticks in a message, without the first.
fn names_in(message: &str) -> Vec<String> {
    let names = message.split('`').skip(1).step_by(2).skip(1);
    names.map(str::to_owned).collect()
}

/// Every section and key that the program knows, as its own refusals of unknown ones list them.
fn all_keys() -> Vec<(String, String)> {
    let mut keys = Vec::new();
    for section in names_in(&refusal("nonsense = 1", &[])) {
        for key in names_in(&refusal(&format!("[{section}]\nnonsense = 1"), &[])) {
            keys.push((section.clone(), key));
        }
    }
    keys
}

#[test]
fn the_projects_config_file_holds_every_key_with_its_default() {
    assert_eq!(load(FILE, &[]).unwrap(), Config::default());
    let table: toml::Table = FILE.parse().unwrap();
    let keys = all_keys();
    assert!(keys.len() > 40, "only {} keys were found", keys.len());
    for (section, key) in keys {
        let section_table = table[&section].as_table().unwrap();
        assert!(
            section_table.contains_key(&key),
            "config.toml lacks {section}.{key}"
        );
    }
}

#[test]
fn every_key_in_the_projects_config_file_is_explained() {
    let mut comments = 0;
    for (number, line) in FILE.lines().enumerate() {
        if line.starts_with('#') {
            comments += 1;
        } else if line.contains(" = ") {
            // A group of keys may share one comment; each key's own line or group has one above it.
            assert!(comments > 0, "line {} has no comment above it", number + 1);
        } else {
            comments = 0;
        }
    }
}

#[test]
fn without_a_file_the_defaults_hold() {
    assert_eq!(
        load("", &[("PATH", "/bin"), ("DWARVES_X", "1")]).unwrap(),
        Config::default()
    );
}

#[test]
fn values_are_read_into_their_types() {
    let text = r#"
        [http]
        listen = "[::1]:0"
        workers = 3
        [work]
        share_interval_secs = 2.5
        start_difficulty = 8
        [rewards]
        scheme = "solo"
        source = "emission"
        emission_sats = 5
        fee_bps = 0
        window_units = "0.0625"
        [admin]
        hotkeys = ["5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"]
    "#;
    let config = load(text, &[]).unwrap();
    assert_eq!(config.http.listen.to_string(), "[::1]:0");
    assert_eq!(config.http.worker_threads(8), 3);
    assert_eq!(config.work.share_interval, Span::from_millis(2_500));
    assert_eq!(config.work.start_difficulty, Difficulty::from_f64(8.0));
    assert_eq!(
        (config.rewards.scheme, config.rewards.source),
        (Scheme::Solo, Source::Emission)
    );
    assert_eq!(config.rewards.fee.get(), 0);
    assert_eq!(config.rewards.window_units.to_string(), "0.0625");
    assert_eq!(config.admin.hotkeys.len(), 1);
}

#[test]
fn workers_are_one_less_than_cores_and_at_least_one() {
    let http = HttpConfig::default();
    assert_eq!([1, 2, 8].map(|cores| http.worker_threads(cores)), [1, 1, 7]);
}

#[test]
fn a_relative_store_path_lies_in_the_data_directory() {
    let file = |path: &str| {
        let config = load(&format!("[store]\npath = {path:?}"), &[]).unwrap();
        config.store.file_in("/data".as_ref()).display().to_string()
    };
    assert_eq!(file("a.db"), "/data/a.db");
    assert_eq!(file("/other/a.db"), "/other/a.db");
}

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
    ];
    for (text, begins, contains) in cases {
        let error = refusal(text, &[]);
        assert!(
            error.starts_with(begins) && error.contains(contains),
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
    let error = refusal("", &[("DWARVES__CHAIN__KIND", "node")]);
    assert!(
        error.starts_with("environment variable DWARVES__CHAIN__KIND: chain.kind: "),
        "{error}"
    );
}

/// What is not given is fit for the chain; what is given holds, on every chain.
#[test]
fn difficulties_fit_the_chain_unless_they_are_given() {
    let node = "[chain]\nkind = \"node\"\nurl = \"http://127.0.0.1:1\"\n";
    let bitcoin = format!("{node}payout_address = \"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080\"\n");
    let litecoin = format!(
        "{node}algorithm = \"scrypt\"\npayout_address = \"rltc1q5xp0ngq23y49v9nc49rn0z7rgs8fevh3c5ttlx\"\n"
    );
    let cases = [
        ("", "", [0.000_25, 0.000_001, 1e12]),
        (&bitcoin, "", [64.0, 0.001, 1e12]),
        (&litecoin, "", [0.062_5, 0.000_004, 1e12]),
        (&bitcoin, "min_difficulty = 500", [500.0, 500.0, 1e12]),
        (&bitcoin, "max_difficulty = 0.0001", [0.000_1, 0.000_1, 0.000_1]),
        (&bitcoin, "start_difficulty = 0.000000001", [1e-9, 1e-9, 1e12]),
        (
            &litecoin,
            "start_difficulty = 8\nmin_difficulty = 1e-9",
            [8.0, 1e-9, 1e12],
        ),
    ];
    for (chain, work, expected) in cases {
        let config = load(&format!("{chain}[work]\n{work}\n"), &[]).unwrap();
        for (found, expected) in config.difficulties().into_iter().zip(expected) {
            let found = found.to_f64();
            assert!(
                (found / expected - 1.0).abs() < 1e-9,
                "{chain}{work}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn several_nodes_are_given_in_order_each_with_its_own_login() {
    let text = "[chain]\nkind = \"node\"\nalgorithm = \"scrypt\"\nurl = \"http://127.0.0.1:9332\"\n\
        payout_address = \"rltc1q5xp0ngq23y49v9nc49rn0z7rgs8fevh3c5ttlx\"\ncookie_file = \"/a/.cookie\"\n\
        fallbacks = [{ url = \"http://u:p@b:1\" }, { url = \"http://c:2\", cookie_file = \"/c/.cookie\" }]";
    let config = load(text, &[]).unwrap();
    let names: Vec<_> = config
        .chain
        .endpoints()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["http://127.0.0.1:9332", "http://b:1", "http://c:2"]);
    assert_eq!(
        (config.chain.maturity(), Config::default().chain.maturity()),
        (101, 10)
    );

    let variable = (
        "DWARVES__CHAIN__FALLBACKS",
        "[{ url = \"http://d:3\", cookie_file = \"x\" }]",
    );
    assert_eq!(load(text, &[variable]).unwrap().chain.fallbacks.len(), 1);
    for (bad, expected) in [
        ("[{ cookie_file = \"x\" }]", "url"),
        ("[{ url = \"\" }]", "found nothing"),
        ("[{ url = \"http://a\", password = \"x\" }]", "unknown key"),
    ] {
        let error = refusal(text, &[("DWARVES__CHAIN__FALLBACKS", bad)]);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = [
        ("DWARVES__REWARDS__RUN_INTERVAL_SECS", "5"),
        ("DWARVES__HTTP__LISTEN", "127.0.0.1:0"),
        ("DWARVES__REWARDS__WINDOW_UNITS", "0.5"),
        ("DWARVES__CHAIN__WALLET", "123"),
        ("DWARVES__CHAIN__COOKIE_FILE", ""),
        ("DWARVES__POOL__NAME", "\"quoted\""),
        (
            "DWARVES__ADMIN__HOTKEYS",
            "[\"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\"]",
        ),
    ];
    let config = load("[rewards]\nrun_interval_secs = 7\nfee_bps = 3", &variables).unwrap();
    assert_eq!(config.rewards.run_interval, Span::from_secs(5));
    assert_eq!(config.rewards.fee.get(), 3);
    assert_eq!(config.http.listen.port(), 0);
    assert_eq!(config.rewards.window_units, Units::from_raw(Units::ONE.raw() / 2));
    assert_eq!(config.chain.wallet.as_deref(), Some("123"));
    assert_eq!(config.chain.cookie_file, None);
    assert_eq!(config.pool.name, "quoted");
    assert_eq!(config.admin.hotkeys.len(), 1);
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
fn a_file_that_was_named_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.toml");
    let error = Config::load(Some(&path)).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }), "{error}");
    std::fs::write(&path, "[pool]\nname = \"Mine\"").unwrap();
    assert_eq!(Config::load(Some(&path)).unwrap().pool.name, "Mine");
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

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:?}").to_lowercase()),
        any::<bool>().prop_map(|b| b.to_string()),
        ".{0,40}".prop_map(|s| format!("{s:?}")),
        Just("[]".to_owned()),
        Just("{ a = 1 }".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        "[-0-9.e]{0,40}".prop_map(|s| s),
    ]
}

proptest! {
    #[test]
    fn no_text_makes_loading_panic(text in "(.|\n){0,300}") {
        let _ = load(&text, &[]);
    }

    #[test]
    fn no_value_of_any_key_makes_loading_panic(at in any::<prop::sample::Index>(), value in any_value()) {
        let keys = all_keys();
        let (section, key) = at.get(&keys);
        if let Err(error) = load(&format!("[{section}]\n{key} = {value}"), &[]) {
            prop_assert!(error.to_string().starts_with("config.toml:"), "{}", error);
        }
        let name = format!("DWARVES__{}__{}", section.to_uppercase(), key.to_uppercase());
        if let Err(error) = load("", &[(&name, &value)]) {
            prop_assert!(error.to_string().contains(&name), "{}", error);
        }
    }
}
