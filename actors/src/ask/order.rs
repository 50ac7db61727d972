//! Answers to an admin's order: what is committed for it, and what the log says of it.

use dwarves_ports::store::{Write, Written};
use serde_json::Value;
use tracing::Span;

use super::ReplyTo;
use crate::audit::Order;
use crate::control::Controlled;

impl ReplyTo<Controlled> {
    /// As [`Order::span`], for the order that is answered here.
    pub fn span(&self) -> Span {
        self.order().map_or_else(Span::none, Order::span)
    }

    /// As [`Order::commit`], for the order that is answered here.
    pub(crate) fn commit(&self, writes: Vec<Write>, done: &Value) -> Vec<Write> {
        match self.order() {
            Some(order) => order.commit(writes, done),
            None => writes,
        }
    }

    /// As [`Order::committed`], for the order that is answered here.
    pub(crate) fn committed(&self, written: &[Written]) {
        if let Some(order) = self.order() {
            order.committed(written);
        }
    }
}
