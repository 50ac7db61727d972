//! The routes behind a real server on a real connection: what only the protocol shows.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};

use super::fakes::World;
use super::{NONCE, Signing};
use crate::http::{ServerLimits, configure};

/// A server on a port of its own, in a thread of its own.
struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<()>,
}

fn serve() -> Running {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let limits = ServerLimits::default();
            let server = HttpServer::new(|| App::new().app_data(World::new().state()).configure(configure))
                .workers(1)
                .keep_alive(limits.keep_alive)
                .client_request_timeout(limits.request_head_timeout)
                .client_disconnect_timeout(limits.disconnect_timeout)
                .max_connections(limits.connections_per_worker)
                .backlog(limits.backlog)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
            let address = server.addrs()[0];
            let server = server.run();
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

    fn stop(self) {
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
