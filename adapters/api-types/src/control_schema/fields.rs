//! What the fields of control messages may be.

use dwarves_domain::payouts::export::PAYOUTS_MAX;
use dwarves_domain::units::Amount;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};

fn or_null(kind: Type, is_nullable: bool) -> SchemaType {
    if is_nullable {
        SchemaType::from_iter([kind, Type::Null])
    } else {
        SchemaType::new(kind)
    }
}

pub(super) fn text(min: usize, max: usize, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(min))
        .max_length(Some(max))
        .description(Some(description))
        .into()
}

pub(super) fn pattern(pattern: &str, description: &str, is_nullable: bool) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(or_null(Type::String, is_nullable))
        .pattern(Some(pattern))
        .description(Some(description))
        .into()
}

pub(super) fn hotkey() -> RefOr<Schema> {
    pattern("^[1-9A-HJ-NP-Za-km-z]{46,50}$", "The miner, in SS58", false)
}

pub(super) fn until() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(or_null(Type::String, true))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("Until when; until it is lifted if absent"))
        .into()
}

pub(super) fn difficulty() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(or_null(Type::Number, true))
        .exclusive_minimum(Some(0))
        .description(Some(
            "The difficulty; null, which must be said, lets the pool choose",
        ))
        .into()
}

pub(super) fn address() -> RefOr<Schema> {
    let version = |format: KnownFormat| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(format)))
    };
    OneOfBuilder::new()
        .item(version(KnownFormat::Ipv4))
        .item(version(KnownFormat::Ipv6))
        .description(Some("The address"))
        .into()
}

pub(super) fn number(min: u64, max: u64, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(min))
        .maximum(Some(max))
        .description(Some(description))
        .into()
}

pub(super) fn batch() -> RefOr<Schema> {
    pattern("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", "The batch's name", false)
}

pub(super) fn reference() -> RefOr<Schema> {
    let description = "By what the payment is found on its chain, such as a transaction's hash";
    pattern("^[!#-&(-\\[\\]-~]{1,128}$", description, false)
}

pub(super) fn payouts() -> RefOr<Schema> {
    ArrayBuilder::new()
        .schema_type(or_null(Type::Array, true))
        .items(number(1, Amount::MAX.sats(), "A payout's number"))
        .min_items(Some(1))
        .max_items(Some(PAYOUTS_MAX))
        .description(Some(
            "Which payouts of the batch, by their numbers; all of them if absent",
        ))
        .into()
}

pub(super) fn flag(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(or_null(Type::Boolean, true))
        .description(Some(description))
        .into()
}
