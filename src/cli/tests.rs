use super::*;
use clap::CommandFactory;
use clap::error::ErrorKind;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn serve_may_be_left_out() {
    let cli = parse("dwarves --data-dir /d --config c.toml").unwrap();
    assert!(cli.command.is_none());
    let Some(Command::Serve(args)) = parse("dwarves serve --data-dir /d --config c.toml")
        .unwrap()
        .command
    else {
        panic!("not serve");
    };
    assert_eq!(args, cli.serve);
    assert_eq!(
        parse("dwarves").unwrap().serve.pool.data_dir,
        PathBuf::from("data")
    );
}

#[test]
fn every_documented_command_parses() {
    for line in [
        "dwarves demo --duration-secs 5",
        "dwarves mine --pool http://h:1 --hotkey k --worker rig-1 --threads 2 --payout-address a --duration-secs 3",
        "dwarves notifications show --pool http://h:1 --hotkey k",
        "dwarves notifications set --hotkey k --webhook a=https://x.org --ntfy b=https://n.org --events digest,block_found",
        "dwarves notifications set --hotkey k --file -",
        "dwarves notifications test --hotkey k phone",
        "dwarves notifications confirm --hotkey k post code",
        "dwarves notifications remove --hotkey k",
        "dwarves hotkey new f --words 24",
        "dwarves hotkey new f --phrase-stdin",
        "dwarves hotkey show f",
        "dwarves admin pool_manager status",
        "dwarves admin miner_manager ban hotkey=5x reason=y --pool http://h:1 --hotkey k",
        "dwarves check --config c.toml",
        "dwarves backup /b.db --replace --data-dir /d",
        "dwarves restore /b.db --dry-run --replace --config c.toml",
        "dwarves ledger copy --to postgresql://u@h/d --to-password-file p --to-ca-file c --data-dir d",
        "dwarves ledger copy --from sqlite:a.db --to postgresql://u@h/d",
        "dwarves ledger reclaim --at a.db --config c.toml",
        "dwarves config --changed --json",
        "dwarves config defaults",
        "dwarves completions fish",
        "dwarves man /m",
        "dwarves status --once --pool http://h:1",
        "dwarves miners --limit 5 --json",
        "dwarves workers --miner 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        "dwarves payouts --data-dir /d",
        "dwarves export shares --from 2026-11-01 --to 2026-11-02T00:00:00Z --format jsonl",
        "dwarves check --json --config c.toml",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn a_wrong_command_line_is_told_before_anything_is_done() {
    for (line, kind) in [
        ("dwarves mine", ErrorKind::MissingRequiredArgument),
        ("dwarves mine --hotkey k --threads 0", ErrorKind::ValueValidation),
        ("dwarves mine --hotkey k --worker a/b", ErrorKind::ValueValidation),
        ("dwarves admin a b novalue", ErrorKind::ValueValidation),
        (
            "dwarves admin a b --token-file t --hotkey k",
            ErrorKind::ArgumentConflict,
        ),
        ("dwarves hotkey new f --words 13", ErrorKind::InvalidValue),
        ("dwarves ledger copy", ErrorKind::MissingRequiredArgument),
        (
            "dwarves ledger copy --to a.db --from-ca-file c",
            ErrorKind::MissingRequiredArgument,
        ),
        ("dwarves dig", ErrorKind::InvalidSubcommand),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.kind(), kind, "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}
