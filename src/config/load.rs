//! File and environment, merged; where each key came from.
//!
//! File and variables are first read each by itself, so that a mistake is told with its own place, and then
//! merged; rules between keys are checked last and blamed on the key that was set.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::check;
use super::mistake::{ConfigError, Place};
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
        // What is wrong in the file and what is wrong in the environment is told together.
        let (document, variables) = match (Document::read(file, text), Variables::read(environment)) {
            (Ok(document), Ok(variables)) => (document, variables),
            (document, variables) => {
                let wrong = [document.err(), variables.err()].into_iter().flatten();
                let wrong = wrong.flat_map(|error| match error {
                    ConfigError::Several(all) => all,
                    one => vec![one],
                });
                ConfigError::of(wrong.collect())?;
                return Err(ConfigError::Several(Vec::new()));
            }
        };
        let mut merged = document.table.clone();
        for (section, key, value) in variables.settings.values() {
            merge(&mut merged, section, key, value);
        }
        let config = Self::deserialize(merged).map_err(|error| ConfigError::Invalid {
            place: document.place(0..0),
            message: explain(error.message()),
        })?;
        let of_complaint = |complaint: check::Complaint| {
            let (place, key) = complaint
                .keys
                .iter()
                .find_map(|(section, key)| {
                    let place = variables
                        .place(section, key)
                        .or_else(|| document.key(section, key))?;
                    Some((place, format!("{section}.{key}")))
                })
                .unwrap_or_else(|| {
                    // The defaults keep every rule, so one of the keys was set; blame the file otherwise.
                    (document.place(0..0), "settings".to_owned())
                });
            ConfigError::Invalid {
                place,
                message: format!("{key}: {}", complaint.message),
            }
        };
        ConfigError::of(check::check(&config).into_iter().map(of_complaint).collect())?;
        Ok(config)
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

/// serde's words for a key that does not exist are about program text; an operator has settings.
fn explain(message: &str) -> String {
    message
        .replace("unknown field", "unknown key")
        .trim_end()
        .replace('\n', "; ")
}

fn merge(table: &mut Table, section: &str, key: &str, value: &Value) {
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(key.to_owned(), value.clone());
    }
}

/// A section, a key (`None`: the section itself), and where the name and the value stand.
type Spans = (String, Option<String>, Range<usize>, Range<usize>);

/// A file that was read and is right by itself.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) table: Table,
    /// Section, key, and where both stand.
    keys: Vec<(String, String, Range<usize>)>,
    spans: Vec<Spans>,
}

impl<'a> Document<'a> {
    pub(super) fn read(file: &'a str, text: &'a str) -> Result<Self, ConfigError> {
        let mut document = Self {
            file,
            text,
            table: Table::new(),
            keys: Vec::new(),
            spans: Vec::new(),
        };
        let spanned = DeTable::parse(text).map_err(|error| document.invalid(&error))?;
        document.keys = keys_of(spanned.get_ref());
        document.spans = spans_of(spanned.get_ref());
        document.table = toml::from_str(text).map_err(|error| document.invalid(&error))?;
        // This reading is for its errors, which know where they are: of the first of them.
        if let Err(error) = toml::from_str::<Config>(text) {
            ConfigError::of(document.all_mistakes(document.invalid(&error)))?;
        }
        Ok(document)
    }

    /// The first mistake, and what else is wrong when each key is looked at by itself, in the order of the file.
    fn all_mistakes(&self, first: ConfigError) -> Vec<ConfigError> {
        let mut found: Vec<(usize, ConfigError)> = Vec::new();
        for (section, content) in &self.table {
            let keys = content.as_table().into_iter().flatten();
            let singles = keys.map(|(key, value)| {
                (
                    Some(key),
                    Value::Table(Table::from_iter([(key.clone(), value.clone())])),
                )
            });
            // A section that is none, or is no table, is wrong whatever is in it.
            let bare = if content.is_table() {
                Value::Table(Table::new())
            } else {
                content.clone()
            };
            for (key, alone) in std::iter::once((None, bare)).chain(singles) {
                let Err(error) = Config::deserialize(Table::from_iter([(section.clone(), alone)])) else {
                    continue;
                };
                let message = explain(error.message());
                let is_unknown = message.starts_with("unknown key");
                let span = self
                    .spans
                    .iter()
                    .find(|(s, k, ..)| s == section && k.as_ref() == key);
                let start = span.map_or(
                    0,
                    |(_, _, key, value)| if is_unknown { key.start } else { value.start },
                );
                let message = match key {
                    Some(key) if !is_unknown => format!("{section}.{key}: {message}"),
                    _ => message,
                };
                let place = self.place(start..start);
                found.push((start, ConfigError::Invalid { place, message }));
                if key.is_none() {
                    break;
                }
            }
        }
        found.sort_by_key(|(start, _)| *start);
        let mut all: Vec<ConfigError> = found.into_iter().map(|(_, error)| error).collect();
        // The first is known with its very place, perhaps inside a value, and perhaps in other words.
        let of = |error: &ConfigError| match error {
            ConfigError::Invalid { place, message } => {
                Some((place.clone(), message.split(": ").next().map(str::to_owned)))
            }
            _ => None,
        };
        let Some((place, key)) = of(&first) else {
            return vec![first];
        };
        let is_same = |one: &ConfigError| of(one).is_some_and(|(p, k)| p == place || k == key);
        let same = all.iter().position(is_same);
        match same {
            Some(same) => all[same] = first,
            None => all.insert(0, first),
        }
        all
    }

    fn invalid(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let mut message = explain(error.message());
        // An unknown key is named by the message itself; a bad value is not.
        if let Some((section, key, _)) = self.keys.iter().find(|(_, _, place)| {
            !message.contains("unknown key") && place.start <= span.start && span.start < place.end
        }) {
            message = format!("{section}.{key}: {message}");
        }
        ConfigError::Invalid {
            place: self.place(span),
            message,
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::Line {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn key(&self, section: &str, key: &str) -> Option<Place> {
        self.keys
            .iter()
            .find(|(s, k, _)| s == section && k == key)
            .map(|(_, _, span)| self.place(span.clone()))
    }
}

fn keys_of(table: &DeTable<'_>) -> Vec<(String, String, Range<usize>)> {
    let mut keys = Vec::new();
    for (section, content) in table {
        if let DeValue::Table(content) = content.get_ref() {
            for (key, value) in content {
                let span = key.span().start..value.span().end;
                keys.push((section.get_ref().to_string(), key.get_ref().to_string(), span));
            }
        }
    }
    keys
}

fn spans_of(table: &DeTable<'_>) -> Vec<Spans> {
    let mut spans = Vec::new();
    for (section, content) in table {
        let name = section.get_ref().to_string();
        spans.push((name.clone(), None, section.span(), content.span()));
        if let DeValue::Table(keys) = content.get_ref() {
            for (key, value) in keys {
                spans.push((
                    name.clone(),
                    Some(key.get_ref().to_string()),
                    key.span(),
                    value.span(),
                ));
            }
        }
    }
    spans
}

/// Environment variables that were read and are right each by itself.
pub(super) struct Variables {
    /// By the variable's name: section, key and value.
    pub(super) settings: BTreeMap<String, (String, String, Value)>,
}

impl Variables {
    pub(super) fn read(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = BTreeMap::new();
        let mut wrong = BTreeMap::new();
        for (name, value) in environment {
            if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let name = name.to_string_lossy().into_owned();
            match read_variable(&name, &value) {
                Ok(setting) => drop(settings.insert(name, setting)),
                Err(message) => {
                    let place = Place::Variable(name.clone());
                    wrong.insert(name, ConfigError::Invalid { place, message });
                }
            }
        }
        ConfigError::of(wrong.into_values().collect())?;
        Ok(Self { settings })
    }

    fn place(&self, section: &str, key: &str) -> Option<Place> {
        self.settings
            .iter()
            .find(|(_, (s, k, _))| s == section && k == key)
            .map(|(name, _)| Place::Variable(name.clone()))
    }
}

/// Section, key and value of one variable. The value is read as TOML, and as a text if that is not right.
fn read_variable(name: &str, value: &OsStr) -> Result<(String, String, Value), String> {
    let value = value.to_str().ok_or("its value is not UTF-8 text")?;
    let path = name.strip_prefix(PREFIX).unwrap_or(name);
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let (section, key) = match path.split_once("__") {
        Some((section, key)) if plain(section) && plain(key) => {
            (section.to_ascii_lowercase(), key.to_ascii_lowercase())
        }
        _ => {
            return Err(format!(
                "expected a name such as {PREFIX}REWARDS__RUN_INTERVAL_SECS"
            ));
        }
    };
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
