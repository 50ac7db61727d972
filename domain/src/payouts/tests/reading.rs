//! Signed transactions, as they are read and checked.

use super::*;

#[test]
fn a_transaction_that_pays_others_or_less_is_seen() {
    let outputs = |amount| {
        vec![Output {
            address: ADDRESSES[0].to_owned(),
            script: script(ADDRESSES[0]),
            amount: sats(amount),
        }]
    };
    let input = OutPoint {
        txid: Txid::from_bytes([3; 32]),
        vout: 1,
    };
    let seen = |outputs: &[(Vec<u8>, u64)]| Transaction {
        txid: Txid::from_bytes([4; 32]),
        inputs: vec![input],
        outputs: outputs.to_vec(),
    };
    let ours = (script(ADDRESSES[0]), 700);
    let change = (script(ADDRESSES[2]), 5);
    assert_eq!(
        seen(&[change.clone(), ours.clone()]).check_pays(&outputs(700)),
        Ok(())
    );
    // In whatever order scripts and amounts are: change to the least script of all, and less to the same one.
    for change in [
        (Vec::new(), 5),
        (script(ADDRESSES[0]), 5),
        (script(ADDRESSES[0]), 900),
    ] {
        assert_eq!(seen(&[ours.clone(), change]).check_pays(&outputs(700)), Ok(()));
    }
    assert!(matches!(
        seen(std::slice::from_ref(&ours)).check_pays(&outputs(701)),
        Err(TransactionError::NotPaid { .. })
    ));
    let extra = seen(&[ours.clone(), change.clone(), change]).check_pays(&outputs(700));
    assert_eq!(extra, Err(TransactionError::Extra { extra: 2 }));
    let nothing_spent = Transaction {
        inputs: Vec::new(),
        ..seen(&[ours])
    };
    assert_eq!(
        nothing_spent.check_pays(&outputs(700)),
        Err(TransactionError::NoInputs)
    );
    assert_eq!(read_transaction(&[1, 2, 3]), Err(TransactionError::Unreadable));
}
