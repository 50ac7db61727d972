//! Event streams, and what they are about.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::Actor;
use actix_web::test::TestRequest;
use dwarves_actors::ask::Outbox;
use dwarves_actors::news::{Happened, News};
use dwarves_api_types::events::Event;
use dwarves_domain::blocks::BlockState;
use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::limits::SharedLimit;
use dwarves_ports::chain::{BranchTip, NodeStanding, Peers, Standing, Surroundings, TipStatus};
use serde_json::{Value, json};

use super::fake_ports::port;
use super::fakes::World;
use super::server::{Running, limits, serve_world};
use super::{Answer, ask, ask_state, get};
use crate::events::text::{self, Told};
use crate::events::topic::Topic;
use crate::events::{EventFeed, EventFeedParts, Tidings, Tower};

/// The events of an answer: their lines by name.
fn events(body: &[u8]) -> Vec<BTreeMap<String, String>> {
    let text = std::str::from_utf8(body).unwrap();
    let blocks = text.split_terminator("\n\n");
    let lines = blocks.map(|block| {
        let lines = block.lines().map(|line| line.split_once(": ").unwrap());
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    });
    lines.collect()
}

fn begun(answer: &Answer) -> Vec<BTreeMap<String, String>> {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    events(&answer.body)
}

#[actix_web::test]
async fn a_stream_begins_with_where_it_stands_and_a_head_asks_for_none() {
    let answer = ask(get("/v1/events")).await;
    let [hello] = &begun(&answer)[..] else { panic!() };
    assert_eq!(hello["event"], "hello");
    assert_eq!(hello["id"], "life-0");
    assert_eq!(hello["retry"], "3000");
    assert_eq!(hello["data"], r#"{"resumed":false}"#);
    let head = ask(TestRequest::default()
        .method(actix_web::http::Method::HEAD)
        .uri("/v1/events"))
    .await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let world = World::new();
    let state = world.state();
    for _ in 0..3 {
        ask_state(state.clone(), get("/v1/events")).await;
    }
    assert_eq!(
        state.events().count(),
        0,
        "whose answer is dropped has no place any more"
    );
}

#[actix_web::test]
async fn parameters_are_named_when_they_are_wrong() {
    for (query, field) in [
        ("topics=", "topics"),
        ("topics=shares", "topics"),
        ("topics=pool&topics=block", "topics"),
        ("miner=nobody", "miner"),
        ("since=1", "since"),
    ] {
        let answer = ask(get(&format!("/v1/events?{query}"))).await;
        answer.refuses(400, "query_invalid", Some(field));
    }
}

#[actix_web::test]
async fn who_was_here_in_another_life_or_says_nonsense_is_told_to_read_anew() {
    for last in [
        "life-1",
        "other-0",
        "life-",
        "life-+0",
        "life",
        "",
        "life-18446744073709551616",
        "ä",
    ] {
        let answer = ask(get("/v1/events").insert_header(("Last-Event-ID", last))).await;
        assert_eq!(begun(&answer)[0]["data"], r#"{"resumed":false}"#, "{last}");
    }
    let answer = ask(get("/v1/events").insert_header(("Last-Event-ID", "life-0"))).await;
    assert_eq!(begun(&answer)[0]["data"], r#"{"resumed":true}"#);
}

/// A block that changes, told through the actor, on its way to a worker.
#[actix_web::test]
async fn what_the_ledger_says_is_read_numbered_written_out_once_and_never_twice() {
    let mut world = World::new();
    world.store.blocks = vec![super::pool::block(BlockState::Immature)];
    let hash = world.store.blocks[0].hash;
    let tower = world.events.clone();
    let mut heard = tower.hear();
    let store = Arc::new(world.store);
    let feed = EventFeed::new(EventFeedParts { store, tower }).start();
    let outbox = Outbox::new(&feed);
    let news = |state| News::Block { hash, state };
    for (states, untold) in [
        (vec![BlockState::Submitted, BlockState::Submitted], 0),
        (vec![BlockState::Submitted, BlockState::Immature], 0),
        (vec![BlockState::Immature], 2),
    ] {
        let news = states.into_iter().map(news).collect();
        outbox.tell(Happened { news, untold }).unwrap();
    }
    let unknown = News::Block {
        hash: HeaderHash::from_bytes([0xaa; 32]),
        state: BlockState::Submitted,
    };
    let news = vec![unknown];
    outbox.tell(Happened { news, untold: 2 }).unwrap();
    for number in 1..=2_u64 {
        let Tidings::Told(told) = heard.recv().await.unwrap() else {
            panic!("{number}")
        };
        assert_eq!(told.number, number);
        let lines = events(&told.text).remove(0);
        assert_eq!(
            (&*lines["event"], &*lines["id"]),
            ("block", &*format!("life-{number}"))
        );
        let data: Value = serde_json::from_str(&lines["data"]).unwrap();
        let event: Event = serde_json::from_value(json!({"event": lines["event"], "data": data})).unwrap();
        let Event::Block(block) = event else {
            panic!("{event:?}")
        };
        assert_eq!(block.hash.0, hash);
    }
    let Tidings::Missed(3) = heard.recv().await.unwrap() else {
        panic!()
    };
    tokio::task::yield_now().await;
    assert!(heard.try_recv().is_err());
}

#[actix_web::test]
async fn the_chain_shows_its_tip_and_every_node_beside_the_highest() {
    let mut world = World::new();
    let node = |name: &str, height, is_used| NodeStanding {
        name: name.to_owned(),
        verdict: Verdict::Majority,
        why: Vec::new(),
        height,
        tip_age_secs: height.map(u64::from),
        is_used,
        surroundings: Surroundings {
            peers: Some(Peers {
                count: 9,
                inbound: Some(2),
                outbound: None,
            }),
            tips: vec![BranchTip {
                height: 97,
                hash: HeaderHash::from_bytes([3; 32]),
                branch_len: 1,
                status: TipStatus::ValidFork,
            }],
            tips_left: 4,
        },
    };
    let standing = Standing {
        tip_age_secs: Some(9),
        nodes: vec![
            node("a:1", Some(98), false),
            node("b:1", Some(100), true),
            node("c:1", None, false),
        ],
        ..Standing::trusted()
    };
    let work = super::fakes::work_view();
    world.ports.work = port(move |_| {
        let mut work = work.clone();
        work.standing = Arc::new(standing.clone());
        work
    });
    let answer = ask_state(world.state(), get("/v1/chain")).await.json();
    assert_eq!(answer["height"], 100);
    assert_eq!(answer["tip"], "09".repeat(32));
    assert_eq!(answer["tip_age_secs"], 9);
    assert_eq!(answer["verdict"], "majority");
    let nodes = answer["nodes"].as_array().unwrap();
    let first = &nodes[0];
    assert_eq!(
        [
            &first["peers"],
            &first["peers_in"],
            &first["peers_out"],
            &first["tips_left"],
            &first["tip_age_secs"]
        ],
        [&json!(9), &json!(2), &Value::Null, &json!(4), &json!(98)]
    );
    let tip = json!({"height": 97, "hash": "03".repeat(32), "branch_len": 1, "status": "valid-fork"});
    assert_eq!(first["tips"], json!([tip]));
    let shown = nodes
        .iter()
        .map(|node| (node["behind"].clone(), node["is_used"].clone()));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            (json!(2), json!(false)),
            (json!(0), json!(true)),
            (Value::Null, json!(false))
        ]
    );
}

#[actix_web::test]
async fn how_to_connect_is_what_the_wiring_says() {
    let answer = ask(get("/v1/connect")).await.json();
    assert_eq!(answer["login"]["password"], "x");
    assert_eq!(answer["public_host"], Value::Null);
}

/// One stream of a running server.
struct Listening(BufReader<TcpStream>);

impl Listening {
    fn open(server: &Running, path: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The next line that begins so, without its beginning; `None` when the stream ends.
    fn line(&mut self, beginning: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 || line == "0\r\n" {
                return None;
            }
            if let Some(rest) = line.trim_end().strip_prefix(beginning) {
                return Some(rest.to_owned());
            }
        }
    }
}

fn few_streams() -> World {
    let mut world = World::new();
    world.limits.event_streams = SharedLimit::unshared(2);
    world
}

#[test]
fn a_stream_tells_the_pool_and_the_chain_and_there_are_as_many_as_there_may_be() {
    let server = serve_world(limits(), few_streams);
    let mut streams = [0, 1].map(|_| Listening::open(&server, "/v1/events?topics=pool,chain"));
    for stream in &mut streams {
        assert_eq!(stream.line("event: ").as_deref(), Some("hello"));
    }
    let mut third = Listening::open(&server, "/v1/events");
    assert_eq!(
        third.line("HTTP/1.1 ").as_deref(),
        Some("503 Service Unavailable")
    );
    assert_eq!(third.line("retry-after: ").as_deref(), Some("30"));
    for stream in &mut streams {
        assert_eq!(stream.line("event: ").as_deref(), Some("pool"));
        let pool: Value = serde_json::from_str(&stream.line("data: ").unwrap()).unwrap();
        assert_eq!(pool["name"], "Test pool");
        assert_eq!(stream.line("event: ").as_deref(), Some("chain"));
    }
    // Whoever goes makes room.
    drop(streams);
    let again = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let mut again = Listening::open(&server, "/v1/events");
        (again.line("HTTP/1.1 ").as_deref() == Some("200 OK")).then_some(again)
    });
    assert!(again.is_some());
    server.stop();
}

/// A stream is a request under way however long it is quiet.
#[test]
fn a_quiet_stream_is_kept_when_idle_connections_are_closed() {
    let mut limits = limits();
    limits.connections.quiet_looks = 1;
    let server = serve_world(limits, few_streams);
    let mut idle = TcpStream::connect(server.address).unwrap();
    let mut stream = Listening::open(&server, "/v1/events?topics=chain");
    assert_eq!(stream.line("event: ").as_deref(), Some("hello"));
    let closed = std::io::Read::read(&mut idle, &mut [0]).unwrap();
    assert_eq!(closed, 0, "an idle connection is closed");
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(
        stream.line("event: ").as_deref(),
        Some("chain"),
        "a stream is not"
    );
    stream.0.get_ref().set_nonblocking(true).unwrap();
    let read = std::io::Read::read(stream.0.get_mut(), &mut [0; 64]);
    assert!(!matches!(read, Ok(0)), "{read:?}");
    server.stop();
}

/// From where the streams of the next test are told.
static LARGE: OnceLock<Tower> = OnceLock::new();

fn with_large_events() -> World {
    let mut world = World::new();
    world.events = LARGE.get_or_init(|| Tower::new("life")).clone();
    world
}

#[test]
fn who_does_not_read_is_dropped_and_who_reads_hears_all() {
    const COUNT: u64 = 300;
    let mut limits = limits();
    limits.connections.unread_looks = 1;
    let server = serve_world(limits, with_large_events);
    let [mut dead, mut reads] = [0, 1].map(|_| Listening::open(&server, "/v1/events?topics=block"));
    for stream in [&mut dead, &mut reads] {
        assert_eq!(stream.line("id: ").as_deref(), Some("life-0"));
    }
    let data = "x".repeat(64_000);
    for number in 1..=COUNT {
        LARGE.get().unwrap().tell(Tidings::Told(Arc::new(Told {
            number,
            topic: Topic::Block,
            text: text::event("block", Some(&format!("life-{number}")), &data),
            miners: None,
        })));
        assert_eq!(reads.line("id: "), Some(format!("life-{number}")));
    }
    // It has had two looks' time, and what its connection still holds is less than what was told.
    std::thread::sleep(Duration::from_millis(3_500));
    let mut held = 0;
    let mut part = [0; 65_536];
    while let Ok(read @ 1..) = std::io::Read::read(&mut dead.0, &mut part) {
        held += read;
    }
    assert!(held < 64_000 * usize::try_from(COUNT).unwrap(), "{held}");
    server.stop();
}
