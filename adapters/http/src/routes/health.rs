//! Whether the process lives, and whether the pool is ready for miners.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::pool_manager::messages::{LifeState, PoolView, ReadPool};
use dwarves_api_types::pool::{Alive, Ready};
use dwarves_api_types::scalars::Instant;

use crate::problem::{Code, Problem, ProblemBody};
use crate::state::HttpState;
use crate::{body, query};

/// Answers as long as the process does.
#[utoipa::path(
    get, path = "/healthz", operation_id = "alive", tag = "health",
    responses(
        (status = 200, description = "The process is alive", body = Alive),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn alive(req: HttpRequest) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    body::ok(&Alive {
        status: "alive".into(),
    })
}

/// What keeps the pool from serving miners, in words; empty if nothing does.
fn obstacles(view: &PoolView) -> Vec<String> {
    let mut obstacles = Vec::new();
    if view.state != LifeState::Running {
        obstacles.push(format!("the pool is {}", view.state.as_str()));
    }
    if !view.has_work {
        obstacles.push("there is no work to give out".to_owned());
    }
    if !view.ledger_writes {
        obstacles.push("the ledger cannot be written".to_owned());
    }
    obstacles
}

/// Answers 200 if the pool gives out work and its ledger writes.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "health",
    responses(
        (status = 200, description = "The pool is ready for miners", body = Ready),
        (status = "default", description = "It is not, and `hindrances` says why; codes: not_ready, busy, stopping", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn ready(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    let view = state.ask(&state.deps().ports.pool, ReadPool).await?;
    let mut obstacles = obstacles(&view);
    if obstacles.is_empty() {
        return body::ok(&Ready {
            status: "ready".into(),
            state: view.state.as_str().into(),
            started_at: Instant(view.started_at),
            hindrances: view.hindrances,
        });
    }
    obstacles.extend(view.hindrances);
    Err(Problem::new(Code::NotReady, obstacles.join("; ")).hindered_by(obstacles))
}
