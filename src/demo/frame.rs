//! The screen of the demo: the pool and its miners, in 80 columns.

use dwarves_api_types::pool::Pool;
use dwarves_miner::transport::ApiError;
use dwarves_ports::clock::Clock as _;
use dwarves_system::clock::SystemClock;

use super::narrator::{Narrator, table};
use crate::terminal::{coins, hashrate};

impl Narrator {
    /// The pool and its miners, as a screen of 80 columns shows them.
    pub(super) fn frame(&self) -> Result<String, ApiError> {
        let pool: Pool = self.get("/v1/pool")?;
        let until = pool
            .next_round_at
            .0
            .millis()
            .saturating_sub(SystemClock.now().millis());
        let until = u64::try_from(until).unwrap_or(0).div_ceil(1_000);
        let mut frame = format!(
            "Dwarves demo   open {}/   {}   Ctrl-C ends it\n\n",
            self.url,
            self.time()
        );
        frame.push_str(&format!(
            "{}   {} shares   {} blocks, effort {:.0} %   next round in {until} s\n\n",
            hashrate(pool.hashrate),
            pool.shares.accepted,
            self.blocks.len(),
            pool.round_effort * 100.0
        ));
        let mut rows = Vec::new();
        let mut sums = [0; 4];
        let mut shares = 0;
        for (hotkey, name) in self.names.clone() {
            let Ok(miner) = self.miner(&hotkey) else {
                continue;
            };
            let Some(balance) = miner.balance_sats else {
                continue;
            };
            let money = [balance.immature, balance.payable, balance.in_flight, balance.paid];
            for (sum, sats) in sums.iter_mut().zip(money) {
                *sum += i128::from(sats);
            }
            shares += miner.shares.accepted;
            let mut row = vec![
                name.to_owned(),
                hashrate(miner.hashrate),
                miner.shares.accepted.to_string(),
            ];
            row.extend(money.map(|sats| short_coins(sats.into())));
            rows.push(row);
        }
        rows.sort();
        let mut total = vec!["all".to_owned(), hashrate(pool.hashrate), shares.to_string()];
        total.extend(sums.map(short_coins));
        rows.push(total);
        let header = [
            "miner",
            "hashrate",
            "shares",
            "immature",
            "payable",
            "on its way",
            "paid",
        ];
        frame.push_str(&table("", &header, &rows));
        frame.push_str("money in coins\n");
        Ok(frame)
    }
}

/// Coins with four decimal places: a screen has no room for eight, and the summary has them.
fn short_coins(sats: i128) -> String {
    let text = coins(sats);
    text[..text.len() - 4].to_owned()
}
