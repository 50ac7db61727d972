//! Ledgers that move between a file and a server, back and forth, and stay the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::work::FullExtraNonce;
use dwarves_ports::store::copying::pump::{copy, hand_over, prepare};
use dwarves_ports::store::copying::{
    CopiedCommit, CopiedShare, CopyError, Key, LedgerEnd, LedgerSums, Piece, Table, UNFINISHED, compare,
};
use dwarves_ports::store::{ShareRow, SharedStore, StoreError, StoreErrorKind};
use dwarves_store_postgres::{OpenError, PostgresEnd, PostgresStore};
use dwarves_store_sqlite::{OpenError as FileError, SqliteEnd, SqliteOptions, SqliteStore};
use dwarves_testkit::histories::{History, NAMES, Twin, live_again, live_all, live_fresh};
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::cluster::Database;

mod refusing;
mod schema;

/// Rows of a piece, about: so few that every table has several.
const PIECE: u32 = 7;

/// Where a ledger is.
pub(crate) enum Place {
    File(tempfile::TempDir),
    Server(Database),
}

impl Place {
    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub(crate) fn server() -> Self {
        Self::Server(Database::new())
    }

    /// A new one of the other kind.
    fn other(&self) -> Self {
        match self {
            Self::File(_) => Self::server(),
            Self::Server(_) => Self::file(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::File(directory) => directory.path().join("dwarves.db"),
            Self::Server(_) => panic!("a server is no file"),
        }
    }

    /// As a pool opens it; why not, if it does not.
    pub(crate) fn start(&self) -> Result<SharedStore, String> {
        match self {
            Self::File(_) => match SqliteStore::open(&self.path(), SqliteOptions::default()) {
                Ok(store) => Ok(Arc::new(store)),
                Err(FileError::NotToStart(why)) => Err(why),
                Err(error) => panic!("{error}"),
            },
            Self::Server(database) => match PostgresStore::open(&database.options().with_partitions_of(30)) {
                Ok(store) => Ok(Arc::new(store)),
                Err(OpenError::NotToStart(why)) => Err(why),
                Err(error) => panic!("{error}"),
            },
        }
    }

    pub(crate) fn end(&self) -> Box<dyn LedgerEnd> {
        match self {
            Self::File(_) => Box::new(SqliteEnd::open(&self.path()).unwrap().with_pieces_of(PIECE)),
            Self::Server(database) => {
                let options = database.options().with_partitions_of(30);
                Box::new(PostgresEnd::open(&options).unwrap().with_pieces_of(PIECE))
            }
        }
    }
}

/// An end that fails after so many pieces, and has written the last of them or not.
struct Stumbling {
    end: Box<dyn LedgerEnd>,
    left: u32,
    writes_the_last: bool,
}

fn stumble() -> StoreError {
    StoreError::new(StoreErrorKind::Unknown, "stumbled")
}

impl LedgerEnd for Stumbling {
    fn place(&self) -> &str {
        self.end.place()
    }
    fn state(&mut self) -> Result<Option<String>, StoreError> {
        self.end.state()
    }
    fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        self.end.setting(name)
    }
    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.end.set(name, value)
    }
    fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        self.end.count(table)
    }
    fn read(&mut self, table: &'static Table, after: Option<&Key>) -> Result<Piece, StoreError> {
        self.end.read(table, after)
    }
    fn begin(&mut self, mark: &str) -> Result<(), StoreError> {
        self.end.begin(mark)
    }
    fn write(&mut self, piece: &Piece, mark: &str) -> Result<(), StoreError> {
        if self.left == 0 {
            if self.writes_the_last {
                self.end.write(piece, mark)?;
            }
            return Err(stumble());
        }
        self.left -= 1;
        self.end.write(piece, mark)
    }
    fn check(&mut self) -> Result<(), StoreError> {
        self.end.check()
    }
    fn finish(&mut self) -> Result<(), StoreError> {
        self.end.finish()
    }
}

/// Copies all, compares, and hands over: what both came to.
pub(crate) fn whole(from: &Place, to: &Place) -> Result<LedgerSums, CopyError> {
    let (mut from, mut to) = (from.end(), to.end());
    let begin = prepare(from.as_mut(), to.as_mut())?;
    copy(from.as_mut(), to.as_mut(), begin, &mut |_, _| {})?;
    let (ours, theirs) = compare(from.as_mut(), to.as_mut(), &mut |_, _| {})?;
    assert_eq!(ours, theirs);
    assert_eq!(ours.check(), Ok(()));
    from.check().map_err(CopyError::of("source"))?;
    to.check().map_err(CopyError::of("target"))?;
    hand_over(from.as_mut(), to.as_mut(), "then")?;
    Ok(ours)
}

/// Copies until it stumbles, and goes on, until all is copied. How often it stumbled.
fn stumbling(from: &Place, to: &Place, pieces: u32) -> u32 {
    for times in 0.. {
        let mut source = from.end();
        let mut target = Stumbling {
            end: to.end(),
            left: pieces,
            writes_the_last: times % 2 == 1,
        };
        let begin = prepare(source.as_mut(), &mut target).unwrap();
        assert_eq!(begin.goes_on, times > 0);
        match copy(source.as_mut(), &mut target, begin, &mut |_, _| {}) {
            Ok(()) => return times,
            Err(error) => assert!(error.to_string().contains("stumbled"), "{error}"),
        }
        drop((source, target));
        let refused = to.start().err().unwrap();
        assert!(refused.contains("unfinished"), "{refused}");
    }
    unreachable!("some time all is copied")
}

/// How often copies stumbled.
static STUMBLED: AtomicU32 = AtomicU32::new(0);

/// A ledger that is somewhere else after every restart.
struct Moving {
    place: Place,
    store: Option<SharedStore>,
    moves: u32,
}

impl Moving {
    fn new(place: Place) -> Self {
        let store = Some(place.start().unwrap());
        Self {
            place,
            store,
            moves: 0,
        }
    }

    fn move_on(&mut self) {
        let to = self.place.other();
        // Sometimes at once, and sometimes by and by.
        let pieces = [u32::MAX, 19, u32::MAX, 31][self.moves as usize % 4];
        let times = stumbling(&self.place, &to, pieces);
        STUMBLED.fetch_add(times, Ordering::Relaxed);
        whole(&self.place, &to).unwrap_or_else(|error| panic!("move {}: {error}", self.moves));
        let refused = self.place.start().err().unwrap();
        assert!(
            refused.contains("was moved to") && refused.contains("reclaim"),
            "{refused}"
        );
        self.place = to;
        self.moves += 1;
        self.store = Some(self.place.start().unwrap());
    }
}

impl Twin for Moving {
    fn name(&self) -> &'static str {
        "moving"
    }

    fn store(&self) -> SharedStore {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn restart(&mut self) {
        self.store = None;
        // Whoever asks is within a runtime.
        std::thread::scope(|scope| scope.spawn(|| self.move_on()).join().unwrap());
    }
}

fn twins() -> Vec<Box<dyn Twin>> {
    vec![
        Box::new(Moving::new(Place::file())),
        Box::new(Moving::new(Place::server())),
    ]
}

#[test]
#[ignore = "needs postgres"]
fn a_ledger_that_moves_back_and_forth_answers_as_the_plain_reading() {
    let from_a_file = || -> Vec<Box<dyn Twin>> { vec![Box::new(Moving::new(Place::file()))] };
    let seen = live_all(4, TestRng::deterministic_rng(RngAlgorithm::ChaCha), from_a_file);
    let missing: Vec<_> = NAMES
        .iter()
        .filter(|name| !seen.done.contains_key(*name))
        .collect();
    assert!(missing.len() < 3, "{missing:?}: {seen:?}");
    let stumbled = STUMBLED.load(Ordering::Relaxed);
    assert!(
        seen.restarts > 6 && stumbled > 0,
        "stumbled {stumbled} times: {seen:?}"
    );
}

#[test]
#[ignore = "needs postgres"]
fn a_ledger_that_moves_answers_as_the_plain_reading_where_another_did_not() {
    live_again(twins);
}

/// Others in every run: a few, or as many as are asked for with PROPTEST_CASES.
#[test]
#[ignore = "needs postgres"]
fn a_ledger_that_moves_answers_as_the_plain_reading_to_fresh_histories() {
    live_fresh(2, twins);
}

/// The ledgers of pools of before: what was booked in forms that are no longer written, and shares whose extranonces
/// nobody kept whole.
#[test]
#[ignore = "needs postgres"]
fn ledgers_of_before_move_with_all_that_they_say() {
    for fixture in ["ledger-d4dd595", "ledger-0.2.0"] {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
        let file = Place::file();
        std::fs::copy(kept.join(fixture).join("dwarves.db"), file.path()).unwrap();
        let server = Place::server();
        let went = whole(&file, &server).unwrap();
        for table in ["shares", "blocks", "rounds", "credits", "journal", "balances"] {
            assert!(
                went.rows.get(table).is_some_and(|rows| *rows > 5),
                "{fixture}: {table}: {went:?}"
            );
        }
        drop(server.start().unwrap());
        let back = Place::file();
        let came = whole(&server, &back).unwrap();
        // A life began in between, and nothing else.
        assert_eq!(came.rows.get("lives"), went.rows.get("lives"));
        assert_eq!((&came.journal, &came.credits), (&went.journal, &went.credits));
        drop(back.start().unwrap());
    }
}

/// Nobody kept the last four bytes of some extranonces, and nobody invents them.
#[test]
#[ignore = "needs postgres"]
fn what_nobody_kept_of_a_share_is_not_made_up() {
    let file = Place::file();
    {
        let store = file.start().unwrap();
        let write = History::default().begin();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.start(Timestamp::EPOCH)).unwrap();
        runtime.block_on(store.commit(write)).unwrap();
    }
    let (server, back) = (Place::server(), Place::file());
    let mut end = file.end();
    let mut head = [0; 12];
    head[..8].copy_from_slice(&[0x40, 0, 0, 9, 1, 2, 3, 4]);
    let row = ShareRow {
        template: TemplateId::new(1),
        extranonce: FullExtraNonce::from_bytes(head),
        worker: WorkerId::new(1),
        share_bits: CompactTarget::from_bits(0x207f_ffff),
        units: Units::from_raw(5),
        hash: HeaderHash::from_bytes([7; 32]),
        version: 1,
        time: 2,
        nonce: 3,
        received_at: Timestamp::from_secs(9),
        block: None,
    };
    let share = CopiedShare { row, is_whole: false };
    let commit = CopiedCommit {
        first: Sequence::new(1),
        committed_at: share.row.received_at,
        total_before: Units::ZERO,
        shares: vec![share.clone()],
    };
    end.write(&Piece::Commits(vec![commit]), "?").unwrap();
    end.set(UNFINISHED, None).unwrap();
    drop(end);
    whole(&file, &server).unwrap();
    let Place::Server(database) = &server else {
        unreachable!("it is one")
    };
    assert_eq!(
        database.sql("SELECT encode(extranonce, 'hex') FROM shares"),
        ["4000000901020304"]
    );
    whole(&server, &back).unwrap();
    let mut end = back.end();
    let shares = Table::named("shares").unwrap();
    let Piece::Commits(commits) = end.read(shares, None).unwrap() else {
        panic!("commits")
    };
    assert_eq!(commits[0].shares, [share]);
}
