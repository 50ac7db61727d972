//! Fronts as rows, and their locks.

use std::net::SocketAddr;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::FrontNumber;
use dwarves_domain::time::Span;
use dwarves_ports::fronts::{FrontRow, Fronts};
use dwarves_ports::store::codec::Cells as _;

use super::NewFront;
use super::succession::Look;
use crate::cells::Cells;
use crate::client::Db;
use crate::error::{OpenError, Outcome};
use crate::server::LOCK;
use crate::value::values;

/// The locks of numbers: this, and the number. (Letters of the pool's name.)
const NUMBERS: i64 = 0x6477_6172;
/// The server's clock, in milliseconds.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
/// Fronts that said nothing for so long are forgotten.
const FORGOTTEN_AFTER: Span = Span::from_secs(7 * 86_400);

/// A number that was leased, and which lease of it that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) number: FrontNumber,
    pub(super) lease: u64,
}

/// Refuses the front of another pool.
pub(super) fn must_be_of(db: &Db, hotkey: Hotkey) -> Result<(), OpenError> {
    let sql = "SELECT hotkey FROM leader WHERE hotkey IS NOT NULL";
    let known = db.one("leader", sql, &[], |cells| cells.hotkey("hotkey"));
    match known.map_err(|fail| OpenError::of_fail(fail, "looking at whose ledger it is"))? {
        Some(other) if other != hotkey => Err(OpenError::OtherPool { other, hotkey }),
        _ => Ok(()),
    }
}

/// Takes the number of this name, unless a process of that name lives; then how long it has been silent.
pub(super) fn take(db: &Db, front: &NewFront) -> Outcome<Result<Lease, Span>> {
    db.execute(
        &format!("DELETE FROM fronts WHERE beat_at < {NOW} - $1 AND name <> $2 AND number <> (SELECT COALESCE(front, 0) FROM leader)"),
        values![FORGOTTEN_AFTER.millis(), &front.name],
    )?;
    // Two that come at the same moment take two numbers, or one of them fails and tries again.
    db.execute(
        &format!(
            "INSERT INTO fronts (number, lease, name, places, version, since, beat, beat_at)
             VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM fronts), 0, $1, '', '', 0, 0, {NOW}) ON CONFLICT (name) DO NOTHING"
        ),
        values![&front.name],
    )?;
    let sql = format!("SELECT number, GREATEST({NOW} - beat_at, 0) AS silent FROM fronts WHERE name = $1");
    let (number, silent) = db.always("fronts", &sql, values![&front.name], |cells| {
        Ok((cells.u32("number")?, Span::from_millis(cells.u64("silent")?)))
    })?;
    if !lock(db, number)? {
        return Ok(Err(silent));
    }
    let address = match &front.address {
        Some(address) => address.clone(),
        None => db.always(
            "pg_stat_activity",
            "SELECT COALESCE(host(inet_client_addr()), '127.0.0.1') AS address",
            &[],
            |cells| cells.string("address"),
        )?,
    };
    let sql = format!(
        "UPDATE fronts SET lease = lease + 1, places = $2, version = $3, since = {NOW}, beat = beat + 1, beat_at = {NOW}
         WHERE number = $1 RETURNING lease"
    );
    let places = places(front, &address);
    let lease = db.always(
        "fronts",
        &sql,
        values![number, &places, &front.version],
        |cells| cells.u64("lease"),
    )?;
    Ok(Ok(Lease {
        number: FrontNumber::new(number),
        lease,
    }))
}

/// Takes a number's lock for this session, unless another one has it.
pub(super) fn lock(db: &Db, number: u32) -> Outcome<bool> {
    let sql = "SELECT pg_try_advisory_lock($1::int, $2::int) AS locked";
    db.always("pg_locks", sql, values![NUMBERS, number], |cells| {
        cells.flag("locked")
    })
}

/// Ends the session that has the number of this name, whose process is silent.
pub(super) fn end_silent(db: &Db, name: &str, silent: Span) -> Outcome<()> {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN fronts ON number = objid::bigint
         WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid::bigint = $2 AND name = $1
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND {NOW} - beat_at >= $3"
    );
    db.execute(&sql, values![name, NUMBERS, silent.millis()])
        .map(drop)
}

/// Says that this front lives, and looks at who does. `None`: another process has its number.
pub(super) fn beat(db: &Db, lease: Lease) -> Outcome<Option<(Look, Fronts)>> {
    let sql = format!("UPDATE fronts SET beat = beat + 1, beat_at = {NOW} WHERE number = $1 AND lease = $2");
    if db.execute(&sql, values![lease.number.get(), lease.lease])? == 0 {
        return Ok(None);
    }
    let (look, all) = look(db)?;
    let fronts = Fronts {
        this: lease.number,
        all,
        epoch: look.epoch,
        unreached: None,
    };
    Ok(Some((look, fronts)))
}

/// Looks at who is there, and who leads.
pub(super) fn look(db: &Db) -> Outcome<(Look, Vec<FrontRow>)> {
    let sql = format!(
        "SELECT fronts.*, GREATEST({NOW} - beat_at, 0) AS silent, epoch, COALESCE(front = number, false) AS leads,
             EXISTS ({HOLDS}) AS is_held
         FROM fronts CROSS JOIN leader ORDER BY number"
    );
    let mut look = Look {
        leader: None,
        epoch: 0,
        is_held: false,
    };
    let all = db.all("fronts", &sql, values![LOCK], |cells| {
        look.epoch = cells.u64("epoch")?;
        look.is_held = cells.flag("is_held")?;
        let row = row(cells)?;
        if row.leads {
            look.leader = Some((row.number.get(), cells.u64("lease")?, cells.u64("beat")?));
        }
        Ok(row)
    })?;
    Ok((look, all))
}

/// Takes this front out.
pub(super) fn leave(db: &Db, lease: Lease) -> Outcome<()> {
    let sql = "DELETE FROM fronts WHERE number = $1 AND lease = $2";
    db.execute(sql, values![lease.number.get(), lease.lease])
        .map(drop)
}

/// Which session has the ledger's lock.
const HOLDS: &str = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND ((classid::bigint << 32) | objid::bigint) = $1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Ends the session that has the ledger's lock, if the lead is still as it was seen.
pub(super) fn end_leader(db: &Db, seen: Look) -> Outcome<()> {
    let (number, lease, beat) = seen.leader.unwrap_or_default();
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND ((classid::bigint << 32) | objid::bigint) = $1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND EXISTS (SELECT 1 FROM leader JOIN fronts ON number = front
                WHERE epoch = $2 AND number = $3 AND lease = $4 AND beat = $5)";
    db.execute(sql, values![LOCK, seen.epoch, number, lease, beat])
        .map(drop)
}

fn row(cells: &Cells) -> Outcome<FrontRow> {
    let places = cells.text("places")?.lines();
    Ok(FrontRow {
        number: FrontNumber::new(cells.u32("number")?),
        name: cells.string("name")?,
        places: places
            .filter_map(|line| line.split_once(' '))
            .map(|(setting, place)| (setting.to_owned(), place.to_owned()))
            .collect(),
        version: cells.string("version")?,
        since: cells.time("since")?,
        silent: Span::from_millis(cells.u64("silent")?),
        leads: cells.flag("leads")?,
    })
}

/// Where the others reach each listener: what listens everywhere is reached at the front's own address.
fn places(front: &NewFront, address: &str) -> String {
    let reached = |listen: &SocketAddr| {
        let anywhere = front.address.is_some() || listen.ip().is_unspecified();
        let host = match anywhere {
            true => address.to_owned(),
            false => listen.ip().to_string(),
        };
        match host.contains(':') {
            true => format!("[{host}]:{}", listen.port()),
            false => format!("{host}:{}", listen.port()),
        }
    };
    let lines = front.listeners.iter();
    let lines: Vec<String> = lines
        .map(|(setting, listen)| format!("{setting} {}", reached(listen)))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_where_the_front_is() {
        let listeners = [
            ("http", "0.0.0.0:8080"),
            ("stratum", "192.0.2.7:3333"),
            ("x", "[::]:1"),
        ];
        let mut front = NewFront {
            name: "here".to_owned(),
            hotkey: Hotkey::from_bytes([1; 32]),
            listeners: listeners
                .map(|(setting, at)| (setting.to_owned(), at.parse().unwrap()))
                .to_vec(),
            address: None,
            version: String::new(),
        };
        assert_eq!(
            places(&front, "10.0.0.1"),
            "http 10.0.0.1:8080\nstratum 192.0.2.7:3333\nx 10.0.0.1:1"
        );
        front.address = Some("2001:db8::7".to_owned());
        assert_eq!(
            places(&front, "2001:db8::7"),
            "http [2001:db8::7]:8080\nstratum [2001:db8::7]:3333\nx [2001:db8::7]:1"
        );
    }
}
