//! What people are told, as it is drawn.

use dwarves_domain::ids::NoticeId;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{MinerNoticeRow, NoticeRow, ToMiner, Write};

use super::super::history::{History, at, miner};
use super::one_in;

fn kind(b: u8) -> NoticeKind {
    NoticeKind::ALL[usize::from(b) % NoticeKind::ALL.len()]
}

/// How often it failed and when it is tried again, or that it is over.
fn again(a: u8, c: u16) -> Option<(u32, Timestamp)> {
    one_in(2, c / 8).then(|| (u32::from(a), at(i64::from(c))))
}

impl History {
    pub(super) fn notice(&self, (a, b, c): (u8, u8, u16)) -> Write {
        let now = self.now();
        let channel = format!("channel-{}", a % 3);
        // Few miners and keys, so that much is about the same.
        let (hotkey, key) = (miner(a % 3), format!("block/{}", b % 4));
        match c % 8 {
            0 => Write::PostNotice(Box::new(NoticeRow {
                id: NoticeId::default(),
                key: format!("block/{}", a % 8),
                kind: kind(b),
                at: now,
                text: format!("text {b}"),
                detail: "{}".to_owned(),
            })),
            1 => Write::PlanNotice {
                notice: NoticeId::new(u64::from(b % 8)),
                channels: (0..a % 3)
                    .map(|n| (format!("channel-{n}"), at(i64::from(c))))
                    .collect(),
            },
            2 => Write::SettleDelivery {
                notice: NoticeId::new(u64::from(b % 8)),
                channel,
                again: again(a, c),
            },
            3 | 4 => Write::ToMiner(ToMiner::Subscribe {
                hotkey,
                record: (!one_in(4, b)).then(|| format!("record {b}")),
            }),
            5 | 6 => Write::ToMiner(ToMiner::Post(Box::new(MinerNoticeRow {
                hotkey,
                channel,
                key,
                kind: kind(b),
                at: now,
                text: format!("text {b}"),
                detail: "{}".to_owned(),
                failures: u32::from(b % 2),
                next_at: at(i64::from(c)),
            }))),
            _ => Write::ToMiner(ToMiner::Settle {
                hotkey,
                channel,
                key,
                again: again(a, c),
            }),
        }
    }
}
