use super::*;
use proptest::prelude::*;

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

fn miner(byte: u8, balance: Balance) -> Account {
    Account::Miner(Hotkey::from_bytes([byte; 32]), balance)
}

const BALANCES: [Balance; 4] = [
    Balance::Immature,
    Balance::Payable,
    Balance::InFlight,
    Balance::Paid,
];

fn any_account() -> impl Strategy<Value = Account> {
    prop_oneof![
        Just(Account::Chain),
        Just(Account::Emission),
        Just(Account::FeeImmature),
        Just(Account::Fee),
        Just(Account::ReserveImmature),
        Just(Account::Reserve),
        Just(Account::NetworkFees),
        (0u8..3, 0usize..4).prop_map(|(byte, balance)| miner(byte, BALANCES[balance])),
    ]
}

fn any_transfer() -> impl Strategy<Value = (Account, Account, Amount)> {
    (any_account(), any_account(), 0..1u64 << 40).prop_map(|(from, to, s)| (from, to, sats(s)))
}

fn posted(transfers: &[(Account, Account, Amount)]) -> Postings {
    let mut postings = Postings::new();
    for &(from, to, amount) in transfers {
        postings.transfer(from, to, amount).unwrap();
    }
    postings
}

#[test]
fn transfers_between_the_same_accounts_become_one_line_each() {
    let to = miner(1, Balance::Immature);
    let postings = posted(&[
        (Account::Chain, to, sats(70)),
        (Account::Chain, to, sats(30)),
        (Account::Chain, Account::FeeImmature, sats(2)),
    ]);
    let lines: Vec<(Account, i64)> = postings.entries().map(|e| (e.account, e.delta.sats())).collect();
    assert_eq!(
        lines,
        [(Account::Chain, -102), (Account::FeeImmature, 2), (to, 100)]
    );
}

#[test]
fn what_moves_nothing_leaves_no_line() {
    let to = miner(1, Balance::Payable);
    let postings = posted(&[
        (Account::Chain, to, Amount::ZERO),
        (to, to, sats(5)),
        (Account::Reserve, to, sats(9)),
        (to, Account::Reserve, sats(9)),
    ]);
    assert!(postings.is_empty());
}

#[test]
#[should_panic(expected = "postings are built from transfers, which balance")]
fn lines_that_no_transfer_makes_are_never_booked() {
    let lines = std::collections::BTreeMap::from([(Account::Fee, 7), (Account::Chain, -5)]);
    let postings = Postings { lines };
    assert_eq!(postings.sum(), 2);
    let _ = Balances::new().apply(&postings);
}

#[test]
fn a_line_that_would_not_fit_is_refused_and_changes_nothing() {
    let to = miner(1, Balance::Payable);
    let mut postings = posted(&[(Account::Reserve, to, Amount::MAX)]);
    let before = postings.clone();
    let overflow = postings.transfer(Account::Chain, to, sats(1));
    assert_eq!(overflow, Err(LedgerError::Overflow { account: to }));
    // Two sides may fail: here the giving account would reach the one number that has no opposite.
    let overflow = postings.transfer(Account::Reserve, Account::Fee, sats(1));
    assert_eq!(
        overflow,
        Err(LedgerError::Overflow {
            account: Account::Reserve
        })
    );
    assert_eq!(
        postings.merge(&before),
        Err(LedgerError::Overflow {
            account: Account::Reserve
        })
    );
    assert_eq!(postings, before);
}

#[test]
fn a_miner_is_never_paid_what_is_not_there() {
    let (payable, in_flight) = (miner(1, Balance::Payable), miner(1, Balance::InFlight));
    let mut balances = Balances::new();
    balances
        .apply(&posted(&[(Account::Reserve, payable, sats(10))]))
        .unwrap();
    let before = balances.clone();
    // The first line alone would be fine; the books take all lines or none.
    let refused = balances.apply(&posted(&[
        (Account::Emission, Account::Fee, sats(3)),
        (payable, in_flight, sats(11)),
    ]));
    assert_eq!(
        refused,
        Err(LedgerError::Negative {
            account: payable,
            balance: -1
        })
    );
    assert_eq!(balances, before);
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("miner_payable of 5") && text.contains("-1"),
        "{text}"
    );
}

#[test]
fn only_the_sources_and_the_reserve_may_stand_below_zero() {
    for account in [Account::Chain, Account::Emission, Account::Reserve] {
        let mut balances = Balances::new();
        balances
            .apply(&posted(&[(account, miner(1, Balance::Payable), sats(1))]))
            .unwrap();
        assert_eq!(balances.get(account), -1);
    }
    let firm = [Account::FeeImmature, Account::Fee, Account::ReserveImmature];
    for account in firm.into_iter().chain(BALANCES.map(|b| miner(2, b))) {
        let refused = Balances::new().apply(&posted(&[(account, Account::Chain, sats(1))]));
        assert_eq!(refused, Err(LedgerError::Negative { account, balance: -1 }));
    }
}

#[test]
fn stored_balances_that_no_postings_give_are_refused() {
    let m = miner(1, Balance::Payable);
    assert_eq!(
        Balances::from_rows([(Account::Chain, -5), (m, 4)]),
        Err(LedgerError::Unbalanced { sum: -1 })
    );
    assert_eq!(
        Balances::from_rows([(Account::Chain, 5), (m, -5)]),
        Err(LedgerError::Negative {
            account: m,
            balance: -5
        })
    );
    assert_eq!(
        Balances::from_rows([(Account::Chain, -5), (m, 5), (m, 0)]),
        Err(LedgerError::Twice { account: m })
    );
}

#[test]
fn a_stored_account_needs_a_known_code_and_a_hotkey_where_one_belongs() {
    let hotkey = Some(Hotkey::from_bytes([1; 32]));
    assert_eq!(
        Account::parse("wallet", None),
        Err(ParseAccountError::Code("wallet".to_owned()))
    );
    assert_eq!(
        Account::parse("miner_paid", None),
        Err(ParseAccountError::HotkeyMissing("miner_paid"))
    );
    assert_eq!(
        Account::parse("fee", hotkey),
        Err(ParseAccountError::HotkeyUnexpected("fee"))
    );
}

proptest! {
    #[test]
    fn every_account_survives_storing(account in any_account()) {
        prop_assert_eq!(Account::parse(account.code(), account.hotkey()), Ok(account));
    }

    #[test]
    fn postings_balance_and_agree_with_an_account_by_account_sum(
        transfers in prop::collection::vec(any_transfer(), 0..40), account in any_account(),
    ) {
        let postings = posted(&transfers);
        prop_assert_eq!(postings.sum(), 0);
        let expected: i128 = transfers.iter().map(|&(from, to, amount)| {
            let s = i128::from(amount.sats());
            if from == account && to != account { -s } else if to == account && from != account { s } else { 0 }
        }).sum();
        let line = postings.entries().find(|e| e.account == account).map_or(0, |e| i128::from(e.delta.sats()));
        prop_assert_eq!(line, expected);
        let accounts: Vec<Account> = postings.entries().map(|e| e.account).collect();
        prop_assert!(accounts.is_sorted());
        prop_assert!(postings.entries().all(|e| e.delta.sats() != 0));
    }

    #[test]
    fn a_reversal_undoes_its_postings_exactly(
        first in prop::collection::vec(any_transfer(), 0..20), second in prop::collection::vec(any_transfer(), 0..20),
    ) {
        let (a, b) = (posted(&first), posted(&second));
        let mut both = a.clone();
        both.merge(&b).unwrap();
        let together: Vec<_> = first.into_iter().chain(second).collect();
        prop_assert_eq!(&both, &posted(&together));
        both.merge(&b.reversed()).unwrap();
        prop_assert_eq!(&both, &a);
        both.merge(&a.reversed()).unwrap();
        prop_assert!(both.is_empty());
    }

    #[test]
    fn balances_sum_to_zero_and_survive_storing(
        batches in prop::collection::vec(prop::collection::vec(any_transfer(), 0..5), 0..30),
    ) {
        let mut balances = Balances::new();
        let mut booked = Postings::new();
        for batch in &batches {
            let postings = posted(batch);
            let before = balances.clone();
            match balances.apply(&postings) {
                Ok(()) => booked.merge(&postings).unwrap(),
                Err(error) => {
                    prop_assert!(matches!(error, LedgerError::Negative { .. }), "{error}");
                    prop_assert_eq!(&balances, &before);
                }
            }
            prop_assert_eq!(balances.sum(), 0);
            prop_assert!(balances.iter().all(|(account, b)| b >= 0 || account.may_be_negative()));
        }
        for entry in booked.entries() {
            prop_assert_eq!(balances.get(entry.account), entry.delta.sats());
        }
        let rows: Vec<_> = balances.iter().collect();
        prop_assert_eq!(Balances::from_rows(rows), Ok(balances));
    }
}
