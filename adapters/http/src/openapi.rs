//! The OpenAPI document around the routes' own operations: what it says of all of them.

use std::fmt::Write;

use utoipa::openapi::Required;
use utoipa::openapi::info::InfoBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::problem::Code;

const INTRODUCTION: &str = "\
JSON in, JSON out. Unknown fields and query parameters are refused by name. Byte strings are lower-case hex; \
block hashes and targets are big-endian as explorers write them; amounts are integers in base units (`*_sats`); \
instants are RFC 3339 in UTC; durations end in `_secs`.

Refusals are `application/problem+json` (RFC 9457) with a stable `code`:

| code | status | meaning |
|---|---|---|
";

const SIGNATURE: &str = "\
A request signed with `btauth/1` (PyPI `bittensor` 11, `bittensor.http_auth`). Headers: `X-Bittensor-Version: 1`, \
`X-Bittensor-Hotkey` (SS58), `X-Bittensor-Receiver` (the pool's hotkey, from `GET /v1/pool`), `X-Bittensor-Nonce` \
(Unix time in nanoseconds), `X-Bittensor-Signature` (`0x` and hex), and `X-Bittensor-Crypto` unless it is sr25519. \
Signed are these lines joined by a line feed: `btauth/1`, scheme, method, path with query as sent, hex SHA-256 of \
the body, nonce, sender, receiver. A nonce is good once.";

/// The OpenAPI document, with these operations and their types.
pub fn document(operations: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let mut description = INTRODUCTION.to_owned();
    for code in Code::ALL {
        let (name, status, title) = (code.as_str(), code.status(), code.title());
        writeln!(description, "| `{name}` | {status} | {title} |").expect("a String takes any text");
    }
    let mut document = operations;
    document.info = InfoBuilder::new()
        .title("Dwarves")
        .version("1")
        .description(Some(description))
        .build();
    // utoipa writes a body that may be left out as one that may be null, which the routes do not take.
    for path in ["/v1/miners", "/v1/sessions", "/v1/miners/{hotkey}/watches"] {
        let operation = document
            .paths
            .paths
            .get_mut(path)
            .and_then(|item| item.post.as_mut());
        if let Some(body) = operation.and_then(|operation| operation.request_body.as_mut()) {
            body.required = Some(Required::False);
        }
    }
    let components = document.components.get_or_insert_default();
    let bearer = |description: &str| {
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(description))
                .build(),
        )
    };
    components.add_security_scheme(
        "signature",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "X-Bittensor-Signature",
            SIGNATURE,
        ))),
    );
    components.add_security_scheme("session", bearer("The token of `POST /v1/sessions`"));
    components.add_security_scheme(
        "admin",
        bearer("The token in the file `admin.token` of the pool's data directory"),
    );
    let watch = "`Watch ` and a token of `POST /v1/miners/{hotkey}/watches`, for reading what it shows";
    components.add_security_scheme(
        "watch",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "Authorization",
            watch,
        ))),
    );
    let cookie = "The cookie of `POST /v1/admin/session`. Changes carry the session's token in `X-CSRF-Token` besides.";
    components.add_security_scheme(
        "operator",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            super::operator::COOKIE_NAME,
            cookie,
        ))),
    );
    document
}
