//! A node of a few lines that answers as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

/// A call as the scripted node sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) params: Value,
    /// The path of the request, such as `/wallet/pool`.
    pub(crate) path: String,
    /// The `Authorization` header; empty if there is none.
    pub(crate) authorization: String,
}

/// What the scripted node does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// This result, as JSON text, so that its numbers are sent as they are written.
    Result(String),
    /// An error as nodes tell them: status 500, JSON body.
    Error(i64, &'static str),
    /// This status and body, as they are.
    Raw(u16, &'static str),
    /// Closes the connection without an answer.
    HangUp,
    /// Waits this long before closing the connection without an answer.
    Stall(Duration),
}

impl Act {
    /// A result that is written without losing digits.
    pub(crate) fn result(value: &Value) -> Self {
        Self::Result(value.to_string())
    }
}

type Script = Arc<dyn Fn(&Seen) -> Act + Send + Sync>;

/// Serves `script` on a free port for the rest of the test process; the address is returned.
pub(crate) fn serve(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let script: Script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let script = Arc::clone(&script);
            std::thread::spawn(move || converse(stream.unwrap(), &script));
        }
    });
    url
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn converse(stream: TcpStream, script: &Script) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let (mut length, mut authorization) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "authorization" => authorization = value.to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut call: Value = serde_json::from_slice(&body).ok()?;
        let seen = Seen {
            method: call["method"].as_str()?.to_owned(),
            params: call["params"].take(),
            path,
            authorization,
        };
        let (status, body) = match script(&seen) {
            Act::Result(result) => (
                200,
                format!(r#"{{"result":{result},"error":null,"id":"dwarves"}}"#),
            ),
            Act::Error(code, message) => {
                let error = json!({"code": code, "message": message});
                (
                    500,
                    json!({"result": null, "error": error, "id": "dwarves"}).to_string(),
                )
            }
            Act::Raw(status, body) => (status, body.to_owned()),
            Act::HangUp => return None,
            Act::Stall(wait) => {
                std::thread::sleep(wait);
                return None;
            }
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .ok()?;
    }
}
