//! Templates: whole while blocks may be made of them.

use dwarves_domain::ids::TemplateId;
use dwarves_domain::share::{Proof, Submission, check, check_rolled};
use dwarves_domain::units::Units;
use dwarves_domain::work::{Algorithm, CoinbaseForm, ExtraNonce1, FullExtraNonce, Job};

use super::Backend;
use super::fixtures::{append, commit, furnished, hash, key, recent, refused, seq, share, start, template};
use crate::build;
use dwarves_ports::store::{RecentShare, ShareRow, StoreErrorKind, TemplateRow, ValuedUnits, Write};

fn save(row: TemplateRow) -> Write {
    Write::SaveTemplate(Box::new(row))
}

fn retire(before: u32) -> Write {
    Write::RetireTemplates {
        before: TemplateId::new(before),
    }
}

fn forget(before: u32) -> Write {
    Write::DropTemplates {
        before: TemplateId::new(before),
    }
}

fn on(template: u32, share: ShareRow) -> ShareRow {
    ShareRow {
        template: TemplateId::new(template),
        ..share
    }
}

/// From them the pool knows after a restart which shares it has seen.
pub async fn the_shares_of_living_templates_come_back_at_the_start<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 1), share(2, 1, 1)]).await;
    commit(&store, vec![save(template(2))]).await;
    let shares = vec![on(2, share(3, 1, 1)), share(4, 1, 1), on(2, share(5, 1, 1))];
    append(&store, shares).await;
    let both = start(&store).await;
    assert_eq!(both.templates, [template(1), template(2)]);
    assert_eq!(recent(&store).await.len(), 5);
    commit(&store, vec![retire(2), save(template(3))]).await;
    // Its job was given out before the template retired.
    append(&store, vec![share(6, 1, 1)]).await;
    drop(store);

    let store = backend.open();
    let state = start(&store).await;
    assert_eq!(state.templates, [template(2), template(3)]);
    let expected = [
        (TemplateId::new(2), hash(3), seq(3)),
        (TemplateId::new(2), hash(5), seq(5)),
    ];
    let of = |share: RecentShare| (share.template, share.hash, share.sequence);
    let all: Vec<_> = recent(&store).await.into_iter().map(of).collect();
    assert_eq!(all, expected);
    // The same piece by piece: what a piece ends with is where the next one begins.
    for (after, limit, piece) in [
        (0, 1, &expected[..1]),
        (2, 1, &expected[..1]),
        (3, 1, &expected[1..]),
        (3, 2, &expected[1..]),
        (5, 1, &[]),
        (6, 9, &[]),
        (0, 0, &[]),
    ] {
        let shares = store.recent_shares(seq(after), limit).await.unwrap();
        let shares: Vec<_> = shares.into_iter().map(of).collect();
        assert_eq!(shares, piece, "{limit} after {after}");
    }
    assert_eq!(state.next_template, TemplateId::new(4));
}

/// A job is built again as it was given out, in whichever form its coinbase was.
pub async fn a_template_keeps_the_form_of_its_coinbase<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let mut rows = vec![template(1)];
    for (id, form) in [(2, CoinbaseForm::Plain), (3, CoinbaseForm::Bip54)] {
        let mut row = template(id);
        row.chain.coinbase_form = form;
        rows.push(row.clone());
        commit(&store, vec![save(row)]).await;
    }
    drop(store);
    assert_eq!(start(&backend.open()).await.templates, rows);
}

/// Nothing but the ledger is needed to find a share's hash again, whoever filled its extranonce.
pub async fn a_share_of_a_living_template_is_rebuilt_from_the_rows<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let live = build::template_of(&template(1));
    let session = ExtraNonce1::numbered(3);
    let submission = |job: &Job, nonce| Submission {
        job_id: job.id(),
        nonce,
        time: Some(live.chain().time_max),
        version: Some(live.chain().version ^ 0x2000),
    };
    let over_http = |nonce| {
        let job = build::job(&live, 1 << 32 | 7, key(1), 1);
        check(&job, &submission(&job, nonce), Algorithm::Sha256d, |header| {
            header.hash()
        })
        .unwrap()
    };
    let over_stratum = |rolled: &[u8], nonce| {
        let job = build::job(&live, session.of_jobs().get(), key(1), 1);
        let full = FullExtraNonce::rolled(session, rolled).unwrap();
        let of_header = submission(&job, nonce);
        check_rolled(&job, full, &of_header, Algorithm::Sha256d, |header| header.hash()).unwrap()
    };
    let proofs = [
        over_http(1),
        over_stratum(&[1, 2, 3, 4, 5, 6, 7, 8], 2),
        over_stratum(&[0, 0, 0, 0, 0, 0, 0, 1], 3),
        over_stratum(&[0xff; 8], u32::MAX),
        over_stratum(&[9, 8, 7], 5),
    ];
    let row = |(n, proof): (u64, &Proof)| ShareRow {
        extranonce: proof.extranonce,
        hash: proof.hash,
        version: proof.header.version(),
        time: proof.header.time(),
        nonce: proof.header.nonce(),
        ..share(n, 1, 1)
    };
    append(&store, (1..).zip(&proofs).map(row).collect()).await;
    drop(store);

    let mut state = start(&backend.open()).await;
    let stored = build::template_of(&state.templates.remove(0));
    for (n, proof) in (1..).zip(&proofs) {
        let row = backend.share(seq(n));
        let rebuilt = stored
            .header(row.extranonce)
            .rolled(row.version, row.time, row.nonce);
        assert_eq!(rebuilt.as_bytes(), proof.header.as_bytes(), "share {n}");
        assert_eq!(rebuilt.hash(), row.hash, "share {n}");
        // What was kept before the tail was: enough for a job's share and for a miner that rolls little.
        let of_head = stored.header(row.extranonce.head());
        let is_enough = of_head.rolled(row.version, row.time, row.nonce).hash() == row.hash;
        assert_eq!(is_enough, row.extranonce.tail() == 0, "share {n}");
    }
}

/// A header of theirs may still be a block; what is needed for that stays until it is dropped.
pub async fn a_retired_template_stays_whole_until_its_transactions_are_dropped<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let seen = append(&store, vec![share(1, 1, 1)]).await;
    commit(&store, vec![save(template(2)), save(template(3)), retire(3)]).await;
    drop((store, seen));

    let store = backend.open();
    let state = start(&store).await;
    assert_eq!(state.templates, [template(3)]);
    assert_eq!(recent(&store).await, []);
    let without_data = |id| {
        let mut row = template(id);
        for transaction in &mut row.chain.transactions {
            transaction.data.clear();
        }
        row.chain.trailer.clear();
        row
    };
    assert_eq!(state.past_templates, [without_data(1), without_data(2)]);
    let bare = build::template_of(&state.past_templates[1]).bare();
    assert_eq!(bare, build::template_of(&template(2)).bare());
    let whole = async |id| store.template(TemplateId::new(id)).await.unwrap();
    for id in 1..=3 {
        assert_eq!(whole(id).await, Some(template(id)));
    }
    assert_eq!(whole(4).await, None);

    commit(&store, vec![forget(2), retire(1)]).await;
    assert_eq!((whole(1).await, whole(2).await), (None, Some(template(2))));
    let state = start(&store).await;
    assert_eq!(
        (state.past_templates, state.templates),
        (vec![without_data(2)], vec![template(3)])
    );
    // What is dropped is retired too.
    commit(&store, vec![forget(4), save(template(2))]).await;
    let state = start(&store).await;
    assert_eq!((state.past_templates, state.templates), (Vec::new(), Vec::new()));
    assert_eq!(whole(3).await, None);
}

/// What its shares are worth is still known.
pub async fn a_retired_template_keeps_its_terms_without_its_transactions<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 7)]).await;
    commit(&store, vec![save(template(2)), forget(3)]).await;
    append(&store, vec![on(2, share(2, 2, 9))]).await;
    let state = start(&store).await;
    assert_eq!((state.templates, recent(&store).await), (Vec::new(), Vec::new()));
    let valued = |id, miner, units| ValuedUnits {
        hotkey: key(miner),
        units: Units::from_raw(units),
        subsidy: template(id).chain.subsidy,
        coinbase_value: template(id).chain.coinbase_value,
    };
    let values = store.values_between(seq(0), seq(2)).await.unwrap();
    assert_eq!(values, [valued(1, 1, 7), valued(2, 2, 9)]);
    // Repeating is safe also now that the transactions are gone.
    commit(&store, vec![save(template(1)), forget(3), retire(1)]).await;
    assert_eq!(start(&store).await.templates, []);
}

/// Jobs are built again from it, so it must be the same for ever.
pub async fn a_template_never_changes_and_its_number_never_comes_again<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    commit(&store, vec![save(template(1))]).await;
    let mut other_tag = template(1);
    other_tag.tag.push('x');
    let mut other_transactions = template(1);
    other_transactions.chain.transactions.pop();
    for other in [other_tag, other_transactions] {
        assert_eq!(refused(&store, vec![save(other)]).await, StoreErrorKind::Conflict);
    }
    commit(&store, vec![save(template(8)), forget(9)]).await;
    drop(store);
    assert_eq!(start(&backend.open()).await.next_template, TemplateId::new(9));
}
