//! Those who evaluate work, as configured.

use std::sync::Arc;

use dwarves_actors::assembly::EvaluatorPorts;
use dwarves_actors::work_evaluator::EvaluatorSettings;
use dwarves_evaluator::command::{CommandEvaluator, Limits};
use dwarves_evaluator::http::HttpEvaluator;
use dwarves_evaluator::{Evaluators, Way};
use dwarves_http::EvaluationDeps;

use super::StartError;
use crate::config::Config;

/// How work is evaluated.
///
/// # Errors
/// If the token cannot be read.
pub(super) fn settings(config: &Config) -> Result<EvaluatorSettings, StartError> {
    let evaluator = &config.evaluator;
    let token = evaluator.token_file.as_deref().map(std::fs::read_to_string);
    let token = token.transpose().map_err(|error| {
        let file = evaluator.token_file.as_deref().unwrap_or_else(|| "".as_ref());
        StartError::Settings(format!(
            "evaluator.token_file {} cannot be read: {error}",
            file.display()
        ))
    })?;
    let token = token.as_deref().map(str::trim);
    let timeout = evaluator.timeout.to_std();
    let behind_addresses = evaluator.urls.iter().map(|url| {
        let url = url.with_credentials().to_owned();
        Way::Http(HttpEvaluator::new(url, token, timeout))
    });
    let limits = Limits {
        time: timeout,
        cpu_secs: evaluator.command_cpu_secs,
        memory_mib: evaluator.command_memory_mib,
    };
    let command = (!evaluator.command.is_empty())
        .then(|| Way::Command(CommandEvaluator::new(evaluator.command.clone(), limits)));
    let terms = config.rewards.evaluated();
    Ok(EvaluatorSettings {
        evaluator: Arc::new(Evaluators::new(behind_addresses.chain(command))),
        timeout: evaluator.timeout,
        at_once: evaluator.at_once,
        waiting_max: evaluator.waiting,
        of_miner_max: evaluator.waiting_per_miner,
        tries: evaluator.tries,
        retry_after: evaluator.retry_after,
        history: evaluator.history_per_miner,
        measure: terms.measure,
        max_age: terms.max_age,
        mailbox_capacity: config.limits.manager_mailbox,
    })
}

/// What routes know of it.
pub(super) fn deps(config: &Config, ports: &EvaluatorPorts) -> EvaluationDeps {
    let (evaluator, terms) = (&config.evaluator, config.rewards.evaluated());
    EvaluationDeps {
        submit: ports.submit.clone(),
        remove: ports.remove.clone(),
        read: ports.read.clone(),
        wait: evaluator.answer_within,
        work_bytes: evaluator.work_bytes,
        task: evaluator.task.clone(),
        measure: terms.measure,
        max_age: terms.max_age,
    }
}
