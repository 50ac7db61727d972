use super::*;

const LIMITS: Limits = Limits {
    time: Duration::from_secs(20),
    cpu_secs: 2,
    memory_mib: 512,
};

fn run_by(limits: Limits, script: &str) -> Result<Vec<u8>, EvaluatorError> {
    let command = ["/bin/sh", "-c", script, "sh"].map(str::to_owned);
    CommandEvaluator::new(command.to_vec(), limits).evaluate(b"{\"id\":\"7\"}".to_vec())
}

fn run(script: &str) -> Result<Vec<u8>, EvaluatorError> {
    run_by(LIMITS, script)
}

fn failure(script: &str) -> String {
    match run(script) {
        Err(EvaluatorError::Failed(why)) => why,
        other => panic!("{script}: {other:?}"),
    }
}

#[test]
fn it_reads_the_task_and_says_the_answer() {
    assert_eq!(run("cat").unwrap(), b"{\"id\":\"7\"}");
    // Nobody must read, and nobody must wait for what is left behind.
    assert_eq!(run("echo '{}'").unwrap(), b"{}\n");
    assert_eq!(run("sleep 60 & echo '{}'").unwrap(), b"{}\n");
    let much = "i=0; while [ $i -lt 3000 ]; do echo complaint complaint complaint complaint >&2; i=$((i+1)); done; echo 1";
    assert_eq!(run(much).unwrap(), b"1\n");
}

#[test]
fn a_large_task_is_read_by_whoever_wants_it() {
    let evaluator = |script: &str| {
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        CommandEvaluator::new(command.to_vec(), LIMITS)
    };
    let task = vec![b'x'; 3_000_000];
    assert_eq!(evaluator("wc -c").evaluate(task.clone()).unwrap(), b"3000000\n");
    assert_eq!(evaluator("echo 1").evaluate(task).unwrap(), b"1\n");
}

#[test]
fn whoever_fails_says_how() {
    assert_eq!(
        failure("echo '{\"loss\":1}'; echo one >&2; echo two >&2; exit 3"),
        "exit status: 3: two"
    );
    assert!(failure("kill -9 $$").contains("signal"));
    let nothing = CommandEvaluator::new(vec!["/no/such/program".to_owned()], LIMITS);
    let failed = nothing.evaluate(Vec::new()).unwrap_err();
    assert!(failed.to_string().contains("127"), "{failed}");
}

#[test]
fn its_limits_hold_for_all_that_it_starts() {
    let why = failure("(while :; do :; done); exit $?");
    assert!(!why.is_empty());
    let small = Limits {
        memory_mib: 64,
        ..LIMITS
    };
    let script = "python3 -c 'x = bytearray(200 << 20); print(len(x))'";
    assert!(matches!(run_by(small, script), Err(EvaluatorError::Failed(_))));
    assert_eq!(run(script).unwrap(), b"209715200\n");
}

#[test]
fn the_whole_group_ends_with_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let short = Limits {
        time: Duration::from_millis(300),
        ..LIMITS
    };
    let script = format!("(sleep 1; touch {}) & sleep 60", mark.display());
    assert_eq!(run_by(short, &script), Err(EvaluatorError::Late(short.time)));
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(!mark.exists(), "a child of it lived on");
}

#[test]
fn whoever_says_too_much_is_stopped() {
    let said = run("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done").unwrap();
    assert_eq!(said.len(), ANSWER_MAX + 1);
}

#[test]
fn its_name_tells_no_secret() {
    let command = ["python3", "--key=secret"].map(str::to_owned);
    assert_eq!(CommandEvaluator::new(command.to_vec(), LIMITS).name(), "python3");
}
