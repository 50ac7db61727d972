//! `[evaluator]`: who says what submitted work is worth, and how much of it may wait.

use std::path::PathBuf;

use dwarves_domain::time::Span;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::chain::NodeUrl;
use crate::config::readers::{self, Millis, Whole};

/// Addresses at most.
const URLS_MAX: usize = 64;
/// Words of a command at most.
const WORDS_MAX: usize = 64;
/// The longest task, in bytes.
const TASK_MAX: usize = 16 * 1024;

/// `[evaluator]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluatorConfig {
    /// Addresses of evaluators.
    #[serde(deserialize_with = "urls")]
    pub urls: Vec<NodeUrl>,
    /// The file with the token that they are sent.
    #[serde(deserialize_with = "readers::optional")]
    pub token_file: Option<PathBuf>,
    /// A program of this machine with its arguments, instead of addresses.
    #[serde(deserialize_with = "command")]
    pub command: Vec<String>,
    /// Processor time that it may take.
    #[serde(with = "Whole::<1, 86_400>")]
    pub command_cpu_secs: u32,
    /// Memory that it may address.
    #[serde(with = "Whole::<16, 1_048_576>")]
    pub command_memory_mib: u32,
    /// How long an evaluation takes at most.
    #[serde(rename = "timeout_secs", with = "Millis::<100, 86_400_000>")]
    pub timeout: Span,
    /// Evaluations of each evaluator at once.
    #[serde(with = "Whole::<1, 1_000>")]
    pub at_once: usize,
    /// How often an evaluation is tried.
    #[serde(with = "Whole::<1, 100>")]
    pub tries: u32,
    /// The wait before the second try.
    #[serde(rename = "retry_after_secs", with = "Millis::<100, 300_000>")]
    pub retry_after: Span,
    /// Submissions that may wait, of all miners.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub waiting: usize,
    /// Submissions of one miner that may wait.
    #[serde(with = "Whole::<1, 10_000>")]
    pub waiting_per_miner: usize,
    /// How long a miner waits for its result before it is told that it is queued.
    #[serde(rename = "answer_within_secs", with = "Millis::<0, 60_000>")]
    pub answer_within: Span,
    /// The largest work.
    #[serde(with = "Whole::<64, 67_108_864>")]
    pub work_bytes: usize,
    /// Evaluated submissions of a miner that are kept.
    #[serde(with = "Whole::<1, 100_000>")]
    pub history_per_miner: u32,
    /// What miners are told to do: JSON.
    #[serde(deserialize_with = "task")]
    pub task: Option<String>,
}

impl Default for EvaluatorConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            token_file: None,
            command: Vec::new(),
            command_cpu_secs: 60,
            command_memory_mib: 2_048,
            timeout: Span::from_secs(30),
            at_once: 4,
            tries: 3,
            retry_after: Span::from_secs(2),
            waiting: 1_000,
            waiting_per_miner: 4,
            answer_within: Span::from_secs(9),
            work_bytes: 131_072,
            history_per_miner: 100,
            task: None,
        }
    }
}

fn urls<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<NodeUrl>, D::Error> {
    let urls = readers::list(
        d,
        "a list of addresses, such as [\"http://127.0.0.1:9000/evaluate\"]",
    )?;
    readers::at_most(urls, URLS_MAX, "addresses")
}

fn command<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let words: Vec<String> = readers::list(
        d,
        "a program and its arguments, such as [\"python3\", \"evaluator.py\"]",
    )?;
    if words.first().is_some_and(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
        return Err(D::Error::custom("expected the path of a program first"));
    }
    readers::at_most(words, WORDS_MAX, "words")
}

/// JSON, or nothing if it is an empty text.
fn task<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let Some(text) = readers::optional::<D, String>(d)? else {
        return Ok(None);
    };
    if text.len() > TASK_MAX {
        return Err(D::Error::custom(format!("at most {TASK_MAX} bytes")));
    }
    let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
    match json {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(D::Error::custom(format!("expected JSON: {error}"))),
    }
}
