//! The routes behind a real server on a real connection: what only the protocol shows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use dwarves_domain::limits::SharedLimit;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::Clock;

use super::fakes::{CorrectedClock, World};
use super::samples::{NOW, token};
use super::{NONCE, Signing};
use crate::ServerLimits;
use crate::connections::ConnectionLimits;

mod guarded;
mod known_sessions;

/// A server on a port of its own, in a thread of its own.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<()>,
}

/// Connections as many as a test may want.
pub(super) fn limits() -> ServerLimits {
    ServerLimits {
        workers: 1,
        keep_alive: Duration::from_secs(75),
        request_head_timeout: Duration::from_secs(10),
        disconnect_timeout: Duration::from_secs(2),
        drain: Duration::from_secs(2),
        connections: ConnectionLimits {
            places: SharedLimit::unshared(1_000),
            reserved: 2,
            quiet_looks: 80,
            unread_looks: 60,
            proxies: Vec::new(),
        },
    }
}

fn serve() -> Running {
    serve_with(limits())
}

fn serve_with(limits: ServerLimits) -> Running {
    serve_world(limits, World::new)
}

pub(super) fn serve_world(limits: ServerLimits, world: fn() -> World) -> Running {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = crate::serve(listener, limits, move || world().state()).unwrap();
            sender.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = receiver.recv().unwrap();
    Running {
        address,
        handle,
        thread,
    }
}

impl Running {
    /// Sends these bytes on one connection and reads all that comes until the server closes it.
    fn exchange(&self, sent: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    pub(super) fn stop(self) {
        let _stopped = self.handle.stop(false);
        self.thread.join().unwrap();
    }
}

fn heads(answers: &str) -> Vec<&str> {
    answers
        .split("\r\n")
        .filter(|line| line.starts_with("HTTP/1.1 "))
        .collect()
}

#[test]
fn every_answer_has_the_pools_date_and_not_the_wall_clocks() {
    let server = serve_world(limits(), || {
        let mut world = World::new();
        world.clock = Arc::new(CorrectedClock);
        world
    });
    for path in ["/healthz", "/v1/pool", "/v1/work", "/no-such-path"] {
        let answer = server.exchange(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ));
        let head = answer.to_lowercase();
        let dates: Vec<&str> = head.lines().filter(|line| line.starts_with("date:")).collect();
        assert_eq!(dates, ["date: tue, 14 nov 2023 21:13:20 gmt"], "{path}: {answer}");
    }
    server.stop();
}

#[test]
fn answers_have_a_length_and_head_has_no_body() {
    let server = serve();
    let get = server.exchange("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let lower = get.to_lowercase();
    assert!(lower.contains("content-length: 18"), "{get}");
    assert!(get.ends_with("\r\n\r\n{\"status\":\"alive\"}"), "{get}");
    let head = server.exchange("HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-length: 18"), "{head}");
    server.stop();
}

#[test]
fn a_refusal_before_the_body_was_read_leaves_the_next_answer_right() {
    let server = serve();
    let body = "x".repeat(100_000);
    let answers = server.exchange(&format!(
        "POST /v1/work HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}\
         GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    let heads = heads(&answers);
    assert_eq!(heads[0], "HTTP/1.1 401 Unauthorized");
    // The server may close instead of reading on, but it never takes the body for a request.
    assert!(heads.len() == 1 || heads[1] == "HTTP/1.1 200 OK", "{heads:?}");
    server.stop();
}

#[test]
fn a_body_that_is_announced_as_too_large_is_not_waited_for() {
    let server = serve();
    let headers: String = Signing {
        method: "POST",
        path: "/v1/sessions",
        body: b"",
        nonce: NONCE,
    }
    .headers()
    .into_iter()
    .map(|(name, value)| format!("{name}: {value}\r\n"))
    .collect();
    let answer = server.exchange(&format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 99999999\r\nConnection: close\r\n\r\n"
    ));
    assert_eq!(heads(&answer), ["HTTP/1.1 413 Payload Too Large"]);
    server.stop();
}

#[test]
fn a_request_in_absolute_form_and_in_chunks_is_signed_as_its_path_and_whole_body() {
    let server = serve();
    let path = "/v1/miners";
    let body = r#"{"payout_address":"bcrt1q"}"#;
    let headers: String = Signing {
        method: "POST",
        path,
        body: body.as_bytes(),
        nonce: NONCE,
    }
    .headers()
    .into_iter()
    .map(|(name, value)| format!("{name}: {value}\r\n"))
    .collect();
    let (first, second) = body.split_at(10);
    let answer = server.exchange(&format!(
        "POST http://{}{path} HTTP/1.1\r\nHost: x\r\n{headers}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         {:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        server.address,
        first.len(),
        second.len(),
    ));
    assert_eq!(heads(&answer), ["HTTP/1.1 201 Created"], "{answer}");
    server.stop();
}

/// A connection that stays open.
struct Line(TcpStream);

impl Line {
    fn open(server: &Running) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// The first line of the next answer, or "" if the server closed the connection.
    fn answer(&mut self) -> String {
        let mut answer = [0; 4_096];
        let read = self.0.read(&mut answer).unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..read]);
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn ask(&mut self, path: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        self.answer()
    }
}

const OK: &str = "HTTP/1.1 200 OK";

/// Limits with this many places, and this share of them for each client.
fn places(total: usize, per_client: usize, reserved: usize, proxies: &[&str]) -> ServerLimits {
    let mut limits = limits();
    limits.connections.places = SharedLimit { total, per_client };
    limits.connections.reserved = reserved;
    limits.connections.proxies = proxies.iter().map(|network| network.parse().unwrap()).collect();
    limits
}

#[test]
fn idle_connections_of_one_client_hold_nobody_out() {
    let server = serve_with(places(4, 4, 2, &[]));
    let mut idle: Vec<_> = (0..4).map(|_| Line::open(&server)).collect();
    for line in &mut idle {
        assert_eq!(line.ask("/healthz"), OK);
    }
    for path in ["/healthz", "/readyz", "/metrics", "/v1/pool"] {
        assert_eq!(Line::open(&server).ask(path), OK, "{path}");
    }
    assert_eq!(idle[0].answer(), "", "the longest idle one has given way");
    server.stop();
}

#[test]
fn a_head_that_trickles_is_closed_in_time_also_if_it_is_not_the_first() {
    let mut limits = limits();
    limits.connections.quiet_looks = 1;
    let server = serve_with(limits);
    let mut line = Line::open(&server);
    assert_eq!(line.ask("/healthz"), OK);
    line.say("GET /healthz HT");
    assert_eq!(line.answer(), "");
    server.stop();
}

/// Every way in which a connection can say whom it is for, and who may say so.
#[test]
fn a_proxys_header_names_the_client_whose_share_it_is_and_nobody_elses_does() {
    let server = serve_with(places(8, 1, 1, &["127.0.0.1"]));
    let from = |client: &str, first: &str| {
        let mut line = Line::open(&server);
        line.say(&format!("PROXY TCP4 {client} 192.0.2.99 4711 80\r\n{first}"));
        line
    };
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let (mut one, mut other) = (from("192.0.2.1", request), from("192.0.2.2", request));
    assert_eq!((one.answer(), other.answer()), (OK.to_owned(), OK.to_owned()));
    assert_eq!(from("192.0.2.1", request).answer(), OK);
    assert_eq!(one.answer(), "", "the client's own has given way");
    assert_eq!(other.ask("/healthz"), OK);
    // A proxy that writes no header of its own has no share; its requests say whom they are for.
    let mut plain: Vec<_> = (0..3).map(|_| Line::open(&server)).collect();
    for line in &mut plain {
        assert_eq!(line.ask("/healthz"), OK);
    }
    assert_eq!(Line::open(&server).ask("/v1/pool"), OK);
    let mut broken = Line::open(&server);
    broken.say("PROXY TCP4 nonsense here\r\n");
    assert_eq!(broken.answer(), "");
    server.stop();
    let server = serve_with(places(8, 8, 1, &["10.0.0.0/8"]));
    let mut stranger = Line::open(&server);
    stranger.say(&format!("PROXY TCP4 192.0.2.1 192.0.2.99 4711 80\r\n{request}"));
    assert_ne!(stranger.answer(), OK, "nobody else's word is taken");
    server.stop();
}

#[test]
fn a_long_body_and_what_is_sent_ahead_are_read_whole() {
    let server = serve();
    let answers = server.exchange(&format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n{}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /v1/pool HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500),
    ));
    assert_eq!(answers.matches(OK).count(), 502);
    let body = format!("{{\"payout_address\":\"bcrt1q\"{}}}", " ".repeat(200_000));
    let headers: String = Signing {
        method: "POST",
        path: "/v1/miners",
        body: body.as_bytes(),
        nonce: NONCE,
    }
    .headers()
    .into_iter()
    .map(|(name, value)| format!("{name}: {value}\r\n"))
    .collect();
    let answer = server.exchange(&format!(
        "POST /v1/miners HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(heads(&answer), ["HTTP/1.1 201 Created"], "{answer}");
    server.stop();
}
