//! What comes before a connection's first request: the PROXY header of a proxy that the operator trusts, and a place.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_http::Protocol;
use actix_http::error::DispatchError;
use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use tokio::net::TcpStream;

use super::Connections;
use super::stream::ClientStream;
use crate::problem::{Code, Problem, Refusing};

use dwarves_peers::arrival;

/// Takes a connection in: what the HTTP server needs of it.
///
/// # Errors
/// If it is lost, or there is no place for it; then it has been answered.
pub async fn open(
    io: TcpStream,
    connections: Rc<Connections>,
    deadline: Duration,
    refusing: Refusing,
) -> Result<(ClientStream, Protocol, Option<SocketAddr>), DispatchError> {
    // Answers are small and must not wait for more.
    io.set_nodelay(true)?;
    let peer = io.peer_addr()?;
    let (client, before) = if connections.is_proxy(peer.ip()) {
        let read = tokio::time::timeout(deadline, arrival::client_of(&io, peer)).await;
        read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??
    } else {
        (peer, Vec::new())
    };
    let Some(connection) = connections.admit(client.ip()) else {
        log::debug!("{client} is not let in: all places are taken");
        refuse(&io, refusing);
        return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
    };
    let stream = ClientStream::new(io, before, connections, connection);
    Ok((stream, Protocol::Http1, Some(client)))
}

/// Says why, as well as it goes at once: nobody is waited for here.
fn refuse(io: &TcpStream, refusing: Refusing) {
    let response = refusing(&Problem::new(
        Code::Busy,
        "there are as many connections as there may be; try again",
    ));
    if let Err(error) = io.try_write(&in_bytes(response)) {
        log::debug!("and cannot be told: {error}");
    }
}

/// A whole answer, after which the connection is closed.
pub fn in_bytes(response: HttpResponse) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {}\r\nconnection: close\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        answer.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    // Refusals are all there, whole.
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    answer.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(&body);
    answer
}
