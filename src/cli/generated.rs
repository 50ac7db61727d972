//! `dwarves completions` and `dwarves man`: what shells and `man` make of the definition of the commands.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure};
use crate::terminal::say;

/// Arguments of `dwarves completions`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Examples:
  dwarves completions bash > /usr/share/bash-completion/completions/dwarves
  dwarves completions zsh > ~/.zfunc/_dwarves
  dwarves completions fish > ~/.config/fish/completions/dwarves.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Arguments of `dwarves man`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Example:
  dwarves man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// The directory; it is made if it is not there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// Prints what the shell is to read.
///
/// # Errors
/// If nobody reads it.
pub fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dwarves", &mut text);
    Ok(io::stdout().write_all(&text)?)
}

/// Writes a page for the program and one for each of its commands, and tells where.
///
/// # Errors
/// If they cannot be written.
pub fn man(args: &ManArgs) -> Result<(), Failure> {
    std::fs::create_dir_all(&args.dir)?;
    clap_mangen::generate_to(Cli::command(), &args.dir)?;
    say(format_args!(
        "wrote dwarves.1 and a page for each command into {}",
        args.dir.display()
    ));
    Ok(())
}
