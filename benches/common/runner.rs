//! What a test runner asks of a program that is one test, as libtest would answer it.
//! See <https://nexte.st/docs/design/custom-test-harnesses/>.

/// The arguments that `cargo nextest` passes.
#[derive(Debug, clap::Args)]
pub(crate) struct Runner {
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true, requires = "list")]
    format: Option<String>,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(hide = true, value_parser = ["quick"])]
    test: Option<String>,
}

impl Runner {
    /// Answers a question for the tests that there are. Whether it was one, so that there is nothing to run.
    pub(crate) fn only_asks(&self) -> bool {
        if self.list && !self.ignored {
            println!("quick: test");
        }
        self.list || self.ignored
    }
}
