//! Signatures alone, as calls have them.

use dwarves_domain::signature::TOGETHER_MAX;

use super::*;
use crate::handlers::registration::messages::VerifySignature;

/// A signature alone is checked, and costs its client what any other does; a nonce is not asked for.
#[actix::test]
async fn a_signature_over_a_message_holds_for_its_signer_and_message_alone() {
    let mut bench = bench().await;
    let key = MiniSecretKey::from_bytes(&[3; 32]).unwrap();
    let key = key.expand_to_keypair(ExpansionMode::Ed25519);
    let right = VerifySignature {
        from: CLIENT,
        sender: Hotkey::from_bytes(key.public.to_bytes()),
        message: b"a message".to_vec(),
        signature: key.sign_simple(b"substrate", b"a message").to_bytes(),
    };
    assert_eq!(bench.post(right.clone()).await.unwrap(), Ok(()));
    let other = VerifySignature {
        message: b"another".to_vec(),
        ..right.clone()
    };
    assert_eq!(bench.post(other).await.unwrap(), Err(Refusal::SignatureInvalid));
    let strangers = VerifySignature {
        sender: POOL,
        ..right.clone()
    };
    assert_eq!(
        bench.post(strangers.clone()).await.unwrap(),
        Err(Refusal::SignatureInvalid),
        "who was right before paid for the last one, not its client"
    );
    for request in [strangers, right] {
        assert_eq!(
            bench.post(request).await.unwrap(),
            Err(Refusal::Busy),
            "ten of each were charged"
        );
    }
    assert!(bench.nonces.try_recv().is_err());
}

/// Signatures that come in one turn are checked together, and each is answered and paid for as if it had come alone.
#[actix::test]
async fn signatures_that_came_together_are_judged_one_by_one() {
    let bench = bench_with(SharedRate {
        total: 1_000,
        per_client: 1_000,
    })
    .await;
    let key = MiniSecretKey::from_bytes(&[3; 32]).unwrap();
    let key = key.expand_to_keypair(ExpansionMode::Ed25519);
    let count = u8::try_from(TOGETHER_MAX + 7).unwrap();
    let is_wrong = |n: u8| n % 20 == 11;
    let answers: Vec<_> = (0..count)
        .map(|n| {
            let message = vec![n];
            let signature = key.sign_simple(b"substrate", &message).to_bytes();
            let signed = if is_wrong(n) { b"another".to_vec() } else { message };
            bench.post(VerifySignature {
                from: CLIENT,
                sender: Hotkey::from_bytes(key.public.to_bytes()),
                message: signed,
                signature,
            })
        })
        .collect();
    for (n, answer) in (0..count).zip(answers) {
        let expected = if is_wrong(n) {
            Err(Refusal::SignatureInvalid)
        } else {
            Ok(())
        };
        assert_eq!(answer.await.unwrap(), expected, "{n}");
    }
}
