use super::*;
use crate::hotkey::Hotkey;
use crate::ids::{ExtraNonce, WorkerId};
use crate::work::job::tests::easy_template;
use crate::work::{Job, JobKey};

/// A job whose shares are every fourth hash and whose blocks every 256th.
fn job() -> Job {
    let share_target =
        crate::target::Target::from_compact(crate::target::CompactTarget::from_bits(0x203f_ffff));
    Job::issue(
        &JobKey::new(&[5; 32]),
        easy_template(0x2000_ffff),
        ExtraNonce::new(1),
        Hotkey::from_bytes([6; 32]),
        WorkerId::new(1),
        share_target.unwrap(),
    )
}

fn submission(job: &Job, nonce: u32) -> Submission {
    Submission {
        job_id: job.id(),
        nonce,
        time: None,
        version: None,
    }
}

fn judge(job: &Job, submission: &Submission) -> Result<Proof, Rejection> {
    check(job, submission, Algorithm::Sha256d, |_| {
        unreachable!("sha256d needs no other hash")
    })
}

#[test]
fn shares_and_blocks_come_as_often_as_their_targets_say() {
    let job = job();
    let proofs: Vec<Proof> = (0..8_192)
        .filter_map(|n| judge(&job, &submission(&job, n)).ok())
        .collect();
    let blocks = proofs.iter().filter(|p| p.is_block).count();
    assert!((1_900..2_200).contains(&proofs.len()), "{}", proofs.len());
    assert!((15..60).contains(&blocks), "{blocks}");
    assert!(proofs.iter().all(|p| job.share_target().is_met_by(&p.hash)));
    let missed = (0..8_192).find_map(|n| judge(&job, &submission(&job, n)).err());
    assert_eq!(missed, Some(Rejection::LowDifficulty));
}

#[test]
fn time_is_bounded_on_both_sides() {
    let job = job();
    let at = |time| {
        judge(
            &job,
            &Submission {
                time: Some(time),
                ..submission(&job, 0)
            },
        )
        .err()
    };
    let chain = job.template().chain();
    assert_eq!(at(chain.time_min - 1), Some(Rejection::TimeOutOfRange));
    assert_eq!(at(chain.time_max + 1), Some(Rejection::TimeOutOfRange));
    assert_ne!(at(chain.time_min), Some(Rejection::TimeOutOfRange));
    assert_ne!(at(chain.time_max), Some(Rejection::TimeOutOfRange));
}

#[test]
fn only_masked_version_bits_may_change() {
    let job = job();
    let with = |version| {
        judge(
            &job,
            &Submission {
                version: Some(version),
                ..submission(&job, 0)
            },
        )
        .err()
    };
    assert_eq!(with(0x2000_0001), Some(Rejection::VersionOutOfMask));
    assert_eq!(with(0x0000_0000), Some(Rejection::VersionOutOfMask));
    assert_ne!(with(0x2000_2000), Some(Rejection::VersionOutOfMask));
    assert_ne!(with(0x3fff_e000), Some(Rejection::VersionOutOfMask));
}

#[test]
fn what_a_miner_may_change_is_part_of_the_hash() {
    let job = job();
    let hash = |s: Submission| {
        // Every header hashes to something, whether it is a share or not.
        let chain = job.template().chain();
        job.header()
            .rolled(
                s.version.unwrap_or(chain.version),
                s.time.unwrap_or(chain.time),
                s.nonce,
            )
            .hash()
    };
    let plain = submission(&job, 7);
    let later = Submission {
        time: Some(1_700_000_001),
        ..plain
    };
    let rolled = Submission {
        version: Some(0x2000_2000),
        ..plain
    };
    assert_ne!(hash(plain), hash(later));
    assert_ne!(hash(plain), hash(rolled));
}

#[test]
fn every_reason_has_its_own_name() {
    let all = [
        Rejection::UnknownJob,
        Rejection::Stale,
        Rejection::Duplicate(Sequence::new(1)),
        Rejection::LowDifficulty,
        Rejection::TimeOutOfRange,
        Rejection::VersionOutOfMask,
    ];
    let names: std::collections::BTreeSet<_> = all.iter().map(|r| r.reason()).collect();
    assert_eq!(names.len(), Rejection::REASONS.len());
}

#[test]
fn every_refusal_is_told_in_words_of_its_own() {
    let texts: std::collections::BTreeSet<String> = [
        Rejection::UnknownJob,
        Rejection::Stale,
        Rejection::Duplicate(Sequence::new(7)),
        Rejection::LowDifficulty,
        Rejection::TimeOutOfRange,
        Rejection::VersionOutOfMask,
    ]
    .map(|rejection| rejection.to_string())
    .into();
    assert_eq!(texts.len(), Rejection::REASONS.len());
    assert!(texts.contains("this header was accepted before, as sequence 7, and counts once"));
}

/// Shares of two templates, with and without an extranonce of their own, in any order and number.
#[test]
fn hashed_together_they_are_what_they_are_alone() {
    let issue = |bits, number| {
        Job::issue(
            &JobKey::new(&[5; 32]),
            easy_template(bits),
            ExtraNonce::new(number),
            Hotkey::from_bytes([6; 32]),
            WorkerId::new(1),
            crate::target::Target::MAX,
        )
    };
    let jobs = [issue(0x2000_ffff, 1), issue(0x2000_7fff, 2)];
    let draft = |nonce: u32| {
        let job = &jobs[usize::from(nonce.is_multiple_of(5))];
        let submission = submission(job, nonce);
        let mut extranonce = [7; 12];
        extranonce[8..].copy_from_slice(&nonce.to_be_bytes());
        if nonce.is_multiple_of(3) {
            Draft::new(job, &submission).unwrap()
        } else {
            Draft::rolled(job, FullExtraNonce::from_bytes(extranonce), &submission).unwrap()
        }
    };
    let drafts: Vec<_> = (0..200).map(draft).collect();
    let alone: Vec<_> = drafts.iter().map(Draft::hashed).collect();
    let kinds = dwarves_lanes::Kind::ALL
        .into_iter()
        .filter_map(dwarves_lanes::Lanes::of);
    for lanes in kinds {
        let mut hasher = ShareHasher::new(lanes);
        for count in (0..70).chain([127, 128, 129, 200]) {
            let mut together = vec![alone[0]];
            hasher.hash(&drafts[..count], &mut together);
            assert_eq!(together[0], alone[0], "what was there stays");
            assert_eq!(together[1..], alone[..count], "{count} by {lanes}");
        }
    }
}
