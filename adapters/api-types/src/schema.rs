//! What `/openapi.json` says of the types that are not written as serde derives them.

use std::borrow::Cow;

use dwarves_domain::payouts::{PayoutState, WhyHeld};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::share::Rejection;
use dwarves_ports::store::{BlockState, CreditKind};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::code::Code;
use crate::named::{Listed, Named};
use crate::scalars::{Hash, Instant, Reason, Word, Worker};

/// A list of words with a name of its own in the document.
trait Described: Listed {
    const NAME: &'static str;
    const DESCRIPTION: &'static str;
}

macro_rules! described {
    ($($type:ty, $name:literal, $description:literal;)+) => {
        $(impl Described for $type {
            const NAME: &'static str = $name;
            const DESCRIPTION: &'static str = $description;
        })+
    };
}

described! {
    BlockState, "BlockState", "What became of a found block.";
    CreditKind, "CreditKind", "Why a miner's credits changed.";
    Scheme, "Scheme", "How the pool splits rewards.";
    Source, "Source", "Where a round's reward comes from.";
}

/// One of these words.
fn words<T: Listed>(words: impl IntoIterator<Item = T>, description: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.into_iter().map(T::name)))
        .description(Some(description))
        .into()
}

impl<T: Described> PartialSchema for Named<T> {
    fn schema() -> RefOr<Schema> {
        words(T::ALL.iter().copied(), T::DESCRIPTION).into()
    }
}

impl<T: Described> ToSchema for Named<T> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }
}

/// Why a balance that is due waits.
pub(crate) fn why_held() -> Schema {
    let due = WhyHeld::ALL
        .into_iter()
        .filter(|why| *why != WhyHeld::BelowThreshold);
    words(due, "Why the balance waits")
}

pub(crate) fn payout_state() -> Schema {
    words(PayoutState::ALL, "Where the payout is on its way")
}

/// The schema of a text that matches `pattern`.
fn text_schema(pattern: &str, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some(description))
        .into()
}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 in UTC with milliseconds"))
            .examples(["2026-11-22T14:10:57.000Z"])
            .into()
    }
}

impl ToSchema for Instant {}

impl PartialSchema for Hash {
    fn schema() -> RefOr<Schema> {
        text_schema(
            "^[0-9a-f]{64}$",
            "A header's hash, big-endian as explorers write it",
        )
    }
}

impl ToSchema for Hash {}

impl PartialSchema for Reason {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Why a share does not count"))
            .enum_values(Some(Rejection::REASONS))
            .into()
    }
}

impl ToSchema for Reason {}

impl PartialSchema for Word {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(0u32))
                    .maximum(Some(u32::MAX)),
            )
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^[0-9a-fA-F]{8}$")),
            )
            .description(Some(
                "A 32-bit number written without fraction and exponent (1.0 and 1e0 are refused), or its 8 hex digits \
                 as Stratum writes them",
            ))
            .into()
    }
}

impl ToSchema for Word {}

impl PartialSchema for Worker {
    fn schema() -> RefOr<Schema> {
        text_schema("^[A-Za-z0-9._-]{1,64}$", "A worker's name")
    }
}

impl ToSchema for Worker {}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(None::<SchemaFormat>)
            .description(Some("Why the request is refused: stable, for programs."))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for Code {}
