//! Epochs, and the statements of what was done in them.

use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::statements::{Epoch, EpochStatement, Epochs};
use dwarves_domain::statements::EpochId;

use super::next_cursor;
use crate::body;
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::{self, Params};
use crate::state::HttpState;

/// A statement never changes: whoever has it need not ask again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Epochs that were stated, newest first. Without `statements.epoch_secs` there are none.
#[utoipa::path(
    get, path = "/v1/epochs", operation_id = "list_epochs", tag = "pool",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before, or an epoch's name: epochs before it", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
    ),
    responses(
        (status = 200, description = "A page of epochs", body = Epochs),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let page = Params::of(&req)?.page()?;
    let page = state.read(|store| store.statements(page)).await?;
    body::ok(&Epochs {
        epochs: page.rows.into_iter().map(Epoch::from).collect(),
        next_cursor: next_cursor(page.next),
    })
}

/// The statement of an epoch, as it was signed. It never changes.
#[utoipa::path(
    get, path = "/v1/epochs/{id}", operation_id = "read_epoch", tag = "pool",
    params(("id" = u64, Path, description = "The epoch's name: the second since 1970 with which it begins")),
    responses(
        (status = 200, description = "The statement", body = EpochStatement, headers(("ETag" = String, description = "The digest of the statement's text"))),
        (status = 304, description = "The statement that `If-None-Match` names"),
        (status = "default", description = "Refused; codes: epoch_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let unknown = || {
        let detail =
            "id: no epoch that was stated begins with this second since 1970; GET /v1/epochs lists them";
        Problem::new(Code::EpochUnknown, detail).of_field("id")
    };
    let number = query::plain_number(req.match_info().query("id"));
    // The store counts in signed 64-bit numbers: there is no epoch beyond.
    let number = number.filter(|number| i64::try_from(*number).is_ok());
    let id = EpochId::new(number.ok_or_else(unknown)?);
    let row = state.read(|store| store.statement(id)).await?;
    let row = row.ok_or_else(unknown)?;
    let tag = format!("\"{}\"", row.head.digest);
    let mut response = match is_known(&req, &tag) {
        true => HttpResponse::NotModified().finish(),
        false => body::ok(&EpochStatement::from(row))?,
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, FOR_EVER);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// Whether the asker has the statement of this tag.
fn is_known(req: &HttpRequest, tag: &str) -> bool {
    let given = req.headers().get_all(IF_NONE_MATCH);
    let mut tags = given
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','));
    // Bytes that are the same are the same weakly, too: proxies that compress mark tags so.
    tags.any(|known| matches!(known.trim(), "*") || known.trim().trim_start_matches("W/") == tag)
}
