//! What is read from the file and the environment, and what holds without them.

use super::*;

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
fn stratum_has_a_thread_on_all_cores_but_one_and_both_of_two() {
    let mut stratum = StratumConfig::default();
    assert_eq!(
        [1, 2, 3, 4, 8].map(|cores| stratum.io_threads(cores)),
        [1, 2, 2, 3, 7]
    );
    stratum.threads = 5;
    assert_eq!([1, 2, 8].map(|cores| stratum.io_threads(cores)), [5; 3]);
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
    // One of them has the wallet: the first, if nothing is said.
    let paying = |node: &str| {
        let chain = load(text, &[("DWARVES__CHAIN__WALLET_NODE", node)])
            .unwrap()
            .chain;
        chain.wallet_place(&chain.endpoints().unwrap())
    };
    assert_eq!(paying(""), Some(0));
    assert_eq!(
        (paying("http://127.0.0.1:9332"), paying("http://b:1/")),
        (Some(0), Some(1))
    );
    assert_eq!(
        paying("http://another:login@c:2"),
        Some(2),
        "the login is no part of it"
    );
    let error = refusal(text, &[("DWARVES__CHAIN__WALLET_NODE", "http://d:4")]);
    assert!(
        error.contains("chain.wallet_node") && error.contains("none of the nodes"),
        "{error}"
    );
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
fn a_file_that_was_named_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.toml");
    let error = Config::load(Some(&path)).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }), "{error}");
    std::fs::write(&path, "[pool]\nname = \"Mine\"").unwrap();
    assert_eq!(Config::load(Some(&path)).unwrap().pool.name, "Mine");
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
