//! What Stratum takes of memory: the allocations of a share from its line to its answer, and the bytes that a session
//! holds. Numbers that no clock changes.
//!
//! The sessions, the submission handler and the owners of state run on the one thread whose allocations are counted.
//! Miners have a thread of their own, and so has the ledger's writer, whose work is the disk's.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use actix::Actor;
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::assembly::{self, Placement, Trade, World};
use dwarves_actors::handlers::submission::{SubmissionHandler, SubmissionLimits};
use dwarves_actors::testing::settings::{memory_settings, pool_settings};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId};
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::login::LoginRules;
use dwarves_domain::miners::{Quotas, RecentShares, ShareClaim};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{Algorithm, FrontEnd, JobMark};
use dwarves_ports::clock::SharedClock;
use dwarves_store_sqlite::{SqliteOptions, SqliteStore};
use dwarves_stratum::acceptor::{OpenGate, StratumAcceptor};
use dwarves_stratum::connection_limiter::{ConnectionCaps, ConnectionLimiter};
use dwarves_stratum::conversation::{Rules, rejects};
use dwarves_stratum::dispatcher::StratumDispatcher;
use dwarves_stratum::settings::{Listener, SessionLimits};
use dwarves_stratum::thread::{Peers, Thread};
use dwarves_system::clock::SystemClock;
use dwarves_testkit::build::job_key;
use dwarves_testkit::{RecordingHalt, TestChain, TestWallet};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

/// Submits that one packet brings.
const AT_ONCE: usize = 16;
/// The most allocations of a share that is accepted, on its way through the actors. Measured: 3.3, of which a
/// packet's own are a 16th each.
const ACCEPTED_MAX: f64 = 4.0;
/// The same for one that is refused for its difficulty. Measured: 2.2.
const REFUSED_MAX: f64 = 2.75;
/// The most bytes that a session holds while it waits. Measured: 1,470.
const WAITING_MAX: f64 = 1_850.0;
/// The same when it has heard of a block. Measured: 1,481.
const AFTER_BLOCK_MAX: f64 = 1_850.0;
/// The most allocations of a session that hears of a block, beside those that the block takes by itself: none, but for
/// what is made anew when a list grows.
const TOLD_MAX: f64 = 0.1;
/// The most bytes of a header that is remembered against duplicates, and of what is taken beside them for a moment while
/// there come to be more. Measured: 28 to 32, and a piece of 32,768 headers at most.
const REMEMBERED_MAX: f64 = 33.0;
const MOVED_MAX: u64 = 800_000;
/// A user name that is a payout address.
const USER: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig";
/// Bits of a chain whose blocks no test finds.
const HARD: u32 = 0x1900_ffff;

/// A pool on this thread, and the miners' way to it.
struct Pool {
    system: actix::SystemRunner,
    chain: TestChain,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Pool {
    fn start(difficulty: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let system = actix::System::new();
        let store =
            SqliteStore::open(&folder.path().join("ledger.sqlite3"), SqliteOptions::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let chain = TestChain::new(HARD);
        system.block_on(start_pool(Arc::new(store), chain.clone(), listener, difficulty));
        Self {
            system,
            chain,
            address,
            _folder: folder,
        }
    }

    /// Lets miners do something on a thread of their own, and tells what this thread took of memory meanwhile.
    fn while_miners<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> (allocation_counter::AllocationInfo, T) {
        let (done, is_done) = oneshot::channel();
        let miners = std::thread::spawn(move || {
            let result = act();
            // The pool runs until it is told.
            done.send(()).unwrap();
            result
        });
        let info = allocation_counter::measure(|| self.system.block_on(is_done).unwrap());
        (info, miners.join().unwrap())
    }
}

/// Starts a whole pool on this thread, whose Stratum port has sessions of this difficulty.
async fn start_pool(store: Arc<SqliteStore>, chain: TestChain, bound: TcpListener, difficulty: f64) {
    let clock: SharedClock = Arc::new(SystemClock);
    let difficulty = Difficulty::from_f64(difficulty).unwrap();
    let vardiff = dwarves_domain::vardiff::Settings::new(Span::from_secs(1), difficulty, difficulty).unwrap();
    let mut settings = pool_settings();
    settings.rewards.run_interval = Span::from_secs(86_400);
    settings.miners = memory_settings();
    let (stop, _) = watch::channel(false);
    let world = World {
        store,
        trade: Trade::Mining {
            chain: Arc::new(chain),
            wallet: Arc::new(TestWallet::default()),
        },
        clock: Arc::clone(&clock),
        halt: RecordingHalt::default().shared(),
        stop,
    };
    let ports = assembly::start(settings, world, &Placement::Here).await.unwrap();
    let listeners: Arc<[Listener]> = Arc::new([Listener {
        address: bound.local_addr().unwrap(),
        rules: Rules {
            start: difficulty,
            vardiff,
            algorithm: Algorithm::Sha256d,
            extranonce2_len: 8,
            workers_max: 16,
            logins: LoginRules {
                addresses: AddressFormat::BitcoinRegtest,
                allow_address: true,
            },
            rejects: rejects::Limits {
                window: 100,
                percent_max: 100,
                keep_out: Span::from_secs(1),
            },
        },
        tls: None,
        proxies: Vec::new(),
    }]);
    let caps = ConnectionCaps {
        total: 1_000,
        per_address: 1_000,
        per_subnet: 1_000,
        ban: Span::from_secs(1),
    };
    bound.set_nonblocking(true).unwrap();
    let seats = ConnectionLimiter::new(caps, FrontEnd::default(), ports.life);
    let (sender, kept_out) = watch::channel(Arc::default());
    let (wall, behind) = (Arc::clone(&clock), Arc::clone(&listeners));
    let gate = StratumAcceptor::new(seats, wall, sender, vec![bound], behind).start();
    let limits = SubmissionLimits {
        mailbox_capacity: 1_024,
        requests_in_flight: SharedLimit::unshared(1_024),
        waiting: SharedLimit {
            total: 0,
            per_client: 0,
        },
        jobs_cached_max: 1,
        longpoll: Span::from_secs(1),
        judge_deadline: Span::from_secs(60),
    };
    let peers = ports.submission.clone();
    let handler = SubmissionHandler::new(peers, limits, job_key(), Arc::clone(&clock)).start();
    let peers = Peers {
        join: ports.join.clone(),
        submit: Port::new(&handler),
        extranonce: Port::new(&gate),
        admit: Port::new(&gate),
        put_out: Outbox::new(&gate),
        let_go: Outbox::new(&gate),
    };
    let limits = SessionLimits {
        extranonce2_len: 8,
        unread_max: 65_536,
        handshake: Span::from_secs(60),
        idle: Span::from_secs(600),
    };
    let thread = Thread::new(peers, limits, listeners, job_key(), kept_out, Arc::clone(&clock));
    let front = StratumDispatcher::new(
        thread,
        ports.submission.subscribe.clone(),
        ports.watch_miners.clone(),
    )
    .start();
    Outbox::new(&gate)
        .tell(OpenGate(vec![Outbox::new(&front)]))
        .unwrap();
}

/// A miner's end of a connection.
struct Miner {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
    /// The params of the last notify.
    work: Value,
}

impl Miner {
    /// Connects, logs in and waits for work.
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let lines = BufReader::with_capacity(8_192, stream.try_clone().unwrap());
        let work = Value::Null;
        let mut miner = Self { stream, lines, work };
        let login = format!(
            "{{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}}\n\
             {{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{USER}\",\"x\"]}}\n"
        );
        miner.stream.write_all(login.as_bytes()).unwrap();
        miner.wait_for_work();
        miner
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn wait_for_work(&mut self) {
        loop {
            let message = self.next();
            assert!(message["error"].is_null(), "{message}");
            if message["method"] == "mining.notify" {
                self.work = message["params"].clone();
                return;
            }
        }
    }

    /// Sends a packet, waits for all of its answers, and sends the next.
    fn submit(&mut self, packets: std::ops::Range<usize>, is_share: bool) {
        let (job, time) = (self.work[0].as_str().unwrap(), self.work[7].as_str().unwrap());
        let texts = packets.map(|packet| {
            let mut text = String::new();
            for extranonce2 in packet * AT_ONCE..(packet + 1) * AT_ONCE {
                text.push_str(&format!(
                    "{{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"{USER}\",\"{job}\",\
                     \"{extranonce2:016x}\",\"{time}\",\"00000000\"]}}\n"
                ));
            }
            text
        });
        for text in texts.collect::<Vec<_>>() {
            self.stream.write_all(text.as_bytes()).unwrap();
            let mut answered = 0;
            while answered < AT_ONCE {
                let message = self.next();
                if message["id"] == 4 {
                    answered += 1;
                    assert_eq!(message["result"] == true, is_share, "{message}");
                }
            }
        }
    }
}

/// Allocations of one share, once everything that is made once is made.
fn of_a_share(difficulty: f64) -> f64 {
    const WARM_UP: usize = 50;
    const COUNTED: usize = 200;
    let is_share = difficulty < 1.0;
    let pool = Pool::start(difficulty);
    let address = pool.address;
    let (_, mut miner) = pool.while_miners(move || {
        let mut miner = Miner::connect(address);
        miner.submit(0..WARM_UP, is_share);
        miner
    });
    let (info, ()) = pool.while_miners(move || miner.submit(WARM_UP..WARM_UP + COUNTED, is_share));
    info.count_total as f64 / (COUNTED * AT_ONCE) as f64
}

/// At the least difficulty that can be written every hash is a share.
#[test]
fn an_accepted_share_takes_few_allocations() {
    let each = of_a_share(Difficulty::MIN.to_f64());
    println!("allocations of an accepted share: {each:.2}");
    assert!(each > 0.0 && each <= ACCEPTED_MAX, "{each} allocations a share");
}

#[test]
fn a_refused_share_takes_few_allocations() {
    let each = of_a_share(1_000_000.0);
    println!("allocations of a refused share: {each:.2}");
    assert!(each > 0.0 && each <= REFUSED_MAX, "{each} allocations a share");
}

#[test]
fn a_session_holds_few_bytes_before_and_after_a_block() {
    const WARM_UP: usize = 20;
    const SESSIONS: usize = 200;
    let pool = Pool::start(1_000_000.0);
    let address = pool.address;
    let connect = move |count: usize| (0..count).map(|_| Miner::connect(address)).collect::<Vec<_>>();
    let (_, first) = pool.while_miners(move || connect(WARM_UP));
    let (opened, mut miners) = pool.while_miners(move || connect(SESSIONS));
    let waiting = opened.bytes_current as f64 / SESSIONS as f64;
    let chain = pool.chain.clone();
    let (block, everybody) = pool.while_miners(move || {
        chain.others_find(1);
        miners.iter_mut().for_each(Miner::wait_for_work);
        (first, miners)
    });
    drop(everybody);
    let after = waiting + block.bytes_current as f64 / SESSIONS as f64;
    println!("bytes of a session: {waiting:.0}, after a block: {after:.0}");
    assert!(waiting > 0.0 && waiting <= WAITING_MAX, "{waiting} bytes");
    assert!(after <= AFTER_BLOCK_MAX, "{after} bytes after a block");
}

/// New work is written to a session from a page that all sessions share, without a message to it and without a run of its
/// future: whatever of it came back would be an allocation at least.
#[test]
fn hearing_of_a_block_takes_no_allocations_of_a_session() {
    const FEW: usize = 20;
    const MORE: usize = 200;
    let pool = Pool::start(1_000_000.0);
    let address = pool.address;
    let connect = move |count: usize| (0..count).map(|_| Miner::connect(address)).collect::<Vec<_>>();
    let (_, mut miners) = pool.while_miners(move || connect(FEW));
    let mut of_a_block = Vec::new();
    for more in [0, MORE] {
        let (_, others) = pool.while_miners(move || connect(more));
        miners.extend(others);
        let mut fewest = u64::MAX;
        // Other things happen meanwhile, such as looks at sessions in their turns: the fewest of some blocks are counted.
        for _ in 0..5 {
            let chain = pool.chain.clone();
            let told;
            (told, miners) = pool.while_miners(move || {
                chain.others_find(1);
                miners.iter_mut().for_each(Miner::wait_for_work);
                miners
            });
            fewest = fewest.min(told.count_total);
        }
        of_a_block.push(fewest);
    }
    let each = of_a_block[1].saturating_sub(of_a_block[0]) as f64 / MORE as f64;
    println!("allocations of a block: {of_a_block:?}, of each session that hears of it: {each:.3}");
    assert!(of_a_block[0] > 0, "nothing was counted");
    assert!(each <= TOLD_MAX, "{each} allocations a session");
}

/// However many there are: never is there one table that has just doubled, or two of it while it is moved.
#[test]
fn a_remembered_header_takes_few_bytes() {
    const ROOM: u64 = 200_000;
    const STEP: u64 = 10_000;
    let (template, miner) = (TemplateId::new(1), Hotkey::from_bytes([1; 32]));
    let mut recent = None;
    let mut held = allocation_counter::measure(|| {
        recent = Some(RecentShares::new(
            ROOM as usize,
            Quotas::NONE,
            0x6a09_e667_bb67_ae85_3c6e_f372_a54f_f53a,
        ));
    });
    let recent = recent.as_mut().unwrap();
    let mut claim = |n: u64| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_le_bytes());
        let claim = recent.claim(template, HeaderHash::from_bytes(hash), miner, JobMark::new(1));
        let ShareClaim::New(slot) = claim else {
            panic!("{claim:?}");
        };
        recent.confirm(template, slot, Sequence::new(n));
    };
    let mut worst = 0.0_f64;
    for from in (0..ROOM).step_by(STEP as usize) {
        let step = allocation_counter::measure(|| (from..from + STEP).for_each(&mut claim));
        held.bytes_current += step.bytes_current;
        let moved = step.bytes_max - step.bytes_current.max(0).cast_unsigned();
        assert!(moved <= MOVED_MAX, "{moved} bytes for a moment at {from}");
        // While there are few, what stands about for more is much of it.
        if from >= 150_000 {
            worst = worst.max(held.bytes_current as f64 / (from + STEP) as f64);
        }
    }
    println!("bytes of a remembered header: {worst:.1} at most");
    assert!((24.0..=REMEMBERED_MAX).contains(&worst), "{worst} bytes a header");
    let before = held.bytes_current;
    let over = allocation_counter::measure(|| {
        recent.retire(template.next(), Timestamp::from_millis(0));
        recent.forget_retired(Timestamp::from_millis(60_000));
    });
    assert!(
        recent.is_empty() && before + over.bytes_current < 4_000,
        "what is over is given back"
    );
}
