//! Each scheme on work that was checked by hand: half a unit each of miners 1, 2 and 1; the last is a block that
//! pays 1,000,000 sats. The fee is one percent.

use super::*;

fn terms_of(scheme: Scheme) -> Terms {
    Terms { scheme, ..terms() }
}

async fn after_first_round(terms: Terms) -> Bench {
    let bench = Bench::with(terms, &[]).await;
    bench.usual_work().await;
    bench.tick_at(10).await;
    assert_eq!(bench.closings().await, [10]);
    bench
}

/// Fee, kept and credited of a round.
fn parts(round: &RoundRow) -> [u64; 3] {
    [round.fee.sats(), round.kept.sats(), round.credited.sats()]
}

#[actix::test]
async fn pplns_pays_the_unit_that_ends_in_the_middle_of_the_block() {
    // The window is one unit: a quarter of the first share, all of the second, and half of the winner.
    let bench = after_first_round(terms_of(Scheme::Pplns)).await;
    assert_eq!(bench.of_miners(Balance::Immature), [495_000, 495_000]);
    assert_eq!(bench.balance(Account::FeeImmature), 10_000);
    assert_eq!(bench.balance(Account::Chain), -1_000_000);
    assert_eq!(parts(&bench.rounds().await[0]), [10_000, 0, 990_000]);
    assert_eq!(bench.rounds().await[0].blocks, [block_hash(1)]);
}

#[actix::test]
async fn proportional_pays_all_work_since_the_block_before() {
    let bench = after_first_round(terms_of(Scheme::Proportional)).await;
    assert_eq!(bench.of_miners(Balance::Immature), [660_000, 330_000]);
    bench.share(2, 30, 11, None).await;
    bench.share(1, 10, 12, Some(2)).await;
    bench.block_becomes(2, BlockState::Immature).await;
    bench.tick_at(20).await;
    let second = [247_500, 742_500];
    assert_eq!(
        bench.of_miners(Balance::Immature),
        [660_000 + second[0], 330_000 + second[1]]
    );
}

#[actix::test]
async fn solo_pays_the_finder() {
    let bench = after_first_round(terms_of(Scheme::Solo)).await;
    assert_eq!(bench.of_miners(Balance::Immature), [990_000, 0]);
}

#[actix::test]
async fn pps_pays_every_unit_the_subsidy_and_the_block_goes_to_the_reserve() {
    // A unit is worth 5,000,000,000 sats less one percent; miner 1 did one and miner 2 half of one.
    let bench = after_first_round(terms_of(Scheme::Pps)).await;
    assert_eq!(bench.of_miners(Balance::Payable), [4_950_000_000, 2_475_000_000]);
    assert_eq!(bench.of_miners(Balance::Immature), [0, 0]);
    assert_eq!(bench.balance(Account::Reserve), -7_425_000_000);
    assert_eq!(bench.balance(Account::ReserveImmature), 1_000_000);
    assert_eq!(parts(&bench.rounds().await[0]), [75_000_000, 0, 7_425_000_000]);
    // The next round pays only what is new.
    bench.share(2, 1, 11, None).await;
    bench.tick_at(20).await;
    assert_eq!(bench.of_miners(Balance::Payable), [4_950_000_000, 2_524_500_000]);
}

#[actix::test]
async fn fpps_pays_the_fees_of_transactions_too() {
    // A unit is worth 5,000,010,000 sats less one percent.
    let bench = after_first_round(terms_of(Scheme::Fpps)).await;
    assert_eq!(bench.of_miners(Balance::Payable), [4_950_009_900, 2_475_004_950]);
}

#[actix::test]
async fn what_is_below_a_sat_is_carried_across_a_restart() {
    let bench = Bench::with(terms_of(Scheme::Pps), &[]).await;
    // 10^-11 units are worth 0.0495 sats each time: after 21 rounds that is one sat and a bit.
    let tiny = Units::from_raw(Units::ONE.raw() / 100_000_000_000);
    let mut bench = bench;
    for round in 1..=21u64 {
        let sequence = bench.share(1, 0, round * 10 - 5, None).await;
        assert_eq!(sequence.get(), round * 2 - 1);
        let row = bench.memory.shares().pop().unwrap().1;
        let row = ShareRow {
            units: tiny,
            hash: HeaderHash::from_bytes([200 + round as u8; 32]),
            ..row
        };
        let write = Write::AppendShares(vec![row]);
        bench.memory.commit(vec![write]).await.unwrap();
        bench.tick_at(round * 10).await;
        let paid = bench.of_miners(Balance::Payable)[0];
        assert_eq!(paid, i64::from(round == 21), "after round {round}");
        if round == 10 {
            bench = bench.restarted(terms_of(Scheme::Pps)).await;
        }
    }
}

#[actix::test]
async fn emission_pays_the_window_that_ends_now_and_carries_what_nobody_worked_for() {
    let terms = Terms {
        source: Source::Emission,
        ..terms()
    };
    let bench = after_first_round(terms).await;
    // The last unit of one and a half: all of miner 2's share and of miner 1's last one.
    assert_eq!(bench.of_miners(Balance::Payable), [495_000, 495_000]);
    assert_eq!(bench.balance(Account::Fee), 10_000);
    assert_eq!(
        bench.balance(Account::ReserveImmature),
        1_000_000,
        "the block is the reserve's"
    );
    bench.tick_at(20).await;
    assert_eq!(bench.of_miners(Balance::Payable), [495_000, 495_000]);
    assert_eq!(bench.balance(Account::Fee), 10_000);
    assert_eq!(bench.balance(Account::Reserve), 0);
    assert_eq!(bench.balance(Account::Emission), -1_000_000);
    // The next life knows what was carried.
    let bench = bench.restarted(terms).await;
    bench.share(2, 10, 21, None).await;
    bench.tick_at(30).await;
    assert_eq!(bench.balance(Account::Fee), 30_000);
    assert_eq!(bench.balance(Account::Emission), -3_000_000);
}

#[actix::test]
async fn emission_by_another_scheme_pays_the_work_since_the_last_round() {
    let terms = Terms {
        source: Source::Emission,
        ..terms_of(Scheme::Proportional)
    };
    let bench = after_first_round(terms).await;
    assert_eq!(bench.of_miners(Balance::Payable), [660_000, 330_000]);
    bench.share(2, 10, 11, None).await;
    bench.tick_at(20).await;
    assert_eq!(bench.of_miners(Balance::Payable), [660_000, 1_320_000]);
}

#[actix::test]
async fn a_block_matures_is_lost_and_comes_back() {
    let bench = after_first_round(terms()).await;
    bench.block_becomes(1, BlockState::Mature).await;
    bench.tick_at(20).await;
    assert_eq!(bench.of_miners(Balance::Immature), [0, 0]);
    assert_eq!(bench.of_miners(Balance::Payable), [495_000, 495_000]);
    assert_eq!(bench.balance(Account::Fee), 10_000);
    // What is free to be paid is never taken back: the reserve bears it.
    bench.block_becomes(1, BlockState::Orphaned).await;
    bench.tick_at(30).await;
    assert_eq!(bench.of_miners(Balance::Payable), [495_000, 495_000]);
    assert_eq!(bench.balance(Account::Reserve), -1_000_000);
    assert_eq!(bench.balance(Account::Chain), 0);
    bench.block_becomes(1, BlockState::Immature).await;
    bench.tick_at(40).await;
    assert_eq!(bench.balance(Account::Reserve), 0);
    assert_eq!(bench.of_miners(Balance::Payable), [495_000, 495_000]);
}

async fn is_reversed(state: BlockState) {
    let bench = after_first_round(terms()).await;
    bench.block_becomes(1, state).await;
    bench.tick_at(20).await;
    assert_eq!(bench.memory.balances().iter().count(), 0, "nothing is left");
    let due = bench.memory.blocks_to_account(10).await.unwrap();
    assert_eq!(due, [], "it is booked as what it is");
    bench.block_becomes(1, BlockState::Mature).await;
    bench.tick_at(40).await;
    assert_eq!(
        bench.of_miners(Balance::Payable),
        [495_000, 495_000],
        "it came back and matured"
    );
}

#[actix::test]
async fn an_orphaned_blocks_credits_are_reversed() {
    is_reversed(BlockState::Orphaned).await;
}

#[actix::test]
async fn a_block_that_the_chain_refuses_after_it_was_credited_is_reversed_too() {
    is_reversed(BlockState::Refused).await;
}

#[actix::test]
async fn a_block_that_the_chain_has_not_decided_on_waits() {
    let bench = Bench::new().await;
    bench.share(1, 50, 1, Some(1)).await;
    bench.tick_at(10).await;
    bench.block_becomes(1, BlockState::Accepted).await;
    bench.tick_at(20).await;
    assert_eq!(bench.memory.balances().iter().count(), 0);
    bench.block_becomes(1, BlockState::Mature).await;
    bench.tick_at(30).await;
    assert_eq!(bench.of_miners(Balance::Immature), [990_000, 0]);
    bench.tick_at(40).await;
    assert_eq!(bench.of_miners(Balance::Payable), [990_000, 0]);
}

#[actix::test]
async fn a_store_that_contradicts_itself_halts_the_pool_and_pays_nothing() {
    let bench = Bench::with(terms_of(Scheme::Fpps), &[]).await;
    // A template that pays less than it mints.
    let mut row = template_row(2, 102, block_hash(9));
    row.chain.coinbase_value = sats(1);
    let save = Write::SaveTemplate(Box::new(row));
    bench.memory.commit(vec![save]).await.unwrap();
    bench.share(1, 50, 1, None).await;
    let share = bench.memory.shares().pop().unwrap().1;
    let share = ShareRow {
        template: TemplateId::new(2),
        hash: block_hash(77),
        ..share
    };
    let append = Write::AppendShares(vec![share]);
    bench.memory.commit(vec![append]).await.unwrap();
    bench.tick_at(10).await;
    assert!(bench.halt.reasons()[0].contains("less than its subsidy"));
    assert_eq!(bench.closings().await, [0; 0]);
}
