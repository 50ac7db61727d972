//! Miners' statements.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::RoundId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::rows::{self, CREDIT_COLUMNS};
use dwarves_ports::store::{CreditRow, Earned, Page, PageRequest};

use super::page;
use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;

/// Credits that are added up at a time.
const EARNED_PIECE: u32 = 5_000;

pub(crate) fn of_miner(db: &Db, hotkey: &Hotkey, request: PageRequest) -> Outcome<Page<CreditRow>> {
    let sql = format!(
        "SELECT {CREDIT_COLUMNS} FROM credits JOIN rounds ON rounds.id = credits.round
         WHERE credits.hotkey = $3 AND credits.id < $1 ORDER BY credits.id DESC LIMIT $2"
    );
    page(db, "credits", &sql, request, values![hotkey], rows::credit)
}

/// What a miner's newest `limit` credits came to on each day since `since`.
pub(crate) fn earned(db: &Db, hotkey: &Hotkey, since: Timestamp, limit: u32) -> Outcome<Earned> {
    let mut earned = Earned::default();
    let (mut left, mut cursor) = (limit, None);
    let mut oldest = None;
    while left > 0 {
        let request = PageRequest {
            cursor,
            limit: left.min(EARNED_PIECE),
        };
        let page = of_miner(db, hotkey, request)?;
        for credit in &page.rows {
            if credit.closed_at < since {
                return Ok(earned);
            }
            earned.add(credit);
            oldest = Some(credit.closed_at);
        }
        left -= request.limit;
        cursor = page.next;
        if cursor.is_none() {
            return Ok(earned);
        }
    }
    earned.cut_at = oldest;
    Ok(earned)
}

/// What a round credited, in the order of hotkeys.
pub(crate) fn of_round(db: &Db, id: RoundId) -> Outcome<Vec<CreditRow>> {
    let sql = format!(
        "SELECT {CREDIT_COLUMNS} FROM credits JOIN rounds ON rounds.id = credits.round
         WHERE credits.round = $1 AND credits.kind = 'credit' ORDER BY credits.id"
    );
    db.all("credits", &sql, values![id], rows::credit)
}
