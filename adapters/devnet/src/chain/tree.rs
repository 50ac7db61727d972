//! The tree of all valid blocks, and the best chain in it.

use std::collections::HashMap;

use bitcoin::pow::Work;
use bitcoin::{Block, BlockHash};

use super::coins::Spent;
use super::consensus::MEDIAN_OF;

/// A block that is valid where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) block: Block,
    pub(super) height: u32,
    /// The work of the chain that ends here.
    pub(super) work: Work,
    /// The coins that it spends, for undoing it.
    pub(super) spent: Spent,
    /// Whether it, or a block below it, was declared invalid on command.
    pub(super) invalid: bool,
    /// Its place in the order of arrival, which decides between chains of equal work.
    arrival: u64,
}

/// The way from one block to another: down, then up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path {
    /// Blocks to undo, the topmost first.
    pub(super) undo: Vec<BlockHash>,
    /// Blocks to connect, the lowest first.
    pub(super) connect: Vec<BlockHash>,
}

/// All blocks, and which of them are the best chain.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: HashMap<BlockHash, Node>,
    /// The best chain by height, from genesis on.
    main: Vec<BlockHash>,
    tallest: u32,
}

impl Tree {
    /// The tree of a genesis block alone.
    pub(super) fn new(genesis: Block) -> Self {
        let hash = genesis.block_hash();
        let node = Node {
            height: 0,
            work: genesis.header.work(),
            spent: Spent::new(),
            invalid: false,
            arrival: 0,
            block: genesis,
        };
        Self {
            nodes: HashMap::from([(hash, node)]),
            main: vec![hash],
            tallest: 0,
        }
    }

    pub(super) fn get(&self, hash: &BlockHash) -> Option<&Node> {
        self.nodes.get(hash)
    }

    /// A block that is known to be in the tree.
    pub(super) fn node(&self, hash: &BlockHash) -> &Node {
        self.nodes
            .get(hash)
            .expect("the tree holds every block that it names")
    }

    /// How many blocks there are, genesis included.
    pub(super) fn len(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// The height of the tallest branch, be it the best or not.
    pub(super) fn tallest(&self) -> u32 {
        self.tallest
    }

    pub(super) fn tip_hash(&self) -> BlockHash {
        *self.main.last().expect("the best chain has at least genesis")
    }

    pub(super) fn tip(&self) -> &Node {
        self.node(&self.tip_hash())
    }

    /// The block of the best chain at `height`.
    pub(super) fn main_at(&self, height: u32) -> Option<BlockHash> {
        self.main.get(usize::try_from(height).ok()?).copied()
    }

    /// Whether this block of the tree is on the best chain.
    pub(super) fn is_main(&self, hash: &BlockHash) -> bool {
        self.main_at(self.node(hash).height) == Some(*hash)
    }

    /// Adds a block whose parent is here. The best chain stays as it is.
    pub(super) fn insert(&mut self, hash: BlockHash, block: Block, height: u32, work: Work, spent: Spent) {
        let node = Node {
            block,
            height,
            work,
            spent,
            invalid: false,
            arrival: self.len(),
        };
        self.tallest = self.tallest.max(height);
        self.nodes.insert(hash, node);
    }

    /// The way from the tip to a block of the tree.
    pub(super) fn path_to(&self, target: BlockHash) -> Path {
        let mut path = Path::default();
        let mut fork = target;
        while !self.is_main(&fork) {
            path.connect.push(fork);
            fork = self.node(&fork).block.header.prev_blockhash;
        }
        path.connect.reverse();
        let fork = self.node(&fork).height;
        path.undo = self.main.iter().skip(1 + fork as usize).rev().copied().collect();
        path
    }

    /// Makes the end of `path` the tip.
    pub(super) fn follow(&mut self, path: &Path) {
        self.main.truncate(self.main.len() - path.undo.len());
        self.main.extend_from_slice(&path.connect);
    }

    /// Declares a block and all that build on it invalid, and returns the best block that is left.
    ///
    /// `hash` is in the tree and not genesis.
    pub(super) fn invalidate(&mut self, hash: BlockHash) -> BlockHash {
        let mut order: Vec<_> = self
            .nodes
            .iter()
            .map(|(hash, node)| (node.height, *hash))
            .collect();
        order.sort_unstable();
        for (_, candidate) in order {
            let parent = self.node(&candidate).block.header.prev_blockhash;
            let below = self.nodes.get(&parent).is_some_and(|parent| parent.invalid);
            if (below || candidate == hash)
                && let Some(node) = self.nodes.get_mut(&candidate)
            {
                node.invalid = true;
            }
        }
        self.nodes
            .iter()
            .filter(|(_, node)| !node.invalid)
            .max_by_key(|(_, node)| (node.work, std::cmp::Reverse(node.arrival)))
            .map(|(hash, _)| *hash)
            .expect("genesis is never invalid")
    }

    /// The median time of a block and those before it, eleven at most (BIP113).
    pub(super) fn median_time(&self, hash: BlockHash) -> u32 {
        let mut times = Vec::with_capacity(MEDIAN_OF);
        let mut next = self.get(&hash);
        while let Some(node) = next.filter(|_| times.len() < MEDIAN_OF) {
            times.push(node.block.header.time);
            next = self.get(&node.block.header.prev_blockhash);
        }
        times.sort_unstable();
        times[times.len() / 2]
    }
}
