//! Shares of templates that are retired: stale, unless they came in time, and what is remembered of them.

use super::*;

#[actix::test]
async fn a_share_of_a_retired_template_is_stale_even_if_it_was_accepted_before() {
    let bench = Bench::new().await;
    let share = checked(&job_1(), 0);
    assert_eq!(words(&bench.ask(judge_one(share.clone())).await), ["accepted 1"]);
    bench.retire_before(2).await;
    assert_eq!(words(&bench.ask(judge_one(share)).await), ["stale"]);
    assert_eq!(
        words(&bench.ask(judge_one(checked(&job_1(), 500))).await),
        ["stale"]
    );
    let live = build::job(&template(2), 1, hotkey(1), 0);
    assert_eq!(
        words(&bench.ask(judge_one(checked(&live, 0))).await),
        ["accepted 2"]
    );
    // Old news change nothing.
    bench.retire_before(1).await;
    assert_eq!(
        words(&bench.ask(judge_one(checked(&job_1(), 900))).await),
        ["stale"]
    );
}

/// A block ends the work that it was found on, and it may reach the network before its own share is judged.
#[actix::test]
async fn a_share_that_came_before_its_template_was_retired_counts_once() {
    let bench = Bench::new().await;
    let from = |received_at, nonce| CheckedShares {
        received_at,
        ..request(1, vec![checked(&job_1(), nonce)])
    };
    bench.clock.advance(Span::from_secs(1));
    let (before, after) = (BEGIN, BEGIN.plus(Span::from_millis(1_001)));
    bench.retire_before(2).await;
    let judgements = bench.ask(judge(vec![from(before, 0), from(after, 500)])).await;
    assert_eq!(words(&judgements), ["accepted 1", "stale"]);
    // The guard against repeats is there for as long as such a share may be on its way.
    let judgements = bench.ask(judge(vec![from(before, 0)])).await;
    assert_eq!(words(&judgements), ["duplicate 1"]);
    assert_eq!(bench.miners().await.recent_shares.0, 1);
    bench.clock.advance(Span::from_secs(3));
    let judgements = bench.ask(judge(vec![from(before, 0), from(before, 900)])).await;
    assert_eq!(words(&judgements), ["stale", "stale"]);
    assert_eq!(bench.miners().await.recent_shares.0, 0);
}

#[actix::test]
async fn headers_of_retired_templates_go_at_once_where_live_work_needs_the_room() {
    let mut settings = memory_settings();
    settings.recent_shares_max = 4;
    let bench = Bench::with(settings).await;
    let came_before = |nonce| CheckedShares {
        received_at: BEGIN,
        ..request(1, vec![checked(&job_1(), nonce)])
    };
    bench.ask(judge(vec![came_before(0), came_before(500)])).await;
    bench.retire_before(2).await;
    assert_eq!(bench.miners().await.recent_shares.0, 0);
    // Nothing counts twice for it.
    let judgements = bench.ask(judge(vec![came_before(0), came_before(900)])).await;
    assert_eq!(words(&judgements), ["stale", "stale"]);
}

#[actix::test]
async fn headers_of_retired_templates_count_against_no_miner() {
    let mut settings = memory_settings();
    settings.recent_shares_max = 100;
    settings.quotas.miner_percent = 10;
    let bench = Bench::with(settings).await;
    let accepted = async |bench: &Bench, job: &Arc<Job>| {
        let shares = (0..11).map(|n| checked(job, n * 1_000));
        let requests = shares.map(|share| request(1, vec![share])).collect();
        let judgements = bench.ask(judge(requests)).await;
        let is_accepted = |word: &&String| word.starts_with("accepted");
        words(&judgements).iter().filter(is_accepted).count()
    };
    assert_eq!(
        accepted(&bench, &job_1()).await,
        10,
        "a tenth of the room, and no more"
    );
    bench.retire_before(2).await;
    let live = build::job(&template(2), 1, hotkey(1), 0);
    assert_eq!(accepted(&bench, &live).await, 10);
}

#[actix::test]
async fn a_share_whose_template_retires_while_it_is_being_stored_still_counts() {
    let bench = Bench::gated().await;
    let answer = bench.post(judge_one(checked(&job_1(), 0)));
    settle().await;
    bench.retire_before(2).await;
    bench.gate.open();
    assert_eq!(words(&answer.await.unwrap()), ["accepted 1"]);
    assert_eq!(bench.miners().await.accepted, 1);
}
