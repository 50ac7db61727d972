//! A miner's wishes with what became of them: which channels work, what it was told of and is not over, what there was
//! today. Stored as one text, for what is true together changes together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::NoticeKind;
use super::wishes::{Channel, ChannelName, Way, Wishes};
use crate::time::{Span, Timestamp};

/// Incidents of a day that are named; of more it is said how many they are.
pub const NAMED_MAX: usize = 20;
/// Codes that may be tried for one mail address: after them another one must be asked for.
pub const TRIES_MAX: u8 = 5;
/// How long a code holds.
pub const CODE_HOLDS: Span = Span::from_secs(86_400);

/// How a channel is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// It is used.
    Open,
    /// Nobody has confirmed the address: nothing but a code goes there.
    Unconfirmed {
        /// When a code was asked for.
        asked_at: Timestamp,
        /// Codes that were wrong.
        wrong: u8,
    },
    /// It was given up: nothing goes there until its miner sets it again.
    GivenUp {
        /// When.
        at: Timestamp,
        /// Why, for its miner.
        why: String,
    },
}

/// What there was since the last digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// How much of each kind.
    pub counts: BTreeMap<NoticeKind, u64>,
    /// What went wrong: when, and in which words. The first [`NAMED_MAX`].
    pub incidents: Vec<(Timestamp, String)>,
}

impl Day {
    /// Notes that the miner was told of this.
    pub fn note(&mut self, kind: NoticeKind, at: Timestamp, text: &str) {
        let count = self.counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        let is_incident = !matches!(kind, NoticeKind::BlockFound | NoticeKind::PayoutSent);
        if is_incident && self.incidents.len() < NAMED_MAX {
            self.incidents.push((at, text.to_owned()));
        }
    }

    /// How many incidents there were, those that are not named included.
    pub fn incident_count(&self) -> u64 {
        let of_incidents = self
            .counts
            .iter()
            .filter(|(kind, _)| !matches!(kind, NoticeKind::BlockFound | NoticeKind::PayoutSent));
        of_incidents.map(|(_, count)| count).sum()
    }
}

/// A miner's wishes and what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// What it wants.
    pub wishes: Wishes,
    /// How each channel is.
    pub states: BTreeMap<ChannelName, ChannelState>,
    /// What it was told of and is not over: since when.
    pub told: BTreeMap<String, Timestamp>,
    /// What there was since the last digest.
    pub day: Day,
    /// The day, since 1970 by its own clock, of which the last digest told.
    pub digested: Option<i64>,
    /// Notices that it was not told of, because too many waited or its channels were given up, since it subscribed.
    pub dropped: u64,
    /// Those of them that no notice has told of yet.
    #[serde(default)]
    pub dropped_unsaid: u64,
}

/// What changed when a miner said what it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// As it is from now on.
    pub subscription: Subscription,
    /// Webhooks whose secret was made now: it is shown once.
    pub new_secrets: Vec<ChannelName>,
    /// Mail addresses that are to be confirmed: a code goes there.
    pub to_confirm: Vec<ChannelName>,
    /// Channels that are gone, or lead elsewhere: what waited for them is not told there.
    pub gone: Vec<ChannelName>,
}

/// What came of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The address is confirmed.
    Now,
    /// It was before.
    Before,
    /// The code is wrong, and may be tried again.
    WrongCode,
    /// There is no code any more: too many were wrong, or it is too old.
    NoCode,
    /// There is no mail channel of this name.
    NoChannel,
}

impl Subscription {
    /// A miner's wishes from now on, with what is kept of those before: a channel that leads where it led keeps its secret
    /// and stays confirmed. One that was given up is open again. `renewed` are webhooks that get a new secret all the same,
    /// and an access token that is not there is the one of before.
    pub fn change(
        before: Option<&Self>,
        mut wishes: Wishes,
        renewed: &[ChannelName],
        now: Timestamp,
    ) -> Changed {
        let mut changed = Changed {
            subscription: Self {
                wishes: wishes.clone(),
                states: BTreeMap::new(),
                told: before.map(|before| before.told.clone()).unwrap_or_default(),
                day: before.map(|before| before.day.clone()).unwrap_or_default(),
                digested: before.and_then(|before| before.digested),
                dropped: before.map_or(0, |before| before.dropped),
                dropped_unsaid: before.map_or(0, |before| before.dropped_unsaid),
            },
            new_secrets: Vec::new(),
            to_confirm: Vec::new(),
            gone: Vec::new(),
        };
        for channel in &mut wishes.channels {
            let known = before
                .and_then(|before| before.wishes.channel(&channel.name))
                .filter(|known| known.way.leads_where(&channel.way));
            let state = before.and_then(|before| before.states.get(&channel.name));
            let state = Self::settle(channel, known, state, renewed, now, &mut changed);
            changed.subscription.states.insert(channel.name.clone(), state);
        }
        for old in before.iter().flat_map(|before| &before.wishes.channels) {
            let stays = wishes
                .channel(&old.name)
                .is_some_and(|new| new.way.leads_where(&old.way));
            if !stays {
                changed.gone.push(old.name.clone());
            }
        }
        changed.subscription.wishes = wishes;
        changed
    }

    fn settle(
        channel: &mut Channel,
        known: Option<&Channel>,
        state: Option<&ChannelState>,
        renewed: &[ChannelName],
        now: Timestamp,
        changed: &mut Changed,
    ) -> ChannelState {
        match (&mut channel.way, known.map(|known| &known.way)) {
            (Way::Webhook { made_at, .. }, Some(Way::Webhook { made_at: before, .. }))
                if !renewed.contains(&channel.name) =>
            {
                *made_at = *before;
            }
            (Way::Webhook { made_at, .. }, _) => {
                *made_at = now;
                changed.new_secrets.push(channel.name.clone());
            }
            (Way::Ntfy { token, .. }, Some(Way::Ntfy { token: before, .. })) if token.is_none() => {
                token.clone_from(before);
            }
            (Way::Ntfy { .. }, _) => {}
            (Way::Mail { .. }, Some(Way::Mail { .. })) => match state {
                Some(ChannelState::Unconfirmed { asked_at, wrong })
                    if *wrong < TRIES_MAX && now.since(*asked_at) < CODE_HOLDS =>
                {
                    return ChannelState::Unconfirmed {
                        asked_at: *asked_at,
                        wrong: *wrong,
                    };
                }
                Some(ChannelState::Unconfirmed { .. }) | None => return Self::ask(channel, now, changed),
                Some(ChannelState::Open | ChannelState::GivenUp { .. }) => {}
            },
            (Way::Mail { .. }, _) => return Self::ask(channel, now, changed),
        }
        ChannelState::Open
    }

    fn ask(channel: &Channel, now: Timestamp, changed: &mut Changed) -> ChannelState {
        changed.to_confirm.push(channel.name.clone());
        ChannelState::Unconfirmed {
            asked_at: now,
            wrong: 0,
        }
    }

    /// Tries a code for a mail channel; `right` is the code that was mailed at a moment. A wrong one is counted.
    pub fn confirm(
        &mut self,
        name: &ChannelName,
        code: &str,
        right: impl FnOnce(Timestamp) -> Option<String>,
        now: Timestamp,
    ) -> Confirmed {
        let is_mail = matches!(
            self.wishes.channel(name).map(|channel| &channel.way),
            Some(Way::Mail { .. })
        );
        let Some(state) = self.states.get_mut(name).filter(|_| is_mail) else {
            return Confirmed::NoChannel;
        };
        let ChannelState::Unconfirmed { asked_at, wrong } = state else {
            return Confirmed::Before;
        };
        if *wrong >= TRIES_MAX || now.since(*asked_at) >= CODE_HOLDS {
            return Confirmed::NoCode;
        }
        if right(*asked_at).is_some_and(|right| right == code) {
            *state = ChannelState::Open;
            return Confirmed::Now;
        }
        *wrong += 1;
        Confirmed::WrongCode
    }

    /// The channels by which the miner is told now.
    pub fn open_channels(&self) -> impl Iterator<Item = &Channel> {
        let is_open = |channel: &&Channel| self.states.get(&channel.name) == Some(&ChannelState::Open);
        self.wishes.channels.iter().filter(is_open)
    }

    /// Notes that so many notices were not told.
    pub fn note_dropped(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
        self.dropped_unsaid = self.dropped_unsaid.saturating_add(count);
    }
}

#[cfg(test)]
mod tests;
