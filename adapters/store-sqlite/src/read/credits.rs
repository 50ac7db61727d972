//! Miners' statements. What is booked today is packed, a round's credits in rows of some; a miner's credits are found from
//! the last one back, each says how far back the one before is. What was booked before that form stays in `credits`.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId};
use dwarves_domain::rewards::HalfUnits;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{CreditKind, CreditRow, Earned, Page, PageRequest};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::bounds;
use crate::columns::{Cells, all, int};
use crate::credited_miners::{self, Hotkeys};
use crate::error::{Outcome, corrupt};
use crate::packed_money::{self, PackedCredit};
use crate::row_codec::{self, CREDIT_COLUMNS};

/// The columns of a row of credits, of `packed_credits` joined with `rounds`.
const ROW_COLUMNS: &str =
    "packed_credits.id AS id, packed_credits.round AS round, rounds.closed_at AS closed_at,
     packed_credits.kind AS kind, packed_credits.block AS block, packed_credits.credits AS credits";

/// Credits that are added up at a time.
const EARNED_PIECE: u32 = 1_000;

/// What the credits of a row have in common.
struct Together {
    first: u64,
    round: RoundId,
    closed_at: Timestamp,
    kind: CreditKind,
    block: Option<HeaderHash>,
    credits: Vec<PackedCredit>,
}

impl Together {
    fn read(row: &Row<'_>) -> Outcome<Self> {
        let cells = Cells::new(row, "packed_credits");
        Ok(Self {
            first: cells.u64("id")?,
            round: cells.round("round")?,
            closed_at: cells.time("closed_at")?,
            kind: cells.named("kind")?,
            block: cells.optional("block", |cells, column| cells.hash(column))?,
            credits: packed_money::credits(cells.blob("credits")?)?,
        })
    }

    fn row(&self, credit: &PackedCredit, hotkey: Hotkey) -> CreditRow {
        CreditRow {
            round: self.round,
            closed_at: self.closed_at,
            hotkey,
            units: HalfUnits::from_half_steps(credit.half_steps),
            amount: credit.amount,
            kind: self.kind,
            block: self.block,
        }
    }
}

/// The last credit of all, in whatever form; 0 before the first.
pub(crate) fn last_id(connection: &Connection) -> Outcome<u64> {
    let sql = "SELECT id, credits FROM packed_credits ORDER BY id DESC LIMIT 1";
    let packed = connection.prepare_cached(sql)?.query_row([], |row| {
        let cells = Cells::new(row, "packed_credits");
        let read = || -> Outcome<_> {
            let credits = packed_money::credits(cells.blob("credits")?)?;
            Ok(cells.u64("id")? + (credits.len() as u64).saturating_sub(1))
        };
        Ok(read())
    });
    if let Some(packed) = packed.optional()?.transpose()? {
        return Ok(packed);
    }
    let mut select = connection.prepare_cached("SELECT COALESCE(MAX(id), 0) AS id FROM credits")?;
    select.query_row([], |row| Ok(Cells::new(row, "credits").u64("id")))?
}

pub(crate) fn of_miner(
    connection: &Connection,
    hotkey: &Hotkey,
    request: PageRequest,
) -> Outcome<Page<CreditRow>> {
    let (before, rows_max) = bounds(request);
    let mut rows = packed_of_miner(connection, hotkey, before, rows_max)?;
    let left = rows_max - int(rows.len() as u64);
    if left > 0 {
        let sql = format!(
            "SELECT {CREDIT_COLUMNS} FROM credits JOIN rounds ON rounds.id = credits.round
             WHERE credits.hotkey = ?3 AND credits.id < ?1 ORDER BY credits.id DESC LIMIT ?2"
        );
        rows.extend(all(
            connection,
            &sql,
            params![before, left, hotkey.as_bytes()],
            |row| Ok((Cells::new(row, "credits").u64("id")?, row_codec::credit(row)?)),
        )?);
    }
    Ok(Page::of(rows, request.limit))
}

/// What a miner's newest `limit` credits came to on each day since `since`.
pub(crate) fn earned(
    connection: &Connection,
    hotkey: &Hotkey,
    since: Timestamp,
    limit: u32,
) -> Outcome<Earned> {
    let mut earned = Earned::default();
    let (mut left, mut cursor) = (limit, None);
    let mut oldest = None;
    while left > 0 {
        let request = PageRequest {
            cursor,
            limit: left.min(EARNED_PIECE),
        };
        let page = of_miner(connection, hotkey, request)?;
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

/// At most `rows_max` credits whose number is less than `before`, the last first.
fn packed_of_miner(
    connection: &Connection,
    hotkey: &Hotkey,
    before: i64,
    rows_max: i64,
) -> Outcome<Vec<(u64, CreditRow)>> {
    let Some(miner) = credited_miners::find(connection, hotkey)? else {
        return Ok(Vec::new());
    };
    let before = u64::try_from(before).unwrap_or(0);
    let mut at = credited_miners::credit_from(connection, &miner, before)?;
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM packed_credits JOIN rounds ON rounds.id = packed_credits.round
         WHERE packed_credits.id <= ?1 ORDER BY packed_credits.id DESC LIMIT 1"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = Vec::new();
    while at > 0 && int(rows.len() as u64) < rows_max {
        let together = select.query_row([int(at)], |row| Ok(Together::read(row)));
        let together = together.optional()?.transpose()?;
        let credit = together.as_ref().and_then(|together| {
            let place = usize::try_from(at.checked_sub(together.first)?).ok()?;
            let credit = together.credits.get(place)?;
            (credit.miner == miner.number).then_some((together, credit))
        });
        let (together, credit) =
            credit.ok_or_else(|| corrupt(format!("packed_credits: {at} is not the miner's")))?;
        if at < before {
            rows.push((at, together.row(credit, *hotkey)));
        }
        let back = at.checked_sub(credit.back).filter(|_| credit.back > 0);
        at = back.unwrap_or(0);
    }
    Ok(rows)
}

/// The rows of packed credits of a period, oldest first; see [`of_packed_row`].
pub(crate) fn packed_in_period() -> String {
    format!(
        "SELECT {ROW_COLUMNS} FROM packed_credits JOIN rounds ON rounds.id = packed_credits.round
         WHERE closed_at >= ?1 AND closed_at < ?2 ORDER BY packed_credits.id"
    )
}

/// The credits of a row, each with its number.
pub(crate) fn of_packed_row(row: &Row<'_>, hotkeys: &mut Hotkeys<'_>) -> Outcome<Vec<(u64, CreditRow)>> {
    let together = Together::read(row)?;
    let numbered = (together.first..).zip(&together.credits);
    numbered
        .map(|(id, credit)| Ok((id, together.row(credit, hotkeys.of(credit.miner)?))))
        .collect()
}

/// What a round credited, in the order of hotkeys.
pub(crate) fn of_round(connection: &Connection, id: RoundId) -> Outcome<Vec<CreditRow>> {
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM packed_credits JOIN rounds ON rounds.id = packed_credits.round
         WHERE packed_credits.round = ?1 AND packed_credits.kind = 'credit' ORDER BY packed_credits.id"
    );
    let rows = all(connection, &sql, [int(id.get())], Together::read)?;
    let mut hotkeys = Hotkeys::new(connection);
    let mut credits = Vec::new();
    for together in rows {
        for credit in &together.credits {
            credits.push(together.row(credit, hotkeys.of(credit.miner)?));
        }
    }
    let sql = format!(
        "SELECT {CREDIT_COLUMNS} FROM credits JOIN rounds ON rounds.id = credits.round
         WHERE credits.round = ?1 AND credits.kind = 'credit' ORDER BY credits.id"
    );
    credits.extend(all(connection, &sql, [int(id.get())], row_codec::credit)?);
    Ok(credits)
}
