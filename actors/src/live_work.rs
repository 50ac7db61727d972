//! What there is to mine now: the same facts for all that give work out or take what was found with it.

use std::sync::Arc;

use dwarves_domain::ids::TemplateId;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{BareTemplate, Template};
use dwarves_ports::clock::Moment;

use crate::ask::{AskError, Outbox};

/// The templates whose jobs are live. Handed to every handler whenever it changes; never changes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveWork {
    /// The template that new jobs are made of; `None`: there is no work now.
    pub current: Option<Arc<Template>>,
    /// All live templates, oldest first: those on the present tip that are not too old.
    pub live: Vec<Arc<Template>>,
    /// The number after that of the newest template that jobs were ever given out of. A job of this one, or of a later
    /// one, is of work that was told after this.
    pub next: TemplateId,
    /// When the current one came.
    pub since: Timestamp,
    /// Why no work is given out, if none is: while the pool is paused there may be a current template all the same.
    pub lack: Option<NoWork>,
    /// Every template of which blocks are still taken, by its number: the live ones, those that were live before on
    /// the present tip, and those of a tip that was replaced a moment ago.
    pub kept: Arc<[Arc<BareTemplate>]>,
}

impl LiveWork {
    /// No work at all, and nothing known of why.
    pub fn none() -> Self {
        Self {
            current: None,
            live: Vec::new(),
            next: TemplateId::default(),
            since: Timestamp::EPOCH,
            lack: None,
            kept: Arc::default(),
        }
    }

    /// The template that miners get jobs of now.
    pub fn given(&self) -> Option<&Arc<Template>> {
        self.current.as_ref().filter(|_| self.lack.is_none())
    }

    /// Whether miners are to be let go, because there has been no live work for too long.
    pub fn lets_go(&self) -> bool {
        self.lack.as_ref().is_some_and(|lack| lack.lets_go)
    }

    /// The template with this number, if blocks of it are still taken.
    pub fn kept(&self, id: TemplateId) -> Option<&Arc<BareTemplate>> {
        let place = self.kept.binary_search_by_key(&id, |template| template.id());
        self.kept.get(place.ok()?)
    }

    /// The live template with this number.
    pub fn template(&self, id: TemplateId) -> Option<&Arc<Template>> {
        self.live.iter().find(|t| t.id() == id)
    }
}

/// There is no live work: nothing that a miner could do counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoWork {
    /// The present reason.
    pub why: LackOfWork,
    /// When it began, whatever the reasons since were. By the wall clock, for people.
    pub since: Timestamp,
    /// The same moment, to measure by.
    pub began: Moment,
    /// It has lasted so long that miners are let go: sessions end, new ones are refused, waiting requests are
    /// answered.
    pub lets_go: bool,
}

impl std::fmt::Display for NoWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = if self.lets_go { "; miners are let go" } else { "" };
        write!(
            f,
            "no live work ({}): {}{end}",
            self.why.as_str(),
            self.why.text()
        )
    }
}

/// Why there is no live work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LackOfWork {
    /// The pool drains.
    Draining,
    /// An admin paused the pool.
    Paused,
    /// The nodes are on another chain than the one that the pool is to mine on.
    WrongChain,
    /// The chain gave work before and gives none now: its node is away, or its templates fail.
    NoTemplate,
    /// The chain has not given any work since the pool's start.
    Starting,
}

impl LackOfWork {
    /// Every reason for which there is no work.
    pub const ALL: [Self; 5] = [
        Self::Draining,
        Self::Paused,
        Self::WrongChain,
        Self::NoTemplate,
        Self::Starting,
    ];

    /// Its name in `status`, `/readyz`, figures and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Paused => "paused",
            Self::WrongChain => "wrong_chain",
            Self::NoTemplate => "no_template",
            Self::Starting => "starting",
        }
    }

    /// The same in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Draining => "the pool is draining",
            Self::Paused => "an admin paused the pool",
            Self::WrongChain => "the nodes are on another chain than the one to mine on",
            Self::NoTemplate => "the last work is over and the chain gives no new one",
            Self::Starting => "the chain has not given any since the pool's start",
        }
    }
}

/// The live work has changed.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct WorkChanged(pub Arc<LiveWork>);

/// All who are told of the live work. One whose mailbox is full is behind, and is told later: a handler with old work would
/// call good shares stale.
#[derive(Debug, Default)]
pub struct WorkReaders(Vec<WorkReader>);

#[derive(Debug)]
struct WorkReader {
    outbox: Outbox<WorkChanged>,
    is_behind: bool,
}

impl WorkReaders {
    /// Tells one more, and from now on.
    pub fn add(&mut self, outbox: Outbox<WorkChanged>, work: &Arc<LiveWork>) {
        self.0.push(WorkReader {
            outbox,
            is_behind: true,
        });
        self.tell_those_behind(work);
    }

    /// Tells all: the work has changed.
    pub fn tell_all(&mut self, work: &Arc<LiveWork>) {
        for reader in &mut self.0 {
            reader.is_behind = true;
        }
        self.tell_those_behind(work);
    }

    /// Tells those who could not be told before. To be called every now and then.
    pub fn tell_those_behind(&mut self, work: &Arc<LiveWork>) {
        self.0.retain_mut(|reader| {
            if !reader.is_behind {
                return true;
            }
            let told = reader.outbox.tell(WorkChanged(Arc::clone(work)));
            reader.is_behind = told == Err(AskError::Busy);
            // One that is gone ended with its thread.
            told != Err(AskError::Gone)
        });
    }
}
