//! One link at the front that leads: what the other front asks is asked of the owners of miners, work and blocks, and what
//! they tell is told there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_actors::ask::{Outbox, Port, bound_mailbox, tell_every};
use dwarves_actors::handlers::submission::SubmissionPeers;
use dwarves_actors::live_work::{LiveWork, WorkChanged};
use dwarves_actors::miner_manager::messages::{JoinWorker, JudgeShares, MinerChanged, WatchMiners};
use dwarves_actors::work_manager::messages::{LookForTip, Subscribe};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::{HeaderHash, TemplateId};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::work::{FrontEnd, JobKey, Template};
use dwarves_ports::clock::{Moment, SharedClock};
use tokio::sync::watch;

use crate::channel::{LinkError, LinkKey, Reading, Writing};
use crate::ends::{BEAT_EVERY, Beat, SILENT_MAX, Voice};
use crate::places::LinkPlace;
use crate::plain::{joining, shares, work};
use crate::words::{Answer, Join, Question, Request, Take, ToLeader, ToStandby};

/// News that may wait in the mailbox: of work and of miners.
const MAILBOX_CAPACITY: usize = 1_024;
/// How long the owners of miners may take to judge: longer than whoever asks waits.
const JUDGE_DEADLINE: Duration = Duration::from_secs(30);
/// How long they may take to let a worker in.
const JOIN_DEADLINE: Duration = Duration::from_secs(10);
/// How long it is tried to hand a block over.
const TAKE_PATIENCE: Duration = Duration::from_secs(10);

/// Whom the other fronts' sessions ask here, and what is needed to understand them.
#[derive(Clone)]
pub struct Exchanging {
    /// The secret of all fronts.
    pub key: LinkKey,
    /// The key of job ids.
    pub job_key: JobKey,
    /// How addresses are written.
    pub addresses: AddressFormat,
    /// Which extranonces this front gives out.
    pub front_end: FrontEnd,
    /// The owners of miners, work and blocks.
    pub submission: SubmissionPeers,
    /// Lets workers into sessions.
    pub join: Port<JoinWorker>,
    /// Tells what operators decide about miners.
    pub watch_miners: Port<WatchMiners>,
    /// Hears that other fronts' nodes have another tip.
    pub look_for_tip: Option<Outbox<LookForTip>>,
    /// Where it reads the time.
    pub clock: SharedClock,
}

/// The actor at this end of a link.
pub(crate) struct Downlink {
    parts: Exchanging,
    place: LinkPlace,
    voice: Voice,
    jobs: shares::Jobs,
    /// Templates that the other was told of and may speak of yet.
    told: BTreeMap<TemplateId, Arc<Template>>,
    heard_at: watch::Receiver<Moment>,
}

impl Downlink {
    /// A link that has just begun.
    pub(crate) fn new(
        parts: Exchanging,
        place: LinkPlace,
        reading: Reading,
        writing: Writing,
        ctx: &mut Context<Self>,
    ) -> Self {
        let (voice, speaking) = Voice::through(writing);
        ctx.spawn(wrap_future::<_, Self>(speaking).map(|error, this, ctx| this.end(&error, ctx)));
        let downlink = Self {
            jobs: shares::Jobs::new(parts.job_key.clone()),
            parts,
            place,
            voice,
            told: BTreeMap::new(),
            heard_at: reading.heard_at(),
        };
        downlink.read_on(reading, ctx);
        downlink
    }

    fn read_on(&self, mut reading: Reading, ctx: &mut Context<Self>) {
        let read = async move {
            let word = reading.next().await;
            (word, reading)
        };
        ctx.spawn(wrap_future::<_, Self>(read).map(|(word, reading), this, ctx| {
            match word.and_then(|word| this.hear(word, ctx)) {
                Ok(()) => this.read_on(reading, ctx),
                Err(error) => this.end(&error, ctx),
            }
        }));
    }

    fn hear(&mut self, word: ToLeader, ctx: &mut Context<Self>) -> Result<(), LinkError> {
        match word {
            ToLeader::Beat => Ok(()),
            ToLeader::Tip(hash) => {
                // Whoever is too busy to look now looks soon anyway.
                let hint = LookForTip(HeaderHash::from_bytes(hash));
                let _busy = self.parts.look_for_tip.as_ref().map(|work| work.tell(hint));
                Ok(())
            }
            ToLeader::Ask(number, Question::Judge(requests)) => self.judge(number, requests, ctx),
            ToLeader::Ask(number, Question::Join(said)) => self.join(number, *said, ctx),
            ToLeader::Ask(number, Question::Take(said)) => self.take(number, &said, ctx),
        }
    }

    fn judge(&mut self, number: u64, said: Vec<Request>, ctx: &mut Context<Self>) -> Result<(), LinkError> {
        let now = self.parts.clock.now();
        let (jobs, told) = (&mut self.jobs, &self.told);
        let requests: Option<Vec<_>> = said
            .into_iter()
            .map(|request| jobs.request(request, now, |id| told.get(&id).cloned()))
            .collect();
        let judge = JudgeShares {
            sent_at: now,
            requests: requests.ok_or_else(LinkError::senseless)?,
        };
        let count = judge.requests.len();
        let port = self.parts.submission.judge.clone();
        let asked = async move {
            let judged = port.ask(judge, JUDGE_DEADLINE).await;
            judged.unwrap_or_else(|error| vec![Err(Refusal::from(error)); count])
        };
        ctx.spawn(wrap_future::<_, Self>(asked).map(move |judged, this, ctx| {
            let said = judged.into_iter().map(shares::judgement).collect();
            this.answer(number, Some(Answer::Judge(said)), ctx);
        }));
        Ok(())
    }

    fn join(&mut self, number: u64, said: Join, ctx: &mut Context<Self>) -> Result<(), LinkError> {
        let worker = joining::worker(said, self.parts.addresses).ok_or_else(LinkError::senseless)?;
        let port = self.parts.join.clone();
        let asked = async move {
            let joined = port.ask(worker, JOIN_DEADLINE).await;
            joined.unwrap_or_else(|error| Err(error.into()))
        };
        ctx.spawn(wrap_future::<_, Self>(asked).map(move |joined, this, ctx| {
            this.answer(number, Some(Answer::Join(joining::joined(joined))), ctx);
        }));
        Ok(())
    }

    fn take(&mut self, number: u64, said: &Take, ctx: &mut Context<Self>) -> Result<(), LinkError> {
        let template = self.told.get(&TemplateId::new(said.template));
        let at = self.parts.clock.date();
        let candidate =
            shares::candidate(said, at, template.map(Arc::as_ref)).ok_or_else(LinkError::senseless)?;
        let port = self.parts.submission.blocks.clone();
        let asked = async move { port.ask_patiently(candidate, TAKE_PATIENCE).await };
        ctx.spawn(wrap_future::<_, Self>(asked).map(move |taken, this, ctx| {
            let answer = match taken {
                Ok(taken) => Some(Answer::Take(shares::fate(taken))),
                Err(error) => {
                    log::error!("a block of {} is left out: {error}", this.place.name());
                    None
                }
            };
            this.answer(number, answer, ctx);
        }));
        Ok(())
    }

    fn answer(&mut self, number: u64, answer: Option<Answer>, ctx: &mut Context<Self>) {
        self.say(&ToStandby::Answer(number, answer), ctx);
    }

    fn say(&mut self, word: &ToStandby, ctx: &mut Context<Self>) {
        if let Err(error) = self.voice.say(word) {
            self.end(&error, ctx);
        }
    }

    /// Tells the work, after the templates of it that the other does not know.
    fn tell(&mut self, work: &LiveWork, ctx: &mut Context<Self>) {
        let live = work.live.iter().chain(&work.current);
        for template in live {
            if self.told.contains_key(&template.id()) {
                continue;
            }
            let word = ToStandby::Template(Box::new(work::template(template)));
            self.say(&word, ctx);
            self.told.insert(template.id(), Arc::clone(template));
        }
        self.say(&ToStandby::Work(work::work(work)), ctx);
        let is_live = |id: &TemplateId| work.template(*id).is_some() || work.kept(*id).is_some();
        self.told.retain(|id, _| is_live(id));
        let told = &self.told;
        self.jobs.retain(|id| told.contains_key(&id));
    }

    fn on_beat(&mut self, ctx: &mut Context<Self>) {
        if self.heard_at.borrow().elapsed() > SILENT_MAX {
            return self.end(&LinkError::Silent, ctx);
        }
        self.say(&ToStandby::Beat, ctx);
    }

    fn end(&mut self, error: &LinkError, ctx: &mut Context<Self>) {
        if ctx.state() == ActorState::Running || ctx.state() == ActorState::Started {
            log::info!("the link with {} is over: {error}", self.place.name());
        }
        ctx.stop();
    }
}

impl Actor for Downlink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        tell_every(ctx, BEAT_EVERY, Beat);
        log::info!("{} gives out work, too", self.place.name());
        let subscriber = Outbox::new(&ctx.address());
        let watcher = Outbox::new(&ctx.address());
        let subscribed = self.parts.submission.subscribe.post(Subscribe { subscriber });
        let watching = self.parts.watch_miners.post(WatchMiners { watcher });
        // A link that hears nothing of work, or of bans, is worth nothing: the other tries again.
        if subscribed.is_err() || watching.is_err() {
            self.end(&LinkError::Stuck, ctx);
        }
    }
}

impl Handler<Beat> for Downlink {
    type Result = ();

    fn handle(&mut self, _: Beat, ctx: &mut Self::Context) {
        self.on_beat(ctx);
    }
}

impl Handler<WorkChanged> for Downlink {
    type Result = ();

    fn handle(&mut self, news: WorkChanged, ctx: &mut Self::Context) {
        self.tell(&news.0, ctx);
    }
}

impl Handler<MinerChanged> for Downlink {
    type Result = ();

    fn handle(&mut self, news: MinerChanged, ctx: &mut Self::Context) {
        self.say(&ToStandby::Miner(*news.0.as_bytes()), ctx);
    }
}
