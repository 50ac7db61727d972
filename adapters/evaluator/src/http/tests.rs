use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;
use crate::task;

const TIMEOUT: Duration = Duration::from_millis(500);

/// A server that takes one request, answers it by `script`, and gives back what it was sent.
fn server(script: impl FnOnce(TcpStream) + Send + 'static) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/evaluate?key=secret", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(number) = line.to_lowercase().strip_prefix("content-length: ") {
                length = number.trim().parse().unwrap();
            }
            head.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        script(stream);
        head + &String::from_utf8(body).unwrap()
    });
    (url, thread)
}

/// The server answers this status and body.
fn answers(status: u16, body: &str) -> (String, JoinHandle<String>) {
    let length = body.len();
    let said = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{body}");
    server(move |mut stream| drop(stream.write_all(said.as_bytes())))
}

fn ask(url: String) -> Result<Vec<u8>, EvaluatorError> {
    let evaluator = HttpEvaluator::new(url, Some("token"), TIMEOUT);
    let task = task::tests::task("{\"w\":[1]}");
    evaluator.evaluate(&task.id, &task::to_json(&task))
}

#[test]
fn it_is_sent_the_task_under_its_name() {
    let (url, server) = answers(200, "{\"loss\":1}");
    assert_eq!(ask(url).unwrap(), b"{\"loss\":1}");
    let sent = server.join().unwrap();
    let id = task::tests::task("{\"w\":[1]}").id;
    let lower = sent.to_lowercase();
    assert!(lower.starts_with("post /evaluate?key=secret http/1.1"), "{sent}");
    assert!(lower.contains(&format!("idempotency-key: {id}")), "{sent}");
    assert!(lower.contains("authorization: bearer token"), "{sent}");
    assert!(sent.ends_with("\"work\":{\"w\":[1]}}"), "{sent}");
}

#[test]
fn every_status_has_its_meaning() {
    for (status, body, expected) in [
        (400, "{\"error\":\"no model\"}", "it refused the work: no model"),
        (422, "plain words\n", "it refused the work: plain words"),
        (413, "", "it refused the work: it did not say why"),
        (429, "", "it cannot be reached: it answered 429"),
        (503, "", "it cannot be reached: it answered 503"),
        (404, "", "it failed: it answered 404"),
        (302, "", "it failed: it answered 302"),
        (500, "{\"loss\":1}", "it failed: it answered 500"),
    ] {
        let (url, server) = answers(status, body);
        assert_eq!(ask(url).unwrap_err().to_string(), expected, "{status}");
        server.join().unwrap();
    }
}

#[test]
fn whoever_is_silent_hangs_up_or_is_not_there_is_told_apart() {
    let (url, silent) = server(|stream| {
        std::thread::sleep(TIMEOUT * 2);
        drop(stream);
    });
    assert_eq!(ask(url), Err(EvaluatorError::Late(TIMEOUT)));
    silent.join().unwrap();
    let (url, slow) = server(|mut stream| {
        stream
            .write_all(b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n{")
            .unwrap();
        std::thread::sleep(TIMEOUT * 2);
    });
    assert_eq!(ask(url), Err(EvaluatorError::Late(TIMEOUT)));
    slow.join().unwrap();
    for said in [
        "",
        "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n{",
        "garbage\r\n\r\n",
    ] {
        let (url, server) = server(move |mut stream| drop(stream.write_all(said.as_bytes())));
        assert!(matches!(ask(url), Err(EvaluatorError::Failed(_))), "{said:?}");
        server.join().unwrap();
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(
        ask(format!("http://{gone}/")),
        Err(EvaluatorError::Away(_))
    ));
}

#[test]
fn an_answer_without_end_is_cut() {
    let (url, server) = server(|mut stream| {
        let _head = stream.write_all(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream.write_all(b"5\r\nxxxxx\r\n").is_ok() {}
    });
    assert_eq!(ask(url).unwrap().len(), ANSWER_MAX + 1);
    server.join().unwrap();
}

#[test]
fn its_name_tells_no_secret() {
    for (url, name) in [
        ("http://me:pass@host:80/path?key=secret", "http://host:80"),
        ("https://host?key=secret", "https://host"),
    ] {
        let evaluator = HttpEvaluator::new(url.to_owned(), None, TIMEOUT);
        assert_eq!(evaluator.name(), name);
    }
}
