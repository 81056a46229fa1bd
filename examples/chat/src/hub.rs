//! All channels of this server, over the store.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{interval, sleep};

use crate::feed::{Feed, Member};
use crate::protocol::{Channel, Post, Reply};
use crate::store::{Store, Unavailable, lock};

/// Who is present is told at most once in this time.
const PRESENCE_PAUSE: Duration = Duration::from_millis(100);
/// How often the other servers are told who is here, and asked who is there.
const PRESENCE_REFRESH: Duration = Duration::from_secs(3);
/// So many people are listed by name.
const MAX_PRESENT: usize = 500;

pub(crate) struct Hub {
    pub(crate) store: Store,
    feeds: Mutex<HashMap<Channel, Feed>>,
    wanted: Notify,
    /// Rooms that somebody has come to or gone from.
    changed: Mutex<HashSet<Channel>>,
    has_changed: Notify,
}

impl Hub {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            feeds: Mutex::default(),
            wanted: Notify::new(),
            changed: Mutex::default(),
            has_changed: Notify::new(),
        }
    }

    /// Keeps what was said, and passes it on; gives its number in the channel. When that is known, it
    /// is kept; it may also have been kept if the store did not answer.
    pub(crate) async fn post(
        &self,
        channel: &Channel,
        client: &str,
        id: &str,
        from: &str,
        text: &str,
    ) -> Result<u64, Unavailable> {
        match &self.store {
            Store::Memory(memory) => {
                // Under this lock, so that posts are passed on in their order.
                let mut feeds = lock(&self.feeds);
                let (id, post) = lock(memory).post(channel, client, id, from, text);
                if let (Some(post), Some(feed)) = (post, feeds.get_mut(channel)) {
                    feed.deliver(channel, &post);
                }
                Ok(id)
            }
            // It comes back live.
            Store::Redis(redis) => redis.post(channel, client, id, from, text).await,
        }
    }

    /// Sends a member all that comes after `cursor`, the last that it has; `false` if it has to read
    /// more first.
    pub(crate) fn attach(&self, channel: &Channel, member: &Member, cursor: u64) -> bool {
        let is_attached = match lock(&self.feeds).entry(channel.clone()) {
            Entry::Occupied(mut feed) => feed.get_mut().attach(member, cursor),
            Entry::Vacant(vacant) => {
                // A post in memory may have come since the member has read.
                if let Store::Memory(memory) = &self.store
                    && lock(memory).read(channel, cursor, 0).last > cursor
                {
                    return false;
                }
                let is_attached = vacant.insert(Feed::new(cursor)).attach(member, cursor);
                self.wanted.notify_one();
                is_attached
            }
        };
        if is_attached {
            self.presence_changed(channel.clone());
        }
        is_attached
    }

    pub(crate) fn detach(&self, channel: &Channel, number: u64) {
        if let Entry::Occupied(mut feed) = lock(&self.feeds).entry(channel.clone()) {
            if !feed.get_mut().detach(number) {
                return;
            }
            if feed.get().is_empty() {
                feed.remove();
                self.wanted.notify_one();
            }
        }
        self.presence_changed(channel.clone());
    }

    /// The channels that have members here.
    pub(crate) fn channels(&self) -> HashSet<Channel> {
        lock(&self.feeds).keys().cloned().collect()
    }

    /// Waits until those are others.
    pub(crate) async fn wanted_changed(&self) {
        self.wanted.notified().await;
    }

    /// The last post that was passed on, if the channel has members here.
    pub(crate) fn last(&self, channel: &Channel) -> Option<u64> {
        lock(&self.feeds).get(channel).map(Feed::last)
    }

    /// Passes on posts, in their order.
    pub(crate) fn deliver(&self, channel: &Channel, posts: &[Post]) {
        if let Some(feed) = lock(&self.feeds).get_mut(channel) {
            for post in posts {
                feed.deliver(channel, post);
            }
        }
    }

    pub(crate) fn presence_changed(&self, channel: Channel) {
        if matches!(channel, Channel::Room(_)) {
            lock(&self.changed).insert(channel);
            self.has_changed.notify_one();
        }
    }

    /// Tells people who is in their rooms, for ever.
    pub(crate) async fn tell_presence(&self) {
        let mut refresh = interval(PRESENCE_REFRESH);
        loop {
            tokio::select! {
                () = self.has_changed.notified() => sleep(PRESENCE_PAUSE).await,
                _ = refresh.tick(), if matches!(self.store, Store::Redis(_)) => {
                    lock(&self.changed).extend(self.channels());
                }
            }
            self.tell_presence_once().await;
        }
    }

    /// Tells the rooms where something has changed; the other servers, too, that all have gone.
    pub(crate) async fn tell_presence_once(&self) {
        let changed = std::mem::take(&mut *lock(&self.changed));
        for channel in changed {
            let Channel::Room(room) = &channel else {
                continue;
            };
            let here = lock(&self.feeds).get(&channel).map(Feed::names);
            match self.store.present(&channel, here.unwrap_or_default()).await {
                Ok(mut names) => {
                    names.truncate(MAX_PRESENT);
                    let present = Reply::Present {
                        room,
                        names: &names,
                    }
                    .to_json();
                    if let Some(feed) = lock(&self.feeds).get_mut(&channel) {
                        feed.tell_present(present);
                    }
                }
                // Until the next refresh.
                Err(_) => drop(lock(&self.changed).insert(channel)),
            }
        }
    }
}
