use dwarves_actors::handlers::submission::messages::RolledShare;
use dwarves_actors::testing::build::{BEGIN, hotkey, job_key, template, template_of, template_row};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::share::{self, Rejection};
use dwarves_domain::time::Span;
use dwarves_domain::work::{ExtraNonce1, VersionRolling};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

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
        rejects: rejects::Limits {
            window: 10,
            percent_max: 50,
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
                Step::Share { attempt, .. } => Some(attempt),
                Step::Subscribe { id, .. } => {
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
            Some(Attempt::Share(_, RolledShare::Rejected { reason, .. })) => Err(Refused::Counted(reason)),
            Some(Attempt::Fault(fault)) => Err(Refused::Fault(fault)),
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
fn work_is_told_once_the_session_subscribed_and_has_a_worker_in_any_order() {
    let mut talk = Talk::new();
    talk.set_work(&[template(1)]);
    talk.join(USER, 1);
    assert!(talk.notified().is_none());
    talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
    talk.tell(Telling::IfNew);
    assert_eq!(talk.notified().unwrap()[8], true);
    let told = talk.sent.len();
    talk.tell(Telling::IfNew);
    assert_eq!(talk.sent.len(), told, "the same work is told once");
}

#[test]
fn a_session_that_subscribes_again_stays_the_session_that_it_is() {
    let mut talk = Talk::new();
    assert!(
        talk.conversation.seat.is_none(),
        "a connection alone takes no extranonce"
    );
    talk.join(USER, 1);
    assert!(talk.conversation.seat.is_none(), "nor does a login");
    let id = job_key().seal_session_id(seat(99));
    let first = talk.answer("mining.subscribe", json!(["miner", id]));
    let again = talk.answer("mining.subscribe", json!(["miner", id]));
    assert_eq!(first["result"], again["result"]);
    assert_eq!(first["result"][1], ExtraNonce1::numbered(5).to_string());
}

#[test]
fn a_template_on_the_same_tip_leaves_jobs_alive_and_a_new_tip_ends_them() {
    let tip = HeaderHash::from_bytes([9; 32]);
    let other_tip = HeaderHash::from_bytes([8; 32]);
    let first = template_of(&template_row(1, 101, tip));
    let second = template_of(&template_row(2, 101, tip));
    let mut talk = Talk::mining_on(Arc::clone(&first));
    talk.set_work(&[Arc::clone(&first), Arc::clone(&second)]);
    assert_eq!(talk.notified().unwrap()[8], false);
    talk.set_work(&[template_of(&template_row(3, 102, other_tip))]);
    assert_eq!(talk.notified().unwrap()[8], true);
}

#[test]
fn a_share_names_its_worker_and_carries_what_the_miner_rolled() {
    let template = template(1);
    let mut talk = Talk::mining_on(Arc::clone(&template));
    talk.tell(Telling::Again);
    let (job, time) = {
        let notified = talk.notified().unwrap();
        (job_of(notified), notified[7].as_str().unwrap().to_owned())
    };
    let solved = talk.submit(&job, &[&time, "0000002a"]).unwrap();
    assert_eq!(solved.job.worker(), WorkerId::new(1));
    assert_eq!(solved.job.owner(), hotkey(1));
    assert_eq!(solved.submission.nonce, 42);
    assert_eq!(
        &solved.extranonce.as_bytes()[..4],
        &ExtraNonce1::numbered(5).to_bytes()
    );
    assert_eq!(&solved.extranonce.as_bytes()[4..], &[0, 0, 0, 0, 0, 0, 0, 1]);
    let again = talk.submit(&job, &[&time, "0000002b"]).unwrap();
    assert!(Arc::ptr_eq(&again.job, &solved.job), "the job is made once");
    let proof = share::check_rolled(
        &solved.job,
        solved.extranonce,
        &solved.submission,
        Algorithm::Sha256d,
        |h| h.hash(),
    );
    if let Ok(proof) = proof {
        assert_eq!(proof.header.nonce(), 42);
        let block = template.block(&proof.header, proof.extranonce);
        assert!(block.starts_with(proof.header.as_bytes()));
    }
}

#[test]
fn work_in_flight_keeps_the_target_that_it_was_issued_with() {
    let mut talk = Talk::mining_on(template(1));
    talk.tell(Telling::Again);
    let before = job_of(talk.notified().unwrap());
    let easy = talk
        .submit(&before, &["65432100", "00000001"])
        .unwrap()
        .job
        .share_target();
    talk.answer(
        "mining.configure",
        json!([["minimum-difficulty"], {"minimum-difficulty.value": 2e-9}]),
    );
    talk.tell(Telling::IfNew);
    let after = job_of(talk.notified().unwrap());
    assert_ne!(before, after);
    assert_eq!(talk.notified().unwrap()[8], false);
    let told = talk
        .sent
        .iter()
        .find(|sent| sent["method"] == "mining.set_difficulty")
        .unwrap();
    assert!((told["params"][0].as_f64().unwrap() / 2e-9 - 1.0).abs() < 1e-6);
    let hard = talk
        .submit(&after, &["65432100", "00000001"])
        .unwrap()
        .job
        .share_target();
    assert!(hard < easy);
    // What was told is never harder than what is judged by.
    assert!(hard >= difficulty(2e-9).target());
    let late = talk
        .submit(&before, &["65432100", "00000002"])
        .unwrap()
        .job
        .share_target();
    assert_eq!(late, easy);
}

#[test]
fn notifies_of_one_template_differ_in_their_time_alone() {
    let mut talk = Talk::mining_on(template(1));
    let mut times = Vec::new();
    for secs in [0, 0, 0, 30, 30] {
        talk.now = BEGIN.plus(Span::from_secs(secs));
        talk.tell(Telling::Again);
        let time = talk.notified().unwrap()[7].as_str().unwrap().to_owned();
        times.push(u32::from_str_radix(&time, 16).unwrap());
    }
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    let chain_time = template(1).chain().time;
    assert_eq!(times[3], chain_time + 30);
}

#[test]
fn a_miner_is_never_told_more_than_the_block_itself_takes() {
    let mut talk = Talk::new();
    talk.rules.start = difficulty(1000.0);
    talk.conversation = Conversation::new(&talk.rules, BEGIN);
    let template = template(1);
    talk.set_work(&[Arc::clone(&template)]);
    talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
    talk.join(USER, 1);
    let told = talk
        .sent
        .iter()
        .find(|sent| sent["method"] == "mining.set_difficulty")
        .unwrap();
    let told = told["params"][0].as_f64().unwrap();
    let network = template.network_target().difficulty().to_f64();
    assert!(told <= network && told > network * 0.999_999);
    let job = job_of(talk.notified().unwrap());
    let solved = talk.submit(&job, &["65432100", "00000001"]).unwrap();
    assert_eq!(solved.job.share_target(), template.network_target());
}

#[test]
fn stale_forged_and_borrowed_jobs_are_told_apart() {
    let mut talk = Talk::mining_on(template(1));
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let share = ["65432100", "00000001"];
    assert_eq!(
        talk.submit("00", &share).unwrap_err(),
        Refused::Counted(Rejection::UnknownJob)
    );
    let mut other = Talk::mining_on(template(1));
    other.conversation.seat = Some(seat(6));
    assert_eq!(
        other.submit(&job, &share).unwrap_err(),
        Refused::Counted(Rejection::UnknownJob)
    );
    talk.set_work(&[template(2)]);
    assert_eq!(
        talk.submit(&job, &share).unwrap_err(),
        Refused::Counted(Rejection::Stale)
    );
}

#[test]
fn the_version_is_the_miners_within_the_mask_and_the_jobs_outside() {
    let template = template(1);
    let mut talk = Talk::mining_on(Arc::clone(&template));
    let answer = talk.answer(
        "mining.configure",
        json!([["version-rolling"], {"version-rolling.mask": "20ffe000"}]),
    );
    assert_eq!(
        answer["result"],
        json!({"version-rolling": true, "version-rolling.mask": "00ffe000"})
    );
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let version = |talk: &mut Talk, bits| talk.submit(&job, &["65432100", "00000001", bits]);
    let rolled = version(&mut talk, "00abc000").unwrap().submission.version;
    assert_eq!(rolled, Some(template.chain().version | 0x00ab_c000));
    for bits in ["20000000", "01000000", "00001000", "ffffffff"] {
        let refused = version(&mut talk, bits).unwrap_err();
        assert_eq!(refused, Refused::Counted(Rejection::VersionOutOfMask), "{bits}");
    }
    assert_eq!(
        talk.submit(&job, &["65432100", "00000001"])
            .unwrap()
            .submission
            .version,
        None
    );
}

#[test]
fn bits_put_in_and_bits_flipped_give_the_same_version() {
    // A node whose operator set a bit by hand: it is told, and not rolled.
    let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
    row.chain.version = 0x2080_0000;
    row.chain.version_mask = VersionRolling::Bip323.mask_for(row.chain.version, []);
    let mut talk = Talk::mining_on(template_of(&row));
    talk.answer(
        "mining.configure",
        json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]),
    );
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let wanted = 0x20ff_e000;
    // BIP310 puts bits in; ESP-Miner sends what it flipped: rolled XOR told.
    for bits in [wanted & 0x1f7f_e000, wanted ^ row.chain.version] {
        let share = talk.submit(&job, &["65432100", "00000001", &format!("{bits:08x}")]);
        assert_eq!(share.unwrap().submission.version, Some(wanted));
    }
}

#[test]
fn a_chain_that_uses_a_version_bit_takes_it_from_the_mask() {
    let mut talk = Talk::mining_on(template(1));
    talk.answer(
        "mining.configure",
        json!([["version-rolling"], {"version-rolling.mask": "ffffffff"}]),
    );
    let mut row = template_row(2, 101, HeaderHash::from_bytes([9; 32]));
    row.chain.version_mask = 0x1fff_0000;
    talk.sent.clear();
    talk.set_work(&[template_of(&row)]);
    assert_eq!(talk.sent[0]["method"], "mining.set_version_mask");
    assert_eq!(talk.sent[0]["params"][0], "1fff0000");
}

#[test]
fn scrypt_miners_are_told_difficulties_in_their_own_steps() {
    let mut talk = Talk::new();
    talk.rules.algorithm = Algorithm::Scrypt;
    talk.set_work(&[template(1)]);
    talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
    talk.join(USER, 1);
    let told = talk.sent[1]["params"][0].as_f64().unwrap();
    assert!((told / (1e-9 * 65_536.0) - 1.0).abs() < 1e-6);
    assert_eq!(
        talk.answer("mining.suggest_difficulty", json!([0.000_13]))["result"],
        true
    );
    talk.tell(Telling::IfNew);
    let told = talk
        .sent
        .iter()
        .find(|sent| sent["method"] == "mining.set_difficulty")
        .unwrap();
    let told = told["params"][0].as_f64().unwrap();
    // The nearest power of two of the pool's own steps.
    assert!((told / (2f64.powi(-29) * 65_536.0) - 1.0).abs() < 1e-6, "{told}");
}

#[test]
fn a_resumed_session_goes_on_at_its_difficulty_and_a_new_one_does_not() {
    for (is_resumed, expected) in [(true, 2f64.powi(-10)), (false, 1e-9)] {
        let mut talk = Talk::new();
        talk.on_stage(|talk, scene, out| {
            talk.subscribed("1", seat(70), is_resumed, scene, out);
            let issued = Some(difficulty(2f64.powi(-10)));
            talk.joined(USER, (hotkey(1), WorkerId::new(1)), issued, None, scene);
        });
        let rules = talk.rules.clone();
        assert_eq!(talk.conversation.issued(&rules), Some(difficulty(expected)));
    }
}

#[test]
fn refused_requests_climb_the_ladder_and_late_shares_do_not() {
    let mut talk = Talk::mining_on(template(1));
    let rules = talk.rules.clone();
    for _ in 0..30 {
        talk.on_stage(|talk, scene, _| talk.on_verdict(&ShareVerdict::Rejected(Rejection::Stale), scene));
    }
    assert_eq!(talk.conversation.take_rung(&rules), None);
    for rung in [Rung::NewWork, Rung::Reconnect, Rung::Disconnect] {
        for _ in 0..10 {
            talk.line(&json!({"id": 1, "method": "mining.nonsense", "params": []}));
        }
        assert_eq!(talk.conversation.take_rung(&rules), Some(rung));
    }
}

#[test]
fn a_session_has_a_bounded_number_of_workers() {
    let mut talk = Talk::mining_on(template(1));
    for worker in 0..MEMBERS_MAX as u32 - 1 {
        talk.join(&format!("{ADDRESS}.{worker}"), worker + 2);
    }
    let answer = talk.answer("mining.authorize", json!([format!("{ADDRESS}.more"), "x"]));
    assert_eq!(answer["error"][0], 24);
    // One that is known may authorize again.
    talk.sent.clear();
    talk.line(&json!({"id": 1, "method": "mining.authorize", "params": [USER, "x"]}));
    assert!(talk.sent.is_empty());
}

#[test]
fn a_session_stays_small() {
    // One for each connection; what is on the heap beside it (a worker, a job) is only there when needed.
    assert!(size_of::<Conversation>() <= 512, "{}", size_of::<Conversation>());
}

proptest! {
    #[test]
    fn no_conversation_makes_it_panic(lines in proptest::collection::vec(any_line(), 0..20)) {
        let mut talk = Talk::mining_on(template(1));
        for line in lines {
            talk.on_stage(|talk, scene, out| {
                let _step = talk.on_line(&line, scene, out);
                talk.tell_work(Telling::IfNew, scene, out);
            });
        }
        prop_assert!(talk.conversation.members.len() <= MEMBERS_MAX);
    }
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![
        Just("mining.subscribe"),
        Just("mining.authorize"),
        Just("mining.submit"),
        Just("mining.configure"),
        Just("mining.suggest_difficulty"),
        Just("mining.suggest_target"),
        Just("mining.ping"),
    ];
    let param = prop_oneof![
        Just(json!(USER)),
        Just(json!("00")),
        Just(json!("0000000000000000")),
        Just(json!("65432100")),
        Just(json!(["version-rolling", "minimum-difficulty"])),
        Just(json!({"version-rolling.mask": "ffffffff"})),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(|text| json!(text)),
    ];
    let request = (method, proptest::collection::vec(param, 0..7)).prop_map(|(method, params)| {
        json!({"id": 1, "method": method, "params": params})
            .to_string()
            .into_bytes()
    });
    prop_oneof![request, proptest::collection::vec(any::<u8>(), 0..100)]
}
