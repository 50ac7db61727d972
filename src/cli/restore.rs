//! `dwarves restore`: puts a backup in the ledger's place, once it is found to be a sound ledger of this pool's chain.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use dwarves_actors::identity::{Belonging, REMEDY};
use dwarves_actors::paymaster::comparison::{RESTORED, Stranger};
use dwarves_api_types::scalars::Instant;
use dwarves_domain::units::Amount;
use dwarves_keys::pool_key;
use dwarves_ports::clock::Clock as _;
use dwarves_ports::store::SharedStore;
use dwarves_store_sqlite::backup::Staged;
use dwarves_store_sqlite::{SqliteOptions, SqliteStore};
use dwarves_system::clock::SystemClock;

use super::backup::{described, told};
use super::{Failure, PoolArgs};
use crate::config::{ChainKind, Config};
use crate::terminal::{self, Align, Bar, Table, coins, say};
use crate::wiring::open_sides;

/// What to do where the ledger is a database.
const INSTEAD: &str = "put it back with PostgreSQL's own tools, and hold payouts until the wallet is compared; docs/scale.md \
                       says how";

/// Arguments of `dwarves restore`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "The file may be one of `dwarves backup`, or a ledger that was copied while no pool ran (with its -wal, \
if it has one).
Looked at are every page, the schema, the books, and whether the ledger belongs to the chain of these settings.
A ledger that is there is put aside as dwarves.db.replaced, never deleted. The pool then starts with payouts held, until
you have booked what the wallet sent since the backup: see After a restore in RUNBOOK.md.

Examples:
  dwarves restore --dry-run /backups/dwarves.db
  dwarves restore --replace --data-dir /var/lib/dwarves /backups/dwarves.db"
)]
pub struct RestoreArgs {
    /// The backup
    pub file: PathBuf,
    /// Put the ledger that is there aside
    #[arg(long)]
    pub replace: bool,
    /// Look at everything and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// Restores the ledger.
///
/// # Errors
/// If a pool is running, a ledger is there that is not to be replaced, or the backup is not sound or of another chain.
pub fn run(args: RestoreArgs) -> Result<(), Failure> {
    let config = Config::load(args.pool.config.as_deref())?;
    let dir = args.pool.data_dir.as_path();
    std::fs::create_dir_all(dir)?;
    let ledger = super::ledger_file(&config, dir, INSTEAD)?;
    let at = serde_json::to_value(Instant(SystemClock.now()))?;
    let words = format!(
        "the ledger was restored at {} from {}",
        at.as_str().unwrap_or_default(),
        args.file.display()
    );
    let bar = Bar::new("copying pages");
    let replaces = args.replace || args.dry_run;
    let mark = (RESTORED, words.as_str());
    let staged = Staged::make(&args.file, &ledger, replaces, mark, &mut |done, all| {
        bar.at(done, all)
    });
    bar.end();
    let staged = staged.map_err(told)?;
    say(format_args!(
        "ok     backup    {}",
        described(staged.inspection())
    ));
    let chain = actix_rt::System::new().block_on(belonging(&config, dir, staged.path()))?;
    say(chain);
    if args.dry_run {
        say(format_args!(
            "nothing is changed; without --dry-run this would be the ledger {}",
            ledger.display()
        ));
        return Ok(());
    }
    let aside = staged.put_in_place().map_err(told)?;
    say(format_args!(
        "ok     ledger    {} is the backup now",
        ledger.display()
    ));
    if let Some(aside) = aside {
        say(format_args!(
            "ok     replaced  the ledger that was there is {}",
            aside.display()
        ));
    }
    let steps = [
        (!dir.join(pool_key::FILE_NAME).exists()).then(|| {
            let key = dir.join(pool_key::FILE_NAME);
            format!("put back {}: without it the pool does not start", key.display())
        }),
        Some("start the pool: it sends no payout (payouts are held by `restored`)".to_owned()),
        Some("wait until the rewards of recovered blocks are payable".to_owned()),
        Some("dwarves admin paymaster adopt, which books what the wallet sent since the backup".to_owned()),
        Some(
            "if payouts are held still (dwarves admin paymaster status): dwarves admin paymaster release hold=restored, which says that \
             the rest is none of the pool's"
                .to_owned(),
        ),
    ];
    say(format_args!("\nWhat to do now (RUNBOOK.md, After a restore):"));
    for (number, step) in (1..).zip(steps.into_iter().flatten()) {
        say(format_args!("  {number}. {step}"));
    }
    Ok(())
}

/// Whether the ledger in this file belongs to the chain of the settings, as a line to tell.
async fn belonging(config: &Config, dir: &Path, file: &Path) -> Result<String, Failure> {
    let not_now = |why: &str| {
        Ok(format!(
            "later  identity  {why}; the pool compares ledger and chain when it starts"
        ))
    };
    if config.is_evaluated() {
        return not_now("the pool evaluates work and has no chain");
    }
    if config.chain.kind == ChainKind::Devnet && !dir.join("devnet").exists() {
        return not_now("the devnet's own file is not there (put the directory devnet back, too)");
    }
    if !dir.join(pool_key::FILE_NAME).exists() {
        return not_now("pool.key is not there");
    }
    let store: SharedStore = Arc::new(SqliteStore::open(file, SqliteOptions::default())?);
    let settings = store.settings().await?;
    let sides = match open_sides(config, dir, Arc::clone(&store)).await {
        Ok(sides) => sides,
        Err(error) => return not_now(&format!("the chain cannot be asked: {}", with_causes(&error))),
    };
    let belonging = sides.belonging(&settings).await;
    let sent = match belonging {
        Ok(Belonging::Ours) => sides.strangers(&settings).await.ok(),
        _ => None,
    };
    sides.close().await;
    match belonging? {
        Belonging::Ours => {
            let mut line = "ok     identity  the ledger belongs to this chain".to_owned();
            if let Some((comparison, _)) = sent {
                let to_miners = comparison.strangers.iter().filter(|spend| spend.pays_miner());
                let (all, to_miners) = (comparison.strangers.len(), to_miners.count());
                line.push_str(&format!(
                    "\nok     wallet    it sent {all} transactions that the backup does not know, {to_miners} of them to miners"
                ));
                line.push_str(&listed(&comparison.strangers, terminal::width_or(usize::MAX)));
            }
            Ok(line)
        }
        Belonging::NotYet(why) => not_now(&why),
        Belonging::Other(why) => Err(format!("the backup is not this chain's: {why}; {REMEDY}").into()),
    }
}

/// Spends that are named one by one.
const NAMED_MAX: usize = 20;

/// The first of these transactions in a table of lines that begin anew, and how many there are beside.
fn listed(strangers: &[Stranger], width: usize) -> String {
    const INDENT: &str = "       ";
    if strangers.is_empty() {
        return String::new();
    }
    let row = |stranger: &Stranger| {
        let outputs = stranger.spend.outputs.iter().zip(&stranger.to_miner);
        let to_miners = outputs.filter(|(_, is_miner)| **is_miner);
        let to_miners = Amount::checked_sum(to_miners.map(|((_, amount), _)| *amount));
        vec![
            coins(stranger.total().sats().into()),
            coins(to_miners.unwrap_or(Amount::MAX).sats().into()),
            stranger.spend.confirmations.to_string(),
            stranger.spend.txid.to_string(),
        ]
    };
    let columns = [
        ("coins", Align::Right),
        ("to miners", Align::Right),
        ("deep", Align::Right),
        ("transaction", Align::Left),
    ];
    let rows = strangers.iter().take(NAMED_MAX).map(row).collect();
    let table = Table::new(&columns, rows).fit(width.saturating_sub(INDENT.len()));
    let mut text: String = table.lines().map(|line| format!("\n{INDENT}{line}")).collect();
    let more = strangers.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        text.push_str(&format!("\n{INDENT}and {more} more"));
    }
    text
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use dwarves_domain::payouts::Txid;
    use dwarves_domain::payouts::adopt::Spend;

    use super::*;

    #[test]
    fn what_the_wallet_sent_is_a_table_and_what_is_left_out_is_counted() {
        let sats = |sats| Amount::from_sats(sats).unwrap();
        let stranger = |number: u8| Stranger {
            spend: Spend {
                txid: Txid::from_bytes([number; 32]),
                confirmations: 7,
                outputs: vec![("a".to_owned(), sats(150_000_000)), ("b".to_owned(), sats(5))],
            },
            to_miner: vec![true, false],
        };
        let all: Vec<_> = (0..31).map(stranger).collect();
        let text = listed(&all, usize::MAX);
        let lines: Vec<&str> = text.lines().collect();
        // An empty one first: it follows a line.
        assert_eq!(lines.len(), 1 + 1 + 20 + 1, "{text}");
        assert_eq!(
            lines[2].trim(),
            format!("1.50000005  1.50000000     7  {}", "00".repeat(32))
        );
        assert_eq!(lines[22].trim(), "and 11 more");
        assert!(listed(&all, 80).lines().all(|line| line.chars().count() <= 80));
        assert!(!listed(&all[..20], 80).contains("more") && listed(&[], 80).is_empty());
    }
}
