use bitcoin::consensus::encode::deserialize;
use bitcoin::hashes::Hash;

use super::*;
use crate::ids::ExtraNonce;

#[test]
fn algorithms_survive_storing_and_no_others_are_read() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    assert_eq!(Algorithm::Scrypt.to_string(), "scrypt");
    assert_eq!("x11".parse::<Algorithm>(), Err(ParseAlgorithmError));
}

/// A real template of Bitcoin Core on regtest with 20 transactions.
fn core_template() -> (ChainTemplate, serde_json::Value) {
    let json: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/vectors/btc-regtest-20tx.json")).unwrap();
    let bytes = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
    let number = |key: &str| u32::try_from(json[key].as_u64().unwrap()).unwrap();
    let transactions = json["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tx| TemplateTransaction {
            data: bytes(&tx["data"]),
            txid: *tx["txid"]
                .as_str()
                .unwrap()
                .parse::<HeaderHash>()
                .unwrap()
                .as_bytes(),
        })
        .collect();
    let value = Amount::from_sats(json["coinbasevalue"].as_u64().unwrap()).unwrap();
    let template = ChainTemplate {
        height: number("height"),
        previous: json["previousblockhash"].as_str().unwrap().parse().unwrap(),
        version: number("version"),
        version_mask: 0x1fff_e000,
        bits: CompactTarget::from_bits(u32::from_str_radix(json["bits"].as_str().unwrap(), 16).unwrap()),
        time: number("curtime"),
        time_min: number("mintime"),
        time_max: number("curtime") + 7_200,
        subsidy: value,
        coinbase_value: value,
        coinbase_form: CoinbaseForm::Bip54,
        witness_commitment: Some(bytes(&json["default_witness_commitment"])),
        transactions,
        trailer: Vec::new(),
    };
    (template, json)
}

fn template() -> Template {
    Template::new(
        TemplateId::new(1),
        Timestamp::EPOCH,
        core_template().0,
        &[0x51],
        "/Dwarves/",
    )
    .unwrap()
}

#[test]
fn a_block_of_a_real_template_passes_the_libraries_checks() {
    let (chain, json) = core_template();
    let template = template();
    let extranonce = ExtraNonce::new(0x0102_0304_0506_0708);
    let header = template.header(extranonce);
    let block: bitcoin::Block = deserialize(&template.block(&header, extranonce)).unwrap();
    assert_eq!(
        block.txdata.len(),
        1 + json["transactions"].as_array().unwrap().len()
    );
    assert!(block.check_merkle_root());
    assert!(block.check_witness_commitment());
    assert_eq!(block.bip34_block_height().unwrap(), u64::from(chain.height));
    assert_eq!(
        block.header.block_hash().to_byte_array(),
        *header.hash().as_bytes()
    );
    assert_eq!(
        template.network_target().to_string(),
        json["target"].as_str().unwrap()
    );
}

#[test]
fn every_extranonce_gives_another_header() {
    let template = template();
    let a = template.header(ExtraNonce::new(1));
    let b = template.header(ExtraNonce::new(2));
    assert_ne!(a.hash(), b.hash());
}

#[test]
fn the_trailer_follows_the_transactions_untouched() {
    let (mut chain, _) = core_template();
    chain.trailer = vec![1, 0xab, 0xcd];
    let template = Template::new(TemplateId::new(1), Timestamp::EPOCH, chain, &[0x51], "/Dwarves/").unwrap();
    let extranonce = ExtraNonce::new(1);
    let block = template.block(&template.header(extranonce), extranonce);
    assert!(block.ends_with(&[1, 0xab, 0xcd]));
}

#[test]
fn a_bare_template_makes_the_same_headers() {
    let whole = template();
    let bare = whole.bare();
    for extranonce in [0, 1, u64::MAX].map(ExtraNonce::new) {
        assert_eq!(bare.header(extranonce), whole.header(extranonce));
    }
    assert_eq!(bare.id(), whole.id());
    assert_eq!(bare.network_target(), whole.network_target());
    let chain = whole.chain();
    assert_eq!(
        (bare.height(), bare.previous(), bare.version(), bare.time()),
        (chain.height, chain.previous, chain.version, chain.time)
    );
    assert_eq!(bare.coinbase_value(), chain.coinbase_value);
    // The branch needs only the ids of the transactions.
    let mut of_ids = chain.clone();
    for transaction in &mut of_ids.transactions {
        transaction.data.clear();
    }
    let of_ids = Template::new(whole.id(), Timestamp::EPOCH, of_ids, &[0x51], "/Dwarves/");
    assert_eq!(of_ids.unwrap().bare(), bare);
}
