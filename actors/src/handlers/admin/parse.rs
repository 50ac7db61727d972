//! A request's actor, message and fields become a typed control message, or a refusal that names the field.

use std::str::FromStr;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::export::PAYOUTS_MAX;
use dwarves_domain::refusal::{Refusal, UnknownControl};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{Amount, BasisPoints};
use serde_json::{Map, Value};

use super::messages::Control;
use crate::exporter::messages::ExporterControl;
use crate::gate::GateControl;
use crate::miner_manager::messages::MinerControl;
use crate::paymaster::messages::PaymasterControl;
use crate::pool_manager::messages::{ControlMessage, PoolControl};
use crate::reward_distributor::messages::DistributorControl;
use crate::work_evaluator::messages::EvaluatorControl;
use crate::work_manager::messages::WorkControl;

/// The longest interval between rounds: a year.
const RUN_INTERVAL_SECS_MAX: u64 = 366 * 24 * 3_600;
/// The longest reason for a ban, in bytes.
const REASON_LEN_MAX: usize = 500;
/// The longest name of a setting, in bytes: that of a worker's difficulty.
const SETTING_LEN_MAX: usize = 250;

/// Every actor that takes control messages, with the messages that it takes.
pub const ACTORS: [(&str, &[&str]); 9] = [
    (
        "pool_manager",
        &["status", "pause", "resume", "drain", "shutdown", "forget_setting"],
    ),
    (
        "miner_manager",
        &[
            "ban",
            "unban",
            "open_registration",
            "close_registration",
            "set_share_difficulty",
            "remove_worker",
            "remove_miner",
        ],
    ),
    ("work_manager", &["refresh"]),
    ("work_evaluator", &["status", "remove_submission"]),
    ("stratum_gate", &["status", "lift"]),
    ("http_gate", &["status", "lift"]),
    (
        "reward_distributor",
        &[
            "set_run_interval",
            "distribute_now",
            "pause",
            "resume",
            "set_fee",
            "set_emission",
            "reset_schedule",
        ],
    ),
    (
        "paymaster",
        &[
            "pause",
            "resume",
            "pay_now",
            "cancel",
            "set_threshold",
            "adopt",
            "release",
        ],
    ),
    (
        "payout_exporter",
        &["status", "export", "mark_paid", "unmark_paid", "give_back"],
    ),
];

/// Understands a control message.
pub(super) fn parse(control: &Control) -> Result<ControlMessage, Refusal> {
    let actor = ACTORS.iter().find(|(actor, _)| *actor == control.actor);
    let Some((_, messages)) = actor else {
        return Err(Refusal::ControlUnknown {
            what: UnknownControl::Actor,
            known: ACTORS.iter().map(|(actor, _)| *actor).collect(),
        });
    };
    let mut fields = Fields {
        left: control.fields.clone(),
    };
    let message = match (control.actor.as_str(), control.message.as_str()) {
        ("pool_manager", "status") => ControlMessage::Pool(PoolControl::Status),
        ("pool_manager", "pause") => ControlMessage::Pool(PoolControl::Pause),
        ("pool_manager", "resume") => ControlMessage::Pool(PoolControl::Resume),
        ("pool_manager", "drain") => ControlMessage::Pool(PoolControl::Drain),
        ("pool_manager", "forget_setting") => {
            ControlMessage::Pool(PoolControl::ForgetSetting(fields.setting()?))
        }
        ("pool_manager", "shutdown") => ControlMessage::Pool(PoolControl::Shutdown),
        ("miner_manager", "ban") => ControlMessage::Miners(MinerControl::Ban {
            hotkey: fields.parsed("hotkey")?,
            reason: fields.reason()?,
            until: fields.instant("until")?,
        }),
        ("miner_manager", "unban") => ControlMessage::Miners(MinerControl::Unban {
            hotkey: fields.parsed("hotkey")?,
        }),
        ("miner_manager", "open_registration") => ControlMessage::Miners(MinerControl::OpenRegistration),
        ("miner_manager", "close_registration") => ControlMessage::Miners(MinerControl::CloseRegistration),
        ("miner_manager", "set_share_difficulty") => {
            ControlMessage::Miners(MinerControl::SetShareDifficulty {
                hotkey: fields.parsed("hotkey")?,
                worker: fields.parsed_optional("worker")?,
                difficulty: fields.difficulty()?,
            })
        }
        ("miner_manager", "remove_worker") => ControlMessage::Miners(MinerControl::RemoveWorker {
            hotkey: fields.parsed("hotkey")?,
            worker: fields.parsed("worker")?,
        }),
        ("miner_manager", "remove_miner") => ControlMessage::Miners(MinerControl::RemoveMiner {
            hotkey: fields.parsed("hotkey")?,
        }),
        ("stratum_gate", "status") => ControlMessage::Gate(GateControl::Status),
        ("stratum_gate", "lift") => ControlMessage::Gate(GateControl::Lift(fields.parsed("address")?)),
        ("http_gate", "status") => ControlMessage::HttpGate(GateControl::Status),
        ("http_gate", "lift") => ControlMessage::HttpGate(GateControl::Lift(fields.parsed("address")?)),
        ("work_manager", "refresh") => ControlMessage::Work(WorkControl::Refresh),
        ("reward_distributor", "set_run_interval") => {
            let secs = fields.number("run_interval_secs", 1, RUN_INTERVAL_SECS_MAX)?;
            ControlMessage::Rewards(DistributorControl::SetRunInterval(Span::from_secs(secs)))
        }
        ("reward_distributor", "distribute_now") => {
            ControlMessage::Rewards(DistributorControl::DistributeNow)
        }
        ("reward_distributor", "reset_schedule") => {
            ControlMessage::Rewards(DistributorControl::ResetSchedule)
        }
        ("reward_distributor", "pause") => ControlMessage::Rewards(DistributorControl::Pause),
        ("reward_distributor", "resume") => ControlMessage::Rewards(DistributorControl::Resume),
        ("reward_distributor", "set_fee") => {
            let points = fields.number("fee_bps", 0, u64::from(BasisPoints::WHOLE))?;
            let fee = u16::try_from(points).ok().and_then(BasisPoints::new);
            let fee = fee.ok_or_else(|| bad("fee_bps", "a whole number from 0 to 10000"))?;
            ControlMessage::Rewards(DistributorControl::SetFee(fee))
        }
        ("reward_distributor", "set_emission") => {
            let sats = fields.number("emission_sats", 1, Amount::MAX.sats())?;
            let emission = Amount::from_sats(sats);
            let emission = emission.ok_or_else(|| bad("emission_sats", "a number of base units"))?;
            ControlMessage::Rewards(DistributorControl::SetEmission(emission))
        }
        ("work_evaluator", "status") => ControlMessage::Evaluator(EvaluatorControl::Status),
        ("work_evaluator", "remove_submission") => {
            ControlMessage::Evaluator(EvaluatorControl::RemoveSubmission(fields.parsed("submission")?))
        }
        ("paymaster", "pause") => ControlMessage::Payouts(PaymasterControl::Pause),
        ("paymaster", "resume") => ControlMessage::Payouts(PaymasterControl::Resume),
        ("paymaster", "pay_now") => ControlMessage::Payouts(PaymasterControl::PayNow {
            dry_run: fields.flag("dry_run")?,
            plan: fields.parsed_optional("plan")?,
        }),
        ("paymaster", "cancel") => {
            let payout = fields.number("payout", 1, Amount::MAX.sats())?;
            ControlMessage::Payouts(PaymasterControl::Cancel(PayoutId::new(payout)))
        }
        ("paymaster", "set_threshold") => {
            let sats = fields.number("threshold_sats", 1, Amount::MAX.sats())?;
            let threshold = Amount::from_sats(sats);
            let threshold = threshold.ok_or_else(|| bad("threshold_sats", "a number of sats"))?;
            ControlMessage::Payouts(PaymasterControl::SetThreshold(threshold))
        }
        ("paymaster", "adopt") => ControlMessage::Payouts(PaymasterControl::Adopt {
            only: fields.parsed_optional("txid")?,
            reserve_bears: fields.flag("reserve_bears")?,
        }),
        ("paymaster", "release") => {
            ControlMessage::Payouts(PaymasterControl::Release(fields.parsed("hold")?))
        }
        ("payout_exporter", "status") => ControlMessage::Exports(ExporterControl::Status),
        ("payout_exporter", "export") => {
            ControlMessage::Exports(ExporterControl::Export(fields.parsed("batch")?))
        }
        ("payout_exporter", "mark_paid") => ControlMessage::Exports(ExporterControl::MarkPaid {
            batch: fields.parsed("batch")?,
            reference: fields.parsed("reference")?,
            payouts: fields.payouts()?,
        }),
        ("payout_exporter", "unmark_paid") => ControlMessage::Exports(ExporterControl::UnmarkPaid {
            batch: fields.parsed("batch")?,
            reference: fields.parsed("reference")?,
            payouts: fields.payouts()?,
        }),
        ("payout_exporter", "give_back") => ControlMessage::Exports(ExporterControl::GiveBack {
            batch: fields.parsed("batch")?,
            payouts: fields.payouts()?,
        }),
        _ => {
            return Err(Refusal::ControlUnknown {
                what: UnknownControl::Message,
                known: messages.to_vec(),
            });
        }
    };
    fields.nothing_left()?;
    Ok(message)
}

fn bad(field: &str, detail: impl Into<String>) -> Refusal {
    Refusal::ControlFieldInvalid {
        field: field.to_owned(),
        detail: detail.into(),
    }
}

/// The fields that were not read yet.
struct Fields {
    left: Map<String, Value>,
}

impl Fields {
    fn text(&mut self, field: &str) -> Result<Option<String>, Refusal> {
        match self.left.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad(field, "expected a string")),
        }
    }

    fn parsed_optional<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        field: &str,
    ) -> Result<Option<T>, Refusal> {
        let text = self.text(field)?;
        text.map(|text| {
            text.parse()
                .map_err(|error: T::Err| bad(field, error.to_string()))
        })
        .transpose()
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, field: &str) -> Result<T, Refusal> {
        self.parsed_optional(field)?
            .ok_or_else(|| bad(field, "is missing"))
    }

    fn setting(&mut self) -> Result<String, Refusal> {
        let setting = self
            .text("setting")?
            .ok_or_else(|| bad("setting", "is missing"))?;
        if setting.is_empty() || setting.len() > SETTING_LEN_MAX {
            return Err(bad(
                "setting",
                format!("expected 1 to {SETTING_LEN_MAX} bytes of text"),
            ));
        }
        Ok(setting)
    }

    fn reason(&mut self) -> Result<String, Refusal> {
        let reason = self.text("reason")?.ok_or_else(|| bad("reason", "is missing"))?;
        if reason.is_empty() || reason.len() > REASON_LEN_MAX {
            return Err(bad(
                "reason",
                format!("expected 1 to {REASON_LEN_MAX} bytes of text"),
            ));
        }
        Ok(reason)
    }

    fn instant(&mut self, field: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        let instant = chrono::DateTime::parse_from_rfc3339(&text);
        let instant =
            instant.map_err(|_| bad(field, "expected an RFC 3339 instant such as 2030-01-31T12:00:00Z"))?;
        Ok(Some(Timestamp::from_millis(instant.timestamp_millis())))
    }

    /// True or false; false if it is not said.
    fn flag(&mut self, field: &str) -> Result<bool, Refusal> {
        match self.left.remove(field) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(bad(field, "expected true or false")),
        }
    }

    fn number(&mut self, field: &str, min: u64, max: u64) -> Result<u64, Refusal> {
        let value = self.left.remove(field).ok_or_else(|| bad(field, "is missing"))?;
        let in_range = value.as_u64().filter(|n| (min..=max).contains(n));
        in_range.ok_or_else(|| bad(field, format!("expected a whole number from {min} to {max}")))
    }

    /// The difficulty to fix; `null` (which must be said) lets vardiff choose.
    fn difficulty(&mut self) -> Result<Option<Difficulty>, Refusal> {
        let field = "difficulty";
        match self.left.remove(field) {
            None => Err(bad(
                field,
                "is missing: a number above zero, or null to let the pool choose",
            )),
            Some(Value::Null) => Ok(None),
            Some(value) => {
                let difficulty = value.as_f64().and_then(Difficulty::from_f64);
                difficulty
                    .map(Some)
                    .ok_or_else(|| bad(field, "expected a number above zero, or null"))
            }
        }
    }

    /// Numbers of a batch's payouts; `None`, if it is not said.
    fn payouts(&mut self) -> Result<Option<Vec<PayoutId>>, Refusal> {
        let field = "payouts";
        let wrong = || {
            bad(
                field,
                format!("expected a list of 1 to {PAYOUTS_MAX} numbers of payouts"),
            )
        };
        let list = match self.left.remove(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) if (1..=PAYOUTS_MAX).contains(&list.len()) => list,
            Some(_) => return Err(wrong()),
        };
        let number = |value: &Value| value.as_u64().filter(|n| (1..=Amount::MAX.sats()).contains(n));
        let ids = list
            .iter()
            .map(|value| number(value).map(PayoutId::new).ok_or_else(wrong));
        ids.collect::<Result<_, _>>().map(Some)
    }

    fn nothing_left(self) -> Result<(), Refusal> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(field) => Err(bad(field, "the message has no such field")),
        }
    }
}
