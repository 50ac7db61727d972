//! What hinders the pool, by name, with what an operator can do and where the runbook speaks of it.
//!
//! Whoever knows a hindrance says it in words, for people; those words begin with what it is. `tests/runbook.rs` holds the
//! sections to being there, and every name to being spoken of in its section.

use dwarves_actors::control::hold::Hold;
use dwarves_actors::live_work::LackOfWork;
use dwarves_actors::paymaster::trouble::TroubleKind;
use dwarves_domain::chain_guard::Verdict;

/// A kind of hindrance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// Its name.
    pub name: &'static str,
    /// How its words begin: up to the name, if that is among them.
    before: &'static str,
    has_name: bool,
    /// What an operator can do.
    pub remedy: &'static str,
    /// The section of RUNBOOK.md that speaks of it.
    pub section: Section,
}

/// A section of RUNBOOK.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its title: its heading up to where names of figures and words of logs begin.
    pub title: &'static str,
    /// Its heading as a link names it.
    pub anchor: &'static str,
}

const fn section(title: &'static str, anchor: &'static str) -> Section {
    Section { title, anchor }
}

const SOMETHING: Section = section(
    "Something hinders it",
    "something-hinders-it-dwarves_hindrances--0",
);
const WORK: Section = section(
    "No live work",
    "no-live-work-no-live-work-why-in-readyz-no_work-in-status-dwarves_no_work_seconds--0",
);
const CHAIN: Section = section(
    "The right chain",
    "the-right-chain-chain-verdict--in-readyz-chain-in-status-dwarves_chain_verdict-alarm-the-chain-is-in-doubt",
);
const STATEMENTS: Section = section(
    "Statements wait",
    "statements-wait-statements_wait-in-readyz-dwarves_statements_overdue_seconds--0-alarm-statements-wait",
);
/// The section on holds.
pub const HOLDS: Section = section("Holds", "holds-dwarves_payouts_held--1");
/// The section on troubles of payouts.
pub const TROUBLES: Section = section("Troubles", "troubles-dwarves_payout_troubles--0");

const fn remedy(name: &'static str, before: &'static str, remedy: &'static str, section: Section) -> Remedy {
    Remedy {
        name,
        before,
        has_name: false,
        remedy,
        section,
    }
}

/// Hindrances that have one name each.
const SINGLE: [Remedy; 13] = [
    remedy(
        "easy_blocks",
        "easy_blocks: ",
        "nothing, on a test chain: the first blocks of each height go to the chain first",
        section("Blocks", "blocks"),
    ),
    remedy(
        "blocks_waiting",
        "blocks_waiting: ",
        "look at the node: it does not answer, or does not take them; each is submitted again until it does",
        section(
            "Blocks waiting",
            "blocks-waiting-dwarves_blocks_waiting--0-for-more-than-a-minute",
        ),
    ),
    remedy(
        "clock_refused",
        "clock_refused: ",
        "set this machine's clock right; everything goes on by itself",
        section(
            "Clock refused",
            "clock-refused-clock_refused-in-readyz-dwarves_clock_refused--1-alarm-clock_refused-payouts-held-by-clock",
        ),
    ),
    remedy(
        "clock_jumped",
        "clock_jumped: ",
        "find out who set this machine's clock; if it is right now, it is followed soon",
        section(
            "Clock jumped",
            "clock-jumped-clock_jumped-in-readyz-dwarves_clock_jump_seconds-other-than-0",
        ),
    ),
    remedy(
        "recent_shares",
        "recent_shares is nearly full",
        "raise limits.recent_shares, or work.share_interval_secs, so that miners send fewer and harder shares",
        section(
            "Room for shares",
            "room-for-shares-recent_shares-is-nearly-full-dwarves_recent_shares",
        ),
    ),
    remedy(
        "metagraph",
        "metagraph: ",
        "write bittensor.metagraph anew, beside it and then renamed; it is read within seconds",
        section(
            "The metagraph",
            "the-metagraph-metagraph--in-readyz-metagraph-in-status",
        ),
    ),
    remedy(
        "statements_wait",
        "statements_wait: ",
        "mend what its words name, the disk or the ledger; statements are made up for by themselves",
        STATEMENTS,
    ),
    remedy(
        "front_silent",
        "front_silent: ",
        "look at its machine and its log; start it again, or forget it: after a day it is not named any more",
        section(
            "A front is silent",
            "a-front-is-silent-front_silent-in-readyz-dwarves_fronts_silent--0",
        ),
    ),
    remedy(
        "front_unlinked",
        "front_unlinked: ",
        "look at its log, which says why: it must reach front.listen of the front that leads, and run the same version",
        section(
            "A front has no link",
            "a-front-has-no-link-front_unlinked-in-readyz-dwarves_fronts_unlinked--0",
        ),
    ),
    remedy(
        "ledger",
        "the ledger cannot write: ",
        "look at the disk: whether it is full, broken or mounted read-only; the pool writes again by itself",
        section(
            "The ledger cannot write",
            "the-ledger-cannot-write-dwarves_ledger_writable--0",
        ),
    ),
    remedy(
        "paused",
        "the pool is paused by an admin",
        "dwarves admin pool_manager resume",
        WORK,
    ),
    remedy(
        "draining",
        "the pool is draining",
        "nothing; start it again when you are done",
        WORK,
    ),
    remedy("starting", "the pool is starting", "wait a moment", WORK),
];

/// Hindrances whose words have a name behind their beginning: how they begin, and the section on all of them.
const NAMED: [(&str, Section); 4] = [
    ("no live work (", WORK),
    ("chain ", CHAIN),
    ("payouts are held by ", HOLDS),
    ("payouts: ", TROUBLES),
];

impl Remedy {
    /// Whether these words are of it.
    fn is_of(&self, words: &str) -> bool {
        let Some(rest) = words.strip_prefix(self.before) else {
            return false;
        };
        let behind_name = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        !self.has_name || rest.strip_prefix(self.name).is_some_and(behind_name)
    }
}

/// What is known of a hindrance from its words.
pub fn of(words: &str) -> Remedy {
    all().find(|known| known.is_of(words)).unwrap_or(remedy(
        "other",
        "",
        "read its words; the logs of the node and of the pool have more",
        SOMETHING,
    ))
}

/// Every kind of hindrance.
pub fn all() -> impl Iterator<Item = Remedy> {
    let lacks = LackOfWork::ALL.map(|lack| (lack.as_str(), of_lack(lack)));
    let verdicts = Verdict::ALL.map(|verdict| {
        (
            verdict.as_str(),
            "look at the nodes, and at which of them disagree",
        )
    });
    let holds = Hold::ALL.map(|hold| (hold.name(), hold.remedy()));
    let troubles = TroubleKind::ALL.map(|kind| (kind.name(), kind.remedy()));
    let lists: [Vec<(&str, &str)>; 4] = [lacks.into(), verdicts.into(), holds.into(), troubles.into()];
    let named = NAMED
        .into_iter()
        .zip(lists)
        .flat_map(|((before, section), list)| {
            let one = move |(name, what)| Remedy {
                has_name: true,
                ..remedy(name, before, what, section)
            };
            list.into_iter().map(one)
        });
    SINGLE.into_iter().chain(named)
}

const fn of_lack(lack: LackOfWork) -> &'static str {
    match lack {
        LackOfWork::Starting => "start the node, or wait for it; dwarves check says what is wrong with it",
        LackOfWork::NoTemplate => {
            "look at the node: its own words stand beside this; dwarves check says more"
        }
        LackOfWork::WrongChain => {
            "look at the nodes, and at which of them disagree; what miners have is stale"
        }
        LackOfWork::Paused => "dwarves admin pool_manager resume",
        LackOfWork::Draining => "nothing; start it again when you are done",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hindrance_is_known_by_its_words() {
        for (words, name) in [
            (
                "no live work (no_template): the last work is over; miners are let go",
                "no_template",
            ),
            ("chain minority: a:1: fork", "minority"),
            (
                "payouts are held by restored: the wallet sent what; do",
                "restored",
            ),
            ("payouts: ledger: it cannot", "ledger"),
            (
                "payouts: wallet_locked (payout 3): locked; unlock",
                "wallet_locked",
            ),
            (
                "blocks_waiting: 3 found blocks are not taken by the chain yet",
                "blocks_waiting",
            ),
            ("the ledger cannot write: full", "ledger"),
            ("recent_shares is nearly full: 1 of 2", "recent_shares"),
            ("metagraph: EOF; the one of yesterday holds", "metagraph"),
            ("no answer from the node", "other"),
            ("payouts: wallet_locked_for_ever: x", "other"),
            ("", "other"),
        ] {
            assert_eq!(of(words).name, name, "{words}");
        }
        for known in all() {
            let name = if known.has_name { known.name } else { "" };
            let words = format!("{}{name}: and so on", known.before);
            assert_eq!(of(&words), known);
        }
    }
}
