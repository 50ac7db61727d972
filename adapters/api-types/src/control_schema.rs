//! What `/openapi.json` says of control messages: each with its own fields, so that a client is told before it asks.

use dwarves_domain::units::{Amount, BasisPoints};
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::control::ControlBody;

mod fields;

use fields::{address, batch, difficulty, flag, hotkey, number, pattern, payouts, reference, text, until};

/// A control message: its actor, its name, what it does, and its fields.
type Message = (&'static str, &'static str, &'static str, &'static [Field]);

/// A field of a control message.
struct Field {
    name: &'static str,
    is_required: bool,
    schema: fn() -> RefOr<Schema>,
}

const fn required(name: &'static str, schema: fn() -> RefOr<Schema>) -> Field {
    Field {
        name,
        is_required: true,
        schema,
    }
}

const fn optional(name: &'static str, schema: fn() -> RefOr<Schema>) -> Field {
    Field {
        name,
        is_required: false,
        schema,
    }
}

/// The longest interval between rounds: a year.
const RUN_INTERVAL_SECS_MAX: u64 = 366 * 24 * 3_600;

/// Every control message. A test compares it with those that the admin handler understands.
const MESSAGES: &[Message] = &[
    ("pool_manager", "status", "How the pool is.", &[]),
    (
        "pool_manager",
        "pause",
        "Gives out no work and takes no shares.",
        &[],
    ),
    ("pool_manager", "resume", "At work again.", &[]),
    (
        "pool_manager",
        "drain",
        "Takes no shares any more, saves everything, and goes on answering questions.",
        &[],
    ),
    ("pool_manager", "shutdown", "Drains, then stops the process.", &[]),
    (
        "pool_manager",
        "forget_setting",
        "Takes back a setting that an admin stored: what is configured holds again.",
        &[required("setting", || {
            text(1, 250, "Its name, such as rewards.fee_bps")
        })],
    ),
    (
        "miner_manager",
        "ban",
        "Bans a miner.",
        &[
            required("hotkey", hotkey),
            required("reason", || {
                text(1, 500, "Why, at most 500 bytes; the miner is told")
            }),
            optional("until", until),
        ],
    ),
    (
        "miner_manager",
        "unban",
        "Lifts a ban.",
        &[required("hotkey", hotkey)],
    ),
    (
        "miner_manager",
        "open_registration",
        "Takes new miners again.",
        &[],
    ),
    ("miner_manager", "close_registration", "Takes no new miners.", &[]),
    (
        "miner_manager",
        "set_share_difficulty",
        "Fixes the share difficulty of a miner, or of one of its workers.",
        &[
            required("hotkey", hotkey),
            optional("worker", || {
                pattern(
                    "^[A-Za-z0-9._-]{1,64}$",
                    "Which worker; all of them if absent",
                    true,
                )
            }),
            required("difficulty", difficulty),
        ],
    ),
    (
        "miner_manager",
        "remove_worker",
        "Takes a worker's name out. What it came to stays its miner's.",
        &[
            required("hotkey", hotkey),
            required("worker", || Ref::from_schema_name("Worker").into()),
        ],
    ),
    (
        "miner_manager",
        "remove_miner",
        "Removes a miner that is owed nothing.",
        &[required("hotkey", hotkey)],
    ),
    ("work_manager", "refresh", "Asks the node for new work now.", &[]),
    ("work_evaluator", "status", "How evaluation goes.", &[]),
    (
        "work_evaluator",
        "remove_submission",
        "Removes a submission with its result, whosever it is.",
        &[required("submission", || {
            pattern("^[0-9a-f]{32}$", "Its submission_id", false)
        })],
    ),
    (
        "stratum_gate",
        "status",
        "Connections over Stratum, and who is kept out.",
        &[],
    ),
    (
        "stratum_gate",
        "lift",
        "Lets an address in again over Stratum.",
        &[required("address", address)],
    ),
    (
        "http_gate",
        "status",
        "Connections over HTTP, and who is kept out.",
        &[],
    ),
    (
        "http_gate",
        "lift",
        "Lets an address in again over HTTP.",
        &[required("address", address)],
    ),
    (
        "reward_distributor",
        "set_run_interval",
        "Changes how often a round closes, counted from the last closing.",
        &[required("run_interval_secs", || {
            number(1, RUN_INTERVAL_SECS_MAX, "How often, in seconds")
        })],
    ),
    ("reward_distributor", "distribute_now", "Closes a round now.", &[]),
    ("reward_distributor", "pause", "Closes no rounds.", &[]),
    (
        "reward_distributor",
        "resume",
        "Closes rounds again, missed ones too.",
        &[],
    ),
    (
        "reward_distributor",
        "set_fee",
        "Changes the fee from the next round on.",
        &[required("fee_bps", || {
            number(0, u64::from(BasisPoints::WHOLE), "In hundredths of a percent")
        })],
    ),
    (
        "reward_distributor",
        "set_emission",
        "Changes what every round emits, from the next round on, where rewards come from emission.",
        &[required("emission_sats", || {
            number(1, Amount::MAX.sats(), "In the unit's smallest part")
        })],
    ),
    (
        "reward_distributor",
        "reset_schedule",
        "Forgets missed rounds: the next one is due one interval from now.",
        &[],
    ),
    (
        "paymaster",
        "pause",
        "Sends nothing new. What was sent is followed, and sent again if it got lost.",
        &[],
    ),
    ("paymaster", "resume", "Plans payouts again.", &[]),
    (
        "paymaster",
        "pay_now",
        "Plans a payout now instead of when the interval is over.",
        &[
            optional("dry_run", || {
                flag("Only tells what would be sent; false if absent")
            }),
            optional("plan", || {
                let description = "Only if this is what would be sent: `plan` of a dry run; absent or null: whatever is due";
                pattern("^[0-9a-f]{64}$", description, true)
            }),
        ],
    ),
    (
        "paymaster",
        "cancel",
        "Gives a payout up that is set aside and not signed: its balances are payable again.",
        &[required("payout", || number(1, Amount::MAX.sats(), "Its number"))],
    ),
    (
        "paymaster",
        "set_threshold",
        "Changes the balance from which miners are paid who chose none.",
        &[required("threshold_sats", || {
            number(1, Amount::MAX.sats(), "The balance")
        })],
    ),
    (
        "paymaster",
        "adopt",
        "Books what the wallet sent and the ledger does not know.",
        &[
            optional("txid", || {
                pattern(
                    "^[0-9a-f]{64}$",
                    "Which transaction; all that pay miners if absent",
                    true,
                )
            }),
            optional("reserve_bears", || {
                flag("Also if what balances do not cover is then the reserve's to bear; false if absent")
            }),
        ],
    ),
    (
        "paymaster",
        "release",
        "Lifts a hold on payouts that operators may lift.",
        &[required("hold", || {
            pattern(
                "^(start|restored|identity|chain|clock)$",
                "Which hold, as GET /v1/admin/state names it",
                false,
            )
        })],
    ),
    (
        "payout_exporter",
        "status",
        "What would be exported now, and the last batches. Where the pool has no wallet.",
        &[],
    ),
    (
        "payout_exporter",
        "export",
        "Begins the batch of this name with all that is payable, or tells of it if it began before.",
        &[required("batch", batch)],
    ),
    (
        "payout_exporter",
        "mark_paid",
        "Marks payouts of a batch paid. The same again changes nothing.",
        &[
            required("batch", batch),
            required("reference", reference),
            optional("payouts", payouts),
        ],
    ),
    (
        "payout_exporter",
        "unmark_paid",
        "Takes marks back: the payouts wait to be sent again.",
        &[
            required("batch", batch),
            required("reference", reference),
            optional("payouts", payouts),
        ],
    ),
    (
        "payout_exporter",
        "give_back",
        "Gives payouts of a batch back to their miners' balances that were never marked paid.",
        &[required("batch", batch), optional("payouts", payouts)],
    ),
];

fn one((actor, name, what, fields): &Message) -> Object {
    let word = |word: &str| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([word]))
    };
    let mut message = ObjectBuilder::new()
        .title(Some(format!("{actor} {name}")))
        .description(Some(*what))
        .property("actor", word(actor))
        .required("actor")
        .property("message", word(name))
        .required("message")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    for field in *fields {
        message = message.property(field.name, (field.schema)());
        if field.is_required {
            message = message.required(field.name);
        }
    }
    message.build()
}

impl PartialSchema for ControlBody {
    fn schema() -> RefOr<Schema> {
        let messages = MESSAGES
            .iter()
            .fold(OneOfBuilder::new(), |all, message| all.item(one(message)));
        messages
            .description(Some(
                "A control message; its own fields stand beside actor and message",
            ))
            .examples([serde_json::json!({
                "actor": "reward_distributor", "message": "set_run_interval", "run_interval_secs": 60
            })])
            .into()
    }
}

impl ToSchema for ControlBody {}
