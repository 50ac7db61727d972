//! Hex digits of a fixed number of bytes: tokens and names that are read with every request.
//!
//! A table makes reading one several times as quick as a general decoder, which a share pays for twice.

/// What [`VALUES`] has for a byte that is no hex digit.
const NONE: u8 = 0xff;

/// The value of every byte as a hex digit in lower case.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The bytes that `text` writes in lower-case hex, if it is exactly `N` of them. There is one spelling only, so
/// that nothing has two names.
pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    let mut wrong = 0;
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        // Values have four bits; only what is no digit sets more.
        wrong |= high | low;
        *byte = high << 4 | low;
    }
    (wrong < 16).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_what_the_general_encoder_writes(bytes in any::<[u8; 28]>()) {
            prop_assert_eq!(read(&hex::encode(bytes)), Some(bytes));
        }

        #[test]
        fn it_takes_what_the_general_decoder_takes_but_capitals(text in "[0-9a-gA-F]{7,9}|.{0,9}") {
            let mut expected = [0; 4];
            let is_read = hex::decode_to_slice(&text, &mut expected).is_ok()
                && !text.bytes().any(|byte| byte.is_ascii_uppercase());
            prop_assert_eq!(read(&text), is_read.then_some(expected));
        }
    }
}
