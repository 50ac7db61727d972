//! Every setting with its value and where it comes from: the program's default, the file, or the environment.
//!
//! The defaults are those of the project's own `config.toml`, which a test holds to the program's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use dwarves_actors::pool_manager::settings::{Effective, Origin};
use toml::{Table, Value};

use super::document::Document;
use super::load::{Variables, read_file};
use super::mistake::ConfigError;

/// Every key with its default, and what it is for: the project's `config.toml`.
pub const DEFAULTS: &str = include_str!("../../config.toml");

/// Every setting of `file` (or `config.toml`, if it is there) and this process's environment.
///
/// # Errors
/// As [`crate::config::Config::load`].
pub fn effective(file: Option<&Path>) -> Result<Vec<Effective>, ConfigError> {
    let (name, text) = read_file(file)?;
    effective_of(&name, &text, std::env::vars_os())
}

/// Every setting of these sources.
fn effective_of(
    file: &str,
    text: &str,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Effective>, ConfigError> {
    let mut document = Document::read(file, text)?;
    let mut variables = Variables::read(environment);
    let mut mistakes = std::mem::take(&mut document.mistakes);
    mistakes.append(&mut variables.mistakes);
    ConfigError::of(mistakes)?;
    let mut all: BTreeMap<String, Effective> = BTreeMap::new();
    let mut add = |key: String, value: &Value, origin: Origin| {
        let is_said = value.as_str() != Some("");
        let mut value = if is_secret(&key) && is_said {
            "\"***\"".to_owned()
        } else {
            shown(value)
        };
        if key.starts_with("notifications.") || key.starts_with("miner_notifications.") {
            value = without_paths(&value);
        }
        all.insert(key.clone(), Effective { key, value, origin });
    };
    let defaults: Table = toml::from_str(DEFAULTS).unwrap_or_default();
    for (key, value) in flat(&defaults) {
        add(key, value, Origin::Default);
    }
    for (key, value) in flat(&document.table) {
        add(key, value, Origin::File(file.to_owned()));
    }
    for (name, (section, key, value)) in &variables.settings {
        add(format!("{section}.{key}"), value, Origin::Variable(name.clone()));
    }
    Ok(all.into_values().collect())
}

fn flat(table: &Table) -> impl Iterator<Item = (String, &Value)> {
    let sections = table
        .iter()
        .filter_map(|(section, value)| Some((section, value.as_table()?)));
    sections.flat_map(|(section, keys)| {
        keys.iter()
            .map(move |(key, value)| (format!("{section}.{key}"), value))
    })
}

/// Whether a key's value is nobody's business, by its name.
fn is_secret(key: &str) -> bool {
    ["password", "secret", "token"]
        .iter()
        .any(|end| key.ends_with(end))
}

/// As it would stand in the file, without the login that an address may carry.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(['/', '"', ',', ' ']).unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |at| at + 1);
        if host > 0 {
            shown.push_str("***@");
        }
        rest = &after[host..];
    }
    shown.push_str(rest);
    shown
}

/// The same without what follows the host in addresses: to know a webhook's or a topic's is to be able to write there.
fn without_paths(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['"', ',', ' ']).unwrap_or(part.len());
        let host = part[..end].find(['/', '?', '#']).unwrap_or(end);
        shown.push_str("://");
        shown.push_str(&part[..host]);
        shown.push_str(if host < end { "/***" } else { "" });
        shown.push_str(&part[end..]);
    }
    shown
}

/// Settings that are not the program's own, for the log and for `dwarves check`.
pub fn changed(all: &[Effective]) -> impl Iterator<Item = &Effective> {
    all.iter().filter(|setting| setting.origin != Origin::Default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn find<'a>(all: &'a [Effective], key: &str) -> &'a Effective {
        all.iter().find(|setting| setting.key == key).unwrap()
    }

    #[test]
    fn nobody_learns_from_the_settings_where_to_write() {
        let text = "[[notifications.channels]]\nname = \"a\"\nkind = \"ntfy\"\nurl = \"https://u:p@ntfy.sh/topic?x=1\"\n\
                    [[notifications.channels]]\nname = \"b\"\nkind = \"ntfy\"\nurl = \"http://b\"\n";
        let all = effective_of("my.toml", text, []).unwrap();
        let shown = &find(&all, "notifications.channels").value;
        for part in ["\"https://***@ntfy.sh/***\"", "\"http://b\"", "name = \"b\""] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("topic"), "{shown}");
    }

    #[test]
    fn each_setting_says_where_it_comes_from_and_no_login_is_shown() {
        let text = "[rewards]\nfee_bps = 250\nscheme = \"solo\"\n[chain]\nurl = \"http://me:secret@127.0.0.1:9332\"\n";
        let environment = [("DWARVES__REWARDS__SCHEME", "pps"), ("OTHER", "x")];
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let all = effective_of("my.toml", text, environment).unwrap();
        let fee = find(&all, "rewards.fee_bps");
        assert_eq!(
            (fee.value.as_str(), fee.origin.to_string().as_str()),
            ("250", "my.toml")
        );
        let scheme = find(&all, "rewards.scheme");
        assert_eq!(scheme.value, "\"pps\"");
        assert_eq!(
            scheme.origin,
            Origin::Variable("DWARVES__REWARDS__SCHEME".to_owned())
        );
        assert_eq!(find(&all, "payouts.confirmations").origin, Origin::Default);
        assert_eq!(find(&all, "chain.url").value, "\"http://***@127.0.0.1:9332\"");
        assert_eq!(changed(&all).count(), 3);
        assert!(all.len() > 60, "every key is there");
        assert!(Config::from_sources("my.toml", text, []).is_ok());
    }
}
