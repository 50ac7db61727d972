//! What the service manager hears of the pool (systemd's `Type=notify` and `WatchdogSec=`). Where there is none, nothing
//! is said.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use dwarves_actors::ask::{AskError, Port};
use dwarves_actors::pool_manager::messages::{PoolView, ReadPool};
use sd_notify::NotifyState;

/// How often it is looked how the pool is.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A watchdog's time has room for this many looks: one that comes late is no reason to end the pool.
const LOOKS: u32 = 4;
/// The longest status, in characters; what hinders a pool is told in full by `/readyz`.
const STATUS_MAX: usize = 200;

/// Says that the pool stops, and why.
pub fn stopping(why: &str) {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status(&format!("stopping because of {why}")),
    ]);
}

fn tell(news: &[NotifyState<'_>]) {
    Manager::default().tell(news);
}

/// Who is told, and whether it can be: it is told often, and the log once.
#[derive(Default)]
struct Manager {
    is_deaf: bool,
}

impl Manager {
    fn tell(&mut self, news: &[NotifyState<'_>]) {
        let told = sd_notify::notify(news);
        let is_news = self.is_news(told.is_ok());
        match told {
            Err(error) if is_news => log::warn!("the service manager cannot be told: {error}"),
            Ok(()) if is_news => log::info!("the service manager can be told again"),
            _ => {}
        }
    }

    /// Whether it is another than before: at first it is taken to hear.
    fn is_news(&mut self, is_told: bool) -> bool {
        std::mem::replace(&mut self.is_deaf, !is_told) == is_told
    }
}

/// What the service manager hears of a front that stands by: that it is started, how it is, and that it is alive.
pub(super) struct StandingBy {
    manager: Manager,
    has_watchdog: bool,
    shown: String,
}

impl StandingBy {
    /// Says that it is started.
    pub(super) fn begin() -> Self {
        let mut manager = Manager::default();
        manager.tell(&[NotifyState::Ready]);
        Self {
            manager,
            has_watchdog: sd_notify::watchdog_enabled().is_some(),
            shown: String::new(),
        }
    }

    /// Says how it is. To be called at least once a second.
    pub(super) fn tell(&mut self, status: &str) {
        let mut news = Vec::new();
        news.extend(self.has_watchdog.then_some(NotifyState::Watchdog));
        let status: String = status.chars().take(STATUS_MAX).collect();
        news.extend((status != self.shown).then_some(NotifyState::Status(&status)));
        if !news.is_empty() {
            self.manager.tell(&news);
        }
        self.shown = status;
    }
}

/// Says that the pool listens, and from then on how it is, and to a watchdog that it is alive: that the managers
/// answer, and with listeners for Stratum the first of their threads. `where_it_listens` is for people.
pub(super) fn attend(pool: Port<ReadPool>, has_stratum: bool, where_it_listens: String) {
    let watchdog = sd_notify::watchdog_enabled();
    if let Some(limit) = watchdog {
        log::info!(
            "a watchdog expects to hear of the pool every {} s",
            limit.as_secs_f64()
        );
    }
    let mut manager = Manager::default();
    manager.tell(&[NotifyState::Ready, NotifyState::Status("listening")]);
    let tell = move |news: &[NotifyState<'_>]| manager.tell(news);
    actix_rt::spawn(watch(pool, has_stratum, where_it_listens, watchdog, tell));
}

/// Looks how the pool is for as long as there is one.
async fn watch(
    pool: Port<ReadPool>,
    has_stratum: bool,
    where_it_listens: String,
    watchdog: Option<Duration>,
    mut tell: impl FnMut(&[NotifyState<'_>]),
) {
    let every = watchdog.map_or(LOOK_EVERY, |limit| (limit / LOOKS).min(LOOK_EVERY));
    // With the next look it has to fit into the watchdog's time.
    let patience = watchdog.map_or(LOOK_EVERY, |limit| limit / LOOKS);
    let mut shown = String::new();
    let mut is_silent = false;
    loop {
        let answer = pool.ask(ReadPool, patience).await;
        let was_silent = is_silent;
        is_silent = false;
        match answer {
            Ok(view) if has_stratum && view.gate.is_none() => is_silent = true,
            Ok(view) => {
                let status = status(&view, &where_it_listens);
                let mut news = Vec::new();
                news.extend(watchdog.map(|_| NotifyState::Watchdog));
                news.extend((status != shown).then_some(NotifyState::Status(&status)));
                if !news.is_empty() {
                    tell(&news);
                }
                shown = status;
            }
            Err(AskError::Gone) => return,
            Err(AskError::Busy | AskError::TimedOut) => is_silent = true,
        }
        if is_silent && !was_silent {
            log::warn!(
                "the pool's actors do not answer within {} s",
                patience.as_secs_f64()
            );
        } else if was_silent && !is_silent {
            log::info!("the pool's actors answer again");
        }
        actix_rt::time::sleep(every).await;
    }
}

/// How the pool is, in one line. Some of it is a node's words.
fn status(view: &PoolView, where_it_listens: &str) -> String {
    let mut said = view.obstacles();
    let is_ready = said.is_empty();
    said.extend(view.hindrances.iter().cloned());
    let said = said.join("; ");
    let text = match (is_ready, said.is_empty()) {
        (true, true) => format!("ready for miners on {where_it_listens}"),
        (true, false) => format!("ready for miners on {where_it_listens}; {said}"),
        (false, _) => format!("not ready: {said}"),
    };
    let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(printable).take(STATUS_MAX).collect()
}

/// Ends a stop that overran: `give_up` is called if [`Deadline`] is still there after `limit`. A thread that does not
/// answer any more cannot be joined, and the service manager would kill the pool without a word.
///
/// # Errors
/// If there can be no thread that waits for it.
pub fn deadline(limit: Duration, give_up: impl FnOnce() + Send + 'static) -> io::Result<Deadline> {
    let (in_time, ended) = mpsc::channel::<()>();
    std::thread::Builder::new()
        .name("stop-deadline".to_owned())
        .spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                give_up();
            }
        })?;
    Ok(Deadline { _in_time: in_time })
}

/// A stop that is under way; dropped when it is over.
pub struct Deadline {
    _in_time: mpsc::Sender<()>,
}

#[cfg(test)]
mod tests;
