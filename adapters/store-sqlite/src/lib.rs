//! The pool's database: one SQLite file.
//!
//! One thread writes: each commit is one transaction that is flushed to disk before it is answered. Two
//! threads read, with connections of their own, so reads never queue behind writes. All queues are bounded;
//! when one is full the answer is "unavailable" at once.
//!
//! Tests have the same store without threads and disk: only who calls the writer and the reads differs.
//!
//! | module | its one job |
//! |---|---|
//! | `open` | one process only, and the settings that the pool's promises need |
//! | `schema` | versions of the schema; `migrations/` holds them |
//! | `store` | which question and which write goes where |
//! | `threads` | a file, and the threads that write and read it |
//! | `mode` | who does what a store is asked |
//! | `inline` | a database in memory on the calling thread |
//! | `inspect` | what only tests look at (with the feature `testing`) |
//! | `writer` | the writing thread and its transactions |
//! | `log_mover` | the thread that moves the log to the database, beside the commits |
//! | `append_state` | what the writer keeps in memory |
//! | `write` | each intent of writing as SQL |
//! | `life_start` | the start of a life: counted, and what must be known then |
//! | `reader` | the reading threads |
//! | `read` | each question as SQL |
//! | [`backup`] | copies of a ledger: made beside a running pool, looked at, put back in its place |
//! | [`export`] | rows one after the other, for whoever writes them down |
//! | `copying` | a ledger on its way to another store, or from one |
//! | `conservation` | whether the books hold exactly what came in |
//! | `batches` | rows of shares: places among them, found by halving, and walks over them |
//! | `history` | what was mined when: brought in from the shares, moved, read, forgotten |
//! | `packed_history` | its steps as blobs |
//! | `packed_shares` | a row's shares as one blob |
//! | `packed_money` | a round's credits, entries and parts as blobs |
//! | `credited_miners` | miners' numbers in these, and where each one's last credit is |
//! | `deflated` | texts that are kept for ever, as blobs |
//! | `row_codec`, `columns` | rows and columns as the actors' and the domain's types |
//! | `error` | what SQLite's errors mean to the pool |

mod append_state;
pub mod backup;
mod batches;
mod columns;
mod conservation;
mod copying;
mod credited_miners;
mod deflated;
mod error;
pub mod export;
mod history;
mod inline;
#[cfg(feature = "testing")]
mod inspect;
mod life_start;
mod log_mover;
mod mode;
mod open;
mod packed_history;
mod packed_money;
mod packed_shares;
mod read;
mod reader;
mod row_codec;
mod schema;
mod store;
mod threads;
mod write;
mod writer;

pub use copying::SqliteEnd;
pub use error::OpenError;
pub use inline::Inline;
pub use open::SqliteOptions;
pub use threads::Threads;

/// A store in an SQLite database: in a file with threads of its own ([`Threads`]), which is how a pool keeps its
/// ledger, or in memory on the calling thread ([`Inline`]). Both do the very same.
#[derive(Clone)]
pub struct SqliteStore<M = Threads> {
    mode: M,
}

/// A store without threads and disk.
pub type InlineStore = SqliteStore<Inline>;
