//! Every question of the store: what it is called, whether one statement answers it, and whether a standby's answer will
//! do when a page asks it.
//!
//! Actors ask to decide: what is credited, booked, paid, stated, told. They ask the primary alone, whatever this table
//! says ([`PostgresStore::to_show`](super::PostgresStore::to_show) is the handle of pages). What a page shows may be a
//! little older, if nobody is misled by it. The reason for each stands at it.

/// Whether a question is one statement, which is of one moment anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    OneStatement,
    Several,
}

/// Whose answer will do for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The server that writes.
    Primary,
    /// A standby within its bound, too.
    Standby,
}

macro_rules! questions {
    ($($(#[doc = $why:literal])+ $name:ident = $text:literal, $of:ident, $side:ident;)+) => {
        /// A question.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Question {
            $($(#[doc = $why])+ $name,)+
        }

        impl Question {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),+];

            const fn row(self) -> (&'static str, Of, Side) {
                match self {
                    $(Self::$name => ($text, Of::$of, Side::$side),)+
                }
            }
        }
    };
}

questions! {
    /// The start rebuilds the guard against duplicates from it.
    RecentShares = "recent shares", Several, Primary;
    /// A round is made of it.
    BlocksToAccount = "blocks to account", OneStatement, Primary;
    /// The block tracker follows them.
    OpenBlocks = "open blocks", OneStatement, Primary;
    /// A round is made of it.
    WeightsInWindow = "weights in window", Several, Primary;
    /// A round is made of it.
    WeightsBetween = "weights between", OneStatement, Primary;
    /// A round is made of it.
    ValuesBetween = "values between", OneStatement, Primary;
    /// A round is made of it; and for validators, who set weights by it, an end that is too early would be a wrong one.
    PositionBefore = "position before", Several, Primary;
    /// As the place before a total: the two are put together.
    PositionAt = "position at", Several, Primary;
    /// A page shows where a proportional round began. What became of blocks is told, so the standby has it by then.
    BlockBefore = "block before", Several, Standby;
    /// Events are made of it, at the moment at which they are news.
    Block = "block", OneStatement, Primary;
    /// A block that was found is made of it and sent.
    Template = "template", OneStatement, Primary;
    /// A lost block's finder is learnt from it.
    OwnerOf = "owner of", OneStatement, Primary;
    /// A round takes back by it.
    BlockCredits = "block credits", Several, Primary;
    /// A miner's page. Rounds and payouts, which alone move it, are told.
    MinerBalances = "miner balances", OneStatement, Standby;
    /// A miner's page. Rounds are told.
    MinerCredits = "miner credits", OneStatement, Standby;
    /// Who is paid.
    PayoutCandidates = "payout candidates", OneStatement, Primary;
    /// Whether the wallet sent what the ledger does not know.
    KnownTxids = "known txids", OneStatement, Primary;
    /// What holds, and what is remembered of the chain.
    Settings = "settings", OneStatement, Primary;
    /// Who is paid.
    Payees = "payees", OneStatement, Primary;
    /// The paymaster follows them.
    WatchedPayouts = "watched payouts", OneStatement, Primary;
    /// The paymaster takes steps by it.
    Payout = "payout", Several, Primary;
    /// A miner's page. Steps of payouts are told.
    MinerPayouts = "miner payouts", OneStatement, Standby;
    /// A miner who has just chosen it, through whichever pool on this ledger, looks whether it holds. It is one row.
    PayoutThreshold = "payout threshold", OneStatement, Primary;
    /// A page. What becomes of blocks is told.
    Blocks = "blocks", OneStatement, Standby;
    /// A page. Rounds are told.
    Rounds = "rounds", Several, Standby;
    /// A page; a closed round does not change, and one that is not there yet is asked for again.
    Round = "round", Several, Standby;
    /// A page. Orders are told.
    Audit = "audit", OneStatement, Standby;
    /// Charts and rates: they end a little earlier, and how many shares were accepted is counted in memory beside them.
    History = "history", Several, Standby;
    /// As history, for all workers of a miner.
    WorkerSums = "worker sums", Several, Standby;
    /// The notifier plans by it.
    UnplannedNotices = "unplanned notices", OneStatement, Primary;
    /// What is told once and never again is chosen by it.
    NoticesSince = "notices since", OneStatement, Primary;
    /// As the notices since a date.
    NoticesAfter = "notices after", OneStatement, Primary;
    /// Who is told.
    Subscriptions = "subscriptions", OneStatement, Primary;
    /// What is on its way is sent by it.
    MinerNotices = "miner notices", OneStatement, Primary;
    /// What is on its way is sent by it.
    Deliveries = "deliveries", OneStatement, Primary;
    /// What is evaluated.
    WaitingSubmissions = "waiting submissions", OneStatement, Primary;
    /// What is evaluated.
    SubmittedWork = "submitted work", OneStatement, Primary;
    /// A miner asks for what it has just been told was taken, by its number; without it it would submit again.
    Submission = "submission", OneStatement, Primary;
    /// As one submission: the newest is the one that matters.
    Submissions = "submissions", OneStatement, Primary;
    /// As one submission: its result is in it.
    MinerResults = "miner results", Several, Primary;
    /// A round is made of it.
    BestResults = "best results", OneStatement, Primary;
    /// A page; a share does not change, and one that is not there yet is asked for again.
    Share = "share", Several, Standby;
    /// A page. What becomes of blocks is told.
    BlockDetails = "block details", Several, Standby;
    /// A page's luck. What becomes of blocks is told.
    FoundEnds = "found ends", OneStatement, Standby;
    /// A page; what a closed round came by does not change.
    Workings = "workings", Several, Standby;
    /// A miner's page. Rounds are told.
    Earned = "earned", Several, Standby;
    /// A page. Steps of payouts are told.
    Payouts = "payouts", OneStatement, Standby;
    /// A page. Steps of payouts are told. (Actors, who ask it of a payout's parent, ask the primary.)
    PayoutOf = "payout of", Several, Standby;
    /// It says who may look: what was taken back shows nothing any more.
    Watch = "watch", OneStatement, Primary;
    /// A miner who has just taken one back looks whether it is gone.
    WatchesOf = "watches of", OneStatement, Primary;
    /// Statements are made of it.
    Epochs = "epochs", Several, Primary;
    /// Statements are made of it, and what validators set weights by.
    WorkBetween = "work between", Several, Primary;
    /// Statements are made of it.
    RejectedBefore = "rejected before", OneStatement, Primary;
    /// A page. Statements are told, and never change.
    Statements = "statements", OneStatement, Standby;
    /// As the list of them.
    Statement = "statement", OneStatement, Standby;
    /// A page. Batches are told.
    PayoutBatches = "payout batches", OneStatement, Standby;
    /// A page; what was exported never changes.
    PayoutBatch = "payout batch", OneStatement, Standby;
    /// A page. Steps of payouts are told.
    BatchPayouts = "batch payouts", Several, Standby;
    /// Figures that only grow are made of it: an older answer behind a newer one would look like a start from nothing.
    Totals = "totals", Several, Primary;
}

impl Question {
    /// What errors call it.
    pub(crate) const fn name(self) -> &'static str {
        self.row().0
    }

    /// Whether it is one statement.
    pub(crate) const fn of(self) -> Of {
        self.row().1
    }

    /// Whose answer will do for a page.
    pub(crate) const fn side(self) -> Side {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use super::Question::*;
    use super::*;

    #[test]
    fn pages_alone_are_read_from_a_standby() {
        let lagging = Question::ALL.iter().filter(|one| one.side() == Side::Standby);
        let expected = [
            BlockBefore,
            MinerBalances,
            MinerCredits,
            MinerPayouts,
            Blocks,
            Rounds,
            Round,
            Audit,
            History,
            WorkerSums,
            Share,
            BlockDetails,
            FoundEnds,
            Workings,
            Earned,
            Payouts,
            PayoutOf,
            Statements,
            Statement,
            PayoutBatches,
            PayoutBatch,
            BatchPayouts,
        ];
        assert!(lagging.eq(&expected), "somebody else may be told what is old");
    }

    /// Each method of the trait asks its own question: the store says which by the name of the method.
    #[test]
    fn every_question_is_asked_by_the_method_of_its_name() {
        let asking = include_str!("store.rs");
        for question in Question::ALL {
            let method = format!("    fn {}(", question.name().replace(' ', "_"));
            let body = asking
                .split(&method)
                .nth(1)
                .and_then(|rest| rest.split("\n    }\n").next());
            let asked = format!("Question::{question:?},");
            assert!(
                body.is_some_and(|body| body.contains(&asked)),
                "{method} does not ask {asked}"
            );
        }
    }
}
