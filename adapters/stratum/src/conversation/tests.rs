//! A session line by line, on a stage that the test sets.

use dwarves_actors::handlers::submission::messages::RolledShare;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId};
use dwarves_domain::share::{AcceptedShare, Rejection, ShareVerdict};
use dwarves_domain::time::Span;
use dwarves_domain::work::{ExtraNonce1, Template};
use dwarves_testkit::build::{BEGIN, hotkey, job_key};
use serde_json::{Value, json};

use super::*;

mod difficulty;
mod lines;
mod refusing;
mod shares;
mod telling;
mod versions;

const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const USER: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig";

fn difficulty(value: f64) -> Difficulty {
    Difficulty::from_f64(value).unwrap()
}

/// The seat of a pool's first life whose extranonce has this slot.
fn seat(slot: u32) -> SessionSeat {
    SessionSeat {
        extranonce1: ExtraNonce1::numbered(slot),
        turn: 1,
    }
}

fn rules() -> Rules {
    let least = difficulty(1e-9);
    Rules {
        start: least,
        vardiff: vardiff::Settings::new(Span::from_secs(10), least, difficulty(1e6)).unwrap(),
        algorithm: Algorithm::Sha256d,
        extranonce2_len: 8,
        logins: LoginRules {
            addresses: AddressFormat::BitcoinRegtest,
            allow_address: true,
        },
        workers_max: 6,
        rejects: rejects::Limits {
            window: 10,
            percent_max: 50,
            keep_out: Span::from_secs(60),
        },
    }
}

/// A session with its stage: the work and the time are as the test says.
struct Talk {
    rules: Rules,
    conversation: Conversation,
    work: LiveWork,
    now: Timestamp,
    sent: Vec<Value>,
}

impl Talk {
    fn new() -> Self {
        let rules = rules();
        Self {
            conversation: Conversation::new(&rules, BEGIN),
            rules,
            work: LiveWork::none(),
            now: BEGIN,
            sent: Vec::new(),
        }
    }

    /// A session that mines on this template.
    fn mining_on(template: Arc<Template>) -> Self {
        let mut talk = Self::new();
        talk.set_work(&[template]);
        talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
        talk.join(USER, 1);
        talk.sent.clear();
        talk
    }

    fn set_work(&mut self, live: &[Arc<Template>]) {
        self.work = LiveWork {
            current: live.last().cloned(),
            live: live.to_vec(),
            next: live.last().map_or(TemplateId::new(1), |last| last.id().next()),
            since: self.now,
            kept: live.iter().map(|template| Arc::new(template.bare())).collect(),
            lack: None,
        };
        self.tell(Telling::IfNew);
    }

    fn on_stage<T>(&mut self, act: impl FnOnce(&mut Conversation, &Scene<'_>, &mut Vec<u8>) -> T) -> T {
        let parts = self.work.current.clone().map(|t| NotifyParts::new(t, 8));
        let scene = Scene {
            rules: &self.rules,
            job_key: &job_key(),
            now: self.now,
            template_age: self.now.since(BEGIN),
            work: &self.work,
            parts: parts.as_ref(),
        };
        let mut out = Vec::new();
        let result = act(&mut self.conversation, &scene, &mut out);
        let text = String::from_utf8(out).unwrap();
        self.sent.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
        result
    }

    fn tell(&mut self, telling: Telling) {
        self.on_stage(|talk, scene, out| talk.tell_work(telling, scene, out));
    }

    fn verdict(&mut self, verdict: &ShareVerdict, worker: u32) {
        self.on_stage(|talk, scene, _| talk.on_verdict(verdict, WorkerId::new(worker), scene));
    }

    /// A share of this worker is accepted that was issued at this difficulty.
    fn accepted(&mut self, issued: f64, worker: u32) {
        let accepted = Ok(AcceptedShare {
            hash: HeaderHash::from_bytes([1; 32]),
            share_difficulty: difficulty(issued),
            sequence: Sequence::new(1),
            is_block: false,
        });
        self.verdict(&accepted, worker);
    }

    fn join(&mut self, user: &str, worker: u32) {
        self.on_stage(|talk, scene, out| {
            talk.joined(user, (hotkey(1), WorkerId::new(worker)), None, None, scene);
            talk.tell_work(Telling::IfNew, scene, out);
        });
    }

    /// Says a line and gives the step, without what borrows from the line.
    fn line(&mut self, line: &Value) -> Option<Attempt> {
        let text = line.to_string();
        self.on_stage(
            |talk, scene, out| match talk.on_line(text.as_bytes(), scene, out) {
                Effect::Share { attempt, .. } => Some(attempt),
                Effect::Subscribe { id, .. } => {
                    talk.subscribed(id, seat(5), false, scene, out);
                    None
                }
                _ => None,
            },
        )
    }

    fn answer(&mut self, method: &str, params: Value) -> Value {
        self.sent.clear();
        self.line(&json!({"id": "q", "method": method, "params": params}));
        let answer = self.sent.remove(0);
        assert_eq!(answer["id"], "q");
        answer
    }

    /// The last notify's params.
    fn notified(&self) -> Option<&Value> {
        let mut notifies = self.sent.iter().filter(|sent| sent["method"] == "mining.notify");
        notifies.next_back().map(|sent| &sent["params"])
    }

    fn submit(&mut self, job: &str, more: &[&str]) -> Result<Solved, Refused> {
        let mut params = vec![USER, job, "0000000000000001"];
        params.extend_from_slice(more);
        match self.line(&json!({"id": 9, "method": "mining.submit", "params": params})) {
            Some(Attempt::Share(
                _,
                RolledShare::Solved {
                    job,
                    extranonce,
                    submission,
                },
            )) => Ok(Solved {
                job,
                extranonce,
                submission,
            }),
            Some(Attempt::Share(
                _,
                RolledShare::Rejected(rejected) | RolledShare::Refused { rejected, .. },
            )) => Err(Refused::Counted(rejected.reason)),
            Some(Attempt::Fault(fault) | Attempt::Stray(_, _, fault)) => Err(Refused::Fault(fault)),
            None => panic!("a submit is a share or none"),
        }
    }
}

#[derive(Debug)]
struct Solved {
    job: Arc<Job>,
    extranonce: dwarves_domain::work::FullExtraNonce,
    submission: dwarves_domain::share::Submission,
}

#[derive(Debug, PartialEq)]
enum Refused {
    Counted(Rejection),
    Fault(Fault),
}

fn job_of(notified: &Value) -> String {
    notified[0].as_str().unwrap().to_owned()
}

#[test]
fn a_session_stays_small() {
    // One for each connection; what is on the heap beside it (a worker, a job) is only there when needed.
    assert!(size_of::<Conversation>() <= 512, "{}", size_of::<Conversation>());
}
