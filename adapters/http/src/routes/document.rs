//! `/openapi.json`: the document that describes every route, built from the routes themselves.

use std::sync::LazyLock;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::OpenApi;

use super::Operations;
use crate::openapi;
use crate::problem::{Problem, ProblemBody};
use crate::query;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let json = serde_json::to_vec(&openapi::document(Operations::openapi()))
        .expect("the document holds only text and numbers");
    Bytes::from(json)
});

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "read_openapi", tag = "health",
    responses(
        (status = 200, description = "The OpenAPI document", body = Object),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn serve(req: HttpRequest) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(DOCUMENT.clone()))
}
