//! What every answer says of itself, and what clients of HTTP/1.0 get.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::serve;
use crate::routes::ENDPOINTS;

/// Answers that can be read again, found or not, are kept by nobody, and are what they say that they are.
#[test]
fn nobody_keeps_an_answer_that_does_not_say_that_it_may_be_kept() {
    let server = serve();
    let reads = ENDPOINTS.iter().filter(|endpoint| endpoint.method == "get");
    let mut paths: Vec<_> = reads.map(|endpoint| endpoint.path.to_owned()).collect();
    // A stream never ends.
    paths.retain(|path| path != "/v1/events");
    paths.extend(["/v1/events?no", "/nothing", "/", "/assets/style.css", "/operator"].map(str::to_owned));
    for method in ["GET", "HEAD"] {
        for path in &paths {
            let sent = format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
                super::super::samples::ADMIN_TOKEN
            );
            let answer = server.exchange(&sent).to_ascii_lowercase();
            let head = answer.split("\r\n\r\n").next().unwrap_or_default();
            let lines = |name: &str| head.lines().filter(|line| line.starts_with(name)).count();
            assert_eq!(lines("cache-control: no-"), 1, "{method} {path}: {head}");
            assert_eq!(lines("cache-control"), 1, "{method} {path}: {head}");
            assert_eq!(
                lines("x-content-type-options: nosniff"),
                1,
                "{method} {path}: {head}"
            );
        }
    }
    server.stop();
}

#[test]
fn a_client_of_http_1_0_gets_a_stream_without_chunks_that_ends_with_its_connection() {
    let server = serve();
    for (version, is_chunked) in [("1.0", false), ("1.1", true)] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let sent = format!("GET /v1/events HTTP/{version}\r\nHost: x\r\n\r\n");
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.contains("\"resumed\":false}\n\n") {
            let mut buffer = [0; 1_024];
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "{answer}");
            answer.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(head.contains("transfer-encoding: chunked"), is_chunked, "{head}");
        // What HTTP/1.0 says nothing of is closed.
        assert!(!head.contains("keep-alive"), "{head}");
        assert_eq!(body.starts_with("retry:"), !is_chunked, "{body}");
    }
    server.stop();
}
