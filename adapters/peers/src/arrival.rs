//! How a connection of a proxy begins that may send a PROXY header, or leave it to its requests to say whom they are from.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::proxy::{HeaderReader, Said};

/// Bytes of a header that are read at once at most.
const PART: usize = 256;

/// Reads the PROXY header, if the proxy `peer` begins with one. Gives the client, and what was read that is no header's.
///
/// # Errors
/// If the connection is lost, or what was meant as a header is none. It waits for as long as its caller does.
pub async fn client_of(io: &TcpStream, peer: SocketAddr) -> io::Result<(SocketAddr, Vec<u8>)> {
    let mut reader = HeaderReader::default();
    let mut all = Vec::new();
    loop {
        let mut part = [0; PART];
        let wanted = reader.wanted().min(PART);
        io.readable().await?;
        let read = match io.try_read(&mut part[..wanted]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        all.extend_from_slice(&part[..read]);
        match reader.take(&part[..read]) {
            Ok(None) => {}
            Ok(Some(Said::Client(client))) => return Ok((client, Vec::new())),
            // The proxy speaks for itself.
            Ok(Some(Said::Nothing)) => return Ok((peer, Vec::new())),
            Err(_) if HeaderReader::may_begin(&all) => return Err(io::ErrorKind::InvalidData.into()),
            // Its requests say whom they are from.
            Err(_) => return Ok((peer, all)),
        }
    }
}
