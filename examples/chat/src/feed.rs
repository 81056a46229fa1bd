//! One channel on this server: who listens, and what they have been sent.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

use crate::protocol::{Channel, Post};

/// How many of the last posts are at hand for those who come.
const RECENT: usize = 256;

/// Where one connection takes what it is sent from, and who it is.
#[derive(Clone)]
pub(crate) struct Member {
    /// Of the connection; one of a kind on this server.
    pub(crate) number: u64,
    pub(crate) name: Arc<str>,
    pub(crate) out: Sender<Arc<str>>,
    /// Told when it does not keep up.
    pub(crate) lags: Arc<Notify>,
}

impl Member {
    /// Nobody waits for one who does not keep up: it may come again, and resume.
    fn send(&self, text: &Arc<str>) {
        if self.out.try_send(text.clone()).is_err() {
            self.lags.notify_one();
        }
    }
}

#[derive(Default)]
pub(crate) struct Feed {
    /// The last post that was passed on.
    last: u64,
    recent: VecDeque<(u64, Arc<str>)>,
    /// With the last post that each has.
    members: Vec<(Member, u64)>,
    present: Option<Arc<str>>,
}

impl Feed {
    /// A feed that goes on behind a post.
    pub(crate) fn new(last: u64) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes a member that has everything up to `cursor`, and sends it what came after that; or
    /// gives `false` if some of that is not at hand.
    pub(crate) fn attach(&mut self, member: &Member, cursor: u64) -> bool {
        let is_at_hand = cursor >= self.last
            || (self.recent.front()).is_some_and(|&(first, _)| first <= cursor.saturating_add(1));
        if !is_at_hand {
            return false;
        }
        for (id, text) in &self.recent {
            if *id > cursor {
                member.send(text);
            }
        }
        if let Some(present) = &self.present {
            member.send(present);
        }
        self.detach(member.number);
        self.members.push((member.clone(), cursor.max(self.last)));
        true
    }

    /// Whether it was there.
    pub(crate) fn detach(&mut self, number: u64) -> bool {
        let before = self.members.len();
        self.members.retain(|(member, _)| member.number != number);
        self.members.len() < before
    }

    /// Passes a post on, unless that was done; posts come in their order.
    pub(crate) fn deliver(&mut self, channel: &Channel, post: &Post) {
        if post.id <= self.last {
            return;
        }
        self.last = post.id;
        let text: Arc<str> = channel.message(post).into();
        for (member, cursor) in &mut self.members {
            if post.id > *cursor {
                *cursor = post.id;
                member.send(&text);
            }
        }
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((post.id, text));
    }

    /// The names of those who are here, each once, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = (self.members.iter())
            .map(|(member, _)| member.name.to_string())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Tells all who is here, if that has changed.
    pub(crate) fn tell_present(&mut self, present: String) {
        if self.present.as_deref() == Some(&present) {
            return;
        }
        let present: Arc<str> = present.into();
        for (member, _) in &self.members {
            member.send(&present);
        }
        self.present = Some(present);
    }
}
