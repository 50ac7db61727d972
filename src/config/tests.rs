use std::ffi::OsString;

use super::*;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::Units;
use proptest::prelude::*;

mod loading;
mod refusals;
mod together;
mod validators;

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
