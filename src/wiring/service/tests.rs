use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Actor, Context, Handler};
use actix_rt::Arbiter;
use dwarves_actors::ask::Ask;
use dwarves_actors::pool_manager::messages::LifeState;
use dwarves_domain::time::Timestamp;

use super::*;

const WATCHDOG: Duration = Duration::from_millis(100);

fn view(hindrances: &[&str]) -> PoolView {
    PoolView {
        state: LifeState::Running,
        started_at: Timestamp::from_millis(0),
        ledger_writes: true,
        has_work: true,
        no_work: None,
        gate: None,
        http_gate: None,
        standing: None,
        statements: None,
        hindrances: hindrances.iter().map(|&text| text.to_owned()).collect(),
    }
}

/// Answers, unless its thread is wedged.
struct Manager(Arc<AtomicBool>);

impl Actor for Manager {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadPool>> for Manager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadPool>, _: &mut Self::Context) {
        while self.0.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        ask.reply.answer(view(&[]));
    }
}

/// How many times a watchdog hears of the pool: before its thread is wedged, meanwhile, and afterwards.
fn heard(has_stratum: bool, watchdog: Option<Duration>) -> [usize; 3] {
    let is_wedged = Arc::new(AtomicBool::new(false));
    actix_rt::System::new().block_on(async move {
        let thread = Arbiter::new();
        let flag = Arc::clone(&is_wedged);
        let manager = Manager::start_in_arbiter(&thread.handle(), |_| Manager(flag));
        let said = Rc::new(RefCell::new(Vec::new()));
        let to = Rc::clone(&said);
        let tell =
            move |news: &[NotifyState<'_>]| to.borrow_mut().extend(news.iter().map(ToString::to_string));
        actix_rt::spawn(watch(
            Port::new(&manager),
            has_stratum,
            "here".to_owned(),
            watchdog,
            tell,
        ));
        let count = || {
            let said = said.take();
            said.iter().filter(|news| *news == "WATCHDOG=1").count()
        };
        let phase = WATCHDOG * 4;
        actix_rt::time::sleep(phase).await;
        let before = count();
        is_wedged.store(true, Ordering::Relaxed);
        // What was asked just before may still be answered.
        actix_rt::time::sleep(WATCHDOG / 2).await;
        count();
        actix_rt::time::sleep(phase).await;
        let meanwhile = count();
        is_wedged.store(false, Ordering::Relaxed);
        actix_rt::time::sleep(phase).await;
        [before, meanwhile, count()]
    })
}

#[test]
fn a_watchdog_hears_of_the_pool_only_while_the_managers_answer() {
    let [before, meanwhile, afterwards] = heard(false, Some(WATCHDOG));
    assert!(before > 0 && afterwards > 0, "{before} {afterwards}");
    assert_eq!(meanwhile, 0);
    assert_eq!(
        heard(true, Some(WATCHDOG)),
        [0, 0, 0],
        "Stratum's gate does not answer"
    );
    assert_eq!(heard(false, None), [0, 0, 0], "there is no watchdog");
}

#[test]
fn the_status_is_one_short_line() {
    assert_eq!(status(&view(&[]), "here"), "ready for miners on here");
    let hindered = status(&view(&["a node says:\nWATCHDOG=trigger"]), "here");
    assert_eq!(
        hindered,
        "ready for miners on here; a node says: WATCHDOG=trigger"
    );
    let mut paused = view(&["the pool is paused by an admin"]);
    paused.state = LifeState::Paused;
    paused.has_work = false;
    let said = status(&paused, "here");
    assert_eq!(
        said,
        "not ready: the pool is paused; there is no work to give out; the pool is paused by an admin"
    );
    assert_eq!(
        status(&view(&["ä".repeat(500).as_str()]), "here").chars().count(),
        STATUS_MAX
    );
}

#[test]
fn a_stop_that_overruns_is_given_up_and_one_that_ends_is_not() {
    let (given_up, ended) = mpsc::channel();
    let sender = given_up.clone();
    let overrun = deadline(Duration::from_millis(20), move || {
        sender.send("overrun").expect("it is received")
    });
    assert_eq!(ended.recv(), Ok("overrun"));
    drop(overrun);
    let in_time = deadline(Duration::from_secs(3_600), move || {
        given_up.send("in time").expect("it is received")
    });
    drop(in_time);
    assert!(ended.recv().is_err(), "its thread ends without a word");
}

#[test]
fn the_log_hears_once_that_nobody_can_be_told() {
    let mut manager = super::Manager::default();
    let told = [true, false, false, false, true, true, false];
    let news = told.map(|is_told| manager.is_news(is_told));
    assert_eq!(news, [false, true, false, false, true, false, true]);
}
