//! The version bits that a miner rolls.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::share::Rejection;
use dwarves_domain::work::VersionRolling;
use dwarves_testkit::build::{template, template_of, template_row};
use serde_json::json;

use super::*;

#[test]
fn the_version_is_the_miners_within_the_mask_and_the_jobs_outside() {
    let template = template(1);
    let mut talk = Talk::mining_on(Arc::clone(&template));
    let answer = talk.answer(
        "mining.configure",
        json!([["version-rolling"], {"version-rolling.mask": "20ffe000"}]),
    );
    assert_eq!(
        answer["result"],
        json!({"version-rolling": true, "version-rolling.mask": "00ffe000"})
    );
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let version = |talk: &mut Talk, bits| talk.submit(&job, &["65432100", "00000001", bits]);
    let rolled = version(&mut talk, "00abc000").unwrap().submission.version;
    assert_eq!(rolled, Some(template.chain().version | 0x00ab_c000));
    for bits in ["20000000", "01000000", "00001000", "ffffffff"] {
        let refused = version(&mut talk, bits).unwrap_err();
        assert_eq!(refused, Refused::Counted(Rejection::VersionOutOfMask), "{bits}");
    }
    assert_eq!(
        talk.submit(&job, &["65432100", "00000001"])
            .unwrap()
            .submission
            .version,
        None
    );
}

#[test]
fn bits_put_in_and_bits_flipped_give_the_same_version() {
    // A node whose operator set a bit by hand: it is told, and not rolled.
    let mut row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
    row.chain.version = 0x2080_0000;
    row.chain.version_mask = VersionRolling::Bip323.mask_for(row.chain.version, []);
    let mut talk = Talk::mining_on(template_of(&row));
    talk.answer(
        "mining.configure",
        json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]),
    );
    talk.tell(Telling::Again);
    let job = job_of(talk.notified().unwrap());
    let wanted = 0x20ff_e000;
    // BIP310 puts bits in; ESP-Miner sends what it flipped: rolled XOR told.
    for bits in [wanted & 0x1f7f_e000, wanted ^ row.chain.version] {
        let share = talk.submit(&job, &["65432100", "00000001", &format!("{bits:08x}")]);
        assert_eq!(share.unwrap().submission.version, Some(wanted));
    }
}

#[test]
fn a_chain_that_uses_a_version_bit_takes_it_from_the_mask() {
    let mut talk = Talk::mining_on(template(1));
    talk.answer(
        "mining.configure",
        json!([["version-rolling"], {"version-rolling.mask": "ffffffff"}]),
    );
    let mut row = template_row(2, 101, HeaderHash::from_bytes([9; 32]));
    row.chain.version_mask = 0x1fff_0000;
    talk.sent.clear();
    talk.set_work(&[template_of(&row)]);
    assert_eq!(talk.sent[0]["method"], "mining.set_version_mask");
    assert_eq!(talk.sent[0]["params"][0], "1fff0000");
}
