//! The end of a link at a front that stands by: it stands for the owners of miners, work and blocks at the one that leads.
//!
//! What it is asked it says to them, and gives their answer; what they tell of work and miners it tells on. When the link
//! ends, whatever waits for an answer hears that nobody is there ([`AskError::Gone`]):
//! whether it was done is unknown, and repeating is safe.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use actix_rt::Arbiter;
use dwarves_actors::ask::{Ask, AskError, Outbox, Port, ReplyTo, bound_mailbox, tell_every};
use dwarves_actors::block_tracker::messages::{CandidateReply, TakeCandidate};
use dwarves_actors::handlers::submission::SubmissionPeers;
use dwarves_actors::live_work::{LiveWork, WorkReaders};
use dwarves_actors::miner_manager::messages::{
    AssignWorker, Assigned, JoinWorker, Joined, JudgeShares, Judgement, MinerChanged, WatchMiners,
};
use dwarves_actors::work_manager::messages::{IssueJob, IssuedJob, Subscribe};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::FrontNumber;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::work::FrontEnd;
use dwarves_ports::chain::{SharedChain, Tip};
use dwarves_ports::clock::Moment;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use crate::channel::{self, LinkError, LinkKey, Reading};
use crate::ends::{BEAT_EVERY, Beat, SILENT_MAX, Voice};
use crate::plain::{joining, shares, work};
use crate::words::{Answer, Hello, Question, ToLeader, ToStandby, Welcome};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 65_536;
/// How long it may take to shake hands, and then to hear of the work: some megabytes.
const SHAKE_MAX: Duration = Duration::from_secs(5);
const WORK_MAX: Duration = Duration::from_secs(30);
/// How long is waited until a node is asked again that gave no answer.
const NODE_PAUSE: Duration = Duration::from_secs(1);

/// How a link is begun.
#[derive(Clone)]
pub struct Dialing {
    /// Where the front that leads takes links: host and port.
    pub to: String,
    /// The secret of all fronts.
    pub key: LinkKey,
    /// This front's number, and its name.
    pub number: FrontNumber,
    /// What others call it.
    pub name: String,
    /// Which extranonces it gives out.
    pub front_end: FrontEnd,
    /// This front's own nodes: blocks that are found here go to them, too, and their tips are told.
    pub nodes: Option<SharedChain>,
}

/// A link at work.
pub struct Linked {
    /// Whom submission handlers ask.
    pub submission: SubmissionPeers,
    /// Lets workers into sessions.
    pub join: Port<JoinWorker>,
    /// Tells what operators decide about miners.
    pub watch_miners: Port<WatchMiners>,
    /// Why it is over, once it is.
    pub over: watch::Receiver<Option<String>>,
    thread: Arbiter,
}

impl Linked {
    /// Begins a link, on a thread of its own. There is work to give out when this returns, or it is known why there is none.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn dial(dialing: Dialing) -> Result<Self, LinkError> {
        let thread = Arbiter::new();
        let (done, begun) = oneshot::channel();
        thread.spawn(async move {
            let _gone = done.send(Uplink::begin(dialing).await);
        });
        let begun = begun.await.unwrap_or(Err(LinkError::Silent));
        match begun {
            Ok((uplink, over)) => Ok(Self {
                submission: SubmissionPeers {
                    assign: Port::new(&uplink),
                    judge: Port::new(&uplink),
                    issue: Port::new(&uplink),
                    subscribe: Port::new(&uplink),
                    watch: Port::new(&uplink),
                    blocks: Port::new(&uplink),
                },
                join: Port::new(&uplink),
                watch_miners: Port::new(&uplink),
                over,
                thread,
            }),
            Err(error) => {
                thread.stop();
                Err(error)
            }
        }
    }

    /// Ends it and its thread.
    pub fn close(self) {
        self.thread.stop();
        // It panicked or it ended: it is over.
        let _ended = self.thread.join();
    }
}

/// Where an answer goes.
enum Awaited {
    /// With how many requests there are.
    Judge(ReplyTo<Vec<Judgement>>, usize),
    Join(ReplyTo<Result<Joined, Refusal>>),
    Take(ReplyTo<CandidateReply>),
}

/// The actor at this end.
pub struct Uplink {
    voice: Voice,
    awaited: HashMap<u64, Awaited>,
    next: u64,
    known: work::Known,
    work: Arc<LiveWork>,
    readers: WorkReaders,
    watchers: Vec<Outbox<MinerChanged>>,
    heard_at: watch::Receiver<Moment>,
    over: watch::Sender<Option<String>>,
    nodes: Option<SharedChain>,
}

impl Uplink {
    /// Shakes hands, and hears what work there is.
    async fn begin(dialing: Dialing) -> Result<(Addr<Self>, watch::Receiver<Option<String>>), LinkError> {
        let hello = Hello {
            number: dialing.number.get(),
            name: dialing.name,
            front_end: dialing.front_end.get(),
        };
        let shaken = tokio::time::timeout(SHAKE_MAX, async {
            let stream = TcpStream::connect(&dialing.to).await?;
            channel::dial(stream, &dialing.key, &hello).await
        });
        let (welcome, mut reading, writing): (Welcome, _, _) =
            shaken.await.unwrap_or(Err(LinkError::Silent))?;
        welcome.map_err(LinkError::Refused)?;
        let (voice, speaking) = Voice::through(writing);
        let (over, is_over) = watch::channel(None);
        let mut uplink = Self {
            voice,
            awaited: HashMap::new(),
            next: 0,
            known: work::Known::default(),
            work: Arc::new(LiveWork::none()),
            readers: WorkReaders::default(),
            watchers: Vec::new(),
            heard_at: reading.heard_at(),
            over,
            nodes: dialing.nodes,
        };
        let work = tokio::time::timeout(WORK_MAX, async {
            while !matches!(uplink.hear(reading.next().await?)?, Heard::Work) {}
            Ok(())
        });
        work.await.unwrap_or(Err(LinkError::Silent))?;
        let uplink = Self::create(|ctx| {
            ctx.spawn(wrap_future::<_, Self>(speaking).map(|error, this, ctx| this.end(&error, ctx)));
            uplink.read_on(reading, ctx);
            uplink
        });
        Ok((uplink, is_over))
    }

    fn read_on(&self, mut reading: Reading, ctx: &mut Context<Self>) {
        let read = async move {
            let word = reading.next().await;
            (word, reading)
        };
        ctx.spawn(wrap_future::<_, Self>(read).map(|(word, reading), this, ctx| {
            match word.and_then(|word| this.hear(word)) {
                Ok(_) => this.read_on(reading, ctx),
                Err(error) => this.end(&error, ctx),
            }
        }));
    }

    /// Takes in what the front that leads says.
    fn hear(&mut self, word: ToStandby) -> Result<Heard, LinkError> {
        match word {
            ToStandby::Beat => {}
            ToStandby::Answer(number, answer) => self.answer(number, answer)?,
            ToStandby::Template(said) => {
                let template = work::template_of(*said).ok_or_else(LinkError::senseless)?;
                self.known.learn(template);
            }
            ToStandby::Work(said) => {
                self.work = Arc::new(self.known.work_of(said).ok_or_else(LinkError::senseless)?);
                self.readers.tell_all(&self.work);
                return Ok(Heard::Work);
            }
            ToStandby::Miner(hotkey) => {
                let changed = MinerChanged(Hotkey::from_bytes(hotkey));
                self.watchers
                    .retain(|watcher| watcher.tell(changed) != Err(AskError::Gone));
            }
        }
        Ok(Heard::Other)
    }

    fn answer(&mut self, number: u64, answer: Option<Answer>) -> Result<(), LinkError> {
        let awaited = self.awaited.remove(&number).ok_or_else(LinkError::senseless)?;
        match (awaited, answer) {
            // Whoever waits hears that nobody is there.
            (_, None) => {}
            (Awaited::Judge(reply, count), Some(Answer::Judge(said))) if said.len() == count => {
                reply.answer(said.into_iter().map(shares::judgement_of).collect());
            }
            (Awaited::Join(reply), Some(Answer::Join(said))) => reply.answer(joining::joined_of(said)),
            (Awaited::Take(reply), Some(Answer::Take(said))) => reply.answer(shares::fate_of(said)),
            _ => return Err(LinkError::senseless()),
        }
        Ok(())
    }

    fn ask(&mut self, question: Question, awaited: Awaited, ctx: &mut Context<Self>) {
        let number = self.next;
        self.next += 1;
        match self.voice.say(&ToLeader::Ask(number, question)) {
            Ok(()) => {
                self.awaited.insert(number, awaited);
            }
            Err(error) => self.end(&error, ctx),
        }
    }

    fn on_beat(&mut self, ctx: &mut Context<Self>) {
        if self.heard_at.borrow().elapsed() > SILENT_MAX {
            return self.end(&LinkError::Silent, ctx);
        }
        self.readers.tell_those_behind(&self.work);
        if let Err(error) = self.voice.say(&ToLeader::Beat) {
            self.end(&error, ctx);
        }
    }

    fn end(&mut self, error: &LinkError, ctx: &mut Context<Self>) {
        self.over.send_if_modified(|over| {
            let is_first = over.is_none();
            over.get_or_insert_with(|| error.to_string());
            is_first
        });
        ctx.stop();
    }
}

/// What was heard.
enum Heard {
    Work,
    Other,
}

/// Says whenever the nodes have another tip, until nobody hears it.
async fn tell_tips(nodes: SharedChain, voice: Voice) {
    let mut known: Option<Tip> = None;
    loop {
        match nodes.tip_after(known.map(|tip| tip.hash)).await {
            Ok(tip) => {
                known = Some(tip);
                if voice.say(&ToLeader::Tip(*tip.hash.as_bytes())).is_err() {
                    return;
                }
            }
            Err(_) => tokio::time::sleep(NODE_PAUSE).await,
        }
    }
}

impl Actor for Uplink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        tell_every(ctx, BEAT_EVERY, Beat);
        if let Some(nodes) = self.nodes.clone() {
            ctx.spawn(wrap_future(tell_tips(nodes, self.voice.clone())));
        }
    }
}

impl Handler<Beat> for Uplink {
    type Result = ();

    fn handle(&mut self, _: Beat, ctx: &mut Self::Context) {
        self.on_beat(ctx);
    }
}

impl Handler<Ask<JudgeShares>> for Uplink {
    type Result = ();

    fn handle(&mut self, ask: Ask<JudgeShares>, ctx: &mut Self::Context) {
        let JudgeShares { sent_at, requests } = ask.payload;
        let awaited = Awaited::Judge(ask.reply, requests.len());
        let requests = requests.iter().map(|request| shares::request(request, sent_at));
        self.ask(Question::Judge(requests.collect()), awaited, ctx);
    }
}

impl Handler<Ask<JoinWorker>> for Uplink {
    type Result = ();

    fn handle(&mut self, ask: Ask<JoinWorker>, ctx: &mut Self::Context) {
        let join = Box::new(joining::join(&ask.payload));
        self.ask(Question::Join(join), Awaited::Join(ask.reply), ctx);
    }
}

impl Handler<Ask<TakeCandidate>> for Uplink {
    type Result = ();

    /// The block goes to this front's nodes at once; the front that leads stores it, sends it to its own, and follows it.
    fn handle(&mut self, ask: Ask<TakeCandidate>, ctx: &mut Self::Context) {
        let mut candidate = ask.payload;
        if let (Some(nodes), Some(block)) = (self.nodes.clone(), candidate.bytes.take()) {
            let hash = candidate.hash;
            ctx.spawn(wrap_future::<_, Self>(async move {
                match nodes.submit(block).await {
                    Ok(outcome) => log::info!("a block went to this front's nodes: {outcome:?} hash={hash}"),
                    Err(error) => log::warn!("a block did not go to this front's nodes: {error} hash={hash}"),
                }
            }));
        }
        let take = Box::new(shares::take(&candidate));
        self.ask(Question::Take(take), Awaited::Take(ask.reply), ctx);
    }
}

impl Handler<Ask<Subscribe>> for Uplink {
    type Result = ();

    fn handle(&mut self, ask: Ask<Subscribe>, _: &mut Self::Context) {
        self.readers.add(ask.payload.subscriber, &self.work);
        ask.reply.answer(());
    }
}

impl Handler<Ask<WatchMiners>> for Uplink {
    type Result = ();

    fn handle(&mut self, ask: Ask<WatchMiners>, _: &mut Self::Context) {
        self.watchers.push(ask.payload.watcher);
        ask.reply.answer(());
    }
}

impl Handler<Ask<AssignWorker>> for Uplink {
    type Result = ();

    /// Work over HTTP is given out by the front that leads, to which whoever asks for it is passed on.
    fn handle(&mut self, ask: Ask<AssignWorker>, _: &mut Self::Context) {
        ask.reply.answer(Err::<Assigned, _>(Refusal::NoWork));
    }
}

impl Handler<Ask<IssueJob>> for Uplink {
    type Result = ();

    /// As with [`AssignWorker`].
    fn handle(&mut self, ask: Ask<IssueJob>, _: &mut Self::Context) {
        ask.reply.answer(Err::<IssuedJob, _>(Refusal::NoWork));
    }
}
