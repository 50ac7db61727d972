//! A file of settings: what is right in it, what is wrong, and where each key stands.

use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeArray, DeString, DeTable, DeValue};
use toml::{Spanned, Table};

use super::mistake::{ConfigError, Doubts, Place, explain};
use super::schema::Config;

type Key<'a> = Spanned<DeString<'a>>;
type Content<'a> = Spanned<DeValue<'a>>;

/// A file that was read.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    /// What is right by itself.
    pub(super) table: Table,
    /// What is wrong by itself, in the order of the file.
    pub(super) mistakes: Vec<ConfigError>,
    /// Where `table` has less than the file.
    pub(super) doubts: Doubts,
    /// Section, key, and where both stand.
    keys: Vec<(String, String, Range<usize>)>,
}

impl<'a> Document<'a> {
    /// Reads the file called `file` from its text.
    ///
    /// # Errors
    /// If it is no TOML: then nothing is known of its settings.
    pub(super) fn read(file: &'a str, text: &'a str) -> Result<Self, ConfigError> {
        let mut document = Self {
            file,
            text,
            table: Table::new(),
            mistakes: Vec::new(),
            doubts: Doubts::default(),
            keys: Vec::new(),
        };
        let parsed = DeTable::parse(text).map_err(|error| ConfigError::Invalid {
            place: document.place(error.span().unwrap_or(0..0)),
            message: explain(error.message()),
        })?;
        document.keys = keys_of(parsed.get_ref());
        let whole = parsed.span();
        let mut table = parsed.into_inner();
        if read(table.clone()).is_err() {
            let mut wrong = Wrong::default();
            table = wrong.without(table);
            wrong.found.sort_by_key(|(at, _)| *at);
            wrong.found.dedup();
            let told = wrong.found.into_iter().map(|(at, message)| ConfigError::Invalid {
                place: document.place(at..at),
                message,
            });
            document.mistakes = told.collect();
            document.doubts = wrong.doubts;
        }
        let left = toml::Deserializer::from(Spanned::new(whole, table));
        document.table = Table::deserialize(left).map_err(|error| ConfigError::Invalid {
            place: document.place(error.span().unwrap_or(0..0)),
            message: explain(error.message()),
        })?;
        Ok(document)
    }

    /// The place at which this stands.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::Line {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// Where a key is set, if it is.
    pub(super) fn key(&self, section: &str, key: &str) -> Option<Place> {
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

fn read(table: DeTable<'_>) -> Result<Config, toml::de::Error> {
    Config::deserialize(toml::Deserializer::from(Spanned::new(0..0, table)))
}

/// What is wrong in a file when each section, key and entry of a list is looked at by itself.
#[derive(Default)]
struct Wrong {
    /// Where, and what.
    found: Vec<(usize, String)>,
    doubts: Doubts,
}

impl Wrong {
    /// The file without what is wrong in it.
    fn without<'a>(&mut self, table: DeTable<'a>) -> DeTable<'a> {
        let mut right = DeTable::new();
        for (section, content) in table {
            let span = content.span();
            let name = section.get_ref().to_string();
            let (bare, keys) = match content.into_inner() {
                DeValue::Table(keys) => (DeValue::Table(DeTable::new()), keys),
                other => (other, DeTable::new()),
            };
            // A section that is none, or is no table, is wrong whatever is in it.
            let bare = DeTable::from_iter([(section.clone(), Spanned::new(span.clone(), bare))]);
            if let Err(error) = read(bare) {
                self.tell(&error, &name, section.span().start);
                self.doubts.add(&name, None);
                continue;
            }
            let mut kept = DeTable::new();
            for (key, value) in keys {
                if let Some(value) = self.right_of(&section, &key, value) {
                    kept.insert(key, value);
                }
            }
            right.insert(section, Spanned::new(span, DeValue::Table(kept)));
        }
        right
    }

    /// What is right of a value; `None` if nothing is.
    fn right_of<'a>(&mut self, section: &Key<'a>, key: &Key<'a>, value: Content<'a>) -> Option<Content<'a>> {
        let alone = |value: Content<'a>| {
            let keys = DeTable::from_iter([(key.clone(), value)]);
            let content = Spanned::new(section.span(), DeValue::Table(keys));
            read(DeTable::from_iter([(section.clone(), content)]))
        };
        let Err(error) = alone(value.clone()) else {
            return Some(value);
        };
        let (name, key_name) = (section.get_ref(), key.get_ref());
        self.doubts.add(name, Some(key_name));
        let named = format!("{name}.{key_name}");
        let span = value.span();
        if let DeValue::Array(entries) = value.get_ref()
            && entries.len() > 1
        {
            let one = |entry: &Content<'a>| {
                let list = DeArray::from_iter([entry.clone()]);
                alone(Spanned::new(span.clone(), DeValue::Array(list)))
            };
            let tried: Vec<_> = entries.iter().map(|entry| (entry, one(entry))).collect();
            if tried.iter().any(|(_, read)| read.is_err()) {
                let mut right = DeArray::new();
                for (entry, read) in tried {
                    match read {
                        Ok(_) => right.push(entry.clone()),
                        Err(error) => {
                            // What is said of the list is of this entry of it.
                            let own = error.span().map(|own| own.start).filter(|own| *own != span.start);
                            let at = own.unwrap_or(entry.span().start);
                            self.found.push((at, in_words(&error, &named)));
                        }
                    }
                }
                return Some(Spanned::new(span, DeValue::Array(right)));
            }
        }
        self.tell(&error, &named, span.start);
        None
    }

    fn tell(&mut self, error: &toml::de::Error, name: &str, otherwise: usize) {
        let at = error.span().map_or(otherwise, |span| span.start);
        self.found.push((at, in_words(error, name)));
    }
}

/// An unknown key is named by the error itself; a bad value is not.
fn in_words(error: &toml::de::Error, name: &str) -> String {
    let message = explain(error.message());
    match message.contains("unknown key") {
        true => message,
        false => format!("{name}: {message}"),
    }
}
