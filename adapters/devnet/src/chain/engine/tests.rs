use std::path::PathBuf;
use std::sync::Arc;

use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_ports::clock::Clock;

use super::*;
use crate::chain::chain_state::tests::{NOW, SCRIPT, easy_params, solve};

/// A clock that stands still.
pub(in crate::chain) struct Still(pub(in crate::chain) Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn open(dir: &Path) -> Engine {
    Engine::open(dir, &easy_params(), Arc::new(Still(NOW))).unwrap()
}

fn mine(engine: &mut Engine, count: u32) -> Vec<HeaderHash> {
    (0..count)
        .map(|_| {
            let (template, extranonce) = engine.search_base(Parent::Tip).unwrap();
            let (hash, bytes) = solve(template, SCRIPT, extranonce);
            assert_eq!(engine.submit(bytes), Ok(SubmitOutcome::Accepted));
            hash
        })
        .collect()
}

fn blocks_dat(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("blocks.dat")
}

#[test]
fn a_chain_opened_again_is_the_same_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    let hashes = mine(&mut engine, 6);
    engine.set_bits(9, CompactTarget::from_bits(0x2000_ffff)).unwrap();
    let (template, extranonce) = engine.search_base(Parent::Block(hashes[3])).unwrap();
    let (side, bytes) = solve(template, SCRIPT, extranonce);
    assert_eq!(engine.submit(bytes.clone()), Ok(SubmitOutcome::Inconclusive));
    engine.invalidate(hashes[4]).unwrap();
    assert_eq!(
        engine.state().tip(),
        Tip {
            hash: side,
            height: 5
        }
    );
    mine(&mut engine, 4);
    let (tip, digest) = (engine.state().tip(), engine.state().coins_digest());
    let template = engine.template().unwrap();
    drop(engine);

    let mut again = open(dir.path());
    assert_eq!(again.state().tip(), tip);
    assert_eq!(again.state().coins_digest(), digest);
    assert_eq!(again.template().unwrap(), template);
    assert_eq!(again.submit(bytes), Ok(SubmitOutcome::Duplicate));
    assert_eq!(again.status(hashes[5]), Ok(BlockStatus::SideChain));
    mine(&mut again, 1);
}

#[test]
fn a_file_cut_anywhere_in_its_last_record_loses_only_that() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    mine(&mut engine, 3);
    let (tip, digest) = (engine.state().tip(), engine.state().coins_digest());
    let kept = std::fs::metadata(blocks_dat(&dir)).unwrap().len();
    mine(&mut engine, 1);
    drop(engine);
    let whole = std::fs::read(blocks_dat(&dir)).unwrap();
    for len in usize::try_from(kept).unwrap()..whole.len() {
        std::fs::write(blocks_dat(&dir), &whole[..len]).unwrap();
        let mut engine = open(dir.path());
        assert_eq!(engine.state().tip(), tip, "cut at {len}");
        assert_eq!(engine.state().coins_digest(), digest, "cut at {len}");
        mine(&mut engine, 1);
        let grown = engine.state().tip();
        drop(engine);
        assert_eq!(open(dir.path()).state().tip(), grown, "cut at {len}");
    }
}

#[test]
fn a_new_chain_that_was_cut_in_its_first_record_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let whole = std::fs::read(blocks_dat(&dir)).unwrap();
    for len in 0..whole.len() {
        std::fs::write(blocks_dat(&dir), &whole[..len]).unwrap();
        drop(open(dir.path()));
        assert_eq!(std::fs::read(blocks_dat(&dir)).unwrap(), whole);
    }
}

#[test]
fn new_settings_hold_from_the_next_height_on_and_leave_commands_in_force_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    let harder = CompactTarget::from_bits(0x2000_ffff);
    engine.set_bits(2, harder).unwrap();
    mine(&mut engine, 3);
    drop(engine);
    // The same settings again do not undo the command.
    let engine = open(dir.path());
    assert_eq!(engine.template().unwrap().bits, harder);
    drop(engine);

    let other = DevnetParams {
        subsidy: Amount::from_sats(77).unwrap(),
        ..easy_params()
    };
    let reopened = |params| Engine::open(dir.path(), params, Arc::new(Still(NOW))).unwrap();
    let mut engine = reopened(&other);
    let template = engine.template().unwrap();
    assert_eq!((template.height, template.subsidy.sats()), (4, 77));
    assert_eq!(template.bits, other.bits);
    mine(&mut engine, 2);
    let (tip, digest) = (engine.state().tip(), engine.state().coins_digest());
    drop(engine);
    let engine = reopened(&other);
    assert_eq!(
        (engine.state().tip(), engine.state().coins_digest()),
        (tip, digest)
    );
}

#[test]
fn a_clock_that_was_set_back_does_not_undo_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    mine(&mut engine, 3);
    let tip = engine.state().tip();
    drop(engine);
    let engine = Engine::open(dir.path(), &easy_params(), Arc::new(Still(Timestamp::EPOCH))).unwrap();
    assert_eq!(engine.state().tip(), tip);
    assert!(matches!(engine.template(), Err(ChainError::NotReady(_))));
}

#[test]
fn a_block_that_breaks_the_rules_is_damage_even_with_a_right_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    mine(&mut engine, 1);
    let (template, extranonce) = engine.search_base(Parent::Tip).unwrap();
    let (_, mut bytes) = solve(template, SCRIPT, extranonce);
    let offset = std::fs::metadata(blocks_dat(&dir)).unwrap().len();
    *bytes.last_mut().unwrap() ^= 1;
    engine.record(&Record::Block(bytes)).unwrap();
    drop(engine);
    match Engine::open(dir.path(), &easy_params(), Arc::new(Still(NOW))).map(|_| ()) {
        Err(OpenError::Damaged {
            offset: at, reason, ..
        }) => {
            assert_eq!(at, offset);
            assert_eq!(reason, "bad-txnmrklroot");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn refused_blocks_and_commands_leave_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    mine(&mut engine, 2);
    let before = std::fs::read(blocks_dat(&dir)).unwrap();
    assert!(matches!(
        engine.submit(vec![1, 2, 3]),
        Ok(SubmitOutcome::Refused(_))
    ));
    assert!(engine.invalidate(HeaderHash::from_bytes([1; 32])).is_err());
    assert!(engine.set_bits(2, CompactTarget::from_bits(0x2000_ffff)).is_err());
    assert!(engine.set_bits(3, CompactTarget::from_bits(0)).is_err());
    assert_eq!(std::fs::read(blocks_dat(&dir)).unwrap(), before);
}
