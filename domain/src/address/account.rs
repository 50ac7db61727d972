//! Accounts on chains that the pool does not pay on by itself: checked, so that nobody is paid to a slip of the keyboard.

use bitcoin::ScriptBuf;
use sha3::{Digest, Keccak256};

use super::{Fault, PayoutAddress};
use crate::hotkey::Hotkey;

/// An SS58 address as Bittensor writes it (prefix 42), with its checksum.
pub(super) fn ss58(text: &str) -> Result<PayoutAddress, Fault> {
    let account: Hotkey = text.parse().map_err(|_| Fault::NotAnAddress)?;
    Ok(PayoutAddress {
        text: account.to_string(),
        script: ScriptBuf::from_bytes([b"ss58", account.as_bytes().as_slice()].concat()),
    })
}

/// An address of Ethereum and its kin: `0x` and 40 hex digits. Letters of both cases are a checksum (EIP-55); without it, all
/// must be of one case.
pub(super) fn evm(text: &str) -> Result<PayoutAddress, Fault> {
    let digits = text.strip_prefix("0x").ok_or(Fault::NotAnAddress)?;
    let mut account = [0; 20];
    hex::decode_to_slice(digits, &mut account).map_err(|_| Fault::NotAnAddress)?;
    let checked = with_checksum(&account);
    let is_of_one_case = !digits.bytes().any(|digit| digit.is_ascii_uppercase())
        || !digits.bytes().any(|digit| digit.is_ascii_lowercase());
    if !is_of_one_case && checked != text {
        return Err(Fault::NotAnAddress);
    }
    Ok(PayoutAddress {
        text: checked,
        script: ScriptBuf::from_bytes([b"evm".as_slice(), &account].concat()),
    })
}

/// EIP-55: a letter is a capital if the digit at its place in the hash of the lower-case digits is 8 or more.
fn with_checksum(account: &[u8; 20]) -> String {
    let digits = hex::encode(account);
    let hash = hex::encode(Keccak256::digest(&digits));
    let cased = digits.chars().zip(hash.bytes()).map(|(digit, of_hash)| {
        if of_hash >= b'8' {
            digit.to_ascii_uppercase()
        } else {
            digit
        }
    });
    ["0x".to_owned(), cased.collect()].concat()
}

#[cfg(test)]
mod tests {
    use crate::address::{AddressFormat, ParseAddressError, PayoutAddress};

    #[test]
    fn an_ethereum_address_is_read_with_its_checksum_or_in_one_case() {
        // The examples of EIP-55.
        for address in [
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            for text in [address.to_owned(), address.to_lowercase()] {
                let read = PayoutAddress::parse(&text, AddressFormat::Evm).unwrap();
                assert_eq!(read.to_string(), address);
            }
        }
        for wrong in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA",
            "0x",
            "",
        ] {
            assert!(
                PayoutAddress::parse(wrong, AddressFormat::Evm).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn an_account_of_bittensor_has_prefix_42_and_a_checksum() {
        let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let read = PayoutAddress::parse(alice, AddressFormat::Ss58).unwrap();
        assert_eq!(read.to_string(), alice);
        for wrong in [
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ",
            "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
        ] {
            assert!(
                PayoutAddress::parse(wrong, AddressFormat::Ss58).is_err(),
                "{wrong}"
            );
        }
        let refused = PayoutAddress::parse(alice, AddressFormat::Nothing);
        assert!(matches!(refused, Err(ParseAddressError::NotAnAddress { .. })));
    }
}
