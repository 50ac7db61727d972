//! Epochs that begin, end, are stated and cease, in this order most of the time.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::statements::{Epoch, EpochId, EpochLength, StatementDigest};
use dwarves_ports::store::{SharedStore, StatementHead, StatementRow, Write};

use super::super::history::History;
use super::one_in;

pub(super) async fn draw(history: &History, store: &SharedStore, (a, b, c): (u8, u8, u16)) -> Option<Write> {
    let known = store.epochs().await.unwrap();
    let stated = known.last.map(|(epoch, _)| epoch.end);
    let now = history.now();
    if one_in(17, c) {
        return Some(Write::CeaseEpochs);
    }
    let Some(open) = known.open.filter(|_| !one_in(13, b)) else {
        // Now and then one that there was before.
        let start = Epoch::first_start(now, stated.filter(|_| !one_in(5, a)));
        let start = match c % 9 {
            0 => known.open.map_or(start, |open| open.start),
            _ => start,
        };
        return Some(Write::BeginEpochs { start });
    };
    let Some(ended) = known.ended.filter(|_| !one_in(11, a)) else {
        let length = EpochLength::from_secs(1 + u32::from(b % 60)).unwrap();
        let mut epoch = Epoch::beginning(open.start, length);
        if one_in(19, a) {
            epoch = known.last.map_or(epoch, |(last, _)| last);
        }
        if one_in(23, c) {
            epoch.end = EpochId::new(epoch.start.get() - 1);
        }
        // By a clock that was set back, now and then.
        let behind = if one_in(7, a) { 4_000 } else { 0 };
        return Some(Write::EndEpoch {
            epoch,
            at: now.moved(-1_000 * behind),
        });
    };
    let text = format!("statement {}", a % 3).repeat(usize::from(b) + 1);
    let mut head = StatementHead {
        ended,
        digest: StatementDigest::of(&text),
        previous: known.last.map(|(_, digest)| digest),
        signer: Hotkey::from_bytes([b; 32]),
        signature: [a; 64],
    };
    match c % 29 {
        0 => head.previous = Some(StatementDigest::of("other")),
        1 => head.digest = StatementDigest::of("other"),
        2 => head.ended.through = head.ended.through.next(),
        3 => head.ended.epoch.start = known.last.map_or(EpochId::new(1), |(last, _)| last.start),
        _ => {}
    }
    Some(Write::AddStatement(Box::new(StatementRow { head, text })))
}
