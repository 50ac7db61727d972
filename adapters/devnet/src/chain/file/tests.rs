use super::*;
use crate::chain::params::DevnetParams;

fn records() -> Vec<Record> {
    vec![
        Record::Rules {
            source: RulesSource::Settings,
            from_height: 0,
            rules: Rules::of(&DevnetParams::default()).unwrap(),
        },
        Record::Block(vec![1, 2, 3]),
        Record::Rules {
            source: RulesSource::Command,
            from_height: 7,
            rules: Rules::of(&DevnetParams::default()).unwrap(),
        },
        Record::Invalid(HeaderHash::from_bytes([9; 32])),
        Record::Block((0..200).collect()),
    ]
}

/// A directory whose file holds [`records`], and where each of them begins.
fn written() -> (tempfile::TempDir, Vec<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let (mut file, old) = BlockFile::open(dir.path()).unwrap();
    assert_eq!(old, []);
    let mut offsets = Vec::new();
    for record in records() {
        offsets.push(file.len);
        file.append(&record).unwrap();
    }
    (dir, offsets)
}

fn read(dir: &Path) -> Vec<Record> {
    let (_, placed) = BlockFile::open(dir).unwrap();
    placed.into_iter().map(|(_, record)| record).collect()
}

#[test]
fn what_was_written_is_read_again_and_more_can_follow() {
    let (dir, offsets) = written();
    let (mut file, placed) = BlockFile::open(dir.path()).unwrap();
    let expected: Vec<_> = offsets.into_iter().zip(records()).collect();
    assert_eq!(placed, expected);
    file.append(&Record::Block(vec![8])).unwrap();
    drop(file);
    assert_eq!(read(dir.path()).last(), Some(&Record::Block(vec![8])));
}

#[test]
fn a_torn_last_record_is_cut_off_wherever_it_was_torn() {
    let (dir, offsets) = written();
    let path = dir.path().join("blocks.dat");
    let whole = std::fs::read(&path).unwrap();
    let last = usize::try_from(*offsets.last().unwrap()).unwrap();
    for len in last..whole.len() {
        // The file ends there, or it has its full length and the rest never came.
        let mut zeroed = whole[..len].to_vec();
        zeroed.resize(whole.len(), 0);
        for torn in [&whole[..len], &zeroed] {
            std::fs::write(&path, torn).unwrap();
            assert_eq!(read(dir.path()), records()[..4], "torn at {len}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), last as u64);
        }
    }
}

#[test]
fn damage_before_the_last_record_is_an_error_that_names_the_place() {
    let (dir, offsets) = written();
    let path = dir.path().join("blocks.dat");
    let whole = std::fs::read(&path).unwrap();
    for at in 0..usize::try_from(offsets[4]).unwrap() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        std::fs::write(&path, &damaged).unwrap();
        let begins = offsets.iter().rev().find(|offset| **offset <= at as u64).unwrap();
        match BlockFile::open(dir.path()) {
            Err(OpenError::Damaged { offset, .. }) => assert_eq!(offset, *begins, "damaged at {at}"),
            other => panic!("damaged at {at}: {other:?}"),
        }
        assert_eq!(
            std::fs::read(&path).unwrap(),
            damaged,
            "a damaged file is left as it is"
        );
    }
}

#[test]
fn a_directory_has_one_user_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = BlockFile::open(dir.path()).unwrap();
    let second = BlockFile::open(dir.path());
    assert!(matches!(second, Err(OpenError::InUse(path)) if path == dir.path()));
    drop(first);
    BlockFile::open(dir.path()).unwrap();
}

#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let (dir, _) = written();
    let (mut file, _) = BlockFile::open(dir.path()).unwrap();
    // A handle that can only read: every write to it fails.
    file.file = File::open(dir.path().join("blocks.dat")).unwrap();
    assert!(file.append(&Record::Block(vec![1])).is_err());
    let mut options = OpenOptions::new();
    file.file = options.append(true).open(dir.path().join("blocks.dat")).unwrap();
    let error = file.append(&Record::Block(vec![1])).unwrap_err();
    assert!(error.to_string().contains("open the devnet again"), "{error}");
    drop(file);
    assert_eq!(read(dir.path()), records());
}

#[test]
fn a_file_of_something_else_is_an_error_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blocks.dat");
    std::fs::write(&path, b"\xfa\xbf\xb5\xda not ours").unwrap();
    assert!(matches!(
        BlockFile::open(dir.path()),
        Err(OpenError::Damaged { offset: 0, .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), b"\xfa\xbf\xb5\xda not ours");
}
