//! Which chain each node is on: what the operator knows, what the other nodes have, and what the node itself says.
//!
//! All nodes are looked at again and again, and whenever a tip moves. What follows is the domain's to say
//! (`Evidence`); here it is gathered. A question that is not answered changes nothing: what was found out before
//! stands until it is found out anew, so that a node that went away on another chain is on it when it comes back.

use std::rc::Rc;
use std::time::Duration;

use dwarves_domain::chain_guard::{Deployments, Neighbours, Pins, TipAge, Verdict};
use dwarves_domain::time::Span;
use dwarves_ports::chain::{NodeStanding, Standing, Surroundings};

use super::engine::Engine;
use super::finding::{Finding, GuardSettings};
use super::network::Network;
use super::one_node::{Node, Progress};
use super::wire::ChainInfoJson;
use crate::rpc::RpcError;

/// The least time between two looks, however quickly tips move.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long work waits for the first look at the start. A node that does not answer holds up nobody for longer.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(5);
/// How long a node may take for all questions of one look.
const LOOK_MAX: Duration = Duration::from_secs(20);

/// Warnings of nodes that say: there is a chain with more work, and I refuse it. Bitcoin Core and its kin.
const WARNINGS: [&str; 3] = [
    "do not appear to fully agree with our peers",
    "ound invalid chain",
    "arge work fork",
];

/// The node's own account of its chain, as far as one node alone can tell.
pub(super) async fn look_at(
    node: &Node,
    settings: &GuardSettings,
    network: Option<Network>,
    has_neighbours: bool,
) -> Result<Finding, RpcError> {
    let info = node.chain_info().await?;
    let mut finding = Finding::new(settings, has_neighbours);
    finding.height = Some(info.blocks);
    finding.work.clone_from(&info.chainwork);
    let (pins, said) = look_at_pins(node, settings, info.blocks).await;
    finding.evidence.pins = pins;
    finding.why.extend(said);
    let (deployments, said) = look_at_deployments(node, settings, &info).await;
    finding.evidence.deployments = deployments;
    finding.why.extend(said);
    let warning = info
        .warnings()
        .into_iter()
        .find(|warning| WARNINGS.iter().any(|words| warning.contains(words)));
    if let Some(warning) = warning {
        finding.evidence.warns = true;
        finding.why.push(format!("it warns: {warning}"));
    }
    let limit = match settings.tip_age_max {
        span if span == Span::from_secs(0) => network.and_then(Network::tip_age_max),
        chosen => Some(chosen),
    };
    let time = match info.time {
        Some(time) => Some(time),
        // Older nodes name the tip's time in its header alone.
        None if limit.is_some() => node.time_of(info.best).await.ok().flatten(),
        None => None,
    };
    finding.tip_age_secs = time.map(|time| u64::from(node.reading_now().saturating_sub(time)));
    finding.evidence.tip_age = match (limit, finding.tip_age_secs) {
        (None, _) => TipAge::Unlimited,
        (Some(_), None) => TipAge::Unknown,
        (Some(limit), Some(age)) if Span::from_secs(age) > limit => {
            finding
                .why
                .push(format!("its tip is older than {} s", limit.secs()));
            TipAge::Old
        }
        (Some(_), Some(_)) => TipAge::Fresh,
    };
    Ok(finding)
}

async fn look_at_pins(node: &Node, settings: &GuardSettings, height: u32) -> (Pins, Vec<String>) {
    let mut found = if settings.pins.is_empty() {
        Pins::None
    } else {
        Pins::Unknown
    };
    let mut said = Vec::new();
    let mut is_silent = false;
    for pin in settings.pins.iter().filter(|pin| pin.height <= height) {
        match node.hash_at(pin.height).await {
            Ok(Some(hash)) if hash == pin.hash => {
                found = if found == Pins::Differ { found } else { Pins::Match }
            }
            Ok(Some(hash)) => {
                found = Pins::Differ;
                said.push(format!("block {} is {hash} and not the pinned one", pin.height));
            }
            Ok(None) | Err(_) => is_silent = true,
        }
    }
    if is_silent && found != Pins::Differ {
        found = Pins::Unknown;
    }
    if found == Pins::Unknown {
        said.push("it has not said that it has the pinned blocks".to_owned());
    }
    (found, said)
}

async fn look_at_deployments(
    node: &Node,
    settings: &GuardSettings,
    info: &ChainInfoJson,
) -> (Deployments, Vec<String>) {
    if settings.forbidden.is_empty() {
        return (Deployments::None, Vec::new());
    }
    let told = match node.deployments().await {
        Ok(told) => Some(told),
        // Before Bitcoin Core 23, and on Litecoin Core, there is no such call.
        Err(_) => info.softforks.clone(),
    };
    let Some(told) = told else {
        let said = "it has no call that tells its deployments".to_owned();
        return (Deployments::Unknown, vec![said]);
    };
    let is_active = |name: &&String| told.iter().any(|(known, active)| known == *name && *active);
    let active: Vec<String> = settings.forbidden.iter().filter(is_active).cloned().collect();
    if active.is_empty() {
        (Deployments::Clear, Vec::new())
    } else {
        let said = format!(
            "the deployment {} is active, which must not be",
            active.join(", ")
        );
        (Deployments::Active, vec![said])
    }
}

/// Compares the nodes with the one that has the most work of those that are not on another chain for other reasons.
async fn compare(nodes: &[Rc<Node>], findings: &mut [Option<Finding>], fork_depth: u32) {
    let is_candidate = |finding: &Finding| finding.height.is_some() && !finding.is_out();
    let candidates: Vec<usize> = (0..nodes.len())
        .filter(|place| findings[*place].as_ref().is_some_and(is_candidate))
        .collect();
    let key = |place: &usize| {
        let finding = findings[*place].as_ref();
        finding.map(|finding| (finding.work.clone(), finding.height))
    };
    // The first of several with the most work.
    let Some(best) = candidates.iter().copied().rev().max_by_key(key) else {
        return;
    };
    let mut of_best = None;
    for place in candidates.into_iter().filter(|place| *place != best) {
        let (Some(first), Some(other)) = (&findings[best], &findings[place]) else {
            continue;
        };
        let height = first
            .height
            .min(other.height)
            .unwrap_or(0)
            .saturating_sub(fork_depth);
        let (mine, theirs) = (
            nodes[best].hash_at(height).await,
            nodes[place].hash_at(height).await,
        );
        let (Ok(Some(mine)), Ok(Some(theirs))) = (mine, theirs) else {
            continue;
        };
        let is_less = match (&first.work, &other.work) {
            (Some(first), Some(other)) => other < first,
            _ => false,
        };
        let (of_this, of_other) = match (mine == theirs, is_less) {
            (true, _) => (Neighbours::Agree, Neighbours::Agree),
            (false, true) => (Neighbours::MoreWork, Neighbours::LessWork),
            (false, false) => (Neighbours::Tied, Neighbours::Tied),
        };
        if of_other != Neighbours::Agree {
            let (a, b) = (nodes[best].name().to_owned(), nodes[place].name().to_owned());
            let said = |name: &str| match of_other {
                Neighbours::LessWork if name == a => format!("{b} is on another chain, with less work"),
                Neighbours::LessWork => format!("{a} is on another chain, with more work"),
                _ if name == a => format!("{b} is on another chain, and nothing tells which has more work"),
                _ => format!("{a} is on another chain, and nothing tells which has more work"),
            };
            let (of_a, of_b) = (said(&a), said(&b));
            findings[best]
                .iter_mut()
                .for_each(|finding| finding.why.push(of_a.clone()));
            findings[place]
                .iter_mut()
                .for_each(|finding| finding.why.push(of_b.clone()));
        }
        findings[place]
            .iter_mut()
            .for_each(|finding| finding.evidence.neighbours = of_other);
        // The worst that is known of the one that the others are compared with.
        let rank = |neighbours: &Neighbours| match neighbours {
            Neighbours::Tied => 2,
            Neighbours::MoreWork => 1,
            _ => 0,
        };
        let worse = of_best.is_none_or(|before: Neighbours| rank(&of_this) > rank(&before));
        of_best = if worse { Some(of_this) } else { of_best };
    }
    let is_out = |finding: &Option<Finding>| finding.as_ref().is_some_and(Finding::is_out);
    // Who is on another chain for reasons of its own is no company, and its absence no doubt.
    let others_are_out = (0..nodes.len()).all(|place| place == best || is_out(&findings[place]));
    if of_best.is_none() && others_are_out {
        of_best = Some(Neighbours::Alone);
    }
    if let (Some(neighbours), Some(finding)) = (of_best, &mut findings[best]) {
        finding.evidence.neighbours = neighbours;
    }
    for finding in findings.iter_mut().flatten() {
        if finding.evidence.neighbours == Neighbours::Unknown && !finding.is_out() {
            finding
                .why
                .push("no other node can be compared with it".to_owned());
        }
    }
}

/// Looks at nodes once, for `dwarves check`. Of a node that does not answer nothing is said.
pub(super) async fn look_once(
    nodes: &[Rc<Node>],
    settings: &GuardSettings,
    network: Option<Network>,
) -> Vec<Option<NodeStanding>> {
    let mut findings = Vec::new();
    for node in nodes {
        let look = look_at(node, settings, network, nodes.len() > 1);
        let found = tokio::time::timeout(LOOK_MAX, look).await;
        findings.push(found.ok().and_then(Result::ok));
    }
    compare(nodes, &mut findings, settings.fork_depth).await;
    let told = nodes.iter().zip(findings);
    told.map(|(node, finding)| {
        finding.map(|finding| finding.standing(node.name(), false, Surroundings::default()))
    })
    .collect()
}

impl Engine {
    /// Looks at all nodes for as long as there is somebody to tell.
    pub(super) async fn guard(self: Rc<Self>) {
        loop {
            self.look_at_all().await;
            self.is_guarded.send_replace(true);
            tokio::time::sleep(LOOK_AGAIN.min(self.settings.guard.look_every)).await;
            let moved = self.tip_moved.notified();
            let _either = tokio::time::timeout(self.settings.guard.look_every, moved).await;
        }
    }

    /// Waits for the first look, so that no work is given out on a chain that nobody looked at.
    pub(super) async fn wait_for_first_look(&self) {
        let mut is_guarded = self.is_guarded.subscribe();
        let looked = is_guarded.wait_for(|is_guarded| *is_guarded);
        let _in_time = tokio::time::timeout(FIRST_LOOK_MAX, looked).await;
    }

    async fn look_at_all(self: &Rc<Self>) {
        let has_neighbours = self.nodes.len() > 1;
        let looks = self.nodes.iter().map(|node| {
            let (engine, node) = (Rc::clone(self), Rc::clone(node));
            tokio::task::spawn_local(async move {
                let network = engine.recognise(&node).await.ok();
                let look = look_at(&node, &engine.settings.guard, network, has_neighbours);
                tokio::time::timeout(LOOK_MAX, look).await.ok()?.ok()
            })
        });
        let looks: Vec<_> = looks.collect();
        let mut findings = Vec::new();
        for look in looks {
            findings.push(look.await.unwrap_or_default());
        }
        compare(&self.nodes, &mut findings, self.settings.guard.fork_depth).await;
        for (node, finding) in self.nodes.iter().zip(findings) {
            self.note_finding(node, finding, has_neighbours);
        }
        self.choose();
        self.tell_standing();
    }

    /// Notes what was found out of a node; where nothing was, what was known before stands.
    fn note_finding(&self, node: &Node, finding: Option<Finding>, has_neighbours: bool) {
        let before = node.heard(|heard| heard.finding.clone());
        let finding = match (finding, &before) {
            (None, Some(before)) => before.clone(),
            (None, None) => {
                let mut unknown = Finding::new(&self.settings.guard, has_neighbours);
                unknown.why.push("it does not answer".to_owned());
                unknown
            }
            (Some(mut finding), Some(before)) if finding.evidence.neighbours == Neighbours::Unknown => {
                // Nobody could be compared with: what was found out when there was somebody stands.
                if before.evidence.neighbours != Neighbours::Unknown {
                    finding.evidence.neighbours = before.evidence.neighbours;
                    let others = before
                        .why
                        .iter()
                        .filter(|why| why.contains("is on another chain"));
                    finding.why.extend(others.cloned());
                }
                finding
            }
            (Some(finding), _) => finding,
        };
        let was = before.map(|before| before.verdict());
        let (is, name) = (finding.verdict(), node.name());
        if was != Some(is) {
            let why = finding.why.join("; ");
            match is {
                Verdict::Minority => log::error!("node {name} is on another chain, so it is not used: {why}"),
                Verdict::Stale => log::warn!("node {name} does not move on: {why}"),
                Verdict::Majority => log::info!("node {name} is on the right chain"),
                Verdict::Unknown if why.is_empty() => {
                    log::info!("node {name}: nothing is known yet of the chain it is on")
                }
                Verdict::Unknown => log::info!("node {name}: which chain it is on is unknown ({why})"),
            }
        }
        node.heard(|heard| heard.finding = Some(finding));
    }

    /// Tells those who hold work and money.
    pub(super) fn tell_standing(&self) {
        let found = |node: &Rc<Node>| node.heard(|heard| heard.finding.clone()).unwrap_or_default();
        let order = self.in_order_of_work();
        let working = order.first().map(found);
        let is_used = |node: &Rc<Node>| order.first().is_some_and(|first| Rc::ptr_eq(first, node));
        let nodes = self.nodes.iter().map(|node| {
            found(node).standing(
                node.name(),
                is_used(node),
                node.heard(|heard| heard.around.clone()),
            )
        });
        let troubles = self.nodes.iter().filter_map(|node| {
            let finding = found(node);
            let is_trouble = finding.evidence.is_trouble();
            is_trouble.then(|| format!("{}: {}", node.name(), finding.why.join("; ")))
        });
        let troubles: Vec<String> = troubles.collect();
        let wallet = self
            .nodes
            .get(self.settings.wallet_place)
            .map(|node| (node.name().to_owned(), found(node)));
        let holds = wallet.filter(|(_, finding)| !finding.evidence.may_pay());
        let standing = Standing {
            verdict: working.as_ref().map_or(Verdict::Minority, Finding::verdict),
            tip_age_secs: working.and_then(|finding| finding.tip_age_secs),
            nodes: nodes.collect(),
            trouble: (!troubles.is_empty()).then(|| troubles.join("; ")),
            holds_payouts: holds
                .map(|(name, finding)| format!("{name}, whose wallet pays: {}", finding.why.join("; "))),
        };
        self.standing.send_replace(standing);
    }

    /// Whether a node is on another chain, as far as it was found out.
    pub(super) fn is_elsewhere(node: &Node) -> bool {
        node.heard(|heard| {
            let finding = heard.finding.as_ref();
            finding.is_some_and(|finding| finding.verdict() == Verdict::Minority)
        })
    }

    /// Notes how far a node has come; a tip that moved is a reason to look at all of them.
    pub(super) fn note_progress(&self, node: &Node, progress: Progress) {
        let before = node.heard(|heard| heard.progress.replace(progress));
        if before.map(|before| before.tip) != Some(progress.tip) {
            self.tip_moved.notify_one();
        }
    }
}
