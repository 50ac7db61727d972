//! The generator's end of a connection.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use crate::Error;
use crate::client::send_all;
use crate::work::Work;

/// Bytes of one read.
const READ_LEN: usize = 16_384;

/// A connection that is spoken through in lines.
pub(crate) struct Line {
    stream: TcpStream,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
}

impl Line {
    /// Opens the connection; it speaks plain TCP without delay.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Error> {
        Self::of(TcpStream::connect(address).await?)
    }

    /// The same from this address.
    pub(crate) async fn connect_from(from: Ipv4Addr, address: SocketAddr) -> Result<Self, Error> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        Self::of(socket.connect(address).await?)
    }

    fn of(stream: TcpStream) -> Result<Self, Error> {
        stream.set_nodelay(true)?;
        let rest = Vec::new();
        Ok(Self { stream, rest })
    }

    /// Writes all of `bytes`.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        send_all(&self.stream, bytes).await
    }

    /// Waits for something to come and gives every whole line of it to `each`.
    pub(crate) async fn receive(
        &mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.stream.readable().await?;
        self.take(&mut each)
    }

    /// No `async` function, so that the place to read into is not part of every connection.
    fn take(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut place = [0; READ_LEN];
        let read = match self.stream.try_read(&mut place) {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(read) => &place[..read],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let joined;
        let mut bytes = if self.rest.is_empty() {
            read
        } else {
            self.rest.extend_from_slice(read);
            joined = std::mem::take(&mut self.rest);
            &joined
        };
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            each(&bytes[..end])?;
            bytes = &bytes[end + 1..];
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// A miner that subscribed and authorized, with its work.
pub(crate) struct Session {
    /// Its connection.
    pub(crate) line: Line,
    /// Its user name.
    pub(crate) user: String,
    /// The work that it was told last.
    pub(crate) work: Work,
}

impl Session {
    /// Connects, subscribes, authorizes and waits for work, as miners do.
    pub(crate) async fn open(address: SocketAddr, user: String) -> Result<Self, Error> {
        Self::begin(Line::connect(address).await?, user).await
    }

    /// The same on a connection that is open.
    pub(crate) async fn begin(mut line: Line, user: String) -> Result<Self, Error> {
        let subscribe = json!({ "id": 1, "method": "mining.subscribe", "params": ["load/1.0"] });
        let authorize = json!({ "id": 2, "method": "mining.authorize", "params": [user, "x"] });
        line.send(format!("{subscribe}\n{authorize}\n").as_bytes())
            .await?;
        let (mut extranonce1, mut difficulty, mut notify) = (None, None, None);
        while notify.is_none() {
            line.receive(|text| {
                let message: Value = serde_json::from_slice(text)?;
                match message["method"].as_str() {
                    Some("mining.set_difficulty") => difficulty = message["params"][0].as_f64(),
                    Some("mining.notify") => notify = Some(message["params"].clone()),
                    _ if !message["error"].is_null() => return Err(format!("refused: {message}").into()),
                    _ if message["id"] == 1 => extranonce1 = message["result"][1].as_str().map(str::to_owned),
                    _ => {}
                }
                Ok(())
            })
            .await?;
        }
        let notify = notify.ok_or("work without a notify")?;
        let extranonce1 = extranonce1.ok_or("work before an extranonce")?;
        let work = Work::read(
            &notify,
            &extranonce1,
            difficulty.ok_or("work before a difficulty")?,
        )?;
        Ok(Self { line, user, work })
    }
}
