//! The body of a control message, whose fields depend on the message.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A control message: `actor`, `message`, and the message's own fields beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlBody {
    /// The actor that gets it, such as `pool_manager`.
    pub actor: String,
    /// The message's name, such as `pause`.
    pub message: String,
    /// The message's fields; whether they are right is for the admin handler to say.
    pub fields: Map<String, Value>,
}

struct ControlVisitor;

impl<'de> Visitor<'de> for ControlVisitor {
    type Value = ControlBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with actor, message and the message's fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ControlBody, A::Error> {
        let (mut actor, mut message) = (None, None);
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let slot = match key.as_str() {
                "actor" => &mut actor,
                "message" => &mut message,
                _ => {
                    let value = map.next_value_seed(StrictValue)?;
                    insert_once(&mut fields, key, value)?;
                    continue;
                }
            };
            let name: String = map.next_value()?;
            if slot.replace(name).is_some() {
                return Err(duplicate(&key));
            }
        }
        Ok(ControlBody {
            actor: actor.ok_or_else(|| A::Error::missing_field("actor"))?,
            message: message.ok_or_else(|| A::Error::missing_field("message"))?,
            fields,
        })
    }
}

impl<'de> Deserialize<'de> for ControlBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ControlVisitor)
    }
}

fn duplicate<E: Error>(key: &str) -> E {
    E::custom(format_args!("duplicate field `{key}`"))
}

fn insert_once<E: Error>(map: &mut Map<String, Value>, key: String, value: Value) -> Result<(), E> {
    if map.contains_key(&key) {
        return Err(duplicate(&key));
    }
    map.insert(key, value);
    Ok(())
}

/// Reads any JSON value, but refuses keys that are there twice: which one an operator meant is anyone's
/// guess.
struct StrictValue;

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("expected a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Self)?;
            insert_once(&mut values, key, value)?;
        }
        Ok(Value::Object(values))
    }
}

impl PartialSchema for ControlBody {
    fn schema() -> RefOr<Schema> {
        let name = |description: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(description))
        };
        ObjectBuilder::new()
            .property("actor", name("To which actor, such as reward_distributor"))
            .required("actor")
            .property("message", name("Which message, such as set_run_interval"))
            .required("message")
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
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
