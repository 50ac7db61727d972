//! `dwarves hotkey`: makes and shows hotkeys.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Failure;
use crate::terminal::say_aside;
use dwarves_keys::{HotkeyFile, PhraseWords};
use dwarves_system::SystemRandomness;

/// The longest phrase worth reading, in bytes: 24 words of 8 letters, and generous space.
const PHRASE_LEN_MAX: u64 = 1_024;

/// Arguments of `dwarves hotkey`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "Key files are those of Bittensor (unencrypted, sr25519 or ed25519): one made here works with btcli and the
bittensor package, and one made there works here, such as ~/.bittensor/wallets/NAME/hotkeys/HOTKEY.

Examples:
  dwarves hotkey new miner.key                      a new key from a new phrase
  dwarves hotkey new miner.key --phrase-stdin       the key of a phrase, which is asked for
  dwarves hotkey show miner.key                     its address"
)]
pub struct HotkeyArgs {
    /// Make or show.
    #[command(subcommand)]
    pub command: HotkeyCommand,
}

/// What to do with a hotkey.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum HotkeyCommand {
    /// Make a key file (mode 0600) and print the hotkey; an existing file is never overwritten
    New {
        /// The key file to make
        file: PathBuf,
        /// Words of the new recovery phrase
        #[arg(long, value_enum, default_value_t = Words::Twelve)]
        words: Words,
        /// Make the key of the recovery phrase on standard input instead
        #[arg(long, conflicts_with = "words")]
        phrase_stdin: bool,
    },
    /// Print the hotkey (SS58 address) of a key file
    Show {
        /// The key file
        file: PathBuf,
    },
}

/// How many words a phrase has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Words {
    /// 128 bits.
    #[value(name = "12")]
    Twelve,
    /// 256 bits.
    #[value(name = "24")]
    TwentyFour,
}

impl From<Words> for PhraseWords {
    fn from(words: Words) -> Self {
        match words {
            Words::Twelve => Self::Twelve,
            Words::TwentyFour => Self::TwentyFour,
        }
    }
}

/// Makes or shows a hotkey.
///
/// # Errors
/// If the file cannot be written or read, or the phrase is none.
pub fn run(args: HotkeyArgs) -> Result<(), Failure> {
    match args.command {
        HotkeyCommand::New {
            file,
            words,
            phrase_stdin,
        } => {
            let key = if phrase_stdin {
                if std::io::stdin().is_terminal() {
                    say_aside("Type the recovery phrase, then Enter and Ctrl-D:");
                }
                let mut phrase = String::new();
                std::io::stdin()
                    .take(PHRASE_LEN_MAX)
                    .read_to_string(&mut phrase)?;
                HotkeyFile::from_phrase(&phrase, "")?
            } else {
                HotkeyFile::generate(words.into(), &SystemRandomness)?
            };
            key.create(&file, &SystemRandomness)?;
            say_aside(format_args!(
                "Wrote {}. It holds the recovery phrase: keep a copy where nobody else can get at it.",
                file.display()
            ));
            writeln!(std::io::stdout(), "{}", key.hotkey())?;
        }
        HotkeyCommand::Show { file } => {
            let key = HotkeyFile::read(&file)?;
            if let Some(warning) = key.warning() {
                log::warn!("{warning}");
            }
            writeln!(std::io::stdout(), "{}", key.hotkey())?;
        }
    }
    Ok(())
}
