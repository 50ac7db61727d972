//! Handing submitted work to those who say what it is worth.
//!
//! | module | its one job |
//! |---|---|
//! | `task` | what an evaluator is sent |
//! | [`http`] | an evaluator behind an address |
//! | [`command`] | a command of this machine, which is started anew for each work |
//! | `output` | what a command says, as far as anybody wants to hear it |
//!
//! Each evaluation has a thread of its own while it lasts; how many there are at once is for the work evaluator to say. It
//! knows nothing of who is asked when, and how often, nor of what an answer means.

use std::sync::Arc;

use dwarves_ports::evaluator::{EvaluationTask, Evaluator, EvaluatorError, EvaluatorFuture};
use tokio::sync::oneshot;

pub mod command;
pub mod http;
mod output;
mod task;

use command::CommandEvaluator;
use http::HttpEvaluator;

/// One who evaluates.
#[derive(Debug)]
pub enum Way {
    /// Behind an address.
    Http(HttpEvaluator),
    /// A command of this machine.
    Command(CommandEvaluator),
}

impl Way {
    fn name(&self) -> String {
        match self {
            Self::Http(evaluator) => evaluator.name(),
            Self::Command(evaluator) => evaluator.name(),
        }
    }

    fn evaluate(&self, task: &EvaluationTask) -> Result<Vec<u8>, EvaluatorError> {
        let json = task::to_json(task);
        match self {
            Self::Http(evaluator) => evaluator.evaluate(&task.id, &json),
            Self::Command(evaluator) => evaluator.evaluate(json),
        }
    }
}

/// All who evaluate.
#[derive(Debug)]
pub struct Evaluators(Vec<Arc<Way>>);

impl Evaluators {
    /// These.
    pub fn new(ways: impl IntoIterator<Item = Way>) -> Self {
        Self(ways.into_iter().map(Arc::new).collect())
    }
}

impl Evaluator for Evaluators {
    fn names(&self) -> Vec<String> {
        self.0.iter().map(|way| way.name()).collect()
    }

    fn evaluate(&self, which: usize, task: EvaluationTask) -> EvaluatorFuture {
        let (reply, answer) = oneshot::channel();
        let Some(way) = self.0.get(which).cloned() else {
            let away = EvaluatorError::Away("there is no such evaluator".to_owned());
            return Box::pin(std::future::ready(Err(away)));
        };
        let started = std::thread::Builder::new()
            .name("evaluate".to_owned())
            .spawn(move || {
                // Nobody may wait any more: the pool stops.
                let _nobody_waits = reply.send(way.evaluate(&task));
            });
        if let Err(error) = started {
            let away = EvaluatorError::Away(format!("no thread: {error}"));
            return Box::pin(std::future::ready(Err(away)));
        }
        Box::pin(async move {
            let ended = |_| EvaluatorError::Failed("its thread has ended".to_owned());
            answer.await.map_err(ended)?
        })
    }
}
