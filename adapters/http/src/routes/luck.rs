//! Luck over the last blocks.

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::details::{Luck, LuckWindow};
use dwarves_domain::statistics;
use dwarves_domain::units::Units;

use crate::csv::{self, Form, List};
use crate::problem::{Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;

/// Over how many of the last blocks luck is told.
const WINDOWS: [u32; 3] = [10, 50, 250];

/// What the last `blocks` blocks took, of which the ends are given, the last first.
fn window(ends: &[Units], blocks: u32) -> statistics::LuckWindow {
    let blocks = blocks as usize;
    let found = ends.len().min(blocks);
    let last = ends.first().copied().unwrap_or_default();
    // Where the block before them ended; the pool's first block begins with the first share.
    let begin = ends.get(blocks).copied().unwrap_or_default();
    statistics::LuckWindow {
        found: found as u64,
        expected: last.saturating_sub(begin).to_f64(),
    }
}

/// The columns of windows as CSV.
const LUCK: List = List {
    field: "windows",
    columns: &["blocks", "found", "expected", "luck", "low", "high", "percentile"],
};

/// Luck over the last 10, 50 and 250 blocks, with its 95 % interval.
#[utoipa::path(
    get, path = "/v1/luck", operation_id = "read_luck", tag = "pool",
    params(
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "Luck; the rows are also answered as CSV", content((Luck = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: busy, unavailable", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    params.finish()?;
    let most = WINDOWS.into_iter().max().unwrap_or(0);
    let mut ends = state.read(|store| store.found_ends(most + 1)).await?;
    // One that was learnt of late may stand behind one that ends later.
    ends.sort_unstable_by(|a, b| b.cmp(a));
    let windows = WINDOWS.map(|blocks| LuckWindow::new(blocks, window(&ends, blocks)));
    let luck = Luck {
        windows: windows.to_vec(),
    };
    csv::answer(form, LUCK, &luck)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_where_the_block_before_it_ended() {
        let units = |n: u128| Units::from_raw(n * Units::ONE.raw());
        let ends = [units(20), units(9), units(5)];
        let of = |blocks| {
            let window = window(&ends, blocks);
            (window.found, window.expected.round())
        };
        assert_eq!(of(1), (1, 11.0));
        assert_eq!(of(2), (2, 15.0));
        assert_eq!(of(3), (3, 20.0));
        assert_eq!(of(10), (3, 20.0));
        assert_eq!(window(&[], 10).found, 0);
    }
}
