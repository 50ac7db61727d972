//! Shares, by the commits that they came with.

use bytes::{BufMut as _, BytesMut};
use dwarves_domain::units::Units;
use dwarves_ports::store::codec::{Cells as _, int};
use dwarves_ports::store::copying::tables::SHARES;
use dwarves_ports::store::copying::{CopiedCommit, CopiedShare, Datum, Key};

use super::plain::{COPY_BEGIN, COPY_END, put};
use crate::batches;
use crate::client::Db;
use crate::error::{Outcome, corrupt, total_overflow};
use crate::partitions::Partitions;
use crate::read::details::{EXTRANONCE_HEAD, stored_share};
use crate::value::{Number, Value, values};

/// Commits that are looked at for a piece.
const COMMITS: u32 = 5_000;

/// The next commits.
pub(super) fn read(db: &Db, after: Option<&Key>, limit: u32) -> Outcome<Vec<CopiedCommit>> {
    let first = match after {
        Some(key) => key
            .first()
            .and_then(Datum::as_int)
            .map_or(0, |last| last.saturating_add(1)),
        None => {
            let next = batches::pruned_through(db)?.next();
            match batches::commit_of(db, next)? {
                None => return Ok(Vec::new()),
                Some(batch) => int(batch.first.get()),
            }
        }
    };
    let sql = format!(
        "SELECT first_sequence, last_sequence, committed_at, total_before FROM batches
         WHERE first_sequence >= $1 ORDER BY first_sequence LIMIT {COMMITS}"
    );
    let mut found = db.all("batches", &sql, values![first], |cells| {
        let commit = CopiedCommit {
            first: cells.sequence("first_sequence")?,
            committed_at: cells.time("committed_at")?,
            total_before: cells.units("total_before")?,
            shares: Vec::new(),
        };
        Ok((commit, cells.sequence("last_sequence")?))
    })?;
    let Some((begin, _)) = found.first() else {
        return Ok(Vec::new());
    };
    let begin = begin.first;
    let full = begin.get().saturating_add(u64::from(limit));
    let kept = found.partition_point(|(commit, _)| commit.first.get() < full);
    found.truncate(kept);
    let end = found.last().map_or(begin, |(_, last)| *last);
    let sql = "SELECT sequence, template, worker, share_bits, version, time, nonce, received_at, units, extranonce, hash
        FROM shares WHERE sequence >= $1 AND sequence <= $2 ORDER BY sequence";
    let shares = db.all("shares", sql, values![begin, end], |cells| {
        Ok((cells.sequence("sequence")?, stored_share(cells)?))
    })?;
    let mut shares = shares.into_iter().peekable();
    let mut commits = Vec::with_capacity(found.len());
    for (mut commit, last) in found {
        for sequence in commit.first.get()..=last.get() {
            let share = shares.next_if(|(found, _)| found.get() == sequence);
            let (_, share) = share.ok_or_else(|| corrupt(format!("shares: {sequence} is missing")))?;
            commit.shares.push(share);
        }
        commits.push(commit);
    }
    Ok(commits)
}

/// Writes commits into partitions of `size` shares each, which are made.
pub(super) fn write(db: &Db, commits: &[CopiedCommit], size: u64) -> Outcome<()> {
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
        return Ok(());
    };
    // What is pruned gets no partitions.
    let partitions = Partitions::read(db, first.first.get() / size * size)?;
    partitions.reach(db, last.last().get(), size)?;
    let names: Vec<&str> = SHARES.columns.iter().map(|column| column.name).collect();
    let sql = format!("COPY shares ({}) FROM STDIN (FORMAT binary)", names.join(", "));
    let mut out = BytesMut::from(COPY_BEGIN);
    let mut count = 0;
    for commit in commits {
        for (share, sequence) in commit.shares.iter().zip(commit.first.get()..) {
            put_share(&mut out, sequence, share)?;
            count += 1;
        }
    }
    out.put_i16(COPY_END);
    let stored = db.copy(&sql, out.freeze())?;
    if stored != count {
        return Err(corrupt(format!("{stored} of {count} shares were stored")));
    }
    write_batches(db, commits)
}

fn put_share(out: &mut BytesMut, sequence: u64, share: &CopiedShare) -> Outcome<()> {
    let row = &share.row;
    let kept = if share.is_whole { 12 } else { EXTRANONCE_HEAD };
    let cells = [
        Datum::Int(int(sequence)),
        Datum::Int(row.template.get().into()),
        Datum::Int(row.worker.get().into()),
        Datum::Int(row.share_bits.bits().into()),
        Datum::Int(row.version.into()),
        Datum::Int(row.time.into()),
        Datum::Int(row.nonce.into()),
        Datum::Int(row.received_at.millis()),
        Datum::Number(row.units.raw()),
        Datum::Bytes(row.extranonce.as_bytes()[..kept].to_vec()),
        Datum::Bytes(row.hash.as_bytes().to_vec()),
    ];
    out.put_i16(11);
    cells.iter().try_for_each(|cell| put(out, cell))
}

/// A row for each commit, of no transaction of a pool's.
fn write_batches(db: &Db, commits: &[CopiedCommit]) -> Outcome<()> {
    let numbers = |of: fn(&CopiedCommit) -> i64| commits.iter().map(of).collect::<Vec<i64>>();
    let firsts = numbers(|commit| int(commit.first.get()));
    let lasts = numbers(|commit| int(commit.last().get()));
    let times = numbers(|commit| commit.committed_at.millis());
    let befores: Vec<Number> = commits
        .iter()
        .map(|commit| Number(commit.total_before.raw()))
        .collect();
    let afters = commits
        .iter()
        .map(|commit| commit.total_after().map(Units::raw).map(Number))
        .collect::<Option<Vec<Number>>>()
        .ok_or_else(total_overflow)?;
    db.execute(
        "INSERT INTO batches (first_sequence, last_sequence, committed_at, total_before, total_after, epoch, commit)
         SELECT *, 0, 0 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::numeric[], $5::numeric[])",
        values![
            Value::Other(&firsts),
            Value::Other(&lasts),
            Value::Other(&times),
            Value::Other(&befores),
            Value::Other(&afters)
        ],
    )?;
    Ok(())
}
