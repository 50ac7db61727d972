//! Names and miners that are bounded, and who gives way.

use super::*;

/// A stranger makes up names as it likes, under its own or another one's hotkey.
#[test]
fn names_without_work_are_bounded_and_a_flood_pushes_out_its_own() {
    let stranger = Client::at("192.0.2.66".parse().unwrap());
    let rig = Client::at("192.0.2.1".parse().unwrap());
    let mut registry = registry();
    let honest = registry.find_or_number(miner(1), &name("rig"), rig, NOW).unwrap();
    let signed = number(&mut registry, "signed");
    let begin = (0..900).map(|n| registry.find_or_number(miner(1), &name(&format!("x{n}")), stranger, NOW));
    let flood: Vec<_> = begin.map(|id| id.unwrap()).collect();
    assert_eq!(registry.names_waiting(), 4);
    assert_eq!(registry.miner(&miner(1)).unwrap().workers.len(), 4);
    assert!(registry.worker(honest).is_some() && registry.worker(signed).is_some());
    assert!(registry.worker(flood[0]).is_none() && registry.worker(flood[899]).is_some());
    // Asking for another one's name does not make it the stranger's.
    registry
        .find_or_number(miner(1), &name("signed"), stranger, NOW)
        .unwrap();
    registry
        .find_or_number(miner(1), &name("more"), stranger, NOW)
        .unwrap();
    assert!(registry.worker(signed).is_some());
}

#[test]
fn idle_names_give_way_to_one_with_work_the_oldest_first_and_nothing_is_lost() {
    let mut registry = registry();
    let (old, older) = (stored(&mut registry, "old"), stored(&mut registry, "older"));
    let at = |days: u64| NOW.plus(Span::from_secs(days * DAY));
    registry.credit(miner(1), old, None, at(1)).unwrap();
    registry.on_accepted(old, at(1), &counted(difficulty(1.0).target()));
    let new = registry
        .find_or_number(miner(1), &name("new"), Client::Earlier, NOW)
        .unwrap();
    assert!(
        registry.take_giving_way(at(9)).is_empty(),
        "a name alone moves nobody"
    );
    let credited = |registry: &mut Registry, id, now| {
        let credit = registry.credit(miner(1), id, None, now).unwrap();
        registry.worker_saved(credit.worker);
        registry.on_accepted(credit.worker, now, &counted(difficulty(1.0).target()));
        registry.worker(credit.worker).unwrap().name.to_string()
    };
    assert_eq!(credited(&mut registry, new, at(1)), "default");
    assert!(registry.take_giving_way(at(1)).is_empty(), "nobody is idle");
    let expected = registry.worker(older).unwrap().counters;
    assert_eq!(credited(&mut registry, new, at(2)), "default");
    assert_eq!(registry.take_giving_way(at(2)), [(older, expected)]);
    assert_eq!(credited(&mut registry, older, at(2)), "default", "it is leaving");
    registry.note_left(older);
    assert_eq!(credited(&mut registry, new, at(2)), "new");
    let gone = registry.miner(&miner(1)).unwrap().gone;
    assert_eq!(gone, expected);
    let (_, record) = registry.records().next().unwrap();
    assert_eq!(
        record.found, 7,
        "of all seven shares, whoever they are credited to"
    );
    // An owner's own request needs less patience.
    let own = number(&mut registry, "own");
    let hours = at(2).plus(Span::from_secs(3_601));
    assert_eq!(credited(&mut registry, own, hours), "default");
    assert_eq!(
        registry.take_giving_way(hours).first().map(|(id, _)| *id),
        Some(old)
    );
    registry.stays(old);
    assert!(registry.take_changed().iter().any(|(id, _)| *id == old));
}

#[test]
fn a_worker_whose_shares_are_under_way_stays() {
    let mut registry = registry();
    let id = stored(&mut registry, "rig");
    registry.credit(miner(1), id, None, NOW).unwrap();
    assert!(registry.has_shares_under_way(&miner(1)));
    assert_eq!(registry.begin_leaving(id), None);
    registry.on_lost(id);
    assert!(!registry.has_shares_under_way(&miner(1)));
    assert!(registry.begin_leaving(id).is_some());
    assert!(
        registry.take_changed().is_empty(),
        "all that it came to is on its way"
    );
    let default = stored(&mut registry, "default");
    assert_eq!(registry.begin_leaving(default), None);
}

#[test]
fn miners_without_work_give_way_and_others_never() {
    let mut registry = registry();
    let client = Client::at("192.0.2.66".parse().unwrap());
    for n in 2..=4 {
        registry.note_miner(miner(n), NOW, None, client);
    }
    registry.note_is_address(&miner(4));
    assert_eq!(registry.first_to_give_way(true), Some(miner(4)));
    assert_eq!(
        registry.first_to_give_way(false),
        Some(miner(4)),
        "an address cost nothing"
    );
    registry.begin_removing(&miner(4));
    assert_eq!(registry.standing(&miner(4), NOW), Standing::Unknown);
    registry.note_removed(&miner(4));
    assert_eq!(
        (registry.address_miners(), registry.first_to_give_way(true)),
        (0, None)
    );
    assert_eq!(
        registry.first_to_give_way(false),
        Some(miner(2)),
        "of those who brought the most"
    );
    registry.set_ban(&miner(2), ban(None));
    assert_eq!(
        registry.first_to_give_way(false),
        Some(miner(3)),
        "who is banned stays known"
    );
    registry.begin_removing(&miner(3));
    registry.keep(&miner(3));
    assert_eq!(registry.standing(&miner(3), NOW), Standing::Good);
    assert_eq!(registry.first_to_give_way(false), Some(miner(1)));
    stored(&mut registry, "rig");
    assert_eq!(registry.first_to_give_way(false), None);
    registry.note_removed(&miner(1));
    assert!(registry.miner(&miner(1)).is_none() && registry.workers().count() == 0);
}
