//! What `status`, `/readyz` and the figures name stands in RUNBOOK.md under the very same name.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeSet;

use dwarves_actors::control::hold::Hold;
use dwarves_actors::live_work::LackOfWork;
use dwarves_actors::paymaster::trouble::TroubleKind;
use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::payouts::WhyHeld;
use regex::Regex;

#[test]
fn an_operator_finds_every_name_in_the_runbook() {
    let runbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/RUNBOOK.md")).unwrap();
    let names = std::iter::empty()
        .chain(LackOfWork::ALL.map(LackOfWork::as_str))
        .chain(Hold::ALL.map(Hold::name))
        .chain(TroubleKind::ALL.map(TroubleKind::name))
        .chain(Verdict::ALL.map(Verdict::as_str))
        .chain(WhyHeld::ALL.map(WhyHeld::name));
    let is_missing = |name: &&str| !runbook.contains(&format!("`{name}`"));
    let missing: Vec<_> = names.filter(is_missing).collect();
    assert!(missing.is_empty(), "RUNBOOK.md does not speak of {missing:?}");
}

/// The project's directory.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap()
}

/// The names of figures in a text.
fn figures(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\b(?:dwarves|process)_[a-z_]+\b").unwrap();
    name.find_iter(text)
        .map(|found| found.as_str().to_owned())
        .collect()
}

/// Every figure that `/metrics` may have: names of families in its sources, and of a histogram's samples.
fn known_figures() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut sources = vec![read("adapters/http/src/routes/metrics.rs")];
    for file in std::fs::read_dir(format!("{ROOT}/adapters/http/src/routes/metrics")).unwrap() {
        sources.push(std::fs::read_to_string(file.unwrap().path()).unwrap());
    }
    let literal = Regex::new(r#""((?:dwarves|process)_[a-z_]+)""#).unwrap();
    for name in sources.iter().flat_map(|source| literal.captures_iter(source)) {
        known.extend(["_bucket", "_sum", "_count", ""].map(|part| format!("{}{part}", &name[1])));
    }
    // A front that stands by has a page of its own, whose names are without what all of them begin with.
    let of_relay = Regex::new(r#"register\(\s*"([a-z_]+)""#).unwrap();
    let relay = read("adapters/relay/src/figures.rs");
    let names = of_relay.captures_iter(&relay).map(|found| found[1].to_owned());
    known.extend(names.flat_map(|name| [format!("dwarves_{name}"), format!("dwarves_{name}_total")]));
    assert!(known.contains("dwarves_front_linked"));
    assert!(known.len() > 300, "{known:?}");
    known
}

/// A heading's anchor, as GitHub and its kin make it.
fn anchor(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let kept = letters
        .chars()
        .filter(|letter| letter.is_alphanumeric() || "-_ ".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// A rule for Prometheus: its name, what it asks, and to which section of the runbook it leads.
#[derive(Default)]
struct Rule {
    name: String,
    expression: String,
    runbook: String,
}

fn rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut in_expression = false;
    for line in read("deploy/prometheus/rules.yml").lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("- alert: ").or(line.strip_prefix("- record: ")) {
            rules.push(Rule {
                name: name.to_owned(),
                ..Rule::default()
            });
        }
        let Some(rule) = rules.last_mut() else { continue };
        in_expression &= !line.contains(": ") && !line.ends_with("annotations:") && !line.starts_with("- ");
        if let Some(expression) = line.strip_prefix("expr: ") {
            in_expression = true;
            rule.expression = expression.to_owned();
        } else if in_expression {
            rule.expression.push_str(line);
        } else if let Some(runbook) = line.strip_prefix("runbook: \"RUNBOOK.md#") {
            rule.runbook = runbook.trim_end_matches('"').to_owned();
        }
    }
    assert!(rules.len() > 40);
    rules
}

/// What the operator's page says of a hindrance leads to the section that speaks of it by its name.
#[test]
fn every_remedy_leads_to_a_section_that_speaks_of_it() {
    let runbook = read("RUNBOOK.md");
    // A heading's title ends where it goes on with names of figures and words of logs.
    let is_titled = |section: &str, title: &str| {
        let heading = section.lines().next().unwrap_or_default();
        let rest = heading.trim_start_matches(['#', ' ']).strip_prefix(title);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
    };
    let sections: Vec<(String, &str)> = runbook
        .split("\n#")
        .map(|section| {
            let (heading, _) = section.split_once('\n').unwrap_or((section, ""));
            (anchor(heading.trim_start_matches(['#', ' '])), section)
        })
        .collect();
    for known in dwarves_http::remedies::all() {
        let section = sections.iter().find(|(anchor, _)| anchor == known.section.anchor);
        let (_, section) =
            section.unwrap_or_else(|| panic!("{}: there is no section {:?}", known.name, known.section));
        assert!(is_titled(section, known.section.title), "{:?}", known.section);
        let name = known.name;
        assert!(
            section.contains(name) || name == "starting",
            "{name} is not in {:?}",
            known.section
        );
    }
    for section in [dwarves_http::remedies::HOLDS, dwarves_http::remedies::TROUBLES] {
        let is_it =
            |(anchor, text): &(String, &str)| anchor == section.anchor && is_titled(text, section.title);
        assert!(sections.iter().any(is_it), "{section:?}");
    }
    let other = dwarves_http::remedies::of("something new");
    assert!(sections.iter().any(|(anchor, _)| anchor == other.section.anchor));
}

#[test]
fn every_alarm_of_the_runbook_has_a_rule_that_leads_to_its_section() {
    let rules = rules();
    // What a recorded name stands for.
    let asked = |rule: &Rule| {
        let recorded = rules
            .iter()
            .filter(|other| other.name.contains(':') && rule.expression.contains(&other.name));
        let mut names = figures(&rule.expression);
        names.extend(recorded.flat_map(|other| figures(&other.expression)));
        names.extend(rule.expression.contains("up{").then(|| "up".to_owned()));
        names
    };
    let runbook = read("RUNBOOK.md");
    let headings: Vec<_> = runbook
        .lines()
        .filter(|line| line.starts_with("##"))
        .map(|line| line.trim_start_matches(['#', ' ']))
        .collect();
    let mut alarms = 0;
    for heading in &headings {
        let mut named = figures(heading);
        named.extend(heading.contains("`up`").then(|| "up".to_owned()));
        if named.is_empty() {
            assert!(!heading.contains("ALARM"), "{heading} names no figure");
            continue;
        }
        alarms += 1;
        let at = anchor(heading);
        let of_it: Vec<_> = rules.iter().filter(|rule| rule.runbook == at).collect();
        assert!(
            !of_it.is_empty(),
            "rules.yml has no rule for {heading} (RUNBOOK.md#{at})"
        );
        let is_asked = |name: &String| {
            of_it
                .iter()
                .any(|rule| asked(rule).iter().any(|asked| asked.starts_with(name.as_str())))
        };
        assert!(
            named.iter().any(is_asked),
            "no rule for {heading} asks for what it names"
        );
    }
    assert!(alarms >= 35, "{alarms}");
    let anchors: BTreeSet<_> = headings.iter().map(|heading| anchor(heading)).collect();
    for rule in rules.iter().filter(|rule| !rule.name.contains(':')) {
        assert!(
            anchors.contains(&rule.runbook),
            "{} leads to no section: {}",
            rule.name,
            rule.runbook
        );
    }
}

#[test]
fn every_figure_that_rules_dashboard_and_runbook_name_exists() {
    let known = known_figures();
    for path in [
        "deploy/prometheus/rules.yml",
        "deploy/prometheus/rules_test.yml",
        "deploy/grafana/dwarves.json",
        "RUNBOOK.md",
    ] {
        // Anchors have what is left of a heading's marks.
        let text = read(path);
        let lines = text.lines().filter(|line| !line.contains("runbook: "));
        let unknown: Vec<_> = figures(&lines.collect::<Vec<_>>().join("\n"))
            .into_iter()
            .filter(|name| !known.contains(name))
            .collect();
        assert!(
            unknown.is_empty(),
            "{path} names {unknown:?}, which /metrics does not have"
        );
    }
    let tested = read("deploy/prometheus/rules_test.yml");
    for rule in rules().iter().filter(|rule| !rule.name.contains(':')) {
        assert!(
            tested.contains(&format!("- name: {}\n", rule.name)),
            "{} has no test",
            rule.name
        );
    }
}
