//! Real templates of Bitcoin Core 31 and Litecoin Core 0.21.

use bitcoin::Block;
use bitcoin::consensus::encode::deserialize;
use bitcoin::hashes::Hash;
use dwarves_domain::ids::{ExtraNonce, TemplateId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::Template;
use serde_json::Value;

use super::*;

const BITCOIN: &str =
    include_str!("../../../../../tests/fixtures/templates/btc-regtest-core31-20tx-h122.json");
const BEFORE: &str =
    include_str!("../../../../../tests/fixtures/templates/ltc-regtest-premweb-h431-3tx.json");
const FIRST: &str = include_str!("../../../../../tests/fixtures/templates/ltc-regtest-mweb-first-h432.json");
const EMPTY: &str = include_str!("../../../../../tests/fixtures/templates/ltc-regtest-mweb-empty-h433.json");
const FULL: &str = include_str!("../../../../../tests/fixtures/templates/ltc-regtest-mweb-26tx-h536.json");

/// Before every template here.
const NOW: u32 = 1_700_000_000;

fn read(text: &str) -> Proposal {
    Proposal::read(serde_json::from_str(text).unwrap(), VersionRolling::Bip323, NOW).unwrap()
}

fn changed(text: &str, change: impl FnOnce(&mut Value)) -> Result<Proposal, String> {
    let mut json: Value = serde_json::from_str(text).unwrap();
    change(&mut json);
    let json = serde_json::from_str(&json.to_string()).map_err(|error| error.to_string())?;
    Proposal::read(json, VersionRolling::Bip323, NOW).map_err(|error| error.to_string())
}

fn block_of(proposal: &Proposal) -> Vec<u8> {
    let template = proposal.template.clone();
    let template = Template::new(TemplateId::new(1), Timestamp::EPOCH, template, &[0x51], "/t/").unwrap();
    template.block(&template.header(ExtraNonce::new(9)), ExtraNonce::new(9))
}

#[test]
fn the_money_of_a_template_is_what_its_chain_mints_and_its_fees() {
    for (text, height, subsidy, fees) in [
        (BITCOIN, 122, 5_000_000_000, 59_600),
        (BEFORE, 431, 1_250_000_000, 8_460),
        (FIRST, 432, 1_250_000_000, 15_620),
        (EMPTY, 433, 1_250_000_000, 0),
        (FULL, 536, 625_000_000, 80_880),
    ] {
        let proposal = read(text);
        let template = &proposal.template;
        assert_eq!((template.height, template.subsidy.sats()), (height, subsidy));
        assert_eq!(template.coinbase_value.sats(), subsidy + fees);
        assert_eq!(proposal.tip().height, height - 1);
        assert_eq!(
            proposal.longpollid.as_deref().unwrap()[..64],
            template.previous.to_string()
        );
        assert!(proposal.can_be_tested);
    }
}

#[test]
fn bits_that_the_network_votes_with_are_not_rolled() {
    assert_eq!(read(BITCOIN).template.version_mask, 0x1fff_ffe0);
    // Bit 28 is on vote, and bit 4 is none that miners roll anyway.
    assert_eq!(read(BEFORE).template.version_mask, 0x0fff_ffe0);
    let old_version = changed(BITCOIN, |json| json["version"] = 4.into()).unwrap();
    assert_eq!(old_version.template.version_mask, 0);
    let odd = changed(BITCOIN, |json| {
        json["vbavailable"] = serde_json::json!({"odd": 200, "a": 13})
    });
    assert_eq!(odd.unwrap().template.version_mask, 0x1fff_dfe0);
    // An operator's own bit (-blockversion), which is on no vote.
    let by_hand = changed(BITCOIN, |json| json["version"] = 0x2080_0000.into()).unwrap();
    assert_eq!(by_hand.template.version_mask, 0x1f7f_ffe0);
    assert_eq!(by_hand.template.version, 0x2080_0000);
}

#[test]
fn a_bitcoin_block_is_assembled_so_that_bitcoins_own_rules_hold() {
    let proposal = read(BITCOIN);
    let block: Block = deserialize(&block_of(&proposal)).unwrap();
    assert_eq!(block.txdata.len(), 21);
    assert!(block.check_merkle_root());
    assert!(block.check_witness_commitment());
    assert_eq!(block.bip34_block_height().unwrap(), 122);
    let paid: u64 = block.txdata[0].output.iter().map(|out| out.value.to_sat()).sum();
    assert_eq!(paid, proposal.template.coinbase_value.sats());
    assert!(proposal.template.trailer.is_empty());
}

#[test]
fn a_litecoin_block_without_an_extension_block_is_as_bitcoins() {
    let block: Block = deserialize(&block_of(&read(BEFORE))).unwrap();
    assert!(block.check_merkle_root() && block.check_witness_commitment());
    assert_eq!(block.txdata.len(), 4);
}

#[test]
fn an_extension_block_goes_behind_the_transactions_of_its_own_template() {
    for text in [FIRST, EMPTY, FULL] {
        let json: Value = serde_json::from_str(text).unwrap();
        let extension_block = hex::decode(json["mweb"].as_str().unwrap()).unwrap();
        let last = json["transactions"].as_array().unwrap().last().unwrap();
        let carrier = hex::decode(last["data"].as_str().unwrap()).unwrap();
        // The transaction that carries the extension block's coins: marker 0 and a flag that is Litecoin's alone.
        assert_eq!(carrier[4..6], [0, 8]);
        let block = block_of(&read(text));
        let end = [carrier, vec![1], extension_block].concat();
        assert!(block.ends_with(&end));
    }
}

#[test]
fn ids_are_those_of_the_node_even_where_hashing_the_bytes_gives_others() {
    let json: Value = serde_json::from_str(FULL).unwrap();
    for (tx, json) in read(FULL)
        .template
        .transactions
        .iter()
        .zip(json["transactions"].as_array().unwrap())
    {
        let mut txid = tx.txid;
        txid.reverse();
        assert_eq!(hex::encode(txid), json["txid"].as_str().unwrap());
    }
    let carrier = &read(FULL).template.transactions[27];
    assert_ne!(
        bitcoin::hashes::sha256d::Hash::hash(&carrier.data).to_byte_array(),
        carrier.txid
    );
}

#[test]
fn rules_change_when_the_extension_block_comes_and_not_from_block_to_block() {
    assert_eq!(read(FIRST).rules, read(FULL).rules);
    assert_ne!(read(BEFORE).rules, read(FIRST).rules);
    let without_witness = changed(BITCOIN, |json| {
        json.as_object_mut().unwrap().remove("default_witness_commitment");
    });
    assert_ne!(without_witness.unwrap().rules, read(BITCOIN).rules);
}

#[test]
fn what_is_no_template_is_refused_in_words() {
    for (key, value, expected) in [
        ("height", Value::from(0), "height is 0"),
        ("coinbasevalue", Value::from(u64::MAX), "more money"),
        ("coinbasevalue", Value::from(1), "fees are more"),
        ("bits", Value::from("xyz"), "digit"),
        ("previousblockhash", Value::from("00"), "hex"),
        ("transactions", Value::from("none"), "sequence"),
        ("mweb", Value::from("0"), "digits"),
    ] {
        let error = changed(BITCOIN, |json| json[key] = value.clone()).unwrap_err();
        assert!(error.contains(expected), "{key}={value}: {error}");
    }
    let missing = changed(BITCOIN, |json| {
        json.as_object_mut().unwrap().remove("curtime");
    });
    assert!(missing.unwrap_err().contains("curtime"));
    let no_fee = changed(BITCOIN, |json| {
        json["transactions"][0].as_object_mut().unwrap().remove("fee");
    });
    assert!(no_fee.is_ok(), "a fee may be left out");
}
