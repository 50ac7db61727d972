//! Finding the pool's own coinbases again among those of the chain.
//!
//! A coinbase is the pool's if it pays the pool's script and carries the pool's tag right behind an extranonce.
//! Anybody can pay the pool and copy its tag; such a block would be a gift, and credited like one of its own.

use bitcoin::consensus::deserialize;
use bitcoin::{Script, Transaction};

use super::decode::pushes;
use crate::ids::ExtraNonce;
use crate::units::Amount;
use crate::work::extranonce::{EXTRANONCE_LEN, FullExtraNonce};

/// How the pool marks its coinbases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoinbaseMark {
    /// The script that they pay.
    pub payout_script: Vec<u8>,
    /// The tag that they carry.
    pub tag: String,
}

/// What a coinbase of the pool says of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCoinbase {
    /// The first eight bytes of its extranonce, by which the ledger finds whose it is; `None` if there is none of the
    /// pool's length.
    pub extranonce: Option<ExtraNonce>,
    /// What it pays the pool.
    pub reward: Amount,
}

impl CoinbaseMark {
    /// What the serialized coinbase says, if it carries this mark. Bytes that are no transaction carry none.
    pub fn read(&self, transaction: &[u8]) -> Option<OwnCoinbase> {
        let transaction: Transaction = deserialize(transaction).ok()?;
        let payout = Script::from_bytes(&self.payout_script);
        let paid = transaction
            .output
            .iter()
            .filter(|out| out.script_pubkey == *payout);
        let mut paid = paid.map(|out| Amount::from_sats(out.value.to_sat())).peekable();
        paid.peek()?;
        let reward = paid.try_fold(Amount::ZERO, |sum, amount| sum.checked_add(amount?))?;
        let script = &transaction
            .input
            .first()
            .filter(|_| transaction.is_coinbase())?
            .script_sig;
        let pushes = pushes(script);
        let tagged = pushes.windows(2).find(|pair| pair[1] == self.tag.as_bytes())?;
        let extranonce = <[u8; EXTRANONCE_LEN]>::try_from(tagged[0]).ok();
        Some(OwnCoinbase {
            extranonce: extranonce.map(|bytes| FullExtraNonce::from_bytes(bytes).head()),
            reward,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Coinbase, CoinbaseForm, CoinbaseSpec};
    use super::*;
    use proptest::prelude::*;

    fn mark(script: &[u8], tag: &str) -> CoinbaseMark {
        CoinbaseMark {
            payout_script: script.to_vec(),
            tag: tag.to_owned(),
        }
    }

    fn coinbase(height: u32, tag: &str, script: &[u8], sats: u64, commitment: Option<&[u8]>) -> Coinbase {
        formed(CoinbaseForm::Bip54, height, tag, script, sats, commitment)
    }

    fn formed(
        form: CoinbaseForm,
        height: u32,
        tag: &str,
        script: &[u8],
        sats: u64,
        commitment: Option<&[u8]>,
    ) -> Coinbase {
        Coinbase::new(&CoinbaseSpec {
            height,
            form,
            tag,
            payout_script: script,
            value: Amount::from_sats(sats).unwrap(),
            witness_commitment: commitment,
        })
        .unwrap()
    }

    #[test]
    fn another_tag_another_script_and_another_transaction_carry_no_mark() {
        let own = coinbase(500, "/Dwarves/", &[0x51], 9, None).transaction(ExtraNonce::new(3));
        assert!(mark(&[0x51], "/Dwarves/").read(&own).is_some());
        assert_eq!(mark(&[0x51], "/Elves/").read(&own), None);
        assert_eq!(mark(&[0x52], "/Dwarves/").read(&own), None);
        assert_eq!(mark(&[0x51], "/Dwarves/").read(&own[..own.len() - 1]), None);
        assert_eq!(mark(&[0x51], "/Dwarves/").read(&[]), None);
        let mut spent = own.clone();
        // A transaction that spends something is no coinbase.
        spent[5] = 1;
        assert_eq!(mark(&[0x51], "/Dwarves/").read(&spent), None);
    }

    proptest! {
        #[test]
        fn a_coinbase_of_the_pool_is_found_again(
            height in 0u32..8_000_000, extranonce in any::<u64>(), sats in 0u64..2_100_000_000_000_000,
            witness in any::<bool>(), is_plain in any::<bool>(), tag in "[a-z/]{0,64}",
        ) {
            let form = if is_plain { CoinbaseForm::Plain } else { CoinbaseForm::Bip54 };
            let commitment = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
            let extranonce = ExtraNonce::new(extranonce);
            let script = [0x00, 0x14, 7, 7];
            let own = formed(form, height, &tag, &script, sats, witness.then_some(&commitment[..]));
            let read = mark(&script, &tag).read(&own.transaction(extranonce));
            let expected = OwnCoinbase {
                extranonce: Some(extranonce),
                reward: Amount::from_sats(sats).unwrap(),
            };
            prop_assert_eq!(read, Some(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _any = mark(&[0x51], "/Dwarves/").read(&bytes);
        }
    }
}
