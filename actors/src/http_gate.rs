//! The HTTP gate: owns which workers are kept out of HTTP for their wrong shares, and until when. The submission handlers
//! tell it who climbed the ladder; it tells all of them who is out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use actix::prelude::*;
use dwarves_domain::miners::{KeptOutRigs, Rig, RigAt};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::SharedClock;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::ask::{Ask, Port, Request, bound_mailbox, tell_every};
use crate::control::Controlled;
use crate::gate::{GateControl, SHOWN_MAX};
use crate::wall_time::rfc3339;

/// Messages that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 1_024;
/// How often it is looked who may come in again.
const LOOK_EVERY: Span = Span::from_secs(1);

/// Lines of the log about single workers, in this many looks.
const LINES_MAX: u32 = 20;
const LINES_PER_LOOKS: u32 = 60;

/// A worker's shares were mostly wrong, window after window.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct PutOutRig(pub RigAt);

/// Reads how the HTTP gate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadHttpGate;

/// How the HTTP gate is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpGateView {
    /// Workers that were put out since the start.
    pub put_out: u64,
    /// Who is kept out now, each until when, by the wall clock.
    pub kept_out: Vec<(RigAt, Timestamp)>,
}

impl Request for ReadHttpGate {
    type Reply = HttpGateView;
}

impl HttpGateView {
    /// As `status` shows it.
    pub fn to_json(&self) -> Value {
        let kept_out = self.kept_out.iter().take(SHOWN_MAX).map(|(rig, until)| {
            let (name, number) = match &rig.rig {
                Rig::Named(name) => (Some(name.as_str()), None),
                Rig::Numbered(number) => (None, Some(number.get())),
                Rig::Unknown => (None, None),
            };
            json!({
                "address": rig.client.to_string(),
                "hotkey": rig.miner.to_string(),
                "worker": name,
                "worker_id": number,
                "why": "most of its shares were wrong, three windows in a row",
                "until": rfc3339(*until),
            })
        });
        json!({
            "put_out": self.put_out,
            "kept_out": kept_out.collect::<Vec<_>>(),
            "kept_out_more": self.kept_out.len().saturating_sub(SHOWN_MAX),
        })
    }
}

/// Tells the pool manager of the HTTP gate, which starts after it.
#[derive(Clone, Debug)]
pub struct AttachHttpGate {
    /// Reads who is kept out of HTTP.
    pub read: Port<ReadHttpGate>,
    /// Takes control messages.
    pub control: Port<GateControl>,
}

impl Request for AttachHttpGate {
    type Reply = ();
}

/// A hint to look who may come in again.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
struct LookAtKeptOut;

/// The actor that owns who is kept out of HTTP.
pub struct HttpGate {
    rigs: KeptOutRigs,
    put_out: u64,
    looks: u32,
    /// Lines that were written, and that were not, since they were counted anew.
    lines: u32,
    unsaid: u32,
    clock: SharedClock,
    tell: watch::Sender<Arc<HashMap<RigAt, Timestamp>>>,
}

impl HttpGate {
    /// A gate that keeps nobody out yet, and whoever is put out for this long. `tell` goes to the handlers.
    pub fn new(
        keep_out: Span,
        clock: SharedClock,
        tell: watch::Sender<Arc<HashMap<RigAt, Timestamp>>>,
    ) -> Self {
        Self {
            rigs: KeptOutRigs::new(keep_out),
            put_out: 0,
            looks: 0,
            lines: 0,
            unsaid: 0,
            clock,
            tell,
        }
    }

    fn tell_kept_out(&self) {
        self.tell.send_replace(Arc::clone(self.rigs.all()));
    }

    fn view(&self) -> HttpGateView {
        let all = self.rigs.all().iter();
        let mut kept_out: Vec<_> = all
            .map(|(rig, until)| (rig.clone(), self.clock.date_of(*until)))
            .collect();
        kept_out.sort();
        HttpGateView {
            put_out: self.put_out,
            kept_out,
        }
    }

    /// A line about a worker, unless there were many: how many there are is up to whoever sends wrong shares.
    fn say(&mut self, level: log::Level, what: &str, whom: &str) {
        if self.lines < LINES_MAX {
            self.lines += 1;
            log::log!(level, "{what}: {whom}");
        } else {
            self.unsaid = self.unsaid.saturating_add(1);
        }
    }

    fn count_lines_anew(&mut self) {
        self.looks += 1;
        if self.looks < LINES_PER_LOOKS {
            return;
        }
        let unsaid = self.unsaid;
        (self.looks, self.lines, self.unsaid) = (0, 0, 0);
        if unsaid > 0 {
            log::warn!("{unsaid} more times a worker was kept out of HTTP, or was no longer");
        }
    }

    fn lift(&mut self, address: IpAddr) -> Controlled {
        let lifted = self.rigs.lift(address);
        if lifted.is_empty() {
            return Err(Refusal::ControlRefused(format!(
                "nobody behind {address} is kept out of HTTP"
            )));
        }
        for rig in &lifted {
            log::warn!("let in over HTTP again by an admin: {}", named(rig));
        }
        self.tell_kept_out();
        Ok(json!({ "lifted": lifted.len() }))
    }
}

/// Who is kept out, for the log.
fn named(rig: &RigAt) -> String {
    let worker = match &rig.rig {
        Rig::Named(name) => format!("worker={name}"),
        Rig::Numbered(number) => format!("worker_id={}", number.get()),
        Rig::Unknown => "jobs of nobody".to_owned(),
    };
    format!("ip={} hotkey={} {worker}", rig.client, rig.miner)
}

impl Actor for HttpGate {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        tell_every(ctx, LOOK_EVERY, LookAtKeptOut);
    }
}

impl Handler<PutOutRig> for HttpGate {
    type Result = ();

    fn handle(&mut self, PutOutRig(rig): PutOutRig, _: &mut Self::Context) {
        let name = named(&rig);
        if self.rigs.put_out(rig, self.clock.now()) {
            self.put_out += 1;
            self.say(
                log::Level::Warn,
                "kept out of HTTP, most of its shares were wrong",
                &name,
            );
        }
        self.tell_kept_out();
    }
}

impl Handler<LookAtKeptOut> for HttpGate {
    type Result = ();

    fn handle(&mut self, _: LookAtKeptOut, _: &mut Self::Context) {
        self.count_lines_anew();
        let over = self.rigs.expire(self.clock.now());
        for rig in &over {
            self.say(log::Level::Info, "kept out of HTTP no longer", &named(rig));
        }
        if !over.is_empty() {
            self.tell_kept_out();
        }
    }
}

impl Handler<Ask<ReadHttpGate>> for HttpGate {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadHttpGate>, _: &mut Self::Context) {
        ask.reply.answer(self.view());
    }
}

impl Handler<Ask<GateControl>> for HttpGate {
    type Result = ();

    fn handle(&mut self, ask: Ask<GateControl>, _: &mut Self::Context) {
        let order = ask.reply.span();
        let _said_of_it = order.enter();
        let outcome = match ask.payload {
            GateControl::Status => Ok(self.view().to_json()),
            GateControl::Lift(address) => self.lift(address),
        };
        ask.reply.answer(outcome);
    }
}

#[cfg(test)]
mod tests {
    use dwarves_domain::hotkey::Hotkey;
    use dwarves_domain::ids::WorkerId;

    use super::*;

    #[test]
    fn status_shows_a_part_of_those_kept_out_and_how_many_there_are_more() {
        let rig = |number: u32| RigAt {
            client: IpAddr::from([192, 0, 2, 1]),
            miner: Hotkey::from_bytes([1; 32]),
            rig: Rig::Numbered(WorkerId::new(number)),
        };
        let mut view = HttpGateView::default();
        for (count, more) in [(0, 0), (SHOWN_MAX, 0), (10_000, 10_000 - SHOWN_MAX)] {
            let number = |n: usize| u32::try_from(n).unwrap();
            view.kept_out = (0..count).map(|n| (rig(number(n)), Timestamp::EPOCH)).collect();
            let shown = view.to_json();
            assert_eq!(shown["kept_out"].as_array().unwrap().len(), count.min(SHOWN_MAX));
            assert_eq!(shown["kept_out_more"], more);
        }
    }
}
