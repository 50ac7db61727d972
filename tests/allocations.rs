//! What a Stratum share costs in allocations of memory, from its line to its answer: a number that no clock changes.
//!
//! The sessions, the submission handler and the owners of state run on the one thread whose allocations are counted.
//! The miner has a thread of its own, and so has the ledger's writer, whose work is the disk's. Two runs of different
//! length are compared, so that what is made once does not count.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use actix::Actor;
use dwarves::clock::SystemClock;
use dwarves::store::sqlite::{SqliteOptions, SqliteStore};
use dwarves::stratum::conversation::{Rules, rejects};
use dwarves::stratum::front::StratumFront;
use dwarves::stratum::gate::{OpenGate, StratumGate};
use dwarves::stratum::protocol::login::LoginRules;
use dwarves::stratum::seats::{Caps, Seats};
use dwarves::stratum::settings::{Listener, SessionLimits};
use dwarves::stratum::thread::{Peers, Thread};
use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::assembly::{self, Placement, World};
use dwarves_actors::clock::SharedClock;
use dwarves_actors::handlers::submission::{SubmissionHandler, SubmissionLimits};
use dwarves_actors::testing::build::{job_key, memory_settings, pool_settings};
use dwarves_actors::testing::{RecordingHalt, TestChain, TestWallet};
use dwarves_domain::address::AddressFormat;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::work::Algorithm;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

/// Submits that one packet brings.
const AT_ONCE: usize = 16;
/// The most allocations of a share that is accepted, on its way through the actors. Measured: 11.5, of which a
/// packet's own are a 16th each.
const ACCEPTED_MAX: f64 = 14.0;
/// The same for one that is refused for its difficulty. Measured: 9.5.
const REFUSED_MAX: f64 = 12.0;
/// A user name that is a payout address.
const USER: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig";
/// Bits of a chain whose blocks no test finds.
const HARD: u32 = 0x1900_ffff;

/// How many allocations `packets` packets of submits take, and what comes before them.
fn allocations(difficulty: f64, packets: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite3");
    let counted = allocation_counter::measure(|| {
        actix::System::new().block_on(async {
            let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            start_pool(store, listener, difficulty).await;
            let (done, is_done) = oneshot::channel();
            let is_share = difficulty < 1.0;
            let miner = std::thread::spawn(move || {
                mine(address, packets, is_share);
                // The pool waits for this.
                done.send(()).unwrap();
            });
            is_done.await.unwrap();
            miner.join().unwrap();
        });
    });
    counted.count_total
}

/// Starts a whole pool on this thread, whose Stratum port has sessions of this difficulty.
async fn start_pool(store: Arc<SqliteStore>, bound: TcpListener, difficulty: f64) {
    let clock: SharedClock = Arc::new(SystemClock);
    let difficulty = Difficulty::from_f64(difficulty).unwrap();
    let vardiff = dwarves_domain::vardiff::Settings::new(Span::from_secs(1), difficulty, difficulty).unwrap();
    let mut settings = pool_settings();
    settings.rewards.run_interval = Span::from_secs(86_400);
    settings.miners = memory_settings();
    let (stop, _) = watch::channel(false);
    let world = World {
        store,
        chain: Arc::new(TestChain::new(HARD)),
        wallet: Arc::new(TestWallet::default()),
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
            logins: LoginRules {
                addresses: AddressFormat::BitcoinRegtest,
                allow_address: true,
            },
            rejects: rejects::Limits {
                window: 100,
                percent_max: 100,
            },
        },
        tls: None,
        proxies: Vec::new(),
    }]);
    let caps = Caps {
        total: 10,
        per_address: 10,
        per_subnet: 10,
        ban: Span::from_secs(1),
    };
    bound.set_nonblocking(true).unwrap();
    let seats = Seats::new(caps, ports.life);
    let gate = StratumGate::new(seats, Arc::clone(&clock), vec![bound], Arc::clone(&listeners)).start();
    let limits = SubmissionLimits {
        mailbox_capacity: 1_024,
        requests_in_flight_max: 1_024,
        waiting_max: 0,
        jobs_cached_max: 1,
        longpoll: Span::from_secs(1),
        judge_deadline: Span::from_secs(60),
    };
    let peers = ports.submission.clone();
    let handler = SubmissionHandler::new(peers, limits, job_key(), Arc::clone(&clock)).start();
    let peers = Peers {
        join: ports.join.clone(),
        submit: Port::new(&handler),
        resume: Port::new(&gate),
        admit: Port::new(&gate),
        put_out: Outbox::new(&gate),
    };
    let limits = SessionLimits {
        extranonce2_len: 8,
        unread_max: 65_536,
        handshake: Span::from_secs(60),
        idle: Span::from_secs(600),
    };
    let thread = Thread::new(peers, limits, listeners, job_key(), clock);
    let front = StratumFront::new(thread, ports.submission.subscribe.clone()).start();
    Outbox::new(&gate)
        .tell(OpenGate(vec![Outbox::new(&front)]))
        .unwrap();
}

/// A miner that sends a packet, waits for all of its answers, and sends the next.
fn mine(address: SocketAddr, packets: usize, is_share: bool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut next = || -> Value {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let login = format!(
        "{{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}}\n\
         {{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{USER}\",\"x\"]}}\n"
    );
    stream.write_all(login.as_bytes()).unwrap();
    let work = loop {
        let message = next();
        assert!(message["error"].is_null(), "{message}");
        if message["method"] == "mining.notify" {
            break message["params"].clone();
        }
    };
    let (job, time) = (work[0].as_str().unwrap(), work[7].as_str().unwrap());
    for packet in 0..packets {
        let mut text = String::new();
        for number in 0..AT_ONCE {
            let extranonce2 = packet * AT_ONCE + number;
            text.push_str(&format!(
                "{{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"{USER}\",\"{job}\",\"{extranonce2:016x}\",\
                 \"{time}\",\"00000000\"]}}\n"
            ));
        }
        stream.write_all(text.as_bytes()).unwrap();
        let mut answered = 0;
        while answered < AT_ONCE {
            let message = next();
            if message["id"] == 4 {
                answered += 1;
                assert_eq!(message["result"] == true, is_share, "{message}");
            }
        }
    }
}

/// Allocations of one share.
fn of_a_share(difficulty: f64) -> f64 {
    let (few, many) = (50, 250);
    let (short, long) = (allocations(difficulty, few), allocations(difficulty, many));
    (long - short) as f64 / ((many - few) * AT_ONCE) as f64
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
