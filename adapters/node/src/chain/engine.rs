//! The thread on which the nodes are followed and asked.

use std::pin::Pin;
use std::rc::Rc;

use dwarves_ports::chain::{ChainError, Standing, Tip};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;

use super::one_node::Node;
use super::settings::NodeSettings;

/// Something to do with the nodes, where they are followed.
pub(super) type Task = Box<dyn FnOnce(Rc<Engine>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// What those see who wait for a tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Nothing was heard of the nodes yet.
    Starting,
    /// No node has work, for this reason.
    Trouble(ChainError),
    /// The tip of the chosen node.
    Tip(Tip),
    /// A tip on which no node has work, for this reason: work on another one is over.
    Over(Tip, ChainError),
}

/// The nodes and what was heard of them.
pub(super) struct Engine {
    pub(super) settings: NodeSettings,
    pub(super) nodes: Vec<Rc<Node>>,
    pub(super) view: watch::Sender<View>,
    /// Which chain the nodes are on.
    pub(super) standing: watch::Sender<Standing>,
    /// Whether they were looked at for that.
    pub(super) is_guarded: watch::Sender<bool>,
    /// A tip has moved since they were looked at.
    pub(super) tip_moved: Notify,
}

/// Starts the thread. It ends when nobody can send it tasks any more.
pub(super) fn start(
    settings: NodeSettings,
    tasks_max: usize,
) -> std::io::Result<(
    mpsc::Sender<Task>,
    watch::Receiver<View>,
    watch::Receiver<Standing>,
)> {
    let (sender, mut tasks) = mpsc::channel::<Task>(tasks_max);
    let (view, watched) = watch::channel(View::Starting);
    let (standing, stood) = watch::channel(Standing::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    // What can fail is made on the new thread, where it lives, and told before anybody relies on it.
    let (started, outcome) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("nodes".to_owned())
        .spawn(move || {
            let start = |endpoint| Node::start(endpoint, settings.reading.clone());
            let nodes = settings.nodes.iter().map(start);
            let nodes = match nodes.collect::<std::io::Result<Vec<Node>>>() {
                Ok(nodes) => nodes.into_iter().map(Rc::new).collect(),
                Err(error) => {
                    let _nobody_waits = started.send(Err(error));
                    return;
                }
            };
            let _nobody_waits = started.send(Ok(()));
            let engine = Rc::new(Engine {
                settings,
                nodes,
                view,
                standing,
                is_guarded: watch::Sender::new(false),
                tip_moved: Notify::new(),
            });
            LocalSet::new().block_on(&runtime, async move {
                for node in &engine.nodes {
                    tokio::task::spawn_local(Rc::clone(&engine).follow(Rc::clone(node)));
                }
                tokio::task::spawn_local(Rc::clone(&engine).guard());
                tokio::task::spawn_local(Rc::clone(&engine).look_around());
                while let Some(task) = tasks.recv().await {
                    tokio::task::spawn_local(task(Rc::clone(&engine)));
                }
            });
        })?;
    let ended = || std::io::Error::other("the nodes' thread ended at its start");
    outcome.recv().map_err(|_| ended())??;
    Ok((sender, watched, stood))
}
