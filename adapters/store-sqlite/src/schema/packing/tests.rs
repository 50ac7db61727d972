//! Shares of an older ledger are the same shares in the new form, wherever the moving is interrupted.

use std::ops::ControlFlow;

use rusqlite::types::Value;

use super::*;
use crate::batches;
use crate::schema::{MIGRATIONS, migrate, migrate_by};

/// A ledger of version 91 with these commits: of each, its shares' units and how many of its shares are pruned.
fn older(commits: &[(&[u128], usize)]) -> Connection {
    let mut ledger = Connection::open_in_memory().unwrap();
    let before: Vec<_> = MIGRATIONS.iter().copied().filter(|(to, _)| *to <= 91).collect();
    migrate_by(&mut ledger, &before).unwrap();
    let (mut sequence, mut total) = (0_u64, 0_u128);
    for (number, (shares, pruned)) in commits.iter().enumerate() {
        let (first, before) = (sequence + 1, total);
        for (place, units) in shares.iter().enumerate() {
            sequence += 1;
            total += units;
            if place < *pruned {
                continue;
            }
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&sequence.to_be_bytes());
            let tail = (sequence % 3 > 0).then_some(sequence * 5);
            ledger
                .execute(
                    "INSERT INTO shares (sequence, template, extranonce, worker, share_bits, version, time, nonce, received_at,
                         units, total, hash, extranonce_tail)
                     VALUES (?1, ?1 % 2 + 1, ?1 * 7 - 20, ?1 % 5, 486604799, 536870912, ?1 + 100, ?1 * 9, ?1 * 1000, ?2, ?3, ?4, ?5)",
                    params![int(sequence), units.to_be_bytes(), total.to_be_bytes(), hash, tail.map(int)],
                )
                .unwrap();
        }
        ledger
            .execute(
                "INSERT INTO batches (id, first_sequence, last_sequence, committed_at, total_before, total_after)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    int(number as u64 + 1),
                    int(first),
                    int(sequence),
                    int(sequence * 1000),
                    before.to_be_bytes(),
                    total.to_be_bytes()
                ],
            )
            .unwrap();
    }
    ledger
}

/// A share with its number and running total, as columns or as Rust has it.
type Line = (u64, u128, StoredShare);

fn in_the_old_form(ledger: &Connection) -> Vec<Line> {
    let sql = "SELECT sequence, total, template, share_bits, units, worker, extranonce, extranonce_tail, version, time, nonce,
                   received_at, hash FROM shares ORDER BY sequence";
    let lines = all(ledger, sql, [], |row| {
        let cells = Cells::new(row, "shares");
        Ok((cells.u64(0)?, cells.units(1)?.raw(), share(row)?))
    });
    lines.map_err(|fail| fail.into_store_error("")).unwrap()
}

fn in_the_new_form(ledger: &Connection) -> Vec<Line> {
    let mut lines = Vec::new();
    let walked = batches::walk(ledger, Sequence::new(0), Sequence::new(u64::MAX), |found| {
        let total = found.total_before.raw() + found.share.terms.units.raw();
        lines.push((found.sequence.get(), total, found.share));
        Ok(ControlFlow::Continue(()))
    });
    walked.map_err(|fail| fail.into_store_error("")).unwrap();
    lines
}

fn positions(ledger: &Connection) -> Vec<Vec<Value>> {
    let mut statement = ledger
        .prepare("SELECT first_sequence, place, committed_at, total_before FROM batches ORDER BY 1")
        .unwrap();
    let row = |row: &Row<'_>| (0..4).map(|column| row.get(column)).collect();
    let rows = statement.query_map([], row).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn end(ledger: &Connection) -> (u64, u128) {
    let tail = batches::tail(ledger)
        .map_err(|fail| fail.into_store_error(""))
        .unwrap();
    (tail.sequence.get(), tail.total.raw())
}

const LONG: &[u128] = &[3; 40];

#[test]
fn shares_of_before_are_the_same_shares_wherever_the_moving_is_interrupted() {
    for pruned in [0, 1, 4, 5] {
        let commits = || {
            older(&[
                (&[5, 0, 1 << 100, 2, 2], pruned),
                (&[7], 0),
                (LONG, 0),
                (&[9, 9], 0),
                (&[0], 0),
            ])
        };
        let expected = in_the_old_form(&commits());
        let mut at_once = commits();
        migrate(&mut at_once).unwrap();
        assert_eq!(in_the_new_form(&at_once), expected);
        assert_eq!(end(&at_once), (49, expected.last().unwrap().1));
        for pieces in 0..6 {
            let mut ledger = commits();
            let before: Vec<_> = MIGRATIONS.iter().copied().filter(|(to, _)| *to <= 92).collect();
            migrate_by(&mut ledger, &before).unwrap();
            let mut end = None;
            for _ in 0..pieces {
                move_piece(&mut ledger, &mut end, 1)
                    .map_err(|fail| fail.into_store_error(""))
                    .unwrap();
            }
            migrate(&mut ledger).unwrap();
            assert_eq!(in_the_new_form(&ledger), expected, "after {pieces} pieces");
            assert_eq!(positions(&ledger), positions(&at_once));
        }
    }
}

#[test]
fn a_ledger_of_which_all_is_pruned_or_that_never_had_a_share_goes_on() {
    let mut ledger = older(&[(&[5, 6], 2)]);
    migrate(&mut ledger).unwrap();
    assert_eq!(in_the_new_form(&ledger), []);
    assert_eq!(end(&ledger), (2, 11));
    let mut empty = older(&[]);
    migrate(&mut empty).unwrap();
    assert_eq!(end(&empty), (0, 0));
}

#[test]
fn what_does_not_fit_together_is_not_moved() {
    for hand in [
        "DELETE FROM shares WHERE sequence = 8",
        "DELETE FROM shares WHERE sequence = 3",
        "UPDATE shares SET total = zeroblob(16) WHERE sequence = 2",
        "UPDATE shares SET units = x'00000000000000000000000000000001' WHERE sequence = 5",
        "UPDATE batches SET total_after = zeroblob(16) WHERE id = 2",
        "DELETE FROM batches WHERE id = 3",
        "UPDATE shares SET hash = x'00' WHERE sequence = 4",
    ] {
        let mut ledger = older(&[(&[5, 6, 7], 0), (&[1, 2, 3], 0), (&[4, 4], 0)]);
        ledger.execute_batch(hand).unwrap();
        let before = in_the_old_form_as_it_is(&ledger);
        let refused = migrate(&mut ledger);
        assert!(
            matches!(refused, Err(OpenError::Corrupt(_))),
            "{hand}: {refused:?}"
        );
        assert_eq!(
            in_the_old_form_as_it_is(&ledger),
            before,
            "{hand}: nothing is lost"
        );
    }
}

fn in_the_old_form_as_it_is(ledger: &Connection) -> String {
    let sql = "SELECT (SELECT group_concat(sequence || hex(hash) || hex(total)) FROM shares) || ' '
        || (SELECT group_concat(id || hex(total_after)) FROM batches)";
    ledger.query_row(sql, [], |row| row.get(0)).unwrap()
}
