use dwarves_actors::handlers::submission::messages::RolledShare;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId};
use dwarves_domain::share::{self, Rejection};
use dwarves_domain::share::{AcceptedShare, ShareVerdict};
use dwarves_domain::time::Span;
use dwarves_domain::work::{ExtraNonce1, VersionRolling};
use dwarves_testkit::build::{BEGIN, hotkey, job_key, template, template_of, template_row};
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
        assert_eq!(talk.conversation.issued(), None, "nothing was told yet");
        let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
        row.chain.bits = CompactTarget::from_bits(0x1b00_ffff);
        talk.set_work(&[template_of(&row)]);
        assert_eq!(talk.conversation.issued(), Some(difficulty(expected)));
    }
}

#[test]
fn refused_requests_climb_the_ladder_and_late_shares_do_not() {
    let mut talk = Talk::mining_on(template(1));
    let rules = talk.rules.clone();
    for _ in 0..30 {
        talk.verdict(&Err(Rejection::Stale), 1);
    }
    assert_eq!(talk.conversation.take_rung(&rules), None);
    for rung in [Rung::NewWork, Rung::Reconnect, Rung::Disconnect] {
        for _ in 0..10 {
            talk.line(&json!({"id": 1, "method": "mining.nonsense", "params": []}));
        }
        assert_eq!(talk.conversation.take_rung(&rules), Some((rung, None)));
    }
    for rung in [Rung::NewWork, Rung::Reconnect, Rung::Disconnect] {
        for _ in 0..10 {
            talk.verdict(&Err(Rejection::LowDifficulty), 1);
        }
        assert_eq!(
            talk.conversation.take_rung(&rules),
            Some((rung, Some(USER.into())))
        );
    }
    assert_eq!(talk.conversation.take_rung(&rules), None);
}

#[test]
fn one_broken_rig_behind_a_proxy_is_put_out_and_the_others_stay() {
    let mut talk = Talk::mining_on(template(1));
    let good = format!("{ADDRESS}.good");
    talk.join(&good, 2);
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let rules = talk.rules.clone();
    let mut rungs = Vec::new();
    for _ in 0..30 {
        // The broken one is ten times as busy.
        for _ in 0..10 {
            talk.verdict(&Err(Rejection::LowDifficulty), 1);
        }
        talk.accepted(1e-9, 2);
        rungs.extend(talk.conversation.take_rung(&rules));
        if rungs.len() == 3 {
            break;
        }
    }
    let expected = [Rung::NewWork, Rung::Reconnect, Rung::Disconnect].map(|rung| (rung, Some(USER.into())));
    assert_eq!(rungs, expected, "it is the broken one's ladder");
    assert!(talk.conversation.take_honest(), "the other is honest");
    let goes_on = talk.on_stage(|talk, scene, _| talk.keep_out(USER, scene));
    assert!(goes_on);
    let share = ["65432100", "00000001"];
    for _ in 0..100 {
        let refused = talk.submit(&job, &share).unwrap_err();
        assert!(
            matches!(refused, Refused::Fault(Fault::KeptOut { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        talk.conversation.take_rung(&rules),
        None,
        "that is not held against the session"
    );
    let params = json!([good, job, "0000000000000001", "65432100", "00000001"]);
    let attempt = talk.line(&json!({"id": 9, "method": "mining.submit", "params": params}));
    assert!(matches!(attempt, Some(Attempt::Share(..))), "{attempt:?}");
    talk.now = talk.now.plus(Span::from_secs(60));
    assert!(talk.submit(&job, &share).is_ok(), "it gets another chance");
    // Once nobody else is left, the session ends.
    let both = talk.on_stage(|talk, scene, _| (talk.keep_out(USER, scene), talk.keep_out(&good, scene)));
    assert_eq!(both, (true, false));
}

#[test]
fn a_job_that_brought_far_too_much_is_replaced_by_a_harder_one_at_once() {
    let mut talk = Talk::mining_on(template(1));
    let issued = talk.conversation.issued().unwrap();
    talk.sent.clear();
    // However many verdicts say so: it is the job that counts.
    for _ in 0..20 {
        let fault = talk.on_stage(|talk, scene, _| {
            talk.on_verdict(&Err(Rejection::JobFull { issued }), WorkerId::new(1), scene)
        });
        assert_eq!(fault, Some(Fault::Stale));
    }
    talk.tell(Telling::IfNew);
    let methods: Vec<_> = talk
        .sent
        .iter()
        .map(|sent| sent["method"].as_str().unwrap())
        .collect();
    assert_eq!(methods, ["mining.set_difficulty", "mining.notify"]);
    let raised = talk.conversation.pace.wanted(&talk.rules.vardiff).to_f64() / issued.to_f64();
    assert!(
        (14.0..=28.3).contains(&raised),
        "20 times, as a power of two: {raised}"
    );
    assert_eq!(
        talk.conversation.take_rung(&talk.rules.clone()),
        None,
        "it is not held against the miner"
    );
}

#[test]
fn a_session_has_a_bounded_number_of_workers() {
    let mut talk = Talk::mining_on(template(1));
    for worker in 0..talk.rules.workers_max as u32 - 1 {
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
fn a_job_that_is_told_again_has_another_name() {
    let mut talk = Talk::mining_on(template(1));
    let mut names = std::collections::BTreeSet::new();
    for telling in [Telling::Again, Telling::Anew, Telling::Again, Telling::Again] {
        talk.tell(telling);
        let job = job_of(talk.notified().unwrap());
        assert!(talk.submit(&job, &["65432100", "00000001"]).is_ok());
        assert!(names.insert(job), "a name was used twice");
    }
    // The names that were given out before are good for as long as they were.
    for job in names {
        assert!(talk.submit(&job, &["65432100", "00000001"]).is_ok());
    }
}

#[test]
fn a_wish_beyond_the_blocks_own_difficulty_is_told_once_and_shown_as_what_was_issued() {
    let template = template(1);
    let network = template.network_target().difficulty();
    let mut talk = Talk::mining_on(template);
    let mut notifies = Vec::new();
    for wish in [1e3, 2e3, 5e5] {
        talk.sent.clear();
        talk.answer(
            "mining.configure",
            json!([["minimum-difficulty"], {"minimum-difficulty.value": wish}]),
        );
        talk.tell(Telling::IfNew);
        notifies.push(talk.notified().is_some());
        assert_eq!(talk.conversation.issued(), Some(network));
    }
    assert_eq!(notifies, [true, false, false], "nothing changed for the miner");
}

#[test]
fn difficulties_are_told_as_they_were_chosen() {
    for (chosen, told) in [
        (0.000_001, "0.000001"),
        (0.3, "0.3"),
        (2f64.powi(-20), "0.00000095367431640625"),
        (1_000.0, "1000"),
        (524_288.0, "524288"),
    ] {
        let mut talk = Talk::new();
        talk.rules.start = difficulty(1e-9);
        let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
        row.chain.bits = CompactTarget::from_bits(0x1900_ffff);
        talk.set_work(&[template_of(&row)]);
        talk.line(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
        talk.on_stage(|talk, scene, out| {
            let worker = (hotkey(1), WorkerId::new(1));
            talk.joined(USER, worker, None, Some(difficulty(chosen)), scene);
            talk.tell_work(Telling::IfNew, scene, out);
        });
        let sent = talk
            .sent
            .iter()
            .find(|sent| sent["method"] == "mining.set_difficulty");
        let number = sent.unwrap()["params"][0].as_f64().unwrap();
        assert_eq!(number.to_string(), told);
        // A miner that works by it finds nothing that is too easy.
        let job = job_of(talk.notified().unwrap());
        let judged = talk
            .submit(&job, &["65432100", "00000001"])
            .unwrap()
            .job
            .share_target();
        assert!(difficulty(number).target() <= judged);
    }
}

#[test]
fn what_a_session_asked_for_is_not_remembered_and_what_a_workers_shares_earned_is() {
    let other = format!("{ADDRESS}.other");
    let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
    row.chain.bits = CompactTarget::from_bits(0x1900_ffff);
    let mut talk = Talk::mining_on(template_of(&row));
    talk.join(&other, 2);
    for wish in [
        json!({"id": 3, "method": "mining.authorize", "params": [USER, "d=1000000000000"]}),
        json!({"id": 3, "method": "mining.suggest_difficulty", "params": [1e12]}),
        json!({"id": 3, "method": "mining.suggest_target", "params": ["00000000000000ffff"]}),
        json!({"id": 3, "method": "mining.configure", "params": [["minimum-difficulty"], {"minimum-difficulty.value": 1e9}]}),
    ] {
        talk.line(&wish);
        talk.tell(Telling::IfNew);
        assert_eq!(talk.conversation.earned(USER), None, "{wish}");
    }
    assert!(
        talk.conversation.issued().unwrap() > difficulty(1_000.0),
        "it is issued all the same"
    );
    talk.accepted(2f64.powi(-10), 2);
    assert_eq!(
        talk.conversation.earned(USER),
        None,
        "it was another worker's share"
    );
    let earned = talk.conversation.earned(&other).unwrap();
    assert!(earned <= difficulty(2f64.powi(-7)), "one step of vardiff at most");
}

#[test]
fn a_wish_without_an_id_is_taken_and_not_answered() {
    let mut talk = Talk::mining_on(template(1));
    for (method, params) in [
        (
            "mining.suggest_target",
            json!(["00000000ffff0000000000000000000000000000000000000000000000000000"]),
        ),
        ("mining.suggest_difficulty", json!([5e-9])),
        ("mining.extranonce.subscribe", json!([])),
        ("mining.ping", json!([])),
        ("mining.suggest_difficulty", json!(["nonsense"])),
        ("mining.nonsense", json!([])),
        ("mining.get_transactions", json!(["x"])),
    ] {
        for line in [
            json!({"id": null, "method": method, "params": params}),
            json!({"method": method, "params": params}),
        ] {
            talk.sent.clear();
            talk.line(&line);
            assert_eq!(talk.sent, [json!(null); 0], "{line}");
        }
    }
    talk.tell(Telling::IfNew);
    assert!(talk.notified().is_some(), "the suggestion was taken");
    // Without an answer to these a miner cannot go on.
    talk.sent.clear();
    talk.line(&json!({"id": null, "method": "mining.subscribe", "params": []}));
    talk.line(&json!({"id": null, "method": "mining.configure", "params": [[], {}]}));
    assert_eq!(talk.sent.len(), 2);
    assert!(talk.sent.iter().all(|answer| answer["id"].is_null()));
}

#[test]
fn a_miner_that_leaves_the_workers_name_away_is_its_first_worker() {
    let mut talk = Talk::mining_on(template(1));
    talk.join(&format!("{ADDRESS}_second.part"), 2);
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let by = |talk: &mut Talk, user: &str| {
        let params = json!([user, job, "0000000000000001", "65432100", "00000001"]);
        match talk.line(&json!({"id": 9, "method": "mining.submit", "params": params})) {
            Some(Attempt::Share(_, RolledShare::Solved { job, .. })) => Some(job.worker().get()),
            _ => None,
        }
    };
    assert_eq!(by(&mut talk, USER), Some(1));
    assert_eq!(by(&mut talk, ADDRESS), Some(1));
    assert_eq!(by(&mut talk, &format!("{ADDRESS}_second.part")), Some(2));
    for stranger in [
        "",
        "bcrt1",
        &ADDRESS[..ADDRESS.len() - 1],
        &format!("{ADDRESS}."),
        &format!("{ADDRESS}_second"),
        &format!("{ADDRESS}.other"),
    ] {
        assert_eq!(by(&mut talk, stranger), None, "{stranger}");
    }
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
        prop_assert!(talk.conversation.members.len() <= talk.rules.workers_max);
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
