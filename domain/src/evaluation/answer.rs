//! An evaluator's answer: a loss or a score, or the rule that it breaks.
//!
//! ```json
//! {"loss": 0.125, "metadata": {"epochs": 3}}
//! ```
//!
//! What the pool pays by must be there; the other one of the two is kept if it is there and is right. An evaluator that will
//! not take the work says why: `{"error": "expected 641 numbers"}`. Other members are skipped.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::reading::{Figure, Measure, Reading, ReadingError};
use crate::decimal::DecimalError;

/// The longest answer that is read, in bytes.
pub const ANSWER_MAX: usize = 64 * 1024;
/// The longest metadata that are kept, in bytes of JSON. Longer ones are left out; the result counts all the same.
pub const METADATA_MAX: usize = 4 * 1024;
/// The longest detail of a failure, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// What an evaluator said of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Its loss, if the evaluator said one.
    pub loss: Option<Reading>,
    /// Its score, if the evaluator said one.
    pub score: Option<Reading>,
    /// What else it said of it: JSON, as it was sent.
    pub metadata: Option<String>,
}

impl Evaluation {
    /// What it measured of this kind.
    pub fn figure(&self, measure: Measure) -> Option<Figure> {
        match measure {
            Measure::Loss => self.loss.map(Figure::Loss),
            Measure::Score => self.score.map(Figure::Score),
        }
    }
}

/// The rule that an evaluation broke: it counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The loss or score is NaN: a model that came apart.
    NotANumber,
    /// It is infinite.
    Infinite,
    /// It is below zero.
    Negative,
    /// It is 10^9 or more, or written with hundreds of digits.
    Absurd,
    /// The answer is not what an evaluator answers.
    Malformed,
    /// The answer lacks what the pool pays by.
    Missing,
    /// There was no answer in time, as often as it was tried.
    Late,
    /// The evaluator refused the work.
    Refused,
    /// The evaluator failed, as often as it was tried.
    Failed,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NotANumber,
        Self::Infinite,
        Self::Negative,
        Self::Absurd,
        Self::Malformed,
        Self::Missing,
        Self::Late,
        Self::Refused,
        Self::Failed,
    ];

    /// Its name in the API and in storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_number",
            Self::Infinite => "infinite",
            Self::Negative => "negative",
            Self::Absurd => "absurd",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::Late => "late",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a rule that an evaluation broke")]
pub struct ParseFaultError;

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == text)
            .ok_or(ParseFaultError)
    }
}

/// An evaluation that counts for nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule that it broke.
    pub fault: Fault,
    /// More of it, for people: at most some hundred characters.
    pub detail: String,
}

impl Failure {
    /// A failure; a long detail is cut.
    pub fn new(fault: Fault, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        let printable = detail.chars().filter(|letter| !letter.is_control());
        Self {
            fault,
            detail: printable.take(DETAIL_CHARS_MAX).collect(),
        }
    }
}

/// What came of a submission.
pub type Outcome = Result<Evaluation, Failure>;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    loss: Option<&'a RawValue>,
    #[serde(borrow, default)]
    score: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

/// Reads an evaluator's answer; `wanted` is what the pool pays by.
///
/// # Errors
/// By the rule that it breaks.
pub fn read_answer(answer: &[u8], wanted: Measure) -> Outcome {
    if answer.len() > ANSWER_MAX {
        let detail = format_args!("the answer is longer than {ANSWER_MAX} bytes");
        return Err(Failure::new(Fault::Malformed, detail));
    }
    let text =
        std::str::from_utf8(answer).map_err(|_| Failure::new(Fault::Malformed, "the answer is not UTF-8"))?;
    let text = quote_non_finite(text);
    // An array would be read as the object's members in their order.
    if !text.trim_start().starts_with('{') {
        let detail = format_args!("expected an object with {wanted}");
        return Err(Failure::new(Fault::Malformed, detail));
    }
    let answer: Answer<'_> = serde_json::from_str(&text).map_err(|error| {
        let detail = format_args!("expected an object with {wanted}: {error}");
        Failure::new(Fault::Malformed, detail)
    })?;
    if let Some(why) = answer.error {
        return Err(Failure::new(Fault::Refused, why));
    }
    let (paid_by, other) = match wanted {
        Measure::Loss => (answer.loss, answer.score),
        Measure::Score => (answer.score, answer.loss),
    };
    let paid_by = paid_by.ok_or_else(|| {
        Failure::new(
            Fault::Missing,
            format_args!("the answer has no {wanted}, by which this pool pays"),
        )
    })?;
    let reading = Some(read(paid_by.get(), wanted)?);
    // Nobody is paid by the other one: if it is wrong, it is as good as not there.
    let other = other.and_then(|token| read(token.get(), wanted).ok());
    let (loss, score) = match wanted {
        Measure::Loss => (reading, other),
        Measure::Score => (other, reading),
    };
    let metadata = answer.metadata.map(RawValue::get);
    Ok(Evaluation {
        loss,
        score,
        metadata: metadata
            .filter(|json| json.len() <= METADATA_MAX)
            .map(str::to_owned),
    })
}

/// The reading that a token of JSON stands for.
fn read(token: &str, measure: Measure) -> Result<Reading, Failure> {
    // Some programs write what JSON has no number for as a text.
    let number = token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|word| NON_FINITE.contains(word))
        .unwrap_or(token);
    number.parse().map_err(|error: ReadingError| {
        let fault = match error {
            ReadingError::Negative => Fault::Negative,
            ReadingError::TooLarge | ReadingError::Number(DecimalError::Absurd) => Fault::Absurd,
            ReadingError::Number(DecimalError::NotANumber) => Fault::NotANumber,
            ReadingError::Number(DecimalError::Infinite) => Fault::Infinite,
            ReadingError::Number(DecimalError::Malformed) => Fault::Malformed,
        };
        Failure::new(fault, format_args!("{measure}: {error}"))
    })
}

/// What Python and others write where JSON has no number, the longer ones first.
const NON_FINITE: [&str; 4] = ["-Infinity", "Infinity", "-NaN", "NaN"];

/// The same JSON with what is no JSON in quotes, so that it can be told by name: `NaN` and `Infinity` outside of texts.
fn quote_non_finite(json: &str) -> Cow<'_, str> {
    if !json.contains("NaN") && !json.contains("Infinity") {
        return Cow::Borrowed(json);
    }
    let mut quoted = String::with_capacity(json.len() + 16);
    let mut rest = json;
    let mut is_text = false;
    while let Some(letter) = rest.chars().next() {
        let word = NON_FINITE.into_iter().find(|word| rest.starts_with(word));
        let taken = match word {
            Some(word) if !is_text => {
                quoted.extend(["\"", word, "\""]);
                word.len()
            }
            _ if letter == '\\' && is_text => {
                // Whatever is escaped ends no text.
                let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
                quoted.push_str(&rest[..1 + escaped]);
                1 + escaped
            }
            _ => {
                is_text ^= letter == '"';
                quoted.push(letter);
                letter.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(answer: &str) -> Fault {
        read_answer(answer.as_bytes(), Measure::Loss).unwrap_err().fault
    }

    #[test]
    fn an_answer_has_what_the_pool_pays_by_and_more_if_it_is_right() {
        let answer = br#"{"loss": 0.125, "score": 8, "metadata": {"epochs": 3}, "took": 1}"#;
        let evaluation = read_answer(answer, Measure::Loss).unwrap();
        assert_eq!(evaluation.loss, "0.125".parse().ok());
        assert_eq!(evaluation.score, "8".parse().ok());
        assert_eq!(evaluation.metadata.as_deref(), Some(r#"{"epochs": 3}"#));
        let loss = evaluation.figure(Measure::Loss);
        assert_eq!(loss, Some(Figure::Loss("0.125".parse().unwrap())));
        let other = read_answer(br#"{"loss": 0, "score": -1, "metadata": null}"#, Measure::Loss).unwrap();
        assert_eq!((other.loss, other.score), (Some(Reading::ZERO), None));
        let by_score = read_answer(br#"{"score": 2, "loss": NaN}"#, Measure::Score).unwrap();
        assert_eq!((by_score.loss, by_score.score), (None, "2".parse().ok()));
        assert_eq!(by_score.figure(Measure::Loss), None);
    }

    #[test]
    fn every_bad_answer_breaks_a_rule_with_a_name() {
        let long = format!("{{\"loss\": 1{}}}", "0".repeat(500));
        let longer = format!("{{\"loss\": 1{}}}", " ".repeat(ANSWER_MAX));
        for (answer, expected) in [
            (r#"{"loss": NaN}"#, Fault::NotANumber),
            (r#"{"loss": "NaN"}"#, Fault::NotANumber),
            (
                r#"{"metadata": {"\"NaN": Infinity}, "loss": -NaN}"#,
                Fault::NotANumber,
            ),
            (r#"{"loss": Infinity}"#, Fault::Infinite),
            (r#"{"loss": -Infinity}"#, Fault::Infinite),
            (r#"{"loss": -1e-300}"#, Fault::Negative),
            (r#"{"loss": 1e9}"#, Fault::Absurd),
            (r#"{"loss": 1e300}"#, Fault::Absurd),
            (r#"{"loss": 1e99999}"#, Fault::Absurd),
            (&long, Fault::Absurd),
            (&longer, Fault::Malformed),
            (r#"{"loss": "0.5"}"#, Fault::Malformed),
            (r#"{"loss": [0.5]}"#, Fault::Malformed),
            (r#"{"loss": true}"#, Fault::Malformed),
            (r#"{"loss": 1, "loss": 2}"#, Fault::Malformed),
            (r#"{"loss": 1} {}"#, Fault::Malformed),
            ("0.5", Fault::Malformed),
            ("", Fault::Malformed),
            ("[]", Fault::Malformed),
            (r#"{"loss": null}"#, Fault::Missing),
            (r#"{"score": 1}"#, Fault::Missing),
            (r#"{"error": "no model"}"#, Fault::Refused),
            (r#"{"error": "no model", "loss": 1}"#, Fault::Refused),
        ] {
            assert_eq!(fault(answer), expected, "{}", &answer[..answer.len().min(60)]);
        }
        assert_eq!(
            read_answer(b"\xff", Measure::Loss).unwrap_err().fault,
            Fault::Malformed
        );
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
    }

    #[test]
    fn what_is_kept_beside_a_result_is_bounded() {
        let answer = format!(r#"{{"loss": 1, "metadata": "{}"}}"#, "x".repeat(METADATA_MAX));
        let kept = read_answer(answer.as_bytes(), Measure::Loss).unwrap();
        assert_eq!(kept.metadata, None);
        let refused = format!(r#"{{"error": "{}"}}"#, "\\nö".repeat(1_000));
        let failure = read_answer(refused.as_bytes(), Measure::Loss).unwrap_err();
        assert_eq!(failure.detail, "ö".repeat(DETAIL_CHARS_MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_evaluation_or_a_failure(
            answer in r#"[\{\}\[\]",:\\ eE.0-9NaInfitylosscremtadö-]{0,80}"#, cut in 0usize..80,
        ) {
            let bytes = answer.as_bytes();
            let _either = read_answer(&bytes[..cut.min(bytes.len())], Measure::Score);
        }

        #[test]
        fn a_loss_is_the_number_that_was_written(steps in 0..Reading::BOUND) {
            let reading = Reading::from_steps(steps).unwrap();
            let answer = format!(r#"{{"metadata":"NaN \" Infinity","loss":{reading}}}"#);
            let evaluation = read_answer(answer.as_bytes(), Measure::Loss).unwrap();
            prop_assert_eq!(evaluation.loss, Some(reading));
            prop_assert_eq!(evaluation.metadata.as_deref(), Some(r#""NaN \" Infinity""#));
        }
    }
}
