use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver as Got, channel};

use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::Timestamp;

use super::*;

/// A receiver that answers every request with this, and tells what it got.
fn receiver(answer: &'static str) -> (SocketAddr, Got<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 8_192];
            let read = stream.read(&mut buffer).unwrap();
            let _hung_up = stream.write_all(answer.as_bytes());
            if tell
                .send(String::from_utf8_lossy(&buffer[..read]).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    (address, got)
}

fn bounds(allow_private: bool) -> Bounds {
    Bounds {
        allow_private,
        refused: Vec::new(),
        ports: Vec::new(),
    }
}

fn message() -> Message {
    Message {
        id: "msg_1_2".to_owned(),
        kind: NoticeKind::Test,
        at: Timestamp::from_secs(5),
        told_at: Timestamp::from_secs(6),
        text: "it works".to_owned(),
        detail: "{}".to_owned(),
    }
}

fn webhook(url: &str) -> Receiver {
    Receiver::Webhook {
        url: url.parse().unwrap(),
        secret: [7; 32],
    }
}

#[test]
fn a_message_arrives_and_a_redirection_is_not_followed() {
    actix_rt::System::new().block_on(arrives());
}

async fn arrives() {
    let (address, got) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let strangers = Strangers::start(2, &bounds(true), true, None).unwrap();
    let told = strangers.deliver(webhook(&format!("http://{address}/hook")), message());
    assert_eq!(told.await, Ok(()));
    let request = got.recv().unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n") && request.contains("webhook-signature: v1,"));
    let (elsewhere, not_asked) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let answer = format!("HTTP/1.1 307 Go\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = receiver(answer.leak());
    let told = strangers.deliver(webhook(&format!("http://{address}/hook")), message());
    assert_eq!(
        told.await,
        Err(CourierError::Failed("it answered 307".to_owned()))
    );
    assert!(not_asked.try_recv().is_err());
}

#[test]
fn what_is_not_public_is_not_connected_to_however_it_is_written() {
    actix_rt::System::new().block_on(is_not_connected_to());
}

async fn is_not_connected_to() {
    let (address, got) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let port = address.port();
    let strangers = Strangers::start(1, &bounds(false), true, None).unwrap();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
    ] {
        let told = strangers
            .deliver(webhook(&format!("http://{host}:{port}/")), message())
            .await;
        match told {
            // A resolver need not know every way of writing it.
            Err(CourierError::Failed(why)) => assert_eq!(why, "its name leads nowhere", "{host}"),
            told => assert_eq!(
                told,
                Err(CourierError::Unwanted(crate::guard::NotPublic.to_string())),
                "{host}"
            ),
        }
    }
    assert!(got.try_recv().is_err(), "nobody connected");
}

#[test]
fn without_encryption_nothing_goes_and_mail_needs_a_server() {
    actix_rt::System::new().block_on(nothing_goes());
}

async fn nothing_goes() {
    let (address, got) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let strangers = Strangers::start(1, &bounds(true), false, None).unwrap();
    let told = strangers.deliver(webhook(&format!("http://{address}/")), message());
    assert!(matches!(told.await, Err(CourierError::Failed(_))));
    assert!(got.try_recv().is_err());
    let mail = Receiver::Mail {
        address: "me@example.org".parse().unwrap(),
    };
    let told = strangers.deliver(mail, message());
    assert!(matches!(told.await, Err(CourierError::Unwanted(_))));
}
