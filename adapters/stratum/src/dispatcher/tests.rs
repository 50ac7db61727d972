//! A front with real connections, on the one thread of its miners: what happens has an order that the test sees.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use dwarves_actors::handlers::submission::messages::{SharesAnswer, SubmitRolled};
use dwarves_actors::live_work::LiveWork;
use dwarves_actors::miner_manager::messages::{JoinWorker, Joined};
use dwarves_actors::testing::recorder::{Inbox, recorded_outbox, recorded_port};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::ids::{HeaderHash, Sequence, WorkerId};
use dwarves_domain::login::LoginRules;
use dwarves_domain::share::AcceptedShare;
use dwarves_domain::target::{CompactTarget, Difficulty};
use dwarves_domain::vardiff;
use dwarves_domain::work::{Algorithm, FrontEnd};
use dwarves_testkit::ManualClock;
use dwarves_testkit::build::{BEGIN, hotkey, job_key, template_of, template_row};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::connection_limiter::{ConnectionCaps, ConnectionLimiter, Place};
use crate::conversation::{Rules, rejects};
use crate::messages::TakeExtraNonce;
use crate::settings::{Listener, SessionLimits};
use crate::thread::Peers;

const USER: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig";
/// A network difficulty of some hundred trillions: no session is held back by it.
const MAINNET_BITS: u32 = 0x1702_1369;
/// How often the thread does everything that there is to do before something counts as not happening.
const PATIENCE: usize = 10_000;

/// A front, and in its place of its peers the test.
struct Front {
    address: Addr<StratumDispatcher>,
    limiter: ConnectionLimiter,
    listener: TcpListener,
    joins: Inbox<Ask<JoinWorker>>,
    extranonces: Inbox<Ask<TakeExtraNonce>>,
    submits: Inbox<Ask<SubmitRolled>>,
    /// What was reported as issued, with each question whether a worker may join.
    reported: Vec<Option<Difficulty>>,
    clock: Arc<ManualClock>,
}

impl Front {
    fn start() -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (join, joins) = recorded_port();
        let (submit, submits) = recorded_port();
        let (extranonce, extranonces) = recorded_port();
        let peers = Peers {
            join,
            submit,
            extranonce,
            admit: recorded_port().0,
            put_out: recorded_outbox().0,
            let_go: recorded_outbox().0,
        };
        let limits = SessionLimits {
            extranonce2_len: 8,
            unread_max: 65_536,
            handshake: Span::from_secs(600),
            idle: Span::from_secs(600),
        };
        let least = Difficulty::from_f64(1e-9).unwrap();
        let most = Difficulty::from_f64(1e6).unwrap();
        let rules = Rules {
            start: Difficulty::from_f64(16.0).unwrap(),
            vardiff: vardiff::Settings::new(Span::from_secs(10), least, most).unwrap(),
            algorithm: Algorithm::Sha256d,
            extranonce2_len: 8,
            logins: LoginRules {
                addresses: AddressFormat::BitcoinRegtest,
                allow_address: true,
            },
            workers_max: 6,
            rejects: rejects::Limits {
                window: 100,
                percent_max: 100,
                keep_out: Span::from_secs(60),
            },
        };
        let listeners = Arc::new([Listener {
            address: listener.local_addr().unwrap(),
            rules,
            tls: None,
            proxies: Vec::new(),
        }]);
        let (_, kept_out) = watch::channel(Arc::default());
        let thread = Thread::new(
            peers,
            limits,
            listeners,
            job_key(),
            kept_out,
            Arc::clone(&clock) as _,
        );
        let front = StratumDispatcher::new(thread, recorded_port().0, recorded_port().0);
        let caps = ConnectionCaps {
            total: 1_000,
            per_address: 1_000,
            per_subnet: 1_000,
            ban: Span::from_secs(60),
        };
        let front = Self {
            address: front.start(),
            limiter: ConnectionLimiter::new(caps, FrontEnd::default(), 1),
            listener,
            joins,
            extranonces,
            submits,
            reported: Vec::new(),
            clock,
        };
        front.work_is(1);
        front
    }

    /// The template with this number is what there is to mine now.
    fn work_is(&self, number: u32) {
        let mut row = template_row(number, 100 + number, HeaderHash::from_bytes([9; 32]));
        row.chain.bits = CompactTarget::from_bits(MAINNET_BITS);
        let current = template_of(&row);
        let work = LiveWork {
            live: vec![Arc::clone(&current)],
            next: current.id().next(),
            kept: [Arc::new(current.bare())].into(),
            current: Some(current),
            ..LiveWork::none()
        };
        Outbox::new(&self.address)
            .tell(WorkChanged(Arc::new(work)))
            .unwrap();
    }

    /// Lets everything happen that can happen now, once.
    async fn step(&mut self) {
        tokio::task::yield_now().await;
        while let Ok(ask) = self.extranonces.try_recv() {
            ask.reply.answer(self.limiter.lease());
        }
        while let Ok(ask) = self.joins.try_recv() {
            self.reported.push(ask.payload.issued);
            ask.reply.answer(Ok(Joined {
                miner: hotkey(1),
                worker: WorkerId::new(1),
                fixed: None,
                earned: None,
            }));
        }
        while let Ok(ask) = self.submits.try_recv() {
            let accepted = AcceptedShare {
                hash: HeaderHash::from_bytes([1; 32]),
                share_difficulty: Difficulty::from_f64(16.0).unwrap(),
                sequence: Sequence::new(1),
                is_block: false,
            };
            let verdicts = ask.payload.shares.iter().map(|_| Ok(accepted)).collect();
            ask.reply.answer(SharesAnswer::from(Ok(verdicts)));
        }
    }

    async fn open(&mut self) -> Miner {
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let (server, peer) = self.listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        // So that a connection is full soon.
        socket2::SockRef::from(&server)
            .set_send_buffer_size(4_096)
            .unwrap();
        stream.set_nonblocking(true).unwrap();
        let newcomer = Newcomer {
            stream: server,
            ip: peer.ip(),
            listener: 0,
            places: (self.limiter.take().unwrap(), Place::default()),
            address_seat: Some(self.limiter.take_for(peer.ip(), BEGIN).unwrap()),
        };
        Outbox::new(&self.address).tell(newcomer).unwrap();
        let mut miner = Miner {
            stream,
            rest: Vec::new(),
            works: Vec::new(),
            answered: Vec::new(),
            difficulty: 0.0,
        };
        miner.say(&json!({"id": 1, "method": "mining.subscribe", "params": []}));
        miner.say(&json!({"id": 2, "method": "mining.authorize", "params": [USER, "x"]}));
        self.until(|| miner.hear().works.len() == 1).await;
        miner
    }

    async fn until(&mut self, mut is_so: impl FnMut() -> bool) {
        for attempt in 0..PATIENCE {
            if is_so() {
                return;
            }
            self.step().await;
            if attempt > 100 {
                // A full connection takes its time to notice that there is room again.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
        panic!("it does not happen");
    }
}

struct Miner {
    stream: TcpStream,
    rest: Vec<u8>,
    /// The job of every notify so far, oldest first.
    works: Vec<String>,
    /// The ids of everything that was answered.
    answered: Vec<Value>,
    /// The last difficulty that was told.
    difficulty: f64,
}

impl Miner {
    fn say(&mut self, line: &Value) {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Takes in what has come.
    fn hear(&mut self) -> &Self {
        let mut part = [0; 16_384];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => panic!("the session has ended"),
                Ok(read) => self.rest.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Value = serde_json::from_slice(&self.rest[..end]).unwrap();
            self.rest.drain(..=end);
            assert!(line["error"].is_null(), "{line}");
            if line["method"] == "mining.notify" {
                self.works.push(line["params"][0].as_str().unwrap().to_owned());
            } else if line["method"] == "mining.set_difficulty" {
                self.difficulty = line["params"][0].as_f64().unwrap();
            } else if !line["id"].is_null() {
                self.answered.push(line["id"].clone());
            }
        }
        self
    }
}

#[actix::test]
async fn who_hashes_most_hears_first_and_the_thread_does_other_things_in_between() {
    let mut front = Front::start();
    let mut others = Vec::new();
    for _ in 0..3 * TELL_AT_ONCE {
        others.push(front.open().await);
    }
    let mut large = front.open().await;
    let share = json!([USER, large.works[0], "0000000000000000", "00000000", "00000000"]);
    large.say(&json!({"id": 3, "method": "mining.submit", "params": share}));
    front.until(|| large.hear().answered.contains(&json!(3))).await;
    for _ in 0..TURNS {
        Outbox::new(&front.address).tell(LookAtSessions).unwrap();
        front.step().await;
    }
    front.work_is(2);
    let (mut told, mut parts) = (0, 0);
    for _ in 0..PATIENCE {
        front.step().await;
        let now = others.iter_mut().map(|miner| miner.hear().works.len() - 1).sum();
        let large_heard = large.hear().works.len() == 2;
        assert!(now == 0 || large_heard, "{now} others heard before");
        parts += usize::from(now > told);
        told = now;
        if told == others.len() {
            break;
        }
    }
    assert_eq!(told, others.len());
    assert!(parts >= 3, "all heard in {parts} parts");
    // What changes nothing is not told again.
    front.work_is(2);
    for _ in 0..20 {
        front.step().await;
    }
    assert!(others.iter_mut().all(|miner| miner.hear().works.len() == 2));
}

#[actix::test]
async fn who_takes_nothing_for_a_while_gets_every_byte_in_order_and_keeps_nobody_waiting() {
    const WORKS: u32 = 60;
    let mut front = Front::start();
    let mut slow = front.open().await;
    let mut quick = front.open().await;
    socket2::SockRef::from(&slow.stream)
        .set_recv_buffer_size(4_096)
        .unwrap();
    for work in 2..=WORKS {
        front.work_is(work);
        let count = work as usize;
        front.until(|| quick.hear().works.len() == count).await;
    }
    assert!(
        slow.hear().works.len() < WORKS as usize,
        "its connection took it all"
    );
    front.until(|| slow.hear().works.len() == WORKS as usize).await;
    let numbers = |miner: &Miner| -> Vec<u32> {
        let number = |job: &String| u32::from_str_radix(&job[..8], 16).unwrap();
        miner.works.iter().map(number).collect()
    };
    assert_eq!(numbers(&slow), (1..=WORKS).collect::<Vec<_>>());
    assert_eq!(numbers(&quick), numbers(&slow));
}

/// It may come back to another thread, before this one knows that it has left.
#[actix::test]
async fn a_difficulty_is_reported_before_its_miner_hears_of_it() {
    let mut front = Front::start();
    let mut miner = front.open().await;
    let begin = miner.difficulty;
    let mut id = 2;
    while miner.hear().difficulty <= begin {
        id += 1;
        let share = json!([USER, miner.works[0], format!("{id:016x}"), "00000000", "00000000"]);
        miner.say(&json!({"id": id, "method": "mining.submit", "params": share}));
        front.clock.advance(Span::from_secs(1));
        front.until(|| miner.hear().answered.contains(&json!(id))).await;
        assert!(id < 1_000, "the difficulty does not rise");
    }
    // What is on its way to the miner manager is already posted.
    while let Ok(ask) = front.joins.try_recv() {
        front.reported.push(ask.payload.issued);
    }
    let last = front.reported.last().copied().flatten().map(Difficulty::to_f64);
    assert_eq!(last, Some(miner.difficulty));
}

#[actix::test]
async fn sessions_that_ended_are_not_waited_for() {
    let mut front = Front::start();
    let gone = front.open().await;
    let _stays = front.open().await;
    drop(gone);
    let ended = Port::new(&front.address).post(EndSessions).unwrap();
    ended.await.unwrap();
    // Nobody is there to hear of it.
    front.work_is(2);
    front.step().await;
}
