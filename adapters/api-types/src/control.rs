//! The body of a control message, whose fields depend on the message.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::scalars::Instant;

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

/// The body with which an operator logs in.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LogInBody {
    /// The admin token.
    pub token: String,
}

impl fmt::Debug for LogInBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogInBody(..)")
    }
}

/// Whether an operator is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OperatorState {
    /// Whether the request came with the cookie of a session.
    pub logged_in: bool,
    /// For the header `X-CSRF-Token` of every change that comes with the cookie.
    pub csrf: Option<String>,
    /// When the session ends.
    pub expires_at: Option<Instant>,
    /// Only there after a logging out that holds but is not stored yet, since the ledger cannot write: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<bool>,
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

impl Serialize for ControlBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 + self.fields.len()))?;
        map.serialize_entry("actor", &self.actor)?;
        map.serialize_entry("message", &self.message)?;
        for (key, value) in &self.fields {
            map.serialize_entry(key, value)?;
        }
        map.end()
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
