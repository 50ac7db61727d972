//! The PROXY header and the TLS handshake, before the first line.

use std::task::{Context as Wake, Poll, ready};
use std::time::Duration;

use dwarves_actors::ask::AskError;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::{End, StratumSession};
use crate::connection_limiter::{AddressSeat, NoSeat};
use crate::messages::Admit;
use crate::settings::Listener;
use crate::transport::Transport;
use dwarves_peers::proxy::{HeaderReader, Said};

/// How long a line may be silent before the system asks whether the other end is there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How often it asks.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
/// Bytes of a PROXY header that are read at once at most.
const HEADER_PART: usize = 256;

/// How far a connection has come before its first line.
pub(super) enum Opening {
    /// A trusted proxy has to say for whom it speaks.
    Proxy(Box<HeaderReader>),
    /// The gate is asked for that address's place.
    Admission(oneshot::Receiver<Result<AddressSeat, NoSeat>>),
    /// TLS is agreed on.
    Greeting,
    /// Lines may come.
    Open,
}

impl Opening {
    pub(super) fn proxy() -> Self {
        Self::Proxy(Box::default())
    }
}

/// Answers are small and must not wait for more; a line that broke must be noticed.
pub(super) fn set_options(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// What comes first once the address is known.
pub(super) fn begin(transport: &mut Transport, listener: &Listener) -> Opening {
    match &listener.tls {
        Some(acceptor) => {
            transport.begin_tls(acceptor);
            Opening::Greeting
        }
        None => Opening::Open,
    }
}

impl StratumSession {
    pub(super) fn poll_opening(&mut self, wake: &mut Wake<'_>) -> Poll<Result<(), End>> {
        loop {
            match &mut self.opening {
                Opening::Open => return Poll::Ready(Ok(())),
                Opening::Greeting => {
                    if ready!(self.transport.poll_ready(wake)).is_err() {
                        return Poll::Ready(Err(End::Foreign));
                    }
                    self.opening = Opening::Open;
                }
                Opening::Proxy(header) => {
                    let mut part = [0; HEADER_PART];
                    let wanted = header.wanted().min(HEADER_PART);
                    let read = match ready!(self.transport.poll_read(wake, &mut part[..wanted])) {
                        Ok(n) if n > 0 => n,
                        _ => return Poll::Ready(Err(End::Gone)),
                    };
                    match header.take(&part[..read]) {
                        Ok(None) => {}
                        Ok(Some(said)) => {
                            if let Err(end) = self.admit(said) {
                                return Poll::Ready(Err(end));
                            }
                        }
                        Err(_) => return Poll::Ready(Err(End::Foreign)),
                    }
                }
                Opening::Admission(answer) => match ready!(std::pin::Pin::new(answer).poll(wake)) {
                    Ok(Ok(seat)) => {
                        self.address_seat = Some(seat);
                        let thread = std::rc::Rc::clone(&self.thread);
                        self.opening = begin(&mut self.transport, &thread.listeners[self.listener]);
                    }
                    Ok(Err(_)) | Err(_) => return Poll::Ready(Err(End::NoSeat)),
                },
            }
        }
    }

    fn admit(&mut self, said: Said) -> Result<(), End> {
        if let Said::Client(client) = said {
            self.ip = client.ip();
            self.span_has_client(client);
        }
        let answer: Result<_, AskError> = self.thread.peers.admit.post(Admit(self.ip));
        self.opening = Opening::Admission(answer.map_err(|_| End::NoSeat)?);
        Ok(())
    }
}
