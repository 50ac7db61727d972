//! A command of this machine: the task on its standard input, the answer on its standard output, and then it ends.
//!
//! It is started anew for each work, so that no work touches the next one, in a process group of its own, with limits on
//! processor time, memory, the time that passes, and what it may say. When it has ended, or takes too long, whatever is
//! left of the group is killed. A shell sets the limits before it becomes the command: nothing of it runs without them.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use dwarves_domain::evaluation::answer::ANSWER_MAX;
use dwarves_domain::time::Span;
use dwarves_ports::clock::Moment;
use dwarves_ports::evaluator::EvaluatorError;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::output;

/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long what it said is waited for once its whole group is dead.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Sets the limits, then becomes the command. Memory is counted in KiB.
const SHELL: &str = "ulimit -c 0 && ulimit -t \"$1\" && ulimit -v \"$2\" && shift 2 && exec \"$@\"";

/// What a command may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time that may pass.
    pub time: Duration,
    /// Processor time, in seconds.
    pub cpu_secs: u32,
    /// Memory that it may address, in MiB.
    pub memory_mib: u32,
}

/// A command of this machine.
#[derive(Debug)]
pub struct CommandEvaluator {
    command: Vec<String>,
    limits: Limits,
}

impl CommandEvaluator {
    /// This program with these arguments, by these limits.
    pub fn new(command: Vec<String>, limits: Limits) -> Self {
        Self { command, limits }
    }

    /// The program, without its arguments, which may be secrets.
    pub(crate) fn name(&self) -> String {
        self.command.first().cloned().unwrap_or_default()
    }

    fn start(&self) -> std::io::Result<Child> {
        let Limits {
            cpu_secs, memory_mib, ..
        } = self.limits;
        Command::new("/bin/sh")
            .args(["-c", SHELL, "sh"])
            .args([cpu_secs.to_string(), (u64::from(memory_mib) * 1_024).to_string()])
            .args(&self.command)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    pub(crate) fn evaluate(&self, task: Vec<u8>) -> Result<Vec<u8>, EvaluatorError> {
        let began = Moment::now();
        let away = |error: std::io::Error| EvaluatorError::Away(format!("it cannot be started: {error}"));
        let mut child = self.start().map_err(away)?;
        let taken = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut input), Some(answer), Some(complaints)) = taken else {
            end(&mut child);
            return Err(EvaluatorError::Failed("it has no standard streams".to_owned()));
        };
        // It need not read all of its input, or any.
        in_background(move || drop(input.write_all(&task)));
        let answer = in_background(move || output::read_answer(answer, ANSWER_MAX + 1));
        let complaints = in_background(move || output::read_complaints(complaints));
        let mut said = None;
        let in_time = loop {
            if has_ended(&child) {
                break true;
            }
            if began.elapsed() >= Span::from_millis(self.limits.time.as_millis() as u64) {
                break false;
            }
            said = said.or_else(|| answer.try_recv().ok());
            if said
                .as_ref()
                .is_some_and(|said: &Vec<u8>| said.len() > ANSWER_MAX)
            {
                break true;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let status = end(&mut child);
        if !in_time {
            return Err(EvaluatorError::Late(self.limits.time));
        }
        let said = said.or_else(|| answer.recv_timeout(LAST_WORDS).ok());
        let complaints = complaints.recv_timeout(LAST_WORDS).unwrap_or_default();
        match (status, said) {
            // Whatever it says beside it, that is no answer.
            (_, Some(said)) if said.len() > ANSWER_MAX => Ok(said),
            (Some(status), Some(said)) if status.success() => Ok(said),
            (Some(status), _) => {
                let words = complaints.lines().last().unwrap_or_default();
                Err(EvaluatorError::Failed(format!("{status}: {words}")))
            }
            (None, _) => Err(EvaluatorError::Failed("nobody knows how it ended".to_owned())),
        }
    }
}

/// Does something on a thread of its own, and gives it back there.
fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = sync_channel(1);
    // Without a thread the receiver hears at once that there is nothing to hear.
    let _started = std::thread::Builder::new()
        .name("evaluate-io".to_owned())
        .spawn(move || drop(sender.send(work())));
    receiver
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

/// Whether it has ended. It is not taken leave of: its number, and that of its group, stay its own.
fn has_ended(child: &Child) -> bool {
    let Some(pid) = pid(child) else {
        return true;
    };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), look), Ok(None))
}

/// Kills whatever is left of its group, and takes leave of it.
fn end(child: &mut Child) -> Option<std::process::ExitStatus> {
    if let Some(pid) = pid(child) {
        // There may be nobody left.
        let _killed = kill_process_group(pid, Signal::KILL);
    }
    child.wait().ok()
}

#[cfg(test)]
mod tests;
