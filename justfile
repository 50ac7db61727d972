# Short names for what is done every day; `just` alone lists them. Each is one command that you can type yourself.

# The list.
default:
    @just --list

# The program, as tests run it.
build:
    cargo build --release --locked

# The program, as it is packaged: target/dist/dwarves.
dist:
    cargo build --profile dist --locked

# What is given to others: `just package archive`, `just package deb`.
package kind:
    deploy/package {{ kind }}

# Every test there is; what the last line counts, CI counts.
test:
    tests/all

# The inner loop: less than three minutes once it has been built.
quick:
    tests/all --quick

# What a reviewer would say first: format, lints, documentation.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
    RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace --locked

# Both load generators, each beside a bare server: `just bench --rounds 3`.
bench *arguments:
    cargo bench --locked --bench load -- {{ arguments }}
    cargo bench --locked --bench stratum -- {{ arguments }}

# A pool, its chain and three miners in one process.
demo:
    cargo run --release --locked -- demo

# Mutation testing of the rules (docs/mutation-testing.md): `just mutants -f domain/src/ledger.rs`.
mutants *arguments:
    PROPTEST_CASES=24 cargo mutants --package dwarves-domain --output target/mutants {{ arguments }}

# The documentation of all packages, in a browser.
docs:
    cargo doc --no-deps --workspace --locked --open
