use dwarves_domain::ids::Sequence;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::{FoundBlock, LedgerPosition};
use dwarves_testkit::build::{BEGIN, hotkey};
use dwarves_testkit::settle;

use super::*;
use crate::testing::recorder::recorded_outbox_of;

fn hash(n: u8) -> HeaderHash {
    HeaderHash::from_bytes([n; 32])
}

fn block() -> FoundBlock {
    FoundBlock {
        height: 5,
        reward: Amount::ZERO,
        finder: Some(hotkey(1)),
        bytes: Vec::new(),
    }
}

fn step(step: Transition) -> Write {
    Write::StepPayout {
        id: PayoutId::new(3),
        step,
        at: BEGIN,
    }
}

fn of(write: &Write) -> Vec<News> {
    let mut all = Vec::new();
    News::of(write, &mut |news| all.push(news));
    all
}

/// Every way in which something can happen that people want to hear of, and neighbours of them that they do not.
#[test]
fn what_moves_blocks_and_payouts_is_news_and_what_only_looks_at_them_is_not() {
    let news = |step| {
        vec![News::Payout {
            id: PayoutId::new(3),
            step,
        }]
    };
    let of_block = |state| vec![News::Block { hash: hash(1), state }];
    let state = |state| Write::SetBlockState {
        hash: hash(1),
        state,
        confirmations: 1,
        at: BEGIN,
        block: None,
    };
    let mut table = vec![
        (
            Write::RecordCandidate {
                hash: hash(1),
                block: block(),
                at: BEGIN,
            },
            of_block(BlockState::Submitted),
        ),
        (
            Write::RecoverBlock {
                hash: hash(1),
                block: block(),
                place: LedgerPosition {
                    sequence: Sequence::new(0),
                    total: Units::ZERO,
                },
                found_at: BEGIN,
            },
            of_block(BlockState::Immature),
        ),
        (step(Transition::Send), news("send")),
        (step(Transition::Confirm(6)), news("confirm")),
        (step(Transition::Unconfirm(1)), news("unconfirm")),
        (step(Transition::Return("why".to_owned())), news("return")),
        (step(Transition::Cancel("why".to_owned())), news("cancel")),
        (step(Transition::Revive(6)), news("revive")),
        (step(Transition::Depth(2)), Vec::new()),
        (step(Transition::Forget), Vec::new()),
        (Write::AppendShares(Vec::new()), Vec::new()),
        (Write::DropBlockBytes(vec![hash(1)]), Vec::new()),
        (
            Write::PruneShares {
                through: Sequence::new(1),
            },
            Vec::new(),
        ),
    ];
    table.extend(BlockState::ALL.map(|each| (state(each), of_block(each))));
    for (write, expected) in table {
        assert_eq!(of(&write), expected, "{}", write.name());
    }
}

/// What the store answers decides what is told.
#[actix::test]
async fn what_was_not_done_is_not_told_and_what_finds_no_room_is_counted() {
    let (outbox, mut inbox) = recorded_outbox_of::<Happened>(1);
    let mut desk = Desk::default();
    let candidate = Write::RecordCandidate {
        hash: hash(1),
        block: block(),
        at: BEGIN,
    };
    let writes = vec![
        Write::DropBlockBytes(Vec::new()),
        candidate,
        step(Transition::Send),
    ];
    assert!(desk.announce(&writes).is_empty(), "nobody would hear it");
    desk.attach(outbox);
    let announced = desk.announce(&writes);
    assert_eq!(announced.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 2]);
    let written = [
        Written::Done,
        Written::Candidate {
            state: BlockState::Mature,
            confirmations: 9,
        },
        Written::PayoutRefused,
    ];
    settle().await;
    desk.tell(announced, &written);
    settle().await;
    let mature = News::Block {
        hash: hash(1),
        state: BlockState::Mature,
    };
    let told = inbox.try_recv().unwrap();
    assert_eq!((told.news, told.untold), (vec![mature], 0));
    // Nobody takes anything out of the mailbox meanwhile.
    for _ in 0..10 {
        desk.tell(vec![(0, mature)], &[Written::Done]);
    }
    settle().await;
    let heard = std::iter::from_fn(|| inbox.try_recv().ok()).count() as u64;
    desk.tell(vec![(0, mature)], &[Written::Done]);
    settle().await;
    let untold = inbox.try_recv().unwrap().untold;
    assert!(untold > 0);
    assert_eq!(heard + untold, 10);
}
