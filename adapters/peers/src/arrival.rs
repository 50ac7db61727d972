//! How a connection of a proxy begins that may send a PROXY header, or leave it to its requests to say whom they are from.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::proxy::{HeaderReader, Said};

/// Bytes of a header that are read at once at most.
const PART: usize = 256;

/// How a connection began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who it is from.
    pub client: SocketAddr,
    /// What was read that is no header's.
    pub begin: Vec<u8>,
    /// Whether a front of this pool passed it on.
    pub is_passed_on: bool,
}

impl Arrival {
    /// Of somebody who needs no header, of which nothing was read.
    pub fn of(client: SocketAddr) -> Self {
        Self {
            client,
            begin: Vec::new(),
            is_passed_on: false,
        }
    }
}

/// Reads the PROXY header, if the proxy `peer` begins with one.
///
/// # Errors
/// If the connection is lost, or what was meant as a header is none. It waits for as long as its caller does.
pub async fn client_of(io: &TcpStream, peer: SocketAddr) -> io::Result<Arrival> {
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
            Ok(Some(Said::Client(client))) => {
                return Ok(Arrival {
                    is_passed_on: reader.is_passed_on(),
                    ..Arrival::of(client)
                });
            }
            // The proxy speaks for itself.
            Ok(Some(Said::Nothing)) => return Ok(Arrival::of(peer)),
            Err(_) if HeaderReader::may_begin(&all) => return Err(io::ErrorKind::InvalidData.into()),
            // Its requests say whom they are from.
            Err(_) => {
                return Ok(Arrival {
                    begin: all,
                    ..Arrival::of(peer)
                });
            }
        }
    }
}
