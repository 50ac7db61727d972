//! Evaluators that misbehave: away, slow, too late, silent, wrong in every way that rules name, and of another opinion when
//! they are asked again.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use dwarves_domain::evaluation::{Fault, Measure, Reading, SubmissionId};
use dwarves_ports::evaluator::{EvaluationTask, Evaluator, EvaluatorError, EvaluatorFuture};
use dwarves_testkit::Prng;
use tokio::sync::watch;

use super::{AT_ONCE, TIMEOUT};

/// How many there are.
const EVALUATORS: usize = 2;

/// What was said of a submission, as the simulation means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Its loss and score in steps of 10^-18.
    Figures { loss: Option<u128>, score: Option<u128> },
    /// What breaks a rule.
    Broke(Fault),
}

/// What evaluators know of a submission.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    task: EvaluationTask,
    /// How often they were asked.
    pub(super) times: u32,
    /// What they have said, oldest first.
    pub(super) said: Vec<Said>,
    is_at_work: bool,
}

struct State {
    prng: Prng,
    measure: Measure,
    asked: BTreeMap<SubmissionId, Asked>,
    at_work: [usize; EVALUATORS],
    is_away: bool,
    is_good: bool,
}

/// All evaluators of a simulation; they outlive the pool's lives. Clones are the same. (The cell is one that can be shared
/// between threads, as the port wants it.)
#[derive(Clone)]
pub(super) struct Judge(watch::Sender<State>);

/// What an evaluator is about to do.
struct Plan {
    /// After which time; `None`: it never answers.
    delay: Option<Duration>,
    answer: Result<Vec<u8>, EvaluatorError>,
    said: Option<Said>,
}

/// An evaluation goes on as long as this lives.
struct AtWork {
    judge: Judge,
    which: usize,
    id: SubmissionId,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.judge.0.send_modify(|state| {
            state.at_work[self.which] -= 1;
            if let Some(asked) = state.asked.get_mut(&self.id) {
                asked.is_at_work = false;
            }
        });
    }
}

impl Judge {
    pub(super) fn new(prng: Prng, measure: Measure) -> Self {
        Self(watch::Sender::new(State {
            prng,
            measure,
            asked: BTreeMap::new(),
            at_work: [0; EVALUATORS],
            is_away: false,
            is_good: false,
        }))
    }

    /// Nobody reaches them from now on, or everybody does.
    pub(super) fn set_away(&self, is_away: bool) {
        self.0.send_modify(|state| state.is_away = is_away);
    }

    /// From now on they answer at once, and as they should.
    pub(super) fn be_good(&self) {
        self.0.send_modify(|state| {
            (state.is_away, state.is_good) = (false, true);
        });
    }

    /// What is known of a submission, if they were ever asked about it.
    pub(super) fn asked(&self, id: &SubmissionId) -> Option<Asked> {
        self.0.borrow().asked.get(id).cloned()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut changed = None;
        self.0.send_modify(|state| changed = Some(change(state)));
        changed.expect("send_modify calls its closure")
    }
}

impl State {
    fn begin(&mut self, which: usize, task: EvaluationTask) -> Plan {
        let asked = self.asked.entry(task.id).or_insert_with(|| Asked {
            task: task.clone(),
            times: 0,
            said: Vec::new(),
            is_at_work: false,
        });
        assert_eq!(asked.task, task, "a task is the same at every try");
        assert!(!asked.is_at_work, "{} is evaluated twice at once", task.id);
        asked.is_at_work = true;
        asked.times += 1;
        self.at_work[which] += 1;
        assert!(
            self.at_work[which] <= AT_ONCE,
            "an evaluator has more to do than it may"
        );
        if self.is_away {
            let answer = Err(EvaluatorError::Away("by plan".to_owned()));
            let delay = Some(Duration::ZERO);
            return Plan {
                delay,
                answer,
                said: None,
            };
        }
        let (answer, said) = self.answer();
        let delay = match self.prng.below(10) {
            _ if self.is_good => Some(0),
            0..6 => Some(self.prng.below(300)),
            6..8 => Some(self.prng.below(TIMEOUT.millis())),
            8 => Some(3 * TIMEOUT.millis()),
            _ => None,
        };
        Plan {
            delay: delay.map(Duration::from_millis),
            answer,
            said: Some(said),
        }
    }

    fn answer(&mut self) -> (Result<Vec<u8>, EvaluatorError>, Said) {
        let figure = self.measure.name();
        let other = Measure::ALL.into_iter().find(|other| *other != self.measure);
        let other = other.map_or("", Measure::name);
        let kind = if self.is_good { 0 } else { self.prng.below(24) };
        let broken = |answer: String, fault| (Ok(answer.into_bytes()), Said::Broke(fault));
        match kind {
            0..14 => self.good_answer(),
            14 => broken(format!("{{\"{figure}\": NaN}}"), Fault::NotANumber),
            15 => broken(format!("{{\"{figure}\": \"Infinity\"}}"), Fault::Infinite),
            16 => broken(format!("{{\"{figure}\": -0.5}}"), Fault::Negative),
            17 => broken(format!("{{\"{figure}\": 1e9}}"), Fault::Absurd),
            18 => broken("<html>".to_owned(), Fault::Malformed),
            19 => broken(format!("{{\"{other}\": 3}}"), Fault::Missing),
            20 => broken("{\"error\": \"no\"}".to_owned(), Fault::Refused),
            21 => (
                Err(EvaluatorError::Refused("no".to_owned())),
                Said::Broke(Fault::Refused),
            ),
            22 => (
                Err(EvaluatorError::Failed("by plan".to_owned())),
                Said::Broke(Fault::Failed),
            ),
            _ => (
                Err(EvaluatorError::Late(TIMEOUT.to_std())),
                Said::Broke(Fault::Late),
            ),
        }
    }

    fn good_answer(&mut self) -> (Result<Vec<u8>, EvaluatorError>, Said) {
        let (text, steps) = number(&mut self.prng);
        let (beside, of_other) = match self.prng.below(4) {
            0 => {
                let (text, steps) = number(&mut self.prng);
                (text, Some(steps))
            }
            // If what nobody is paid by is wrong, it is as good as not there.
            1 => ("-7".to_owned(), None),
            _ => ("null".to_owned(), None),
        };
        let (loss, score) = match self.measure {
            Measure::Loss => ((text, Some(steps)), (beside, of_other)),
            Measure::Score => ((beside, of_other), (text, Some(steps))),
        };
        let answer = format!(
            "{{\"loss\": {}, \"score\": {}, \"metadata\": {{\"NaN\": \"NaN\"}}}}",
            loss.0, score.0
        );
        let said = Said::Figures {
            loss: loss.1,
            score: score.1,
        };
        (Ok(answer.into_bytes()), said)
    }
}

/// A number as an evaluator writes it, and the steps of 10^-18 that it stands for.
fn number(prng: &mut Prng) -> (String, u128) {
    const ONE: u128 = 1_000_000_000_000_000_000;
    match prng.below(9) {
        0 => ("0".to_owned(), 0),
        1 => ("1e-18".to_owned(), 1),
        2 => ("9.99e-19".to_owned(), 0),
        3 => ("0.5".to_owned(), ONE / 2),
        4 => ("2.5e-1".to_owned(), ONE / 4),
        5 => ("999999999.999999999999999999".to_owned(), Reading::BOUND - 1),
        6 => {
            let steps = prng.bits();
            (format!("{steps}e-18"), u128::from(steps))
        }
        _ => {
            let (whole, fraction) = (prng.below(1_000), u128::from(prng.bits()) % ONE);
            // What is behind the 18th place is dropped.
            let text = format!("{whole}.{fraction:018}77");
            (text, u128::from(whole) * ONE + fraction)
        }
    }
}

impl Evaluator for Judge {
    fn names(&self) -> Vec<String> {
        (0..EVALUATORS).map(|n| format!("judge-{n}")).collect()
    }

    fn evaluate(&self, which: usize, task: EvaluationTask) -> EvaluatorFuture {
        let id = task.id;
        let plan = self.change(|state| state.begin(which, task));
        let at_work = AtWork {
            judge: self.clone(),
            which,
            id,
        };
        Box::pin(async move {
            let at_work = at_work;
            match plan.delay {
                Some(delay) => tokio::time::sleep(delay).await,
                None => pending().await,
            }
            if let Some(said) = plan.said {
                at_work.judge.change(|state| {
                    if let Some(asked) = state.asked.get_mut(&id) {
                        asked.said.push(said);
                    }
                });
            }
            plan.answer
        })
    }
}
