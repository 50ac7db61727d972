//! The least HTTP/1.1 client that will do: one kept connection, one request at a time, bodies with a length.
//!
//! Buffers are kept from request to request, so that the generator's own cost is little more than the two
//! system calls.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::Error;

/// Bytes of room that a read is offered at the least.
const READ_MIN: usize = 16 * 1024;
/// No answer of the pool is longer; what is, is a mistake.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// One kept connection.
pub(crate) struct Client {
    stream: TcpStream,
    address: SocketAddr,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

/// A server's answer, in the connection's buffer until the next request.
pub(crate) struct Answer<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a str,
}

/// Where an answer's head ends and its body ends, once the head is there.
#[derive(Clone, Copy)]
struct Extent {
    status: u16,
    body_start: usize,
    body_end: usize,
}

impl Client {
    /// Opens the connection; it speaks plain TCP without delay.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            address,
            out: Vec::new(),
            buffer: vec![0; READ_MIN],
        })
    }

    /// Sends a request and waits for its answer. `headers` are whole lines, each with its line end.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<Answer<'_>, Error> {
        use std::io::Write;
        self.out.clear();
        write!(
            self.out,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        )?;
        self.out.extend_from_slice(body);
        send_all(&self.stream, &self.out).await?;
        let extent = self.receive().await?;
        let body = std::str::from_utf8(&self.buffer[extent.body_start..extent.body_end])?;
        Ok(Answer {
            status: extent.status,
            body,
        })
    }

    async fn receive(&mut self) -> Result<Extent, Error> {
        let mut filled = 0;
        let mut extent: Option<Extent> = None;
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut self.buffer[filled..]) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            if extent.is_none() {
                extent = read_head(&self.buffer[..filled])?;
            }
            if let Some(extent) = extent {
                if filled == extent.body_end {
                    return Ok(extent);
                }
                if filled > extent.body_end {
                    return Err("the server sent more than one answer".into());
                }
            }
            let wanted = extent.map_or(filled + READ_MIN, |extent| extent.body_end);
            if wanted > ANSWER_MAX {
                return Err(format!("an answer of {wanted} bytes").into());
            }
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
        }
    }
}

/// Writes all of `bytes`.
pub(crate) async fn send_all(stream: &TcpStream, bytes: &[u8]) -> Result<(), Error> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads status and length, if the whole head is there.
fn read_head(bytes: &[u8]) -> Result<Option<Extent>, Error> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| format!("no status line: {head}"))?;
    let length: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(|| format!("an answer without a length: {head}"))?;
    let body_start = end + 4;
    Ok(Some(Extent {
        status,
        body_start,
        body_end: body_start + length,
    }))
}
