//! The chain that is mined, and how miners connect.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::work_manager::messages::{ReadWork, WorkView};
use dwarves_api_types::chain::{BranchState, ChainState, Connect, NodeState};
use dwarves_api_types::scalars::Hash;
use dwarves_ports::chain::BranchTip;

use crate::csv::{self, Form, List};
use crate::problem::{Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;
use crate::{body, query};

/// The columns of nodes as CSV.
const NODES: List = List {
    field: "nodes",
    columns: &[
        "name",
        "state",
        "height",
        "is_used",
        "behind",
        "tip_age_secs",
        "problem",
        "peers",
        "peers_in",
        "peers_out",
        "tips",
        "tips_left",
    ],
};

/// The chain that is mined, as the pool and each of its nodes see it.
#[utoipa::path(
    get, path = "/v1/chain", operation_id = "read_chain", tag = "pool",
    params(
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "The chain; its nodes are also answered as CSV", content((ChainState = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: query_invalid, busy", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    params.finish()?;
    csv::answer(form, NODES, &current(&state).await?)
}

/// How miners connect: every port, with its difficulties, and what to log in with.
#[utoipa::path(
    get, path = "/v1/connect", operation_id = "read_connect", tag = "pool",
    responses(
        (status = 200, description = "Where and how", body = Connect),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn connect(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    query::none(&req)?;
    body::ok(&state.deps().connect)
}

/// The chain as it is now.
///
/// # Errors
/// `busy` or `stopping` if the work manager does not answer.
pub(crate) async fn current(state: &HttpState) -> Result<ChainState, Problem> {
    let view = state.ask(&state.deps().ports.work, ReadWork).await?;
    Ok(chain_state(&state.deps().chain_name, &view))
}

fn branch(tip: &BranchTip) -> BranchState {
    BranchState {
        height: tip.height,
        hash: Hash(tip.hash),
        branch_len: tip.branch_len,
        status: tip.status.as_str().into(),
    }
}

fn chain_state(chain: &str, view: &WorkView) -> ChainState {
    let standing = &view.standing;
    let template = view.work.current.as_deref().map(|template| template.chain());
    let highest = standing.nodes.iter().filter_map(|node| node.height).max();
    let nodes = standing.nodes.iter().map(|node| NodeState {
        name: node.name.clone(),
        state: node.verdict.as_str().into(),
        height: node.height,
        is_used: node.is_used,
        behind: highest.zip(node.height).map(|(highest, height)| highest - height),
        tip_age_secs: node.tip_age_secs,
        problem: (!node.why.is_empty()).then(|| node.why.join("; ")),
        peers: node.surroundings.peers.map(|peers| peers.count),
        peers_in: node.surroundings.peers.and_then(|peers| peers.inbound),
        peers_out: node.surroundings.peers.and_then(|peers| peers.outbound),
        tips: node.surroundings.tips.iter().map(branch).collect(),
        tips_left: node.surroundings.tips_left,
    });
    let lack = view.work.lack.as_ref().map(|lack| lack.why.text().to_owned());
    ChainState {
        chain: chain.to_owned(),
        verdict: standing.verdict.as_str().into(),
        // A template is the block after the tip.
        height: template.map(|template| template.height.saturating_sub(1)),
        tip: template.map(|template| Hash(template.previous)),
        tip_age_secs: standing.tip_age_secs,
        problem: view.trouble.clone().or(lack),
        nodes: nodes.collect(),
    }
}
