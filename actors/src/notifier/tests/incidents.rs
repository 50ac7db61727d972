//! What lasts, what waits for the end of quiet hours, and what a day's digest names.

use super::*;
use crate::paymaster::trouble::{Trouble, TroubleKind};

#[actix::test]
async fn an_incident_is_told_once_it_lasts_and_once_it_is_over() {
    let mut bench = Bench::new(vec![channel("ops", &ALL)]).await;
    // It comes and goes: nobody is told.
    for _ in 0..5 {
        bench.world.send_modify(|world| lost(world, true));
        bench.seconds(30).await;
        bench.world.send_modify(|world| lost(world, false));
        bench.seconds(30).await;
    }
    assert_eq!(bench.texts(), Vec::<String>::new());
    bench.world.send_modify(|world| lost(world, true));
    bench.seconds(80).await;
    assert_eq!(bench.texts(), ["Node http://127.0.0.1:8332 does not answer"]);
    // A restart while it lasts tells nothing again; that it is over is told once.
    bench.restart().await;
    bench.seconds(200).await;
    assert_eq!(bench.texts(), Vec::<String>::new());
    bench.world.send_modify(|world| lost(world, false));
    bench.seconds(30).await;
    bench.world.send_modify(|world| lost(world, true));
    bench.seconds(30).await;
    bench.world.send_modify(|world| lost(world, false));
    bench.seconds(200).await;
    assert_eq!(
        bench.texts(),
        ["It is over: Node http://127.0.0.1:8332 does not answer"]
    );
    bench.restart().await;
    bench.seconds(200).await;
    assert_eq!(bench.texts(), Vec::<String>::new());
}

#[actix::test]
async fn whatever_is_wrong_is_told_by_its_kind() {
    let stuck = Trouble::new(TroubleKind::Stuck, "sent 25 h ago").of(PayoutId::new(4));
    type Change = fn(&mut State, Trouble);
    let changes: [(Change, NoticeKind); 4] = [
        (|world, _| lost(world, true), NoticeKind::NodeLost),
        (
            |world, _| world.standing.trouble = Some("two tips".to_owned()),
            NoticeKind::ChainSuspect,
        ),
        (
            |world, stuck| world.payouts.troubles.push(stuck),
            NoticeKind::PayoutStuck,
        ),
        (
            |world, _| world.blocks.troubles.push("blocks_waiting: 1".to_owned()),
            NoticeKind::SubmitFailed,
        ),
    ];
    for (change, kind) in changes {
        let mut bench = Bench::new(vec![channel("ops", &ALL)]).await;
        bench.world.send_modify(|world| change(world, stuck.clone()));
        bench.seconds(90).await;
        let told: Vec<_> = bench
            .told()
            .into_iter()
            .map(|(_, message)| message.kind)
            .collect();
        assert_eq!(told, [kind]);
        tokio::time::resume();
    }
}

#[actix::test]
async fn in_quiet_hours_only_what_is_urgent_is_told() {
    // BEGIN is in the middle of some hour.
    let hour = u8::try_from(BEGIN.secs().rem_euclid(86_400) / 3_600).unwrap();
    let quiet = QuietHours::new(hour, (hour + 1) % 24);
    let mut bench = Bench::new(vec![Channel {
        quiet,
        ..channel("ops", &ALL)
    }])
    .await;
    bench.write(vec![found(1)]).await;
    bench
        .world
        .send_modify(|world| world.standing.trouble = Some("two tips".to_owned()));
    bench.seconds(90).await;
    let kinds: Vec<_> = bench
        .told()
        .into_iter()
        .map(|(_, message)| message.kind)
        .collect();
    assert_eq!(kinds, [NoticeKind::ChainSuspect]);
    bench.clock.advance(Span::from_secs(3_600));
    bench.seconds(2).await;
    let kinds: Vec<_> = bench
        .told()
        .into_iter()
        .map(|(_, message)| message.kind)
        .collect();
    assert_eq!(kinds, [NoticeKind::BlockFound]);
}

#[actix::test]
async fn a_digest_names_the_days_incidents_once_a_day() {
    let mut bench = Bench::with(vec![channel("mail", &[NoticeKind::Digest])], Some(0)).await;
    bench.seconds(5).await;
    assert!(bench.texts()[0].contains("no incidents"));
    bench.write(vec![found(1), found(2)]).await;
    bench.world.send_modify(|world| lost(world, true));
    bench.seconds(90).await;
    bench.restart().await;
    bench.seconds(5).await;
    assert_eq!(bench.texts(), Vec::<String>::new(), "the day was told");
    // As much later as the notices of BEGIN are still of the last 24 hours.
    let to_midnight = 86_400 - BEGIN.secs().rem_euclid(86_400);
    bench
        .clock
        .advance(Span::from_secs(to_midnight.unsigned_abs() - 90));
    bench.seconds(5).await;
    let texts = bench.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    for part in [
        "2 blocks found",
        "1 incidents",
        "Node lost: Node http://127.0.0.1:8332",
    ] {
        assert!(texts[0].contains(part), "{texts:?}");
    }
}

#[actix::test]
async fn a_new_pool_tells_no_digest_before_the_hour_has_come() {
    let mut bench = Bench::with(vec![channel("mail", &[NoticeKind::Digest])], Some(20)).await;
    // It is past ten in the evening, and the pool begins now.
    bench.created_at = BEGIN;
    bench.restart_fresh().await;
    bench.seconds(5).await;
    assert_eq!(bench.texts(), Vec::<String>::new());
    bench.clock.advance(Span::from_secs(22 * 3_600));
    bench.restart().await;
    bench.seconds(5).await;
    assert_eq!(bench.texts().len(), 1);
}
