//! The work of a stretch of time is read.
//!
//! It is added up from the shares by the time of their commits, as statements are. First the ledger is told that the time is over
//! ([`Write::PassTime`]): so a share that is still on its way belongs to a later time, and what was answered once is answered so
//! again. Times that follow each other have no share in common and leave none out.

use std::time::Duration;

use dwarves_actors::ledger::messages::Commit;
use dwarves_domain::ids::Sequence;
use dwarves_domain::statements::WorkOfAll;
use dwarves_domain::time::Timestamp;
use dwarves_http::HttpState;
use dwarves_ports::store::Write;

use crate::answer::Fault;
use crate::state::ValidatorState;
use crate::work::{Range, WorkOfHotkeys};

/// Shares whose work is read at once.
const SHARES_AT_ONCE: u32 = 200_000;
/// How long the ledger may take.
const LEDGER_DEADLINE: Duration = Duration::from_secs(10);

/// The work of all accounts in a time that is over.
async fn read(state: &HttpState, range: Range) -> Result<WorkOfAll, Fault> {
    let too_much = || Fault::malformed("the work of this time does not fit 128 bits");
    let place = |at: Timestamp| state.read(move |store| store.position_at(at.moved(-1)));
    let after = place(range.start).await?.sequence;
    let through = place(range.end).await?.sequence;
    let mut work = WorkOfAll::new();
    let mut from = after;
    while from < through {
        let piece = state
            .read(|store| store.work_between(from, through, SHARES_AT_ONCE))
            .await?;
        work.append(piece).ok_or_else(too_much)?;
        from = Sequence::new(from.get().saturating_add(u64::from(SHARES_AT_ONCE)));
    }
    Ok(work)
}

/// The work of hotkeys in each of these times, of which none ends later than now.
///
/// # Errors
/// If somebody else's is being added up, or the ledger or the store does not answer.
pub async fn of_hotkeys(
    http: &HttpState,
    state: &ValidatorState,
    ranges: &[Range],
) -> Result<Vec<WorkOfHotkeys>, Fault> {
    let _turn = state.turn().ok_or_else(Fault::busy)?;
    let bindings = state.bindings().await?;
    if let Some(at) = ranges.iter().map(|range| range.end).max() {
        let writes = vec![Write::PassTime { at }];
        let passed = state.commit().ask(Commit { writes }, LEDGER_DEADLINE).await;
        if !matches!(passed, Ok(Ok(_))) {
            return Err(Fault::busy());
        }
    }
    let too_much = || Fault::malformed("the work of this time does not fit 128 bits");
    let mut all = Vec::with_capacity(ranges.len());
    for range in ranges {
        let work = read(http, *range).await?;
        all.push(WorkOfHotkeys::of(&work, &bindings).ok_or_else(too_much)?);
    }
    Ok(all)
}
