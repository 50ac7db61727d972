//! One stream of events, as the body of an answer.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use super::kept::{Next, Wanted};
use super::streams::{Place, Streams};
use crate::connections::line::Line;
use crate::problem::Problem;

/// A body that goes on until its client goes, falls behind, or the pool stops.
#[derive(Debug)]
pub struct EventStream {
    streams: Rc<Streams>,
    place: Place,
    wanted: Wanted,
    /// What it begins with, until that was read.
    first: VecDeque<Bytes>,
    line: Option<Line>,
}

impl EventStream {
    /// Opens one for this client, who had the event with this id last.
    ///
    /// # Errors
    /// `too_many_streams` if it has, or all have, as many as they may; `stopping`.
    pub fn open(
        streams: &Rc<Streams>,
        client: IpAddr,
        wanted: Wanted,
        last_id: Option<&str>,
    ) -> Result<Self, Problem> {
        let (place, first) = streams.open(client, &wanted, last_id)?;
        Ok(Self {
            streams: Rc::clone(streams),
            place,
            wanted,
            first: first.into(),
            line: None,
        })
    }

    /// Ends when the client of this connection has gone, rather than when that is noticed by writing to it.
    #[must_use]
    pub fn on(mut self, line: Option<Line>) -> Self {
        self.line = line;
        self
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.streams.close(&self.place);
    }
}

impl MessageBody for EventStream {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = &mut *self;
        if this
            .line
            .as_ref()
            .is_some_and(|line| line.poll_gone(cx).is_ready())
        {
            return Poll::Ready(None);
        }
        if let Some(text) = this.first.pop_front() {
            return Poll::Ready(Some(Ok(text)));
        }
        match this.streams.next(&mut this.place, &this.wanted, cx.waker()) {
            Next::Text(text) => Poll::Ready(Some(Ok(text))),
            Next::Nothing => Poll::Pending,
            Next::TooLate => Poll::Ready(None),
        }
    }
}
