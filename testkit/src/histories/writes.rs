//! What one drawn write is, by what is stored by now.

use crate::build::{sats, template_row};
use dwarves_domain::ids::{ExtraNonce, HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::Units;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::reads::PageRequest;
use dwarves_ports::store::{
    AuditRow, BanRow, BlockRow, BlockState, FoundBlock, LedgerPosition, ShareRow, SharedStore, WatchRow,
    WorkerRow, Write,
};

use super::history::{Draw, History, at, hash, miner, owner};

mod notices;
mod payout_batches;
mod payouts;
mod rounds;
mod statements;
mod submissions;

pub(crate) use payout_batches::batch_name;
pub(crate) use submissions::name;

/// Whether a drawn number says yes, as one in `n` does.
fn one_in(n: u16, drawn: impl Into<u16>) -> bool {
    drawn.into().is_multiple_of(n)
}

fn found(height: u32, finder: u8) -> FoundBlock {
    FoundBlock {
        height,
        reward: sats(1_000 + u64::from(finder)),
        finder: (!one_in(4, finder)).then(|| miner(finder)),
        bytes: vec![finder; 90],
    }
}

impl History {
    /// What this draw stands for now; nothing, if there is nothing to do it with.
    ///
    /// # Panics
    /// If the store does not answer.
    pub async fn write(&mut self, store: &SharedStore, &(kind, a, b, c): &Draw) -> Option<Write> {
        // Most commits are later than the one before; now and then the clock steps back, or much time passes.
        self.secs += match c {
            c if one_in(31, c) => -3,
            c if one_in(29, c) => 2_900,
            c if one_in(113, c) => 86_000,
            c if one_in(61, c) => -4_000,
            c => i64::from(c % 4),
        };
        let now = self.now();
        let hotkey = miner(a);
        let worker = WorkerId::new(u32::from(b % 9));
        let write = match kind % 64 {
            0..=9 => self.append((a, b, c)),
            10..=12 => Write::RegisterMiner {
                hotkey,
                payout_address: (one_in(3, b)).then(|| format!("address-{}", b % 4)),
                at: now,
            },
            13..=16 if self.forgotten.contains(&worker) => return None,
            13..=16 => Write::AddWorker(WorkerRow {
                hotkey: if one_in(29, c) { hotkey } else { owner(worker) },
                name: format!("rig-{}", if one_in(31, c) { 0 } else { worker.get() })
                    .parse()
                    .unwrap(),
                id: worker,
            }),
            17 => Write::NumberWorkers { next: worker },
            18 => Write::RetireWorkers {
                workers: vec![(worker, self.workers.get(&worker).cloned().unwrap_or_default())],
            },
            19 => Write::RemoveMiner { hotkey },
            20 => Write::UseNonce {
                hotkey,
                nonce_nanos: u64::from(b % 4),
                expires_at: at(self.secs + i64::from(c % 40)),
                now,
            },
            21 => Write::Ban {
                hotkey,
                ban: BanRow {
                    reason: format!("reason {b}"),
                    until: (one_in(2, b)).then(|| at(i64::from(c))),
                },
            },
            22 => Write::Unban { hotkey },
            23..=25 => self.save_template(a, c),
            26 => Write::RetireTemplates {
                before: self.some_template(c),
            },
            27 => Write::DropTemplates {
                before: self.some_template(c),
            },
            28 | 29 => Write::RecordCandidate {
                hash: self.some_block(c),
                block: found(100 + u32::from(a % 20), b),
                at: now,
            },
            30 => Write::DropBlockBytes(vec![self.some_block(c), self.some_block(c / 7)]),
            31..=34 => self.became(store, (a, b, c)).await,
            35 => self.recover(store, (a, b, c)).await,
            36..=38 => self.close(store, (a, b, c)).await?,
            39 => self.begin_batch(store, (a, b, c)).await?,
            40 => self.reserve(store, (a, b, c)).await?,
            41 | 42 => self.step(store, (a, b, c)).await?,
            43 => self.adopt((a, b, c)),
            44 => Write::SetPayoutThreshold {
                hotkey,
                threshold: (!one_in(3, b)).then(|| sats(u64::from(c))),
            },
            45 => Write::SaveSetting {
                key: format!("setting.{}", a % 3),
                value: (!one_in(3, b)).then(|| c.to_string()),
            },
            46 if one_in(2, c) => Write::AppendAudit(AuditRow {
                id: 0,
                at: now,
                who: "token".to_owned(),
                actor: "miner_manager".to_owned(),
                message: format!("message {a}"),
                fields: "{}".to_owned(),
                outcome: "{\"ok\":true}".to_owned(),
            }),
            46 => self.save_counters(c),
            47 if one_in(3, b) => {
                let id = WatchId::from_bytes([a % 4; 8]);
                match c % 3 {
                    0 => Write::RemoveWatch { hotkey, id },
                    _ => Write::AddWatch {
                        watch: WatchRow {
                            id,
                            hotkey,
                            name: format!("watch {}", b % 4).parse().expect("a short name"),
                            created_at: now,
                            expires_at: one_in(2, c / 3).then(|| at(self.secs + i64::from(c % 90))),
                        },
                        most: 2,
                    },
                }
            }
            47 => self.notice((a, b, c)),
            48 => Write::PruneHistory {
                minutes: at(self.secs - i64::from(c % 9_000)),
                hours: at(self.secs - i64::from(c) * 3),
                days: at(self.secs - i64::from(a) * 86_400),
            },
            50 => Write::PassTime {
                at: at(self.secs - 3 + i64::from(b % 5)),
            },
            51..=57 => statements::draw(self, store, (a, b, c)).await?,
            58..=63 => self.of_evaluated_work(kind % 64 - 8, (a, b, c)),
            _ => Write::PruneShares {
                through: Sequence::new(u64::from(c) % (self.last + 2)),
            },
        };
        Some(write)
    }

    fn append(&mut self, (a, b, c): (u8, u8, u16)) -> Write {
        let before = self.shares;
        self.shares += u64::from(a % 3) + 1;
        let rows = (0..=a % 3).map(|n| {
            let of = before + 1 + u64::from(n);
            ShareRow {
                // Some of a template that is not the newest, or of none.
                template: TemplateId::new(self.template.saturating_sub(u32::from(b) % 23 / 8)),
                extranonce: ExtraNonce::new(of << 32 | 7).into(),
                worker: self.some_worker(b.wrapping_add(n), c),
                share_bits: CompactTarget::from_bits(0x1f00_ffff),
                units: Units::from_raw(u128::from(c % 1_000) + 1),
                hash: hash(of),
                version: 0x2000_0000,
                time: 1_700_000_001,
                nonce: u32::from(c),
                received_at: at(self.secs + i64::from(n)),
                block: (one_in(3, c) && n == 0).then(|| found(100 + u32::from(a % 20), b)),
            }
        });
        Write::AppendShares(rows.collect())
    }

    /// One that is stored, and now and then any.
    fn some_worker(&self, b: u8, c: u16) -> WorkerId {
        let stored = self
            .workers
            .keys()
            .nth(usize::from(b) % self.workers.len().max(1));
        stored
            .copied()
            .filter(|_| !one_in(37, c))
            .unwrap_or(WorkerId::new(u32::from(b % 9)))
    }

    pub(crate) fn save_template(&mut self, a: u8, c: u16) -> Write {
        // Now and then the same again, or another one under its number.
        self.template += u32::from(!one_in(5, c) || self.template == 0);
        let mut row = template_row(self.template, 100 + self.template, hash(1_000_000));
        if one_in(35, c) {
            row.tag = format!("/other-{a}/");
        }
        Write::SaveTemplate(Box::new(row))
    }

    fn some_template(&self, c: u16) -> TemplateId {
        TemplateId::new(u32::from(c) % (self.template + 2))
    }

    /// The hash of a share that is stored, or of one that may come.
    pub(crate) fn some_block(&self, c: u16) -> HeaderHash {
        hash(1 + u64::from(c) % (self.shares + 3))
    }

    async fn some_known_block(&self, store: &SharedStore, c: u16) -> Option<BlockRow> {
        let page = PageRequest {
            cursor: None,
            limit: 100,
        };
        let rows = store.blocks(page).await.unwrap().rows;
        rows.get(usize::from(c) % rows.len().max(1)).cloned()
    }

    async fn became(&self, store: &SharedStore, (a, b, c): (u8, u8, u16)) -> Write {
        let known = self.some_known_block(store, c).await;
        let hash = known
            .filter(|_| !one_in(5, b))
            .map_or_else(|| self.some_block(c), |known| known.hash);
        let states = BlockState::ALL;
        Write::SetBlockState {
            hash,
            // Immature and mature most of all, so that there is something to book.
            state: match a % 10 {
                n @ 0..=5 => states[usize::from(n)],
                6 | 7 => BlockState::Immature,
                _ => BlockState::Mature,
            },
            confirmations: u32::from(b),
            at: self.now(),
            block: (!one_in(4, c)).then(|| found(100 + u32::from(a % 20), b)),
        }
    }

    async fn recover(&self, store: &SharedStore, (a, b, c): (u8, u8, u16)) -> Write {
        let mut place = store
            .position_at(at(i64::from(c) % (self.secs.max(0) + 1)))
            .await
            .unwrap();
        if one_in(13, c) {
            place = LedgerPosition {
                sequence: Sequence::new(self.last + 4),
                ..place
            };
        }
        let block = FoundBlock {
            bytes: Vec::new(),
            ..found(100 + u32::from(a % 20), b)
        };
        Write::RecoverBlock {
            hash: self.some_block(c / 3),
            block,
            place,
            found_at: self.now(),
        }
    }

    fn save_counters(&mut self, c: u16) -> Write {
        let through = if c % 7 == 1 { self.last / 2 } else { self.last };
        for (n, counter) in self.workers.values_mut().enumerate() {
            counter.rejected[usize::from(c % 6)] += (n % 3) as u64;
        }
        Write::SaveCounters {
            at: self.now(),
            through: Sequence::new(through),
            counters: self.workers.iter().map(|(id, row)| (*id, row.clone())).collect(),
        }
    }
}
