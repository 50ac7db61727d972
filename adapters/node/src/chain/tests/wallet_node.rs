//! The node that has the wallet.

use dwarves_domain::chain_guard::Verdict;

use super::guard::standing_of;
use super::*;

#[actix::test]
async fn what_is_paid_hangs_on_the_node_with_the_wallet_wherever_it_stands() {
    let (first, second) = (Scripted::new(State::at(121)), Scripted::new(State::at(130)));
    first.set(|state| state.branch = (1, 100));
    for (wallet_place, holds) in [(0, true), (1, false)] {
        let urls = [first.url.as_str(), &second.url];
        let chain = paying(wallet_place, &urls, AddressFormat::BitcoinRegtest, no_guard());
        let standing = standing_of(&chain, Verdict::Majority).await;
        assert_eq!(standing.holds_payouts.is_some(), holds, "{standing:?}");
    }
}
