use super::*;
use crate::ledger::{Account, Balance, Balances};
use crate::rewards::pps;
use crate::rewards::weights::HalfUnits;
use proptest::prelude::*;

mod order;
mod reorganising;
mod schemes;

fn key(byte: u8) -> Hotkey {
    Hotkey::from_bytes([byte; 32])
}

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

fn hash(number: u32) -> HeaderHash {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    HeaderHash::from_bytes(bytes)
}

fn half(number: u128) -> HalfUnits {
    HalfUnits::from_half_steps(number)
}

fn miner(byte: u8, balance: Balance) -> Account {
    Account::Miner(key(byte), balance)
}

fn block(number: u32, reward: u64, finder: u8, work: &[(u8, u128)]) -> BlockReward {
    BlockReward {
        hash: hash(number),
        height: number,
        reward: sats(reward),
        finder: Some(key(finder)),
        weights: Weights::sum(work.iter().map(|&(byte, w)| (key(byte), w))).unwrap(),
    }
}

/// A round in which nothing happened.
fn quiet(id: u64, scheme: Scheme, fee_bps: u16) -> RoundInput {
    RoundInput {
        id: RoundId::new(id),
        closed_at: Timestamp::from_secs(i64::try_from(id).unwrap() * 60),
        scheme,
        fee: BasisPoints::new(fee_bps).unwrap(),
        source: Source::Blocks,
        accepted: Vec::new(),
        matured: Vec::new(),
        orphaned: Vec::new(),
        returned: Vec::new(),
        shares: Vec::new(),
        carried: BTreeMap::new(),
        emission: None,
    }
}

fn lines(round: &ClosedRound) -> Vec<(Account, i64)> {
    round
        .postings
        .entries()
        .map(|e| (e.account, e.delta.sats()))
        .collect()
}

#[test]
fn an_accepted_block_is_credited_immature_after_the_fee() {
    let mut input = quiet(1, Scheme::Pplns, 100);
    input.accepted = vec![block(7, 1_005, 1, &[(1, 30), (2, 10)])];
    let round = close(&input).unwrap();
    assert_eq!(
        lines(&round),
        [
            (Account::Chain, -1_005),
            (Account::FeeImmature, 10),
            (miner(1, Balance::Immature), 746),
            (miner(2, Balance::Immature), 249),
        ]
    );
    let credit = |byte, work, amount| RoundCredit {
        hotkey: key(byte),
        units: half(work),
        amount: sats(amount),
    };
    assert_eq!(round.credits, [credit(1, 30, 746), credit(2, 10, 249)]);
    let sums = [round.reward, round.fee, round.kept, round.credited];
    assert_eq!(sums, [1_005, 10, 0, 995].map(sats));
}

#[test]
fn two_blocks_of_one_round_pay_the_same_work_twice_and_sum_up() {
    let mut input = quiet(1, Scheme::Pplns, 0);
    input.accepted = vec![block(8, 50, 2, &[(1, 1), (2, 4)]), block(7, 100, 1, &[(1, 3)])];
    let round = close(&input).unwrap();
    let shown: Vec<_> = round
        .credits
        .iter()
        .map(|c| (c.hotkey, c.units, c.amount))
        .collect();
    assert_eq!(shown, [(key(1), half(4), sats(110)), (key(2), half(4), sats(40))]);
    let hashes: Vec<_> = round.blocks.iter().map(|b| b.hash).collect();
    assert_eq!(hashes, [hash(7), hash(8)]);
}

#[test]
fn a_block_that_nobody_worked_for_is_kept_after_the_fee() {
    let mut input = quiet(1, Scheme::Proportional, 100);
    input.accepted = vec![block(7, 1_000, 1, &[])];
    let round = close(&input).unwrap();
    assert_eq!(
        lines(&round),
        [
            (Account::Chain, -1_000),
            (Account::FeeImmature, 10),
            (Account::ReserveImmature, 990)
        ]
    );
    assert_eq!(round.kept, sats(990));
    let mut next = quiet(2, Scheme::Proportional, 100);
    next.matured = round.blocks;
    assert_eq!(
        lines(&close(&next).unwrap()),
        [
            (Account::FeeImmature, -10),
            (Account::Fee, 10),
            (Account::ReserveImmature, -990),
            (Account::Reserve, 990)
        ]
    );
}

#[test]
fn input_that_contradicts_itself_is_refused() {
    let accepted = block(7, 1_000, 1, &[(1, 30)]);
    let mut twice = quiet(1, Scheme::Pplns, 0);
    twice.accepted = vec![accepted.clone()];
    twice.matured = close(&twice).unwrap().blocks;
    assert_eq!(close(&twice), Err(RoundError::BlockTwice(hash(7))));

    let mut emission = quiet(1, Scheme::Pplns, 0);
    emission.emission = Some(Emission::of(sats(1), Weights::new()));
    assert_eq!(close(&emission), Err(RoundError::Emission));
    emission.source = Source::Emission;
    emission.emission = None;
    assert_eq!(close(&emission), Err(RoundError::Emission));

    let share = ShareValue {
        hotkey: key(1),
        units: "1".parse().unwrap(),
        value: sats(1),
    };
    let mut shares = quiet(1, Scheme::Pplns, 0);
    shares.shares = vec![share];
    assert_eq!(close(&shares), Err(RoundError::Shares));
    shares.scheme = Scheme::Fpps;
    assert!(close(&shares).is_ok());
    shares.source = Source::Emission;
    shares.emission = Some(Emission::of(sats(1), Weights::new()));
    assert_eq!(close(&shares), Err(RoundError::Shares));

    let mut large = quiet(1, Scheme::Pplns, 0);
    large.accepted = vec![
        block(7, Amount::MAX.sats(), 1, &[(1, 1)]),
        block(8, 1, 1, &[(1, 1)]),
    ];
    assert_eq!(close(&large), Err(RoundError::AmountOverflow));
}

#[test]
fn the_digest_depends_on_everything_the_round_does() {
    let mut input = quiet(1, Scheme::Pplns, 100);
    input.accepted = vec![
        block(7, 1_000, 1, &[(1, 30), (2, 10)]),
        block(8, 900, 1, &[(1, 30)]),
    ];
    input.carried = BTreeMap::from([(key(3), 5)]);
    let round = close(&input).unwrap();
    let change = |change: fn(&mut ClosedRound)| {
        let mut other = round.clone();
        change(&mut other);
        other.digest_of()
    };
    let changes = [
        change(|r| r.id = r.id.next()),
        change(|r| r.closed_at = Timestamp::from_millis(1)),
        change(|r| r.scheme = Scheme::Solo),
        change(|r| r.source = Source::Emission),
        change(|r| r.reward = Amount::ZERO),
        change(|r| r.fee = Amount::ZERO),
        change(|r| r.kept = Amount::MAX),
        change(|r| r.credited = Amount::ZERO),
        change(|r| r.credits[0].units = HalfUnits::ZERO),
        change(|r| r.credits[0].amount = Amount::ZERO),
        change(|r| r.blocks[0].height = 9),
        change(|r| r.blocks[0].credits.clear()),
        change(|r| r.matured.push(hash(1))),
        change(|r| r.orphaned.push(hash(1))),
        change(|r| r.returned.push(hash(1))),
        change(|r| r.carried.clear()),
        change(|r| r.postings = r.postings.reversed()),
    ];
    let distinct: std::collections::BTreeSet<_> = changes.iter().chain([&round.digest]).collect();
    assert_eq!(distinct.len(), changes.len() + 1);
    assert_eq!(round.digest_of(), round.digest);
}

#[test]
fn the_digest_of_version_one_stays_what_it_is() {
    let mut input = quiet(1, Scheme::Pplns, 100);
    input.accepted = vec![block(7, 1_000, 1, &[(1, 30), (2, 10)])];
    // Computed apart from this code, from the description of the encoding.
    let expected = "f3409912fea8babb1de5be44e04e0bad81f280bd14ab5ec8151a5092321f684b";
    assert_eq!(hex::encode(close(&input).unwrap().digest), expected);
}

/// Where a block of the model stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Immature,
    Mature,
    Orphaned { was_mature: bool },
}

fn any_scheme() -> impl Strategy<Value = Scheme> {
    prop::sample::select(Scheme::ALL.to_vec())
}

/// A block's reward, finder and window.
type Found = (u64, u8, Vec<(u8, u128)>);

#[derive(Clone, Debug)]
struct Step {
    scheme: Scheme,
    fee_bps: u16,
    found: Vec<Found>,
    /// One number a block decides what happens to it next.
    fates: Vec<u8>,
    shares: Vec<(u8, u128, u64)>,
    emitted: Option<u64>,
}

fn any_step() -> impl Strategy<Value = Step> {
    let work = || prop::collection::vec((0u8..4, 0u128..1 << 90), 0..5);
    (
        any_scheme(),
        0u16..=10_000,
        prop::collection::vec((0u64..1 << 36, 0u8..4, work()), 0..3),
        prop::collection::vec(0u8..8, 40),
        prop::collection::vec((0u8..4, 1u128..1 << 94, 0u64..1 << 36), 0..6),
        prop::option::weighted(0.2, 0u64..1 << 30),
    )
        .prop_map(|(scheme, fee_bps, found, fates, shares, emitted)| Step {
            scheme,
            fee_bps,
            found,
            fates,
            shares,
            // Evaluated work is paid from nothing else.
            emitted: emitted.or(scheme.is_of_evaluated_work().then_some(1_000)),
        })
}

proptest! {
    #[test]
    fn whatever_happens_to_blocks_every_balance_is_what_their_stages_say(
        steps in prop::collection::vec(any_step(), 1..12), payouts in prop::collection::vec(0u8..4, 12),
    ) {
        let mut balances = Balances::new();
        let mut blocks: Vec<(SettledBlock, Stage, bool)> = Vec::new();
        let mut carried = BTreeMap::new();
        let mut paid_at_once: BTreeMap<Hotkey, i64> = BTreeMap::new();
        let mut height = 0;
        for (number, step) in steps.iter().enumerate() {
            let mut input = quiet(number as u64 + 1, step.scheme, step.fee_bps);
            input.carried = carried.clone();
            if let Some(emitted) = step.emitted {
                input.source = Source::Emission;
                input.emission = Some(Emission::of(sats(emitted), Weights::sum([(key(1), 3), (key(2), 1)]).unwrap()));
            } else if step.scheme.pays_per_share() {
                input.shares = step.shares.iter().map(|&(byte, units, value)| ShareValue {
                    hotkey: key(byte), units: crate::units::Units::from_raw(units), value: sats(value),
                }).collect();
            }
            for ((settled, stage, ever_mature), fate) in blocks.iter_mut().zip(&step.fates) {
                let settled = settled.clone();
                match (*stage, fate) {
                    (Stage::Immature, 0 | 1) => {
                        input.matured.push(settled);
                        (*stage, *ever_mature) = (Stage::Mature, true);
                    }
                    (Stage::Immature | Stage::Mature, 2) => {
                        let was_mature = *stage == Stage::Mature;
                        input.orphaned.push(OrphanedBlock { settled, was_mature });
                        *stage = Stage::Orphaned { was_mature };
                    }
                    (Stage::Orphaned { was_mature }, 3) => {
                        input.returned.push(OrphanedBlock { settled, was_mature });
                        *stage = if was_mature { Stage::Mature } else { Stage::Immature };
                    }
                    _ => {}
                }
            }
            for (reward, finder, work) in &step.found {
                height += 1;
                input.accepted.push(block(height, *reward, *finder, work));
            }

            let round = close(&input).unwrap();
            let mut shuffled = input.clone();
            shuffled.accepted.reverse();
            shuffled.matured.reverse();
            shuffled.orphaned.reverse();
            shuffled.returned.reverse();
            shuffled.shares.reverse();
            prop_assert_eq!(&close(&shuffled).unwrap(), &round);

            balances.apply(&round.postings).unwrap();
            prop_assert_eq!(balances.sum(), 0);
            let parts = [round.fee, round.kept, round.credited].map(Amount::sats);
            prop_assert_eq!(parts.iter().sum::<u64>(), round.reward.sats());
            if step.emitted.is_some() || step.scheme.pays_per_share() {
                for credit in &round.credits {
                    *paid_at_once.entry(credit.hotkey).or_insert(0) += credit.amount.sats() as i64;
                }
            }
            blocks.extend(round.blocks.iter().map(|b| (b.clone(), Stage::Immature, false)));
            carried = round.carried;

            // A payout may empty any balance between two rounds.
            let byte = payouts[number];
            let payable = balances.get(miner(byte, Balance::Payable));
            let mut payout = Postings::new();
            payout.transfer(miner(byte, Balance::Payable), miner(byte, Balance::Paid), sats(payable as u64)).unwrap();
            balances.apply(&payout).unwrap();

            let reward = |b: &SettledBlock| {
                (b.fee.sats() + b.kept.sats() + b.credits.iter().map(|c| c.amount.sats()).sum::<u64>()) as i64
            };
            let in_chain = |stage: Stage| !matches!(stage, Stage::Orphaned { .. });
            let earned: i64 = blocks.iter().filter(|(_, s, _)| in_chain(*s)).map(|(b, ..)| reward(b)).sum();
            prop_assert_eq!(balances.get(Account::Chain), -earned);
            for byte in 0..4 {
                let credited = |b: &SettledBlock| {
                    b.credits.iter().filter(|c| c.hotkey == key(byte)).map(|c| c.amount.sats() as i64).sum::<i64>()
                };
                let immature: i64 =
                    blocks.iter().filter(|(_, s, _)| *s == Stage::Immature).map(|(b, ..)| credited(b)).sum();
                prop_assert_eq!(balances.get(miner(byte, Balance::Immature)), immature);
                // What was payable once is the miner's, orphaned or not, and never twice.
                let firm: i64 = blocks.iter().filter(|(_, _, ever)| *ever).map(|(b, ..)| credited(b)).sum();
                let got = balances.get(miner(byte, Balance::Payable)) + balances.get(miner(byte, Balance::Paid));
                prop_assert_eq!(got, firm + paid_at_once.get(&key(byte)).copied().unwrap_or(0));
            }
        }
    }
}
