//! What became of transactions: in the mempool, on the chain, replaced by a rival, sent by somebody else.

use super::*;

impl NodeWallet {
    pub(super) async fn read_status(&self, txid: Txid) -> Result<Seen, WalletError> {
        let info = self.transaction(txid).await?;
        match info.map(|info| info.confirmations) {
            Some(0) => self.is_waiting(txid).await,
            Some(confirmations) => Ok(match u32::try_from(confirmations) {
                Ok(confirmations) => Seen::Confirmed(confirmations),
                Err(_) => Seen::Conflicted,
            }),
            None => self.is_on_chain(txid).await,
        }
    }

    /// What the wallet knows of a transaction, and what it spends in the node's own words: a transaction of MWEB has
    /// a form that only its node reads.
    pub(super) async fn transaction_with_inputs(
        &self,
        txid: Txid,
    ) -> Result<Option<TransactionInfo>, WalletError> {
        let params = json!([txid.to_string(), true, true]);
        match self.wallet.call("gettransaction", params).await {
            Ok(info) => Ok(Some(info)),
            Err(RpcError::Refused { code: NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(failed("gettransaction", &error)),
        }
    }

    /// What the wallet knows of a transaction.
    pub(super) async fn transaction(&self, txid: Txid) -> Result<Option<TransactionInfo>, WalletError> {
        let params = json!([txid.to_string(), true]);
        match self.wallet.call("gettransaction", params).await {
            Ok(info) => Ok(Some(info)),
            Err(RpcError::Refused { code: NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(failed("gettransaction", &error)),
        }
    }

    /// Whether a transaction that the wallet knows, and that is in no block, waits for one.
    async fn is_waiting(&self, txid: Txid) -> Result<Seen, WalletError> {
        match self
            .wallet
            .call::<Value>("getmempoolentry", json!([txid.to_string()]))
            .await
        {
            Ok(_) => Ok(Seen::Mempool),
            Err(RpcError::Refused { code: NOT_FOUND, .. }) => Ok(Seen::Unknown),
            Err(error) => Err(failed("getmempoolentry", &error)),
        }
    }

    /// Whether a transaction that the wallet does not know is in the chain all the same: a wallet that was
    /// restored from a backup may have forgotten what it sent.
    async fn is_on_chain(&self, txid: Txid) -> Result<Seen, WalletError> {
        let params = json!([txid.to_string(), 0, false]);
        let output: Option<answers::ChainOutput> = self.call("gettxout", params).await?;
        Ok(match output.map(|output| output.confirmations) {
            Some(confirmations) if confirmations > 0 => Seen::Confirmed(confirmations),
            _ => Seen::Unknown,
        })
    }

    pub(super) async fn find_rival(&self, txid: Txid, inputs: Vec<OutPoint>) -> Result<Rival, WalletError> {
        let mut gone = false;
        for input in &inputs {
            let params = json!([input.txid.to_string(), input.vout, false]);
            let output: Option<answers::ChainOutput> = self.call("gettxout", params).await?;
            gone |= output.is_none();
        }
        if !gone {
            return Ok(Rival::None);
        }
        let known = self.transaction(txid).await?;
        let mut suspects: Vec<String> = known.map(|info| info.walletconflicts).unwrap_or_default();
        // A transaction that never reached the wallet has no conflicts there: then its history is searched.
        let history: Vec<WalletLine> = self
            .call("listtransactions", json!(["*", HISTORY_MAX, 0, true]))
            .await?;
        suspects.extend(
            history
                .into_iter()
                .filter(WalletLine::may_spend)
                .map(|line| line.txid),
        );
        let mut asked = BTreeSet::new();
        for suspect in suspects {
            let Ok(by) = suspect.parse::<Txid>() else {
                continue;
            };
            if by == txid || !asked.insert(by) {
                continue;
            }
            let Some(info) = self.transaction_with_inputs(by).await? else {
                continue;
            };
            let Ok(confirmations) = u32::try_from(info.confirmations) else {
                continue;
            };
            if confirmations > 0 && info.spends(&inputs) {
                return Ok(Rival::Spent { by, confirmations });
            }
        }
        Ok(Rival::None)
    }

    /// What the wallet sent to others since the marked block.
    pub(super) async fn read_spends(&self, mark: Option<String>) -> Result<Spends, WalletError> {
        let since = mark.unwrap_or_default();
        let params = |since: &str| json!([since, MARK_DEPTH, true, false]);
        let history = match self
            .wallet
            .call::<History>("listsinceblock", params(&since))
            .await
        {
            // The chain does not know the block any more: then all is told.
            Err(RpcError::Refused {
                code: NOT_FOUND | INVALID_PARAMETER,
                ..
            }) if !since.is_empty() => self.call("listsinceblock", params("")).await?,
            answer => answer.map_err(|error| failed("listsinceblock", &error))?,
        };
        Ok(history.spends())
    }
}
