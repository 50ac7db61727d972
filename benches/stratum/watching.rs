//! Those who watch a pool: event streams that are read, and a scrape of the figures a second.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Error;
use crate::client::Client;

/// How every answer of an event stream begins.
const TAKEN: &[u8] = b"HTTP/1.1 200 OK";
/// How often the figures are asked for.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
pub(crate) struct Watching(JoinSet<Result<(), Error>>);

impl Watching {
    /// Opens this many streams of the pool that serves HTTP here, and begins to scrape; nothing at all if there are none.
    pub(crate) async fn begin(http: SocketAddr, streams: usize) -> Result<Self, Error> {
        let mut watchers = JoinSet::new();
        for _ in 0..streams {
            let mut stream = TcpStream::connect(http).await?;
            stream
                .write_all(b"GET /v1/events HTTP/1.1\r\nHost: pool\r\n\r\n")
                .await?;
            let mut buffer = vec![0; 4_096];
            let read = stream.read(&mut buffer).await?;
            if !buffer[..read].starts_with(TAKEN) {
                return Err(format!("an event stream: {}", String::from_utf8_lossy(&buffer[..read])).into());
            }
            watchers.spawn_local(async move {
                while stream.read(&mut buffer).await? > 0 {}
                Err("a pool ended an event stream".into())
            });
        }
        if streams > 0 {
            watchers.spawn_local(async move {
                let mut client = Client::connect(http).await?;
                loop {
                    let answer = client.request("GET", "/metrics", "", b"").await?;
                    if answer.status != 200 {
                        return Err(format!("GET /metrics: {}", answer.status).into());
                    }
                    tokio::time::sleep(SCRAPE_EVERY).await;
                }
            });
        }
        Ok(Self(watchers))
    }

    /// Ends it.
    ///
    /// # Errors
    /// If one of those who watched could not go on.
    pub(crate) fn end(mut self) -> Result<(), Error> {
        match self.0.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?,
        }
    }
}
