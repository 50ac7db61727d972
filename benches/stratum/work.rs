//! What a miner makes of `mining.notify`: headers, and submits that are shares or not.

use std::fmt::Write as _;

use dwarves_domain::target::Difficulty;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Error;

/// Bytes that the miner rolls.
const EXTRANONCE2_LEN: usize = 8;
/// The header's first compression, which no nonce changes.
const MIDSTATE_LEN: usize = 64;

/// Work of one session.
pub(crate) struct Work {
    job: String,
    coinbase: [Vec<u8>; 2],
    extranonce1: Vec<u8>,
    branch: Vec<[u8; 32]>,
    /// Version and previous block, as in the header.
    head: [u8; 36],
    /// Time and bits, as in the header.
    tail: [u8; 8],
    time: String,
    target: [u8; 32],
    next_extranonce2: u64,
}

impl Work {
    /// Work of the params of a notify, for a session with this extranonce and difficulty.
    pub(crate) fn read(params: &Value, extranonce1: &str, difficulty: f64) -> Result<Self, Error> {
        let text = |at: usize| -> Result<&str, Error> {
            params[at]
                .as_str()
                .ok_or_else(|| format!("a notify without its param {at}").into())
        };
        let number = |at: usize| -> Result<[u8; 4], Error> {
            let mut bytes = <[u8; 4]>::try_from(hex::decode(text(at)?)?).map_err(|_| "not four bytes")?;
            bytes.reverse();
            Ok(bytes)
        };
        let mut previous = hex::decode(text(1)?)?;
        previous.chunks_mut(4).for_each(<[u8]>::reverse);
        let branch = params[4].as_array().ok_or("a notify without a branch")?;
        let branch = branch
            .iter()
            .map(|node| {
                let mut bytes = [0; 32];
                hex::decode_to_slice(node.as_str().unwrap_or_default(), &mut bytes)?;
                Ok(bytes)
            })
            .collect::<Result<_, Error>>()?;
        let mut head = [0; 36];
        head[..4].copy_from_slice(&number(5)?);
        head[4..].copy_from_slice(&previous);
        let mut tail = [0; 8];
        tail[..4].copy_from_slice(&number(7)?);
        tail[4..].copy_from_slice(&number(6)?);
        Ok(Self {
            job: text(0)?.to_owned(),
            coinbase: [hex::decode(text(2)?)?, hex::decode(text(3)?)?],
            extranonce1: hex::decode(extranonce1)?,
            branch,
            head,
            tail,
            time: text(7)?.to_owned(),
            target: Difficulty::from_f64(difficulty)
                .ok_or("a difficulty that is none")?
                .target()
                .to_be_bytes(),
            next_extranonce2: 0,
        })
    }

    /// A line that submits a solution that was never submitted before, with an extranonce of its own, as machines that
    /// use up 2^32 nonces between two shares send them. With `is_share` its SHA-256d meets the share target; else nobody
    /// looked, and at a difficulty of a million it does not.
    pub(crate) fn submit(
        &mut self,
        user: &str,
        id: usize,
        is_share: bool,
        line: &mut String,
    ) -> Result<(), Error> {
        let extranonce2 = self.next_extranonce2;
        self.next_extranonce2 += 1;
        let nonce = if is_share {
            self.find(extranonce2)?
        } else {
            0x1234_5678
        };
        let (job, time) = (&self.job, &self.time);
        writeln!(
            line,
            "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[\"{user}\",\"{job}\",\"{extranonce2:016x}\",\
             \"{time}\",\"{nonce:08x}\"]}}"
        )?;
        Ok(())
    }

    fn find(&self, extranonce2: u64) -> Result<u32, Error> {
        let rolled: [u8; EXTRANONCE2_LEN] = extranonce2.to_be_bytes();
        let coinbase = Sha256::new()
            .chain_update(&self.coinbase[0])
            .chain_update(&self.extranonce1)
            .chain_update(rolled)
            .chain_update(&self.coinbase[1])
            .finalize();
        let mut root: [u8; 32] = Sha256::digest(coinbase).into();
        for node in &self.branch {
            let both = Sha256::new().chain_update(root).chain_update(node).finalize();
            root = Sha256::digest(both).into();
        }
        let mut header = [0; 80];
        header[..36].copy_from_slice(&self.head);
        header[36..68].copy_from_slice(&root);
        header[68..76].copy_from_slice(&self.tail);
        let midstate = Sha256::new_with_prefix(&header[..MIDSTATE_LEN]);
        for nonce in 0..=u32::MAX {
            header[76..].copy_from_slice(&nonce.to_le_bytes());
            let inner = midstate.clone().chain_update(&header[MIDSTATE_LEN..]).finalize();
            let mut hash: [u8; 32] = Sha256::digest(inner).into();
            hash.reverse();
            if hash <= self.target {
                return Ok(nonce);
            }
        }
        Err("no nonce of a header is a share".into())
    }
}
