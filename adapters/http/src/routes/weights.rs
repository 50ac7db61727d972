//! What miners earned, as the weights that a subnet's validators set.

use std::path::PathBuf;

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::weights::{ROUNDS_MAX, Weights};
use dwarves_domain::ids::RoundId;
use dwarves_domain::metagraph::Metagraph;
use dwarves_ports::store::PageRequest;

use super::admin::admins_question;
use crate::csv::{self, Form, List};
use crate::metagraph_file;
use crate::problem::{Code, Problem, ProblemBody};
use crate::state::HttpState;

/// The columns of weights as CSV.
const WEIGHTS: List = List {
    field: "weights",
    columns: &["uid", "weight"],
};

/// What miners were credited in the last rounds, as uids and weights of 16 bits: the largest is 65535, zeros are left out.
#[utoipa::path(
    get, path = "/v1/admin/weights", operation_id = "read_weights", tag = "admin",
    params(
        ("rounds" = Option<u64>, Query, description = "Of how many rounds: 1 to 100, 1 if absent", minimum = 1, maximum = 100),
        ("through" = Option<u64>, Query, description = "The last of them; if absent the last that closed", minimum = 1),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "The weights; uids with their weights are also answered as CSV", content((Weights = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: forbidden, round_unknown, metagraph_unusable, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("admin" = []), ("operator" = []), ("signature" = [])),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (mut params, form) = admins_question(&req, &state, payload).await?;
    let count = params.take::<u64>("rounds")?.unwrap_or(1);
    if !(1..=ROUNDS_MAX).contains(&count) {
        let detail = format!("rounds: expected a number from 1 to {ROUNDS_MAX}");
        return Err(Problem::new(Code::QueryInvalid, detail).of_field("rounds"));
    }
    let through = params.take::<u64>("through")?;
    params.finish()?;
    let unknown =
        |detail: &str| Problem::new(Code::RoundUnknown, format!("through: {detail}")).of_field("through");
    let last = match through {
        // The store counts in signed 64-bit numbers.
        Some(id) => id.min(i64::MAX.unsigned_abs()),
        None => {
            let newest = PageRequest {
                cursor: None,
                limit: 1,
            };
            let newest = state.read(|store| store.rounds(newest)).await?;
            let newest = newest.rows.first().map(|row| row.id.get());
            newest.ok_or_else(|| unknown("no round has closed yet"))?
        }
    };
    let mut rounds = Vec::new();
    for id in (last.saturating_sub(count - 1).max(1)..=last).rev() {
        let round = state.read(|store| store.round(RoundId::new(id))).await?;
        rounds.push(round.ok_or_else(|| unknown("there is no such round"))?);
    }
    let files = &state.deps().files;
    let metagraph = metagraph(files.metagraph.clone()).await?;
    let weights = Weights::of(&rounds, &metagraph, files.version_key);
    let weights = weights.ok_or_else(|| unknown("there is no such round"))?;
    match form {
        Form::Json => csv::answer(form, WEIGHTS, &weights),
        Form::Csv => csv::answer(form, WEIGHTS, &weights.rows()),
    }
}

/// The metagraph as its file is now.
async fn metagraph(file: Option<PathBuf>) -> Result<Metagraph, Problem> {
    let unusable = |why: String| Problem::new(Code::MetagraphUnusable, why);
    let file =
        file.ok_or_else(|| unusable("no file says who has which uid: set bittensor.metagraph".to_owned()))?;
    let read = web::block(move || metagraph_file::read(&file)).await;
    let read = read.map_err(|_| unusable("it could not be read".to_owned()))?;
    read.map_err(|error| unusable(format!("bittensor.metagraph: {error}")))
}
