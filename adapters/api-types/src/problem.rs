//! A refusal as the client sees it (RFC 9457).

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

#[cfg(feature = "schema")]
use crate::code::Code;

/// A refusal as the client sees it (RFC 9457). As that has it, a reader leaves alone what is missing or of another
/// type, because a server in between writes problems of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = Problem, description = "A refusal as the client sees it (RFC 9457)."))]
pub struct ProblemBody {
    /// `urn:dwarves:problem:` and the code.
    #[serde(rename = "type", default, deserialize_with = "if_right")]
    #[cfg_attr(feature = "schema", schema(required))]
    pub kind: String,
    /// A short sentence for people, the same for every problem with this code.
    #[serde(default, deserialize_with = "if_right")]
    #[cfg_attr(feature = "schema", schema(required, value_type = String))]
    pub title: Cow<'static, str>,
    /// The HTTP status.
    #[serde(default, deserialize_with = "if_right")]
    #[cfg_attr(feature = "schema", schema(required))]
    pub status: u16,
    /// What is wrong with this very request, and what would be right.
    #[serde(default, deserialize_with = "if_right")]
    #[cfg_attr(feature = "schema", schema(required))]
    pub detail: String,
    /// Why, for programs.
    #[serde(default, deserialize_with = "if_right")]
    #[cfg_attr(feature = "schema", schema(required, value_type = Code))]
    pub code: Cow<'static, str>,
    /// The header, query parameter or body field that is wrong, by its path: `shares[3].nonce`.
    #[serde(
        default,
        deserialize_with = "if_right",
        skip_serializing_if = "Option::is_none"
    )]
    pub field: Option<String>,
    /// What hinders the pool (with `not_ready` only).
    #[serde(default, deserialize_with = "if_right", skip_serializing_if = "Vec::is_empty")]
    pub hindrances: Vec<String>,
}

/// The value, or nothing if it is of another type.
fn if_right<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_of_another_type_is_left_alone() {
        let read = |text: &str| serde_json::from_str::<ProblemBody>(text).unwrap();
        assert_eq!(read("{}"), ProblemBody::default());
        let foreign = read(r#"{"status":"503","code":7,"title":"Busy","hindrances":null,"trace":[]}"#);
        let expected = ProblemBody {
            title: "Busy".into(),
            ..ProblemBody::default()
        };
        assert_eq!(foreign, expected);
    }
}
