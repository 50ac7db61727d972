//! Why the pool does not start, in words that name the setting.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use dwarves_actors::assembly;
use dwarves_keys::pool_key;

/// Why the pool does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made or used.
    #[error("the data directory {path} cannot be used; give another with --data-dir")]
    DataDir {
        /// The directory that could not be made or used.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The address is taken or not this machine's.
    #[error(
        "cannot listen on {listen} ({setting}); is another pool running, or does systemd hold it (dwarves.socket)?"
    )]
    Bind {
        /// The setting that names it.
        setting: String,
        /// The address that was configured.
        listen: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// What was handed over is not what the settings ask for.
    #[error(transparent)]
    Sockets(#[from] super::sockets::SocketsError),
    /// A certificate or its key cannot be used.
    #[error("{setting}: {detail}")]
    StratumTls {
        /// The setting that names the file.
        setting: String,
        /// Which file, and what is wrong.
        detail: String,
    },
    /// A node that cannot be mined on with these settings.
    #[error("{0}")]
    Node(String),
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    /// Connections cannot be passed on to the front that leads.
    #[error("connections cannot be passed on to another front")]
    Relay(#[source] io::Error),
    /// Signals cannot be listened for.
    #[error("signals cannot be listened for")]
    Signals(#[source] io::Error),
    /// The pool's key cannot be read or made.
    #[error("the pool's key cannot be used")]
    PoolKey(#[from] dwarves_keys::hotkey_file::HotkeyFileError),
    /// The pool's key is missing beside a ledger.
    #[error(transparent)]
    KeyMissing(#[from] pool_key::KeyMissing),
    /// The admin's token cannot be read or made.
    #[error("the admin's token cannot be used")]
    AdminToken(#[from] dwarves_keys::admin_token::AdminTokenError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] dwarves_system::entropy::EntropyError),
    /// The ledger's file cannot be opened.
    #[error("the ledger {path} cannot be opened")]
    OpenStore {
        /// The file in question.
        path: PathBuf,
        /// The operating system's reason.
        source: dwarves_store_sqlite::OpenError,
    },
    /// The ledger's database cannot be opened.
    #[error("the ledger, {place}, cannot be opened")]
    OpenDatabase {
        /// The database and its server.
        place: String,
        /// What the server said.
        source: dwarves_store_postgres::OpenError,
    },
    /// The owners of state cannot start from what the ledger has.
    #[error("the pool cannot go on from its ledger")]
    Assembly(#[from] assembly::StartError),
    /// The devnet cannot be opened.
    #[error("the devnet cannot be opened")]
    Devnet(#[from] dwarves_devnet::chain::OpenError),
    /// The configuration contradicts itself.
    #[error("{0}")]
    Settings(String),
}
