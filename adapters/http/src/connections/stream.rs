//! A connection's bytes, as the HTTP server gets them: one request at a time.
//!
//! The server decodes every request that it has read before it looks what became of those before, and a decoded request
//! takes some kilobytes. A client that sends thousands of small ones at once and reads no answers would so take tens of
//! megabytes. It also takes a body that is not all there yet for that of whichever request it answers next, and closes the
//! connection (actix-http 3.20). Therefore it gets a request's head and body, and the next one when that is answered;
//! while an answer waits for the client to read, nothing. Where a head says in no plain way how long its body is, the
//! bytes of that connection come a little at a time instead.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::head::{BodyLength, HeadReader};
use super::{BODY_OF_UNKNOWN_LENGTH, Connection, Connections};

/// Bytes that are read before the server has looked at them: most requests are smaller, and some dozens fit at most.
const TURN: usize = 2_048;
/// The same of a body whose length is known.
const BODY_TURN: usize = 16_384;

/// A connection with its place.
pub struct ClientStream {
    io: TcpStream,
    /// What was read and is not yet the server's to have.
    ahead: Vec<u8>,
    head: HeadReader,
    connections: Rc<Connections>,
    connection: Rc<Connection>,
    read_this_turn: usize,
    /// The last answer did not go out whole.
    is_held: bool,
}

impl ClientStream {
    pub(super) fn new(
        io: TcpStream,
        ahead: Vec<u8>,
        connections: Rc<Connections>,
        connection: Rc<Connection>,
    ) -> Self {
        Self {
            io,
            ahead,
            head: HeadReader::default(),
            connections,
            connection,
            read_this_turn: 0,
            is_held: false,
        }
    }

    /// What the connection is doing.
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Bytes that the server may have now; 0: it is not the time to read.
    fn allowance(&self) -> usize {
        if self.is_held {
            return 0;
        }
        let is_between = !self.connection.is_busy.get() && !self.connection.is_awaited.get();
        match self.connection.body_left.get() {
            // Nobody knows how long it is: it is read as carefully as requests are.
            BODY_OF_UNKNOWN_LENGTH => TURN,
            0 if is_between => TURN,
            left => usize::try_from(left).unwrap_or(BODY_TURN).min(BODY_TURN),
        }
    }

    /// How many of these bytes, which come next, are the server's to have now. What they begin or end is noted.
    fn give(&mut self, bytes: &[u8]) -> usize {
        let connection = &self.connection;
        self.read_this_turn += bytes.len();
        if connection.body_left.get() > 0 {
            connection.on_read(bytes.len());
            return bytes.len();
        }
        if connection.is_unframed.get() {
            return bytes.len();
        }
        let Some((end, body)) = self.head.take(bytes) else {
            return bytes.len();
        };
        match body {
            BodyLength::Known(length) => {
                connection.is_awaited.set(true);
                connection.body_left.set(length);
                // A body that came with its head is the server's in the same turn.
                self.read_this_turn = 0;
                end
            }
            BodyLength::Unknown => {
                connection.is_unframed.set(true);
                bytes.len()
            }
        }
    }

    fn sleep(&self, cx: &Context<'_>) {
        *self.connection.waker.borrow_mut() = Some(cx.waker().clone());
    }

    /// Waits until reading is allowed again. Meanwhile it is noticed if the client is gone.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sleep(cx);
        self.connection.has_more.set(!self.ahead.is_empty());
        if !self.ahead.is_empty() {
            return Poll::Pending;
        }
        let mut place = [0; 1];
        let peeked = ready!(self.io.poll_peek(cx, &mut ReadBuf::new(&mut place)));
        if !matches!(peeked, Ok(1..)) {
            self.connection.note_gone();
        }
        match peeked {
            Ok(0) => Poll::Ready(Ok(())),
            // There is more to read, and so nothing to learn before that was read.
            Ok(_) => {
                self.connection.has_more.set(true);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.is_closing.get() {
            // As if the client had closed it.
            return Poll::Ready(Ok(()));
        }
        let allowed = self.allowance();
        if allowed == 0 {
            self.read_this_turn = 0;
            return self.poll_gone(cx);
        }
        let left = allowed
            .saturating_sub(self.read_this_turn)
            .min(buffer.remaining());
        if left == 0 {
            // The server looks at what it has, and comes again.
            self.read_this_turn = 0;
            self.sleep(cx);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.ahead.is_empty() {
            let mut ahead = std::mem::take(&mut self.ahead);
            let next = &ahead[..left.min(ahead.len())];
            let given = self.give(next);
            buffer.put_slice(&next[..given]);
            ahead.drain(..given);
            self.ahead = ahead;
            return Poll::Ready(Ok(()));
        }
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(left));
        match Pin::new(&mut self.io).poll_read(cx, &mut part) {
            Poll::Pending => {
                self.read_this_turn = 0;
                self.sleep(cx);
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                self.connection.note_gone();
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(())) => {
                if part.filled().is_empty() {
                    self.connection.note_gone();
                }
                let given = self.give(part.filled());
                self.ahead.extend_from_slice(&part.filled()[given..]);
                buffer.advance(given);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.connection.is_closing.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        if written.is_pending() {
            self.is_held = true;
            self.sleep(cx);
            let unread = &self.connection.unread_since;
            unread.set(unread.get().or(Some(self.connections.looks.get())));
        } else {
            self.connection.unread_since.set(None);
            if std::mem::take(&mut self.is_held) {
                // The server looked for requests before it wrote.
                cx.waker().wake_by_ref();
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        self.connections.leave(&self.connection);
    }
}
