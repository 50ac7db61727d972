//! All that is wrong is told at once, and nothing that follows from it.

use super::*;

/// The mistakes in this file, without the file's name.
fn told(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let error = load(text, variables).unwrap_err();
    let each = error.each().iter().map(ToString::to_string);
    each.map(|one| one.trim_start_matches("config.toml:").to_owned())
        .collect()
}

#[test]
fn unknown_keys_wrong_values_and_broken_rules_are_told_together() {
    let text = "[bogus]\na = 1\n[chain]\nkind = \"node\"\n[rewards]\nwindow_units = \"-1\"\n\
                [http]\nlisten = \"127.0.0.1:4000\"\n[stratum]\nlisten = \"0.0.0.0:4000\"\n\
                [[notifications.channels]]\nname = \"a\"\nkind = \"webhook\"\nurl = \"https://a.example\"\n\
                [[notifications.channels]]\nname = \"b\"\nkind = \"mail\"\nurl = \"https://b.example\"\n";
    let expected = [
        ("1:2: unknown key `bogus`", ""),
        ("6:16: rewards.window_units: ", "-1"),
        ("11:1: notifications.channels: channel \"a\"", "secret_file"),
        (
            "15:1: notifications.channels: channel \"b\"",
            "mail goes by smtps",
        ),
        ("4:1: chain.kind: ", "needs chain.url"),
        ("4:1: chain.kind: ", "needs chain.payout_address"),
        (
            "10:1: stratum.listen: ",
            "0.0.0.0:4000 is that of http.listen already",
        ),
    ];
    let found = told(text, &[]);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (one, (begin, part)) in found.iter().zip(expected) {
        assert!(
            one.starts_with(begin) && one.contains(part),
            "{begin} {part}: {one}"
        );
    }
}

#[test]
fn nothing_is_told_that_follows_from_a_value_that_is_wrong_by_itself() {
    for (text, variables, only) in [
        // Whether it needs a url is not known, and the wrong url is not a missing one.
        (
            "[chain]\nkind = \"nod\"\nalgorithm = \"scrypt\"",
            &[][..],
            "2:8: chain.kind",
        ),
        (
            "[chain]\nkind = \"node\"\nurl = \"node:8332\"\npayout_address = \"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2\"",
            &[],
            "3:7: chain.url",
        ),
        (
            "[work]\nkind = \"evaluatd\"\n[pool]\nunit = \"TAO\"",
            &[],
            "2:8: work.kind",
        ),
        // The port of a listener that is wrong is nobody's, and neither is the default that stands for it.
        (
            "[http]\nlisten = \"nowhere\"\n[stratum]\nlisten = \"127.0.0.1:8080\"",
            &[],
            "2:10: http.listen",
        ),
        (
            "[http]\nlisten = \"127.0.0.1:1\"\n[stratum]\nlisten = \"127.0.0.1:1\"",
            &[("DWARVES__STRATUM__LISTEN", "nowhere")],
            "environment variable DWARVES__STRATUM__LISTEN",
        ),
        (
            "http = 3\n[stratum]\nlisten = \"127.0.0.1:8080\"",
            &[],
            "1:8: http",
        ),
    ] {
        let found = told(text, variables);
        assert!(
            found.len() == 1 && found[0].starts_with(only),
            "{text}: {found:#?}"
        );
    }
}

#[test]
fn a_variable_stands_for_what_is_wrong_in_the_file() {
    let text = "[work]\nmin_difficulty = \"x\"\nmax_difficulty = 1.0\n";
    let found = told(text, &[("DWARVES__WORK__MIN_DIFFICULTY", "2.0")]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("2:18: work.min_difficulty"), "{found:#?}");
    assert!(
        found[1].starts_with("environment variable DWARVES__WORK__MIN_DIFFICULTY: work.min_difficulty"),
        "{found:#?}"
    );
}

#[test]
fn two_settings_that_want_one_port_name_each_other() {
    for (text, expected) in [
        (
            "[stratum]\nlisten = \"127.0.0.1:8080\"",
            "2:1: stratum.listen: 127.0.0.1:8080 is that of http.listen already",
        ),
        (
            "[bittensor]\nlisten = \"[::1]:9\"\n[validators]\nlisten = \"[::]:9\"",
            "4:1: validators.listen: [::]:9 is that of bittensor.listen already",
        ),
        (
            "[[stratum.listeners]]\nlisten = \"127.0.0.1:1\"\n[[stratum.listeners]]\nlisten = \"127.0.0.1:1\"",
            "stratum.listeners[1].listen: 127.0.0.1:1 is that of stratum.listeners[0].listen",
        ),
    ] {
        let found = told(text, &[]);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{text}: {found:#?}"
        );
    }
    let apart = "[http]\nlisten = \"127.0.0.1:0\"\n[stratum]\nlisten = \"127.0.0.1:0\"\n\
                 [bittensor]\nlisten = \"127.0.0.1:8080\"\n[validators]\nlisten = \"127.0.0.2:8080\"";
    assert!(load(apart, &[]).is_ok());
}

#[test]
fn every_mistake_of_file_and_environment_is_told_at_once_in_its_own_place() {
    let text = "[rewards]\nfee_bps = 10001\nrun_interval_secs = 5\nscheme = \"moon\"\n[pool]\nnme = \"x\"\n[nonsense]\na = 1\n\
                b = 2\n[http]\nproxies = [\"10.0.0.0/8\", \"nowhere\"]\n";
    let variables = [
        ("DWARVES__CHAIN__KIND", "moon"),
        ("DWARVES__HTTP__LISTEN", "nowhere"),
    ];
    let error = load(text, &variables).unwrap_err();
    let told: Vec<String> = error.each().iter().map(ToString::to_string).collect();
    let places = [
        ("config.toml:2:11: rewards.fee_bps", ""),
        ("config.toml:4:10: rewards.scheme", ""),
        ("config.toml:6:1: unknown key", "nme"),
        ("config.toml:7:", "nonsense"),
        ("config.toml:11:", "http.proxies"),
        ("environment variable DWARVES__CHAIN__KIND: chain.kind", ""),
        ("environment variable DWARVES__HTTP__LISTEN: http.listen", ""),
    ];
    assert_eq!(told.len(), places.len(), "{told:#?}");
    for (one, (begin, part)) in told.iter().zip(places) {
        assert!(
            one.starts_with(begin) && one.contains(part),
            "{begin} {part}: {one}"
        );
    }
    let all = error.to_string();
    assert!(
        all.starts_with("7 things are wrong in the settings:\n  config.toml:2"),
        "{all}"
    );
}

#[test]
fn every_broken_rule_is_told_at_once() {
    let text = "[work]\nmin_difficulty = 2.0\nmax_difficulty = 1.0\njob_lifetime_secs = 30\ntemplate_refresh_secs = 30\n\
                [rewards]\nsource = \"emission\"\n";
    let error = load(text, &[]).unwrap_err();
    let told: Vec<String> = error.each().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    for (one, place) in told
        .iter()
        .zip(["config.toml:2:", "config.toml:4:", "config.toml:7:"])
    {
        assert!(one.starts_with(place), "{one}");
    }
}
