//! What is wrong with the settings, and where: one thing, or all of them.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a mistake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    Line {
        /// Its name, as it was given.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// In a variable of the environment.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Keys of which it is told already that they are wrong. What follows from them is not told, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubts(BTreeSet<(String, Option<String>)>);

impl Doubts {
    /// Doubts this key; `None`: all of the section.
    pub(super) fn add(&mut self, section: &str, key: Option<&str>) {
        self.0.insert((section.to_owned(), key.map(str::to_owned)));
    }

    pub(super) fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Trusts this key again.
    pub(super) fn forget(&mut self, section: &str, key: &str) {
        self.0.remove(&(section.to_owned(), Some(key.to_owned())));
    }

    /// Whether this key is wrong.
    pub fn holds(&self, section: &str, key: &str) -> bool {
        let is_it = |(s, k): &(String, Option<String>)| s == section && k.as_deref().is_none_or(|k| k == key);
        self.0.iter().any(is_it)
    }

    /// Whether anything of this section is wrong.
    pub fn touch(&self, section: &str) -> bool {
        self.0.iter().any(|(s, _)| s == section)
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}", .path.display())]
    Read {
        /// The file in question, as it was given.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A key or a value is wrong.
    #[error("{place}: {message}")]
    Invalid {
        /// Where it stands, or which variable.
        place: Place,
        /// What is wrong and what would be right, with the key's name.
        message: String,
    },
    /// Several of these.
    #[error("{} things are wrong in the settings:{}", .0.len(), listed(.0))]
    Several(Vec<ConfigError>),
}

impl ConfigError {
    /// Each mistake by itself.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(all) => all,
            one => std::slice::from_ref(one),
        }
    }

    /// These, of which there is one at least.
    pub(super) fn of(mut all: Vec<Self>) -> Result<(), Self> {
        match all.len() {
            0 => Ok(()),
            1 => Err(all.remove(0)),
            _ => Err(Self::Several(all)),
        }
    }
}

fn listed(all: &[ConfigError]) -> String {
    all.iter().map(|error| format!("\n  {error}")).collect()
}

/// serde's words for a key that does not exist are about program text; an operator has settings.
pub(super) fn explain(message: &str) -> String {
    message
        .replace("unknown field", "unknown key")
        .trim_end()
        .replace('\n', "; ")
}
