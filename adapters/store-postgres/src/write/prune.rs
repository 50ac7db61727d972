//! Forgetting old shares: at once for everybody who asks; their rows go with their partition.

use dwarves_domain::ids::Sequence;
use dwarves_ports::store::codec::Cells as _;

use crate::batches;
use crate::client::Db;
use crate::error::Outcome;
use crate::history::roll;
use crate::value::values;

/// How far may be pruned: never beyond what rounds, counters, living templates and epochs without a statement still need.
pub(super) fn bound(db: &Db, through: Sequence) -> Outcome<Sequence> {
    db.always(
        "pool",
        "SELECT GREATEST(pruned_through, LEAST($1, counters_through,
             COALESCE((SELECT through FROM rounds ORDER BY id DESC LIMIT 1), 0),
             CASE WHEN epoch_start IS NULL THEN $1 ELSE COALESCE(ended_after, epoch_after) END,
             COALESCE((SELECT MIN(first_share) - 1 FROM templates WHERE NOT retired AND id >= live_from), $1))) AS through
         FROM pool",
        values![through],
        |cells| cells.sequence("through"),
    )
}

/// Forgets shares up to this one, and what outlived only them. What goes has come into the history.
pub(super) fn prune(db: &Db, through: Sequence) -> Outcome<()> {
    while roll::piece(db, Some(through))?.is_more {}
    db.execute("UPDATE pool SET pruned_through = $1", values![through])?;
    // The last commit stays: it is where the ledger goes on.
    if let Some(kept) = batches::commit_of(db, through.next())? {
        db.execute(
            "DELETE FROM batches WHERE first_sequence < $1",
            values![kept.first],
        )?;
    }
    // The newest template stays: numbers go on behind it.
    db.execute(
        "DELETE FROM templates WHERE retired AND last_share <= $1 AND id < (SELECT MAX(id) FROM templates)",
        values![through],
    )?;
    db.execute("DELETE FROM workers WHERE gone_after <= $1", values![through])?;
    Ok(())
}
