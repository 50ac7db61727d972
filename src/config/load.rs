//! File and environment, merged; where each key came from.
//!
//! File and variables are first read each by itself, so that a mistake is told with its own place, and then
//! merged; rules between keys are checked last and blamed on the key that was set. All that is wrong is told at once:
//! what is wrong by itself is left out, and rules that need it are not looked at.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::check;
use super::document::Document;
use super::mistake::{ConfigError, Doubts, Place, explain};
use super::schema::{Config, LogFormat};

/// The file that is read from the working directory if it is there.
pub const FILE_NAME: &str = "config.toml";
const PREFIX: &str = "DWARVES__";

impl Config {
    /// Reads the settings: `file`, or `config.toml` in the working directory if it is there, and then the
    /// variables of this process's environment that begin with `DWARVES__`.
    ///
    /// # Errors
    /// If `file` is given but cannot be read, or a key or value is wrong anywhere.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let (name, text) = read_file(file)?;
        Self::from_sources(&name, &text, std::env::vars_os())
    }

    /// The format of the log in `file`, or in `config.toml` in the working directory, if it is said there and can be
    /// read: it is wanted before anything can be told of what is wrong.
    pub fn log_format_in(file: Option<&Path>) -> Option<LogFormat> {
        let (_, text) = read_file(file).ok()?;
        let table: Table = toml::from_str(&text).ok()?;
        let named = table.get("log")?.get("format")?.as_str()?;
        let (_, format) = LogFormat::ALL.iter().find(|(name, _)| *name == named)?;
        Some(*format)
    }

    /// The settings in `text`, the content of the file called `file`, and in these environment variables,
    /// of which those that do not begin with `DWARVES__` are left alone.
    ///
    /// # Errors
    /// If a key or value is wrong anywhere.
    pub fn from_sources(
        file: &str,
        text: &str,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let reading = Reading::of(file, text, environment);
        ConfigError::of(reading.mistakes)?;
        // What cannot be read is a mistake: where there is none there are settings.
        reading.config.ok_or(ConfigError::Several(Vec::new()))
    }
}

/// What could be read of the settings, and all that is wrong with them.
#[derive(Debug)]
pub struct Reading {
    /// The settings, with the defaults of what is wrong; `None` if the file cannot be read or is no TOML.
    pub config: Option<Config>,
    /// All that is wrong: in the file, in its order; in the environment; and between keys.
    pub mistakes: Vec<ConfigError>,
    /// Of what it is told already that it is wrong.
    pub doubts: Doubts,
}

impl Reading {
    /// Reads as [`Config::load`] does.
    pub fn load(file: Option<&Path>) -> Self {
        match read_file(file) {
            Ok((name, text)) => Self::of(&name, &text, std::env::vars_os()),
            Err(error) => Self::failed(vec![error]),
        }
    }

    /// Reads as [`Config::from_sources`] does.
    fn of(file: &str, text: &str, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut variables = Variables::read(environment);
        let mut document = match Document::read(file, text) {
            Ok(document) => document,
            Err(error) => {
                variables.mistakes.insert(0, error);
                return Self::failed(variables.mistakes);
            }
        };
        let mut merged = document.table.clone();
        let mut doubts = std::mem::take(&mut document.doubts);
        for (section, key, value) in variables.settings.values() {
            merge(&mut merged, section, key, value);
            // Whatever the file says there, this holds.
            doubts.forget(section, key);
        }
        doubts.extend(&variables.doubts);
        let mut mistakes = std::mem::take(&mut document.mistakes);
        mistakes.append(&mut variables.mistakes);
        let config = match Config::deserialize(merged) {
            Ok(config) => config,
            Err(error) => {
                mistakes.push(ConfigError::Invalid {
                    place: document.place(0..0),
                    message: explain(error.message()),
                });
                return Self::failed(mistakes);
            }
        };
        for complaint in check::check(&config, &doubts) {
            let blamed = complaint.keys.iter().find_map(|(section, key)| {
                let place = variables.place(section, key);
                Some((place.or_else(|| document.key(section, key))?, section, key))
            });
            let (place, key) = match blamed {
                Some((place, section, key)) => {
                    doubts.add(section, Some(key));
                    (place, format!("{section}.{key}"))
                }
                // The defaults keep every rule, so one of the keys was set; blame the file otherwise.
                None => (document.place(0..0), "settings".to_owned()),
            };
            let message = format!("{key}: {}", complaint.message);
            mistakes.push(ConfigError::Invalid { place, message });
        }
        Self {
            config: Some(config),
            mistakes,
            doubts,
        }
    }

    fn failed(mistakes: Vec<ConfigError>) -> Self {
        Self {
            config: None,
            mistakes,
            doubts: Doubts::default(),
        }
    }
}

/// The name and text of `file`, or of `config.toml` in the working directory, which may be missing.
pub(super) fn read_file(file: Option<&Path>) -> Result<(String, String), ConfigError> {
    let path = file.unwrap_or(Path::new(FILE_NAME));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => {
            return Err(ConfigError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    Ok((path.display().to_string(), text))
}

fn merge(table: &mut Table, section: &str, key: &str, value: &Value) {
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(key.to_owned(), value.clone());
    }
}

/// Environment variables, read each by itself.
#[derive(Default)]
pub(super) struct Variables {
    /// By the variable's name: section, key and value.
    pub(super) settings: BTreeMap<String, (String, String, Value)>,
    /// What is wrong with the others.
    pub(super) mistakes: Vec<ConfigError>,
    doubts: Doubts,
}

impl Variables {
    pub(super) fn read(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut read = Self::default();
        let mut wrong = BTreeMap::new();
        for (name, value) in environment {
            if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let name = name.to_string_lossy().into_owned();
            match read_variable(&name, &value) {
                Ok(setting) => drop(read.settings.insert(name, setting)),
                Err(message) => {
                    if let Some((section, key)) = named(&name) {
                        read.doubts.add(&section, Some(&key));
                    }
                    let place = Place::Variable(name.clone());
                    wrong.insert(name, ConfigError::Invalid { place, message });
                }
            }
        }
        read.mistakes = wrong.into_values().collect();
        read
    }

    fn place(&self, section: &str, key: &str) -> Option<Place> {
        self.settings
            .iter()
            .find(|(_, (s, k, _))| s == section && k == key)
            .map(|(name, _)| Place::Variable(name.clone()))
    }
}

/// Section and key of the variable of this name; `None` if it is the name of none.
fn named(name: &str) -> Option<(String, String)> {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let (section, key) = name.strip_prefix(PREFIX)?.split_once("__")?;
    (plain(section) && plain(key)).then(|| (section.to_ascii_lowercase(), key.to_ascii_lowercase()))
}

/// Section, key and value of one variable. The value is read as TOML, and as a text if that is not right.
fn read_variable(name: &str, value: &OsStr) -> Result<(String, String, Value), String> {
    let value = value.to_str().ok_or("its value is not UTF-8 text")?;
    let (section, key) =
        named(name).ok_or_else(|| format!("expected a name such as {PREFIX}REWARDS__RUN_INTERVAL_SECS"))?;
    let mut refusal = None;
    for candidate in as_toml(value)
        .into_iter()
        .chain([Value::String(value.to_owned())])
    {
        let mut alone = Table::new();
        merge(&mut alone, &section, &key, &candidate);
        match Config::deserialize(alone) {
            Ok(_) => return Ok((section, key, candidate)),
            // What the value means as TOML explains a mistake better than what it would be as a text.
            Err(error) => refusal = refusal.or(Some(explain(error.message()))),
        }
    }
    let refusal = refusal.unwrap_or_default();
    if refusal.starts_with("unknown key") {
        return Err(refusal);
    }
    Err(format!("{section}.{key}: {refusal}"))
}

/// The value of `text` in TOML; `None` if it has none. A text of several lines never is one value.
fn as_toml(text: &str) -> Option<Value> {
    if text.contains('\n') {
        return None;
    }
    let mut table: Table = toml::from_str(&format!("value = {text}")).ok()?;
    table.remove("value")
}
