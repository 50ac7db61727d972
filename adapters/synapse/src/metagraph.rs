//! The metagraph's file: who is registered, as the operator's own script writes it down. It is read again whenever it
//! changes; one that cannot be taken leaves the last good one in force, and is told of until it is mended.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_actors::ask::{Ask, bound_mailbox};
use dwarves_actors::metagraph::{MetagraphView, ReadMetagraph};
use dwarves_domain::metagraph::Metagraph;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_http::metagraph_file;
use dwarves_ports::clock::SharedClock;
use tokio::sync::watch;

/// How often it is looked whether the file is another.
const LOOK_EVERY: Span = Span::from_secs(2);
/// Questions that may wait.
const MAILBOX_CAPACITY: usize = 64;

/// By what a file is known to be the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    number: u64,
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let about = fs::metadata(path)?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&about);
        #[cfg(not(unix))]
        let number = 0;
        Ok(Self {
            modified: about.modified().ok(),
            len: about.len(),
            number,
        })
    }
}

/// What was found when the file was looked at: nothing new, or another one.
type Found = Option<(Option<Stamp>, Result<Metagraph, String>)>;

/// Looks at the file; `known` is how it was when it was read last.
fn look(path: &Path, known: Option<Stamp>) -> Found {
    let stamp = Stamp::of(path).ok();
    if stamp.is_some() && stamp == known {
        return None;
    }
    Some((stamp, metagraph_file::read(path)))
}

/// A hint to look whether the file is another.
#[derive(Message)]
#[rtype(result = "()")]
struct LookAtFile;

/// The actor that owns the metagraph.
pub struct MetagraphReader {
    view: MetagraphView,
    stamp: Option<Stamp>,
    /// The file is being looked at.
    is_looking: bool,
    clock: SharedClock,
    tell: watch::Sender<Arc<Metagraph>>,
}

impl MetagraphReader {
    /// Reads this file for the first time, and then for as long as it lives. `tell` goes to those who ask who is
    /// registered.
    pub fn new(file: PathBuf, clock: SharedClock, tell: watch::Sender<Arc<Metagraph>>) -> Self {
        let mut reader = Self {
            view: MetagraphView {
                file,
                neurons: 0,
                read_at: None,
                trouble: None,
            },
            stamp: None,
            is_looking: false,
            clock,
            tell,
        };
        reader.note(look(&reader.view.file, None));
        reader
    }

    fn note(&mut self, found: Found) {
        let Some((stamp, read)) = found else { return };
        self.stamp = stamp;
        let file = self.view.file.display();
        match read {
            Ok(metagraph) => {
                log::info!("metagraph {file} is read: {} hotkeys", metagraph.neurons().len());
                self.view.neurons = metagraph.neurons().len();
                self.view.read_at = Some(self.now());
                self.view.trouble = None;
                self.tell.send_replace(Arc::new(metagraph));
            }
            Err(trouble) => {
                // Once, however often it is looked at.
                if self.view.trouble.as_ref() != Some(&trouble) {
                    log::warn!("metagraph {file} is not taken: {trouble}");
                }
                self.view.trouble = Some(trouble);
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.date()
    }
}

impl Actor for MetagraphReader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        let me = dwarves_actors::ask::Outbox::new(&ctx.address());
        ctx.spawn(wrap_future(dwarves_ports::clock::poke_every(
            LOOK_EVERY,
            move || me.tell(LookAtFile) != Err(dwarves_actors::ask::AskError::Gone),
        )));
    }
}

impl Handler<LookAtFile> for MetagraphReader {
    type Result = ();

    fn handle(&mut self, _: LookAtFile, ctx: &mut Self::Context) {
        if std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        let (file, known) = (self.view.file.clone(), self.stamp);
        let looked = actix_rt::task::spawn_blocking(move || look(&file, known));
        ctx.spawn(wrap_future::<_, Self>(looked).map(|found, this, _| {
            this.is_looking = false;
            this.note(found.unwrap_or(None));
        }));
    }
}

impl Handler<Ask<ReadMetagraph>> for MetagraphReader {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadMetagraph>, _: &mut Self::Context) {
        ask.reply.answer(self.view.clone());
    }
}

#[cfg(test)]
mod tests {
    use dwarves_testkit::ManualClock;
    use dwarves_testkit::build::BEGIN;

    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn a_bad_file_leaves_the_last_good_one_in_force_and_is_told_of_until_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metagraph.json");
        let (tell, told) = watch::channel(Arc::default());
        let clock = Arc::new(ManualClock::at(BEGIN));
        let mut reader = MetagraphReader::new(path.clone(), clock, tell);
        let look_again = |reader: &mut MetagraphReader| {
            let found = look(&path, reader.stamp);
            reader.note(found);
        };
        assert!(reader.view.hindrance().unwrap().contains("there is none yet"));

        fs::write(
            &path,
            format!(r#"[{{"uid": 0, "hotkey": "{ALICE}", "stake": 1}}]"#),
        )
        .unwrap();
        look_again(&mut reader);
        assert_eq!((reader.view.neurons, reader.view.hindrance()), (1, None));
        assert_eq!(told.borrow().neurons().len(), 1);
        assert!(
            look(&path, reader.stamp).is_none(),
            "it is not read again while it is the same"
        );

        for bad in ["[", r#"[{"uid": 0}]"#] {
            fs::write(&path, bad).unwrap();
            look_again(&mut reader);
            look_again(&mut reader);
            let hindrance = reader.view.hindrance().unwrap();
            assert!(
                hindrance.starts_with("metagraph: ") && hindrance.ends_with(" holds"),
                "{hindrance}"
            );
            assert_eq!(told.borrow().neurons().len(), 1);
        }
        fs::remove_file(&path).unwrap();
        look_again(&mut reader);
        assert!(reader.view.hindrance().unwrap().contains("cannot be read"));
        assert_eq!(told.borrow().neurons().len(), 1);

        fs::write(&path, "[]").unwrap();
        look_again(&mut reader);
        assert_eq!((reader.view.neurons, reader.view.hindrance()), (0, None));
        assert_eq!(told.borrow().neurons().len(), 0);
    }
}
