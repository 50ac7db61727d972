use proptest::prelude::*;

use super::*;

const T1: TemplateId = TemplateId::new(1);
const T2: TemplateId = TemplateId::new(2);
const SEED: u128 = 0x6a09_e667_bb67_ae85_3c6e_f372_a54f_f53a;

fn hash(n: u8) -> HeaderHash {
    HeaderHash::from_bytes([n; 32])
}

fn numbered(n: u32) -> HeaderHash {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    HeaderHash::from_bytes(bytes)
}

fn miner(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn job(n: u64) -> JobMark {
    JobMark::new(n)
}

fn restore(
    recent: &mut RecentShares,
    template: TemplateId,
    hash: HeaderHash,
    sequence: Sequence,
    of: Hotkey,
) {
    recent.restore_all([(template, hash, sequence, &EarlierJobs::of(of))]);
}

fn claim(recent: &mut RecentShares, template: TemplateId, n: u8) -> Slot {
    match recent.claim(template, hash(n), miner(1), job(1)) {
        ShareClaim::New(slot) => slot,
        other => panic!("{other:?}"),
    }
}

/// Claims headers of one miner with one job, each another one, until they are refused.
fn fill(recent: &mut RecentShares, of: u8, job_number: u64, from: u32) -> (u32, ShareClaim) {
    for n in 0.. {
        match recent.claim(T1, numbered(from + n), miner(of), job(job_number)) {
            ShareClaim::New(_) => {}
            refused => return (n, refused),
        }
    }
    unreachable!("there is a limit")
}

#[test]
fn a_header_counts_once_and_tells_where() {
    let mut recent = RecentShares::new(10, Quotas::NONE, SEED);
    let slot = claim(&mut recent, T1, 1);
    assert_eq!(recent.claim(T1, hash(1), miner(2), job(2)), ShareClaim::Pending);
    recent.confirm(T1, slot, Sequence::new(5));
    let again = recent.claim(T1, hash(1), miner(2), job(2));
    assert_eq!(again, ShareClaim::Duplicate(Sequence::new(5)));
}

#[test]
fn a_header_that_could_not_be_stored_may_come_again() {
    let mut recent = RecentShares::new(10, Quotas::NONE, SEED);
    let first = claim(&mut recent, T1, 1);
    recent.release(T1, hash(1), job(1));
    assert!(recent.is_empty());
    assert_eq!(recent.sequence_of(T1, &hash(1)), None);
    let other = claim(&mut recent, T1, 2);
    assert_ne!(other, first);
    recent.confirm(T1, first, Sequence::new(4));
    assert!(matches!(
        recent.claim(T1, hash(1), miner(1), job(1)),
        ShareClaim::New(_)
    ));
    recent.confirm(T1, other, Sequence::new(5));
    assert_eq!(recent.sequence_of(T1, &hash(2)), Some(Sequence::new(5)));
}

#[test]
fn full_sets_refuse_until_a_template_retires() {
    let mut recent = RecentShares::new(2, Quotas::NONE, SEED);
    restore(&mut recent, T1, hash(1), Sequence::new(1), miner(1));
    restore(&mut recent, T2, hash(2), Sequence::new(2), miner(2));
    assert_eq!(recent.claim(T2, hash(3), miner(1), job(1)), ShareClaim::Full);
    recent.retire_before(T2);
    assert_eq!(recent.len(), 1);
    claim(&mut recent, T2, 3);
    let again = recent.claim(T2, hash(2), miner(1), job(1));
    assert_eq!(again, ShareClaim::Duplicate(Sequence::new(2)));
}

#[test]
fn a_start_remembers_everything_that_is_live_whatever_the_limits_say() {
    let quotas = Quotas {
        miner_percent: 1,
        of_job: Some(1),
    };
    let mut recent = RecentShares::new(2, quotas, SEED);
    for n in 1..=250 {
        restore(&mut recent, T1, hash(n), Sequence::new(u64::from(n)), miner(1));
    }
    assert_eq!(recent.len(), 250);
    for n in 1..=250 {
        let again = recent.claim(T1, hash(n), miner(1), job(1));
        assert_eq!(again, ShareClaim::Duplicate(Sequence::new(u64::from(n))));
    }
    assert_eq!(recent.claim(T1, hash(251), miner(2), job(1)), ShareClaim::Full);
    recent.retire_before(T2);
    assert!(recent.is_empty());
    assert!(matches!(
        recent.claim(T2, hash(251), miner(2), job(1)),
        ShareClaim::New(_)
    ));
}

#[test]
fn a_job_brings_so_many_and_its_miners_next_job_as_many_again() {
    let quotas = Quotas {
        of_job: Some(10),
        ..Quotas::NONE
    };
    let mut recent = RecentShares::new(1_000, quotas, SEED);
    assert_eq!(fill(&mut recent, 1, 1, 0), (10, ShareClaim::JobFull));
    assert_eq!(fill(&mut recent, 1, 2, 100), (10, ShareClaim::JobFull));
    let again = recent.claim(T1, numbered(3), miner(1), job(1));
    assert_eq!(again, ShareClaim::Pending, "a repeat is told as such");
    recent.release(T1, numbered(3), job(1));
    assert_eq!(fill(&mut recent, 1, 1, 200), (1, ShareClaim::JobFull));
}

/// However many fill the sets, with as many jobs as they like: the next one finds as much room as each of them took.
#[test]
fn nobody_takes_the_room_of_those_who_come_later() {
    for (percent, alone) in [(50, 500), (25, 250), (80, 800)] {
        let quotas = Quotas {
            miner_percent: percent,
            of_job: Some(100),
        };
        let mut recent = RecentShares::new(1_000, quotas, SEED);
        for n in 0..20 {
            fill(&mut recent, 1, n, 10_000 * n as u32);
        }
        assert!(recent.len().abs_diff(alone) <= 1, "{percent}: {}", recent.len());
        for of in 2..6 {
            let (before, free) = (recent.len(), 1_000 - recent.len());
            for n in 0..20 {
                fill(
                    &mut recent,
                    of,
                    u64::from(of) * 100 + n,
                    (u32::from(of) << 24) | (10_000 * n as u32),
                );
            }
            let (got, due) = (recent.len() - before, free * percent as usize / 100);
            assert!(
                got > 0 && got.abs_diff(due) <= 1,
                "{percent}% miner {of}: {got} of {free}"
            );
        }
    }
}

#[test]
fn what_a_miner_holds_is_given_back_with_its_templates_also_what_was_restored() {
    let quotas = Quotas {
        miner_percent: 50,
        of_job: None,
    };
    let mut recent = RecentShares::new(100, quotas, SEED);
    for n in 0..50 {
        restore(&mut recent, T1, numbered(n), Sequence::new(1), miner(1));
    }
    let mine = recent.claim(T2, numbered(60), miner(1), job(1));
    assert_eq!(mine, ShareClaim::MinerFull, "a restart gives nobody new room");
    let other = recent.claim(T2, numbered(60), miner(2), job(2));
    assert!(matches!(other, ShareClaim::New(_)));
    recent.retire_before(T2);
    assert!(matches!(
        recent.claim(T2, numbered(61), miner(1), job(1)),
        ShareClaim::New(_)
    ));
    recent.retire_before(TemplateId::new(3));
    assert!(recent.holders.numbers.is_empty());
    assert_eq!(recent.holders.free.len(), recent.holders.held.len());
}

/// What an earlier life left, in any order of templates, repeats among it: as if each had been claimed and confirmed.
#[test]
fn what_is_restored_together_is_what_would_be_restored_one_by_one() {
    let earlier: Vec<_> = (0..3).map(|n| EarlierJobs::of(miner(n))).collect();
    let share = |n: u32| {
        // Long runs of one template and short ones, more than are looked up at once.
        let template = TemplateId::new(if n % 500 < 300 { 1 } else { 1 + n % 3 });
        let header = if n % 50 == 49 { n - 30 } else { n };
        let template = if n % 50 == 49 { T1 } else { template };
        (
            template,
            numbered(header),
            Sequence::new(u64::from(n) + 1),
            &earlier[n as usize % 3],
        )
    };
    let shares: Vec<_> = (0..1_000).map(share).collect();
    let new = || RecentShares::new(100, Quotas::NONE, SEED);
    let (mut together, mut singly) = (new(), new());
    together.restore_all(shares.iter().copied());
    let mut known = BTreeMap::new();
    for share in shares {
        singly.restore_all([share]);
        known
            .entry((share.0, share.1.as_bytes().to_owned()))
            .or_insert(share.2);
    }
    assert_eq!((together.len(), singly.len()), (known.len(), known.len()));
    for ((template, header), sequence) in known {
        let header = HeaderHash::from_bytes(header);
        assert_eq!(together.sequence_of(template, &header), Some(sequence));
        assert_eq!(singly.sequence_of(template, &header), Some(sequence));
    }
    let held = |recent: &RecentShares| {
        let mut held: Vec<_> = recent
            .holders
            .held
            .iter()
            .map(|(of, held)| (*of.as_bytes(), *held))
            .collect();
        held.sort_unstable();
        held
    };
    assert_eq!(held(&together), held(&singly));
    assert_eq!(
        held(&together)
            .iter()
            .map(|(_, held)| *held as usize)
            .sum::<usize>(),
        together.len()
    );
    together.retire_before(TemplateId::new(9));
    assert!(together.is_empty() && together.holders.numbers.is_empty());
}

proptest! {
    /// Against a plain map that knows of no fingerprints.
    #[test]
    fn it_says_what_a_plain_map_says(
        steps in proptest::collection::vec((0u8..5, 1u32..5, 0u8..80), 0..200),
    ) {
        let mut recent = RecentShares::new(50, Quotas::NONE, SEED);
        let mut plain: BTreeMap<(TemplateId, u8), Option<Sequence>> = BTreeMap::new();
        for (at, (step, template, n)) in steps.into_iter().enumerate() {
            let template = TemplateId::new(template);
            let key = (template, n);
            let (miner, job) = (miner(n % 3), job(u64::from(n % 6)));
            match step {
                0..=2 => match (recent.claim(template, hash(n), miner, job), plain.get(&key)) {
                    (ShareClaim::New(slot), None) => {
                        let sequence = Sequence::new(at as u64);
                        let is_confirmed = step > 0;
                        plain.insert(key, is_confirmed.then_some(sequence));
                        if is_confirmed {
                            recent.confirm(template, slot, sequence);
                        }
                    }
                    (ShareClaim::Pending, Some(None)) => {}
                    (ShareClaim::Duplicate(first), Some(Some(sequence))) => prop_assert_eq!(first, *sequence),
                    (ShareClaim::Full, None) => prop_assert_eq!(plain.len(), 50),
                    (said, known) => prop_assert!(false, "{said:?} of {known:?}"),
                },
                3 => {
                    recent.release(template, hash(n), job);
                    plain.remove(&key);
                }
                _ => {
                    recent.retire_before(template);
                    plain.retain(|(of, _), _| *of >= template);
                }
            }
            prop_assert_eq!(recent.len(), plain.len());
            let seen = plain.get(&key).copied().flatten();
            prop_assert_eq!(recent.sequence_of(template, &hash(n)), seen);
            let headers: usize = recent.sets.values().map(|set| set.headers.len()).sum();
            prop_assert_eq!(headers, plain.len());
            let held: u32 = recent.holders.held.iter().map(|(_, held)| held).sum();
            prop_assert_eq!(held as usize, plain.len());
        }
    }
}
