use super::super::{KeyType, verify};
use super::*;
use proptest::prelude::*;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};

fn pair(number: u8) -> Keypair {
    let secret = MiniSecretKey::from_bytes(&[number; 32]).unwrap();
    secret.expand_to_keypair(ExpansionMode::Ed25519)
}

fn verifier() -> Verifier {
    let mut verifier = Verifier::new(BatchKey::new(&[7; 32]));
    verifier.keys_max = 3;
    verifier
}

/// What may be wrong with a signature.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    None,
    OtherMessage,
    OtherSigner,
    NoKey,
    NoSignature,
    Bit(usize),
}

fn flaws() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        12 => Just(Flaw::None),
        1 => Just(Flaw::OtherMessage),
        1 => Just(Flaw::OtherSigner),
        1 => Just(Flaw::NoKey),
        1 => Just(Flaw::NoSignature),
        1 => (0_usize..512).prop_map(Flaw::Bit),
    ]
}

/// A signer, a message and a signature, with this flaw.
fn made(number: u8, message: &[u8], flaw: Flaw) -> (Hotkey, Vec<u8>, [u8; 64]) {
    let pair = pair(number);
    let signer = Hotkey::from_bytes(pair.public.to_bytes());
    let signature = pair.sign_simple(SIGNING_CONTEXT, message).to_bytes();
    let message = message.to_vec();
    match flaw {
        Flaw::None => (signer, message, signature),
        Flaw::OtherMessage => (signer, [&message[..], b"!"].concat(), signature),
        Flaw::OtherSigner => (
            Hotkey::from_bytes(self::pair(number ^ 128).public.to_bytes()),
            message,
            signature,
        ),
        // Above the field's prime.
        Flaw::NoKey => (Hotkey::from_bytes([255; 32]), message, signature),
        Flaw::NoSignature => (signer, message, [0; 64]),
        Flaw::Bit(bit) => {
            let mut signature = signature;
            signature[bit / 8] ^= 1 << (bit % 8);
            (signer, message, signature)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Each verdict of many is that of the one.
    #[test]
    fn many_at_once_are_judged_as_one_by_one(
        all in proptest::collection::vec((1_u8..6, proptest::collection::vec(any::<u8>(), 0..40), flaws()), 0..90),
    ) {
        let made: Vec<_> = all.iter().map(|(number, message, flaw)| made(*number, message, *flaw)).collect();
        let together = signed(&made);
        let alone: Vec<_> = made
            .iter()
            .map(|(signer, message, signature)| verify(KeyType::Sr25519, signer, message, signature))
            .collect();
        let mut verifier = verifier();
        for _ in 0..2 {
            prop_assert_eq!(&verifier.verify(&together), &alone, "also of those who are known");
            prop_assert!(verifier.keys.len() <= 3);
        }
    }
}

fn signed<'a>(made: &'a [(Hotkey, Vec<u8>, [u8; 64])]) -> Vec<Signed<'a>> {
    let one = |(signer, message, signature): &'a (Hotkey, Vec<u8>, [u8; 64])| Signed {
        signer: *signer,
        message,
        signature,
    };
    made.iter().map(one).collect()
}

fn all_hold(verifier: &Verifier, all: &[Signed<'_>]) -> bool {
    let read: Vec<_> = all.iter().map(|one| verifier.read(one).unwrap()).collect();
    verifier.batches.all_hold(all, &read)
}

/// Who makes two signatures wrong by amounts that cancel out must not get both through: the sum of the plain equations
/// holds, that of this key's multiples does not.
#[test]
fn faults_that_cancel_out_are_found() {
    let messages: [&[u8]; 2] = [b"one", b"two"];
    let mut made = messages.map(|message| made(1, message, Flaw::None));
    // The scalar is little-endian, in the second half: one more here, one less there.
    let (first, second) = made.split_at_mut(1);
    let place = (32..60)
        .find(|place| first[0].2[*place] < 255 && second[0].2[*place] > 0)
        .unwrap();
    first[0].2[place] += 1;
    second[0].2[place] -= 1;
    let mut verifier = verifier();
    assert!(!all_hold(&verifier, &signed(&made)));
    assert_eq!(verifier.verify(&signed(&made)), [false, false]);
    assert!(verifier.keys.is_empty(), "nobody signed");
}

/// Right ones are not checked one by one: that would be slow, and nobody would see it.
#[test]
fn right_ones_hold_together() {
    let count = u8::try_from(TOGETHER_MAX).unwrap();
    let made: Vec<_> = (1..=count).map(|n| made(n, &[n], Flaw::None)).collect();
    let mut verifier = verifier();
    assert!(all_hold(&verifier, &signed(&made)));
    assert_eq!(verifier.verify(&signed(&made)), [true; TOGETHER_MAX]);
    assert!(verifier.verify(&[]).is_empty());
}
