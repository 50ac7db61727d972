//! Figures of evaluated work.

use dwarves_actors::work_evaluator::messages::EvaluatorView;
use dwarves_domain::evaluation::{BreakerState, Fault};

use super::page::{Kind, Page};

impl Page {
    pub(super) fn evaluation(&mut self, view: &EvaluatorView) {
        let help = "Submissions that wait to be evaluated.";
        self.gauge("dwarves_submissions_waiting", help, view.waiting as u64);
        let help = "Submissions that are being evaluated.";
        self.gauge("dwarves_submissions_at_work", help, view.at_work as u64);
        let help = "Submissions that got a result, since the start.";
        self.counter("dwarves_submissions_evaluated_total", help, view.evaluated);
        let help = "Submissions that count for nothing, by the rule that they broke, since the start.";
        self.begin("dwarves_submissions_failed_total", Kind::Counter, help);
        for fault in Fault::ALL {
            let count = view.faults.get(&fault).copied().unwrap_or(0);
            self.value(&[("fault", fault.name())], count);
        }
        let help = "How the breaker before each evaluator stands: 1 for the state that it is in.";
        self.begin("dwarves_evaluator_breaker", Kind::Gauge, help);
        for endpoint in &view.endpoints {
            for state in BreakerState::ALL {
                let labels = [("evaluator", endpoint.name.as_str()), ("state", state.name())];
                self.value(&labels, u64::from(endpoint.breaker == state));
            }
        }
        let help = "How often each evaluator answered, since the start.";
        self.begin("dwarves_evaluator_answers_total", Kind::Counter, help);
        for endpoint in &view.endpoints {
            self.value(&[("evaluator", endpoint.name.as_str())], endpoint.answers);
        }
        let help = "How often each evaluator failed, since the start.";
        self.begin("dwarves_evaluator_failures_total", Kind::Counter, help);
        for endpoint in &view.endpoints {
            self.value(&[("evaluator", endpoint.name.as_str())], endpoint.failures);
        }
    }
}
