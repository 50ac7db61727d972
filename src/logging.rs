//! The log: which format it has, and who writes it.
//!
//! `text` is written by `env_logger`, one line for every record of `log`; what the code says through `tracing` arrives
//! there as such records. `json` is written by `tracing-subscriber`, one object a line, with the fields of the spans in
//! which it was said (see `dwarves_actors::spans`); what libraries say through `log` arrives there too. Both read
//! `RUST_LOG`.
//!
//! The log begins before the settings are read, so that whatever is wrong with them is told; only its format is looked
//! up first, in the same places and by the same rules.

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;

use env_logger::Env;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, ConfigError, LogFormat};
use crate::terminal::{harmless_lines, say_aside};

/// The variable that says what is logged.
const FILTER: &str = "RUST_LOG";
/// Tells of every malformed request as an error. Anybody can send as many of them as they like, and fill a disk: it is
/// only heard where `RUST_LOG` names it.
const TALKATIVE: &str = "actix_http::h1::dispatcher";

/// The format that the settings ask for. A file that is wrong elsewhere, or cannot be read, is told of when it is read
/// for good; here it means the default.
///
/// # Errors
/// If the variable of the environment is wrong, which not every command reads again.
pub fn format(file: Option<&Path>) -> Result<LogFormat, ConfigError> {
    format_of(file, std::env::var_os(LogFormat::VARIABLE).as_deref())
}

/// As [`format()`], for commands that read no settings file.
///
/// # Errors
/// As [`format()`].
pub fn format_without_file() -> Result<LogFormat, ConfigError> {
    let variable = std::env::var_os(LogFormat::VARIABLE);
    variable.map_or(Ok(LogFormat::default()), |value| of_variable(&value))
}

fn format_of(file: Option<&Path>, variable: Option<&OsStr>) -> Result<LogFormat, ConfigError> {
    match variable {
        Some(value) => of_variable(value),
        None => Ok(Config::log_format_in(file).unwrap_or_default()),
    }
}

fn of_variable(value: &OsStr) -> Result<LogFormat, ConfigError> {
    let variable = (LogFormat::VARIABLE.into(), value.to_owned());
    Config::from_sources("", "", [variable]).map(|config| config.log.format)
}

/// Begins to log on standard error, by `RUST_LOG` or else by `default_filter`.
///
/// # Errors
/// If the process logs already.
pub fn start(format: LogFormat, default_filter: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let filter = std::env::var(FILTER).unwrap_or_else(|_| default_filter.to_owned());
    let filter = quieted(&filter);
    match format {
        LogFormat::Text => {
            env_logger::Builder::from_env(Env::default())
                .parse_filters(&filter)
                .format_timestamp_millis()
                .try_init()?;
        }
        LogFormat::Json => {
            let (right, wrong) = directives(&filter);
            tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                // The list has it too.
                .with_current_span(false)
                .with_span_list(true)
                .with_env_filter(EnvFilter::builder().parse(right)?)
                .with_writer(std::io::stderr)
                .finish()
                .try_init()?;
            for directive in wrong {
                tracing::warn!(
                    "{FILTER}: {directive:?} is no directive, such as info or dwarves_stratum=debug"
                );
            }
        }
    }
    Ok(())
}

/// A filter by which [`TALKATIVE`] is not heard, unless it is named.
fn quieted(filter: &str) -> String {
    let is_named = filter
        .split(',')
        .any(|part| part.trim().starts_with("actix_http"));
    match filter.trim() {
        _ if is_named => filter.to_owned(),
        "" => format!("{TALKATIVE}=off,error"),
        filter => format!("{TALKATIVE}=off,{filter}"),
    }
}

/// A filter without what is no directive, and that.
fn directives(filter: &str) -> (String, Vec<&str>) {
    let parts = filter.split(',').map(str::trim).filter(|part| !part.is_empty());
    let (right, wrong): (Vec<&str>, Vec<&str>) = parts.partition(|part| part.parse::<Directive>().is_ok());
    (right.join(","), wrong)
}

/// What caused a failure, without what the words before say already.
fn causes(failure: &(dyn Error + 'static)) -> Vec<String> {
    let mut said = failure.to_string();
    let mut causes = Vec::new();
    for cause in std::iter::successors(failure.source(), |&error| error.source()) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            said.clone_from(&cause);
            causes.push(cause);
        }
    }
    causes
}

/// Tells why the program ends, in the log's format; as text if the log is not to have errors.
pub fn tell_failure(format: LogFormat, failure: &(dyn Error + Send + Sync + 'static)) {
    let causes = causes(failure);
    if format == LogFormat::Json && tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(because = causes.join(": "), "error: {failure}");
        return;
    }
    // Some of it may be a pool's or a node's words.
    say_aside(harmless_lines(&format!("error: {failure}")));
    for cause in causes {
        say_aside(harmless_lines(&format!("  because: {cause}")));
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_cause_that_was_said_already_is_not_told_again() {
        #[derive(Debug, thiserror::Error)]
        enum Wrong {
            #[error("the file is in use")]
            InUse,
            #[error("ledger.db: {0}")]
            Says(#[source] Box<Wrong>),
            #[error("the backup failed")]
            Failed(#[source] Box<Wrong>),
        }
        let said = || Box::new(Wrong::Says(Box::new(Wrong::InUse)));
        assert_eq!(causes(&*said()), Vec::<String>::new());
        assert_eq!(causes(&Wrong::Failed(said())), ["ledger.db: the file is in use"]);
        assert_eq!(
            causes(&Wrong::Failed(Box::new(Wrong::InUse))),
            ["the file is in use"]
        );
    }

    /// Every place where the format may be said, alone and together, right and wrong.
    #[test]
    fn the_format_is_that_of_the_environment_or_else_of_the_file_and_text_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let json = "[log]\nformat = \"json\"\n";
        for (text, variable, expected) in [
            ("", None, Some(LogFormat::Text)),
            (json, None, Some(LogFormat::Json)),
            (json, Some("text"), Some(LogFormat::Text)),
            (json, Some("\"text\""), Some(LogFormat::Text)),
            ("", Some("json"), Some(LogFormat::Json)),
            ("not TOML [", Some("json"), Some(LogFormat::Json)),
            // What is wrong is told when the settings are read: until then it is text, or what is said rightly.
            ("not TOML [", None, Some(LogFormat::Text)),
            ("[log]\nformat = \"xml\"\n", None, Some(LogFormat::Text)),
            ("[log]\nformat = 5\n", None, Some(LogFormat::Text)),
            ("log = 5\n", None, Some(LogFormat::Text)),
            (
                &format!("{json}[http]\nunknown = 1\n"),
                None,
                Some(LogFormat::Json),
            ),
            ("", Some("xml"), None),
            (json, Some(""), None),
        ] {
            std::fs::write(&file, text).unwrap();
            let variable = variable.map(OsString::from);
            let format = format_of(Some(&file), variable.as_deref());
            assert_eq!(format.ok(), expected, "{text:?} {variable:?}");
        }
        let missing = folder.path().join("missing.toml");
        assert_eq!(format_of(Some(&missing), None).unwrap(), LogFormat::Text);
    }

    #[test]
    fn a_wrong_format_is_told_with_its_place_and_what_would_be_right() {
        let wrong = of_variable(OsStr::new("xml")).unwrap_err().to_string();
        for part in [LogFormat::VARIABLE, "log.format", "\"text\" or \"json\""] {
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    /// Whatever is logged, requests that anybody malforms are not, unless they are asked for.
    #[test]
    fn malformed_requests_are_told_of_only_if_that_is_asked_for() {
        for (filter, others) in [
            ("info", true),
            ("debug", true),
            ("", true),
            ("warn,dwarves_http=trace", true),
            ("dwarves_http=trace", false),
            ("off", false),
        ] {
            let logger = env_logger::Builder::new().parse_filters(&quieted(filter)).build();
            let is_heard = |target: &str| {
                let mut record = log::Record::builder();
                logger.matches(&record.target(target).level(log::Level::Error).build())
            };
            assert!(!is_heard(TALKATIVE), "{filter}");
            assert_eq!(is_heard("actix_server"), others, "{filter}");
        }
        for filter in ["info,actix_http=debug", "actix_http::h1=error"] {
            assert_eq!(quieted(filter), filter);
        }
    }

    #[test]
    fn what_is_no_directive_leaves_the_others_in_force() {
        let (right, wrong) = directives("info, dwarves_stratum=debug,,dwarves=loud");
        assert_eq!(right, "info,dwarves_stratum=debug");
        assert_eq!(wrong, ["dwarves=loud"]);
        let of_session = directives("warn,[session{peer=192.0.2.1:4}]=debug").0;
        assert_eq!(of_session, "warn,[session{peer=192.0.2.1:4}]=debug");
    }
}
