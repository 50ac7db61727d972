//! Merkle branches and roots over transaction ids, in the byte order in which SHA-256d gives them.

use dwarves_lanes::plain;

/// A node of a merkle tree: a transaction id or the hash of two nodes.
pub type Node = [u8; 32];

/// The branch that leads from the first transaction (the coinbase) to the root, given all the others.
///
/// One hash a level: with it, a new coinbase costs a dozen hashes instead of thousands.
pub fn branch_of_first(others: &[Node]) -> Vec<Node> {
    let mut branch = Vec::new();
    // The place of the coinbase stays open: `level` holds what stands to the right of it.
    let mut level = others.to_vec();
    while !level.is_empty() {
        branch.push(level[0]);
        // With the open place the level has one node more; an odd one out is paired with itself.
        let mut rest = level.split_off(1);
        if let Some(last) = rest.last().copied()
            && rest.len() % 2 == 1
        {
            rest.push(last);
        }
        level = rest
            .chunks_exact(2)
            .map(|pair| plain::of_pair(&pair[0], &pair[1]))
            .collect();
    }
    branch
}

/// The root, from the first transaction's id and its branch.
pub fn root_from_branch(first: Node, branch: &[Node]) -> Node {
    branch
        .iter()
        .fold(first, |node, sibling| plain::of_pair(&node, sibling))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The root as Bitcoin defines it: pair up, double an odd last one, until one is left.
    fn root_of_all(mut level: Vec<Node>) -> Node {
        while level.len() > 1 {
            if level.len() % 2 == 1 {
                level.push(*level.last().unwrap());
            }
            level = level.chunks(2).map(|p| plain::of_pair(&p[0], &p[1])).collect();
        }
        level[0]
    }

    proptest! {
        #[test]
        fn a_branch_gives_the_root_of_the_whole_tree(ids in proptest::collection::vec(any::<Node>(), 1..70)) {
            let branch = branch_of_first(&ids[1..]);
            prop_assert_eq!(root_from_branch(ids[0], &branch), root_of_all(ids));
        }
    }

    #[test]
    fn a_block_of_one_transaction_has_its_id_as_root() {
        assert!(branch_of_first(&[]).is_empty());
        assert_eq!(root_from_branch([7; 32], &[]), [7; 32]);
    }
}
