//! What happened to the chain, on disk: one append-only file that is read again at start.
//!
//! `blocks.dat` is a row of records, each `magic (4) | length (4, little endian) | payload | checksum (4)`,
//! the checksum being the first bytes of SHA-256d over all before it. The magic tells the kind: a block as it
//! was submitted, a change of the rules, or a block declared invalid. A record is on disk before its effect is
//! seen. A last record that was not written out (a crash) is cut off at start; damage anywhere else is an
//! error, because what comes after it would be lost. `blocks.lock` is locked while a process uses the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bitcoin::hashes::{Hash, sha256d};
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::Amount;

use super::params::{ParamsError, Rules};

/// Bytes of a record before its payload.
const HEAD_LEN: usize = 8;
/// Bytes of a record after its payload.
const CHECKSUM_LEN: usize = 4;
/// The longest payload: the largest block there can be.
const PAYLOAD_LEN_MAX: usize = 4_000_000;

const MAGIC_BLOCK: [u8; 4] = *b"DwBk";
const MAGIC_RULES: [u8; 4] = *b"DwRu";
const MAGIC_INVALID: [u8; 4] = *b"DwIn";
const MAGICS: [[u8; 4]; 3] = [MAGIC_BLOCK, MAGIC_RULES, MAGIC_INVALID];

/// Why rules were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RulesSource {
    /// The settings that the chain was opened with.
    Settings,
    /// A command of a test, which changes them from a height on.
    Command,
}

/// Something that happened to the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A valid block came in.
    Block(Vec<u8>),
    /// From a height on, other rules hold.
    Rules {
        source: RulesSource,
        from_height: u32,
        rules: Rules,
    },
    /// A block was declared invalid.
    Invalid(HeaderHash),
}

/// Why the devnet cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings make no chain.
    #[error("devnet settings: {0}")]
    Params(#[from] ParamsError),
    /// Another process, or another handle in this one, uses the directory.
    #[error("{} is in use by another process; give each pool a data directory of its own", .0.display())]
    InUse(PathBuf),
    /// The file system failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        error: io::Error,
    },
    /// The file holds something else than what was written to it.
    #[error("{} is damaged at byte {offset} ({reason}); restore it, or remove it to start a new chain", path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// Where the record begins that cannot be used.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system gave no thread.
    #[error("no thread for the devnet: {0}")]
    Thread(io::Error),
}

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct BlockFile {
    path: PathBuf,
    file: File,
    len: u64,
    /// Whether an append failed: what is on disk is then unknown until the file is read again.
    broken: bool,
    /// Held for its lock, which ends with it.
    _lock: File,
}

/// A record and where it begins.
pub(super) type Placed = (u64, Record);

impl BlockFile {
    /// Opens the file in `dir`, which is made if it is not there, and reads what it holds.
    pub(super) fn open(dir: &Path) -> Result<(Self, Vec<Placed>), OpenError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::Io { path, error }
        };
        std::fs::create_dir_all(dir).map_err(at(dir))?;
        let lock_path = dir.join("blocks.lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(&lock_path).map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(at(&lock_path)(error)),
        }
        let path = dir.join("blocks.dat");
        let mut file = options.open(&path).map_err(at(&path))?;
        // Without this the name of a new file could be lost in a crash, and all its blocks with it.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(at(&path))?;
        let (records, good) = read_all(&bytes).map_err(|(offset, reason)| OpenError::Damaged {
            path: path.clone(),
            offset,
            reason: reason.to_owned(),
        })?;
        let torn = bytes.len() as u64 - good;
        if torn > 0 {
            log::warn!(
                "{}: the last record was not written out; its {torn} bytes are cut off",
                path.display()
            );
            file.set_len(good)
                .and_then(|()| file.sync_data())
                .map_err(at(&path))?;
        }
        file.seek(SeekFrom::Start(good)).map_err(at(&path))?;
        let this = Self {
            path,
            file,
            len: good,
            broken: false,
            _lock: lock,
        };
        Ok((this, records))
    }

    /// The file's place, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a record and waits until it is on disk.
    ///
    /// After an error the file is cut back, so that the record is surely not there: a disk that was full for a
    /// while costs no restart. If even that fails, nothing can be appended any more: what is on disk is unknown,
    /// and only reading the file again can tell.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed; open the devnet again"));
        }
        let bytes = encode(record);
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let cut_back = self
                .file
                .set_len(self.len)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.len)))
                .and_then(|_| self.file.sync_data());
            self.broken = cut_back.is_err();
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

fn encode(record: &Record) -> Vec<u8> {
    let rules_payload;
    let (magic, payload): (_, &[u8]) = match record {
        Record::Block(block) => (MAGIC_BLOCK, block),
        Record::Invalid(hash) => (MAGIC_INVALID, hash.as_bytes()),
        Record::Rules {
            source,
            from_height,
            rules,
        } => {
            rules_payload = [
                &[u8::from(*source == RulesSource::Command)][..],
                &from_height.to_le_bytes(),
                &rules.bits.bits().to_le_bytes(),
                &rules.subsidy.sats().to_le_bytes(),
                &rules.coinbase_maturity.to_le_bytes(),
            ]
            .concat();
            (MAGIC_RULES, &rules_payload)
        }
    };
    let len = u32::try_from(payload.len()).expect("a payload is at most as long as a block, 4 MB");
    let mut bytes = [&magic[..], &len.to_le_bytes(), payload].concat();
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
    let [a, b, c, d, ..] = sha256d::Hash::hash(bytes).to_byte_array();
    [a, b, c, d]
}

/// Reads records up to the end or to a torn one; returns them and where the last whole one ends, or where
/// and how the file is damaged.
fn read_all(bytes: &[u8]) -> Result<(Vec<Placed>, u64), (u64, &'static str)> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let damaged = |reason| (at as u64, reason);
        let Some((magic, payload)) = whole_record(rest) else {
            if !begins_as_record(rest) {
                return Err(damaged("a record does not begin as one"));
            }
            // Each record was on disk before the next was begun, so only the last one can be torn.
            if (1..rest.len()).any(|later| whole_record(&rest[later..]).is_some()) {
                return Err(damaged("a record is not whole, but one after it is"));
            }
            break;
        };
        let record = decode(magic, payload).ok_or(damaged("a record holds something else than it says"))?;
        records.push((at as u64, record));
        at += HEAD_LEN + payload.len() + CHECKSUM_LEN;
    }
    Ok((records, at as u64))
}

/// The magic and payload of the record at the beginning of `bytes`, if all of it is there and is right.
fn whole_record(bytes: &[u8]) -> Option<([u8; 4], &[u8])> {
    let (magic, rest) = bytes.split_first_chunk()?;
    let (len, _) = rest.split_first_chunk()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    if !MAGICS.contains(magic) || len > PAYLOAD_LEN_MAX {
        return None;
    }
    let (content, rest) = bytes.split_at_checked(HEAD_LEN + len)?;
    let (sum, _) = rest.split_first_chunk()?;
    (*sum == checksum(content)).then(|| (*magic, &content[HEAD_LEN..]))
}

/// Whether a record was begun here. A crash can leave the file longer than what was written to it; what is
/// missing then reads as zeros.
fn begins_as_record(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4)];
    MAGICS.iter().any(|magic| {
        let same = head.iter().zip(magic).take_while(|(a, b)| a == b).count();
        same == head.len() || bytes[same..].iter().all(|byte| *byte == 0)
    })
}

fn decode(magic: [u8; 4], payload: &[u8]) -> Option<Record> {
    match magic {
        MAGIC_BLOCK => Some(Record::Block(payload.to_vec())),
        MAGIC_INVALID => Some(Record::Invalid(HeaderHash::from_bytes(payload.try_into().ok()?))),
        MAGIC_RULES => {
            let (source, rest) = payload.split_first()?;
            let (from_height, rest) = rest.split_first_chunk()?;
            let (bits, rest) = rest.split_first_chunk()?;
            let (subsidy, rest) = rest.split_first_chunk()?;
            let maturity = rest.try_into().ok()?;
            Some(Record::Rules {
                source: match source {
                    0 => RulesSource::Settings,
                    1 => RulesSource::Command,
                    _ => return None,
                },
                from_height: u32::from_le_bytes(*from_height),
                rules: Rules {
                    bits: CompactTarget::from_bits(u32::from_le_bytes(*bits)),
                    subsidy: Amount::from_sats(u64::from_le_bytes(*subsidy))?,
                    coinbase_maturity: u32::from_le_bytes(maturity),
                },
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
