//! The blocks that the pool found.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::books::{Block, Blocks};

use super::next_cursor;
use crate::body;
use crate::problem::{Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;

/// Found blocks, newest first.
#[utoipa::path(
    get, path = "/v1/blocks", operation_id = "list_blocks", tag = "pool",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before", pattern = "^[0-9]{1,19}$"),
        ("limit" = Option<u32>, Query, description = "At most this many: 1 to 100, 50 if absent", minimum = 1, maximum = 100),
    ),
    responses(
        (status = 200, description = "A page of blocks", body = Blocks),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let page = Params::of(&req)?.page()?;
    let page = state.read(|store| store.blocks(page)).await?;
    body::ok(&Blocks {
        blocks: page.rows.into_iter().map(Block::from).collect(),
        next_cursor: next_cursor(page.next),
    })
}
