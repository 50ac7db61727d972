//! A connection's bytes, plain or through TLS. Without buffers of its own for what is plain.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// A miner's connection, with TLS or without.
pub enum Transport {
    /// Bytes go as they are.
    Plain(TcpStream),
    /// The TLS handshake is under way.
    Greeting(Box<Accept<TcpStream>>),
    /// Bytes go through TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// It is closed.
    Closed,
}

impl Transport {
    /// Begins the handshake on a plain connection.
    pub fn begin_tls(&mut self, acceptor: &TlsAcceptor) {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Plain(stream) => Self::Greeting(Box::new(acceptor.accept(stream))),
            other => other,
        };
    }

    /// Waits until bytes can go.
    ///
    /// # Errors
    /// If the handshake fails.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Greeting(accept) = self {
            *self = match std::task::ready!(Pin::new(accept.as_mut()).poll(cx)) {
                Ok(stream) => Self::Tls(Box::new(stream)),
                Err(error) => {
                    *self = Self::Closed;
                    return Poll::Ready(Err(error));
                }
            };
        }
        Poll::Ready(Ok(()))
    }

    /// Reads into `place`; 0 is the end.
    ///
    /// # Errors
    /// As the socket says.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, place: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(place);
        let read = match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut buffer),
            Self::Greeting(_) => return Poll::Pending,
            Self::Closed => Poll::Ready(Ok(())),
        };
        read.map_ok(|()| buffer.filled().len())
    }

    /// Writes the first of `bytes`.
    ///
    /// # Errors
    /// As the socket says.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
            Self::Greeting(_) => Poll::Pending,
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Sees to it that what was written is on its way. Only TLS holds anything back.
    ///
    /// # Errors
    /// As the socket says.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
