//! Rooms in the memory of this process: nothing to install, and gone with it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use crate::protocol::{Channel, Post};
use crate::store::{HISTORY, NAME_KEPT, Page, said_by};

/// At most so many channels and names are kept; the ones unused for longest go first.
const MAX_CHANNELS: usize = 1_000;
const MAX_NAMES: usize = 10_000;
/// Of so many messages in a channel it is known that they were said already.
const MAX_SENT: usize = 4 * HISTORY;

#[derive(Default)]
pub(crate) struct Memory {
    channels: HashMap<Channel, Log>,
    names: HashMap<String, (String, Instant)>,
}

struct Log {
    last: u64,
    posts: VecDeque<Post>,
    /// The clients' ids of what was said, and the same in order.
    sent: HashMap<String, u64>,
    sent_in_order: VecDeque<String>,
    used: Instant,
}

impl Memory {
    /// Keeps a post, or finds the one that it was kept as.
    pub(crate) fn post(
        &mut self,
        channel: &Channel,
        client: &str,
        id: &str,
        from: &str,
        text: &str,
    ) -> (u64, Option<Post>) {
        self.make_room(channel);
        let log = self
            .channels
            .entry(channel.clone())
            .or_insert_with(Log::new);
        log.used = Instant::now();
        let sent = said_by(client, id);
        if let Some(&known) = log.sent.get(&sent) {
            return (known, None);
        }
        log.last += 1;
        let post = Post {
            id: log.last,
            at: unix_time(),
            from: from.to_owned(),
            text: text.to_owned(),
        };
        if log.posts.len() >= HISTORY {
            log.posts.pop_front();
        }
        log.posts.push_back(post.clone());
        if log.sent_in_order.len() >= MAX_SENT
            && let Some(oldest) = log.sent_in_order.pop_front()
        {
            log.sent.remove(&oldest);
        }
        log.sent_in_order.push_back(sent.clone());
        log.sent.insert(sent, post.id);
        (post.id, Some(post))
    }

    pub(crate) fn read(&self, channel: &Channel, after: u64, most: usize) -> Page {
        let Some(log) = self.channels.get(channel) else {
            return Page::default();
        };
        let posts = log.posts.iter().filter(|post| post.id > after);
        Page {
            last: log.last,
            posts: posts.take(most).cloned().collect(),
        }
    }

    pub(crate) fn latest(&self, channel: &Channel, most: usize) -> Page {
        let Some(log) = self.channels.get(channel) else {
            return Page::default();
        };
        let skipped = log.posts.len().saturating_sub(most);
        Page {
            last: log.last,
            posts: log.posts.iter().skip(skipped).cloned().collect(),
        }
    }

    /// Whether the name is this client's from now on.
    pub(crate) fn claim(&mut self, name: &str, client: &str) -> bool {
        let now = Instant::now();
        if let Some((owner, used)) = self.names.get_mut(name) {
            let is_free = owner == client || used.elapsed() > NAME_KEPT;
            if is_free {
                *used = now;
                client.clone_into(owner);
            }
            return is_free;
        }
        if self.names.len() >= MAX_NAMES {
            let oldest = self.names.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.names.remove(&oldest);
            }
        }
        self.names.insert(name.to_owned(), (client.to_owned(), now));
        true
    }

    fn make_room(&mut self, channel: &Channel) {
        if self.channels.len() < MAX_CHANNELS || self.channels.contains_key(channel) {
            return;
        }
        let oldest = self.channels.iter().min_by_key(|(_, log)| log.used);
        if let Some(oldest) = oldest.map(|(channel, _)| channel.clone()) {
            self.channels.remove(&oldest);
        }
    }
}

impl Log {
    fn new() -> Self {
        Self {
            // Ids go on to grow when all is forgotten: in a millisecond less than one is said.
            last: unix_time(),
            posts: VecDeque::new(),
            sent: HashMap::new(),
            sent_in_order: VecDeque::new(),
            used: Instant::now(),
        }
    }
}

/// In milliseconds.
fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX)
}
