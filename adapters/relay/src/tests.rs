//! A relay before a server that is scripted: what it is sent, and what it answers.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use dwarves_domain::ids::FrontNumber;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_peers::proxy::{HeaderReader, Said, header};
use dwarves_ports::fronts::{FrontRow, Fronts};
use tokio::sync::watch;

use super::{Answers, Common, Entrance, Relay, Settings};

/// The front that leads.
struct Leader {
    listener: TcpListener,
}

impl Leader {
    fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn seen(&self) -> Fronts {
        let place = self.listener.local_addr().unwrap().to_string();
        Fronts {
            this: FrontNumber::new(2),
            all: vec![FrontRow {
                number: FrontNumber::new(1),
                name: "first".to_owned(),
                places: vec![("http".to_owned(), place.clone()), ("stratum".to_owned(), place)],
                version: String::new(),
                since: Timestamp::EPOCH,
                silent: Span::from_millis(0),
                leads: true,
            }],
            epoch: 1,
            unreached: None,
        }
    }

    /// Takes one connection: who it is from, and how it goes on until its sender ends it.
    fn take(&self, answer: &[u8]) -> (Said, Vec<u8>) {
        let (mut line, _) = self.listener.accept().unwrap();
        let mut reader = HeaderReader::default();
        let said = loop {
            let mut part = vec![0; reader.wanted()];
            let read = line.read(&mut part).unwrap();
            if let Some(said) = reader.take(&part[..read]).unwrap() {
                break said;
            }
        };
        line.write_all(answer).unwrap();
        let mut all = Vec::new();
        line.read_to_end(&mut all).unwrap();
        (said, all)
    }
}

struct Standing {
    http: SocketAddr,
    stratum: SocketAddr,
    seen: watch::Sender<Fronts>,
    relay: Relay,
}

fn stand_by(seen: Fronts, passes_on: bool, connections_max: usize) -> Standing {
    let open = |setting: &str, is_http: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let entrance = Entrance {
            setting: setting.to_owned(),
            listener,
            proxies: is_http
                .then(|| "127.0.0.1".parse().unwrap())
                .into_iter()
                .collect(),
            is_http,
            connections_max,
        };
        (entrance, address)
    };
    let (http_entrance, http) = open("http", true);
    let (stratum_entrance, stratum) = open("stratum", false);
    let (sender, fronts) = watch::channel(seen);
    let settings = Settings {
        fronts,
        passes_on,
        begin_max: Duration::from_millis(300),
        answers: Answers {
            alive: b"alive".to_vec(),
            no_leader: b"nobody leads".to_vec(),
            full: b"full".to_vec(),
            figures_head: b"head\r\n".to_vec(),
        },
        more_figures: Box::new(|| Box::pin(async { "dwarves_more 7\n# EOF\n".to_owned() })),
    };
    Standing {
        http,
        stratum,
        seen: sender,
        relay: Relay::start(
            vec![http_entrance, stratum_entrance],
            &Common::new(["http", "stratum"].map(str::to_owned).into_iter(), settings),
        )
        .unwrap(),
    }
}

/// Sends all of it, and reads to the end.
fn ask(address: SocketAddr, words: &[u8]) -> String {
    let mut line = TcpStream::connect(address).unwrap();
    line.write_all(words).unwrap();
    // It may have been cut off already.
    let _either_way = line.shutdown(Shutdown::Write);
    let mut answer = String::new();
    // Whoever is not passed on may be cut off with what it said unread.
    let read = line.read_to_string(&mut answer).map_err(|error| error.kind());
    assert!(
        matches!(read, Ok(_) | Err(ErrorKind::ConnectionReset)),
        "{read:?}"
    );
    answer
}

#[test]
fn what_is_sent_arrives_with_who_sent_it_and_the_answer_comes_back() {
    let leader = Leader::new();
    let standing = stand_by(leader.seen(), true, 9);
    for (address, words) in [
        (standing.http, &b"GET /v1/pool HTTP/1.1\r\n\r\n"[..]),
        (standing.http, b"GET /healthzz HTTP/1.1\r\n\r\n"),
        (standing.stratum, b"{}\n"),
        (standing.stratum, b""),
    ] {
        let asking = std::thread::spawn(move || ask(address, words));
        let (said, told) = leader.take(b"hello");
        assert!(
            matches!(said, Said::Client(client) if client.ip().is_loopback()),
            "{said:?}"
        );
        assert_eq!(told, words);
        assert_eq!(asking.join().unwrap(), "hello");
    }
    let figures = ask(standing.http, b"GET /metrics HTTP/1.1\r\n\r\n");
    assert!(
        figures.contains("dwarves_relayed_total{listener=\"stratum\"} 2\n"),
        "{figures}"
    );
    assert!(
        figures.contains("dwarves_relayed_connections{listener=\"http\"} 0\n"),
        "{figures}"
    );
    assert!(figures.contains("dwarves_front_leader_live 1\n"), "{figures}");
}

#[test]
fn a_proxy_is_believed_whom_it_speaks_for() {
    let leader = Leader::new();
    let standing = stand_by(leader.seen(), true, 9);
    let words = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\nGET /v1/pool HTTP/1.1\r\n\r\n";
    let http = standing.http;
    let asking = std::thread::spawn(move || ask(http, words));
    let (said, told) = leader.take(b"hello");
    assert_eq!(said, Said::Client("192.0.2.7:4711".parse().unwrap()));
    assert_eq!(told, b"GET /v1/pool HTTP/1.1\r\n\r\n");
    assert_eq!(asking.join().unwrap(), "hello");
    // Nobody else is: what looks like a header is data.
    let stratum = standing.stratum;
    let asking = std::thread::spawn(move || ask(stratum, words));
    let (said, told) = leader.take(b"hello");
    assert!(
        matches!(said, Said::Client(client) if client.ip().is_loopback()),
        "{said:?}"
    );
    assert_eq!(told, words);
    assert_eq!(asking.join().unwrap(), "hello");
}

#[test]
fn what_asks_for_this_process_is_answered_here() {
    let standing = stand_by(Fronts::default(), true, 9);
    assert_eq!(ask(standing.http, b"GET /healthz HTTP/1.1\r\n\r\n"), "alive");
    let figures = ask(standing.http, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(figures.starts_with("head\r\ncontent-length: "), "{figures}");
    assert!(figures.contains("dwarves_front_leader_live 0\n"), "{figures}");
    assert!(figures.ends_with("\ndwarves_more 7\n# EOF\n"), "{figures}");
    assert_eq!(figures.matches("# EOF").count(), 1);
}

#[test]
fn whoever_cannot_be_passed_on_is_told_so_and_tries_again() {
    let leader = Leader::new();
    let question = b"GET /v1/pool HTTP/1.1\r\n\r\n";
    let standing = stand_by(Fronts::default(), true, 9);
    assert_eq!(ask(standing.http, question), "nobody leads");
    assert_eq!(ask(standing.stratum, b"{}\n"), "");
    standing.seen.send_replace(leader.seen());
    let http = standing.http;
    let asking = std::thread::spawn(move || ask(http, question));
    leader.take(b"hello");
    assert_eq!(asking.join().unwrap(), "hello");
    // It is gone, and nobody has seen it yet.
    drop(leader);
    assert_eq!(ask(standing.http, question), "nobody leads");
    let only_waiting = stand_by(Leader::new().seen(), false, 9);
    assert_eq!(ask(only_waiting.http, question), "nobody leads");
}

#[test]
fn what_was_passed_on_once_is_not_passed_on_again() {
    let leader = Leader::new();
    let standing = stand_by(leader.seen(), true, 9);
    let from = "192.0.2.7:4711".parse().unwrap();
    let header = header(from, from);
    let question = [header.as_slice(), b"GET /v1/pool HTTP/1.1\r\n\r\n"].concat();
    assert_eq!(ask(standing.http, &question), "nobody leads");
    // Both fronts listen on their own machines alone: what leads there is this very front.
    let mut seen = leader.seen();
    let own = FrontRow {
        number: seen.this,
        leads: false,
        ..seen.all[0].clone()
    };
    seen.all.push(own);
    standing.seen.send_replace(seen);
    assert_eq!(
        ask(standing.http, b"GET /v1/pool HTTP/1.1\r\n\r\n"),
        "nobody leads"
    );
}

#[test]
fn beginnings_and_places_are_bounded() {
    let leader = Leader::new();
    let standing = stand_by(leader.seen(), true, 1);
    let held = TcpStream::connect(standing.http).unwrap();
    // It has the one place, and says nothing, for which it is let go.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(ask(standing.http, b"GET /v1/pool HTTP/1.1\r\n\r\n"), "full");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(ask(standing.http, b"GET /healthz HTTP/1.1\r\n\r\n"), "alive");
    drop(held);
}

#[test]
fn everything_ends_with_the_relay() {
    let leader = Leader::new();
    let standing = stand_by(leader.seen(), true, 9);
    let mut client = TcpStream::connect(standing.stratum).unwrap();
    let (mut line, _) = leader.listener.accept().unwrap();
    drop(standing.relay);
    let mut rest = Vec::new();
    line.read_to_end(&mut rest).unwrap();
    assert_eq!(client.read(&mut [0; 9]).unwrap_or(0), 0);
}
