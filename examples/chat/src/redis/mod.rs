//! Rooms that several servers share. Of each channel there is a stream with its last posts, the
//! number of the last one, and a pub/sub channel that carries the same posts live. A script makes one
//! step of keeping a post, whichever server asks for it, and of not keeping it twice.

mod live;

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation};
use serde::{Deserialize, Serialize};

use crate::protocol::{Channel, Post};
use crate::store::{HISTORY, NAME_KEPT, Page, Unavailable, said_by};

pub(crate) use live::follow;

/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it is known that a message was said: who sends it again later says it twice.
const SENT_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a channel is kept in which nothing is said.
const CHANNEL_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// A server that has not said for so long who is there has died.
const PRESENT_FOR: Duration = Duration::from_secs(10);

pub(crate) struct Redis {
    client: Client,
    connection: ConnectionManager,
    server: String,
    post: Script,
    present: Script,
    claim: Script,
}

#[derive(Serialize, Deserialize)]
struct Said {
    from: String,
    text: String,
}

impl Redis {
    /// Redis need not be there yet.
    pub(crate) fn new(url: &str, server: String) -> RedisResult<Self> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(500))
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client.clone(), config)?,
            client,
            server,
            post: Script::new(include_str!("post.lua")),
            present: Script::new(include_str!("present.lua")),
            claim: Script::new(include_str!("claim.lua")),
        })
    }

    /// Keeps a post, or finds the one that it was kept as; gives its number.
    pub(crate) async fn post(
        &self,
        channel: &Channel,
        client: &str,
        id: &str,
        from: &str,
        text: &str,
    ) -> Result<u64, Unavailable> {
        let said = Said {
            from: from.to_owned(),
            text: text.to_owned(),
        };
        let said = serde_json::to_string(&said).unwrap_or_default();
        let sent = format!("sent:{}", said_by(client, id));
        let mut post = self.post.prepare_invoke();
        let post = post
            .key(key(channel, "last"))
            .key(key(channel, "stream"))
            .key(key(channel, &sent))
            .arg(said)
            .arg(key(channel, "live"))
            .arg(HISTORY)
            .arg(SENT_KEPT.as_secs())
            .arg(CHANNEL_KEPT.as_secs());
        self.invoke(post).await
    }

    pub(crate) async fn read(
        &self,
        channel: &Channel,
        after: u64,
        most: usize,
    ) -> Result<Page, Unavailable> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(key(channel, "last"));
        (pipeline.cmd("XRANGE").arg(key(channel, "stream"))).arg((
            format!("({after}-0"),
            "+",
            "COUNT",
            most,
        ));
        self.page(&pipeline).await
    }

    pub(crate) async fn latest(&self, channel: &Channel, most: usize) -> Result<Page, Unavailable> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(key(channel, "last"));
        (pipeline.cmd("XREVRANGE").arg(key(channel, "stream"))).arg(("+", "-", "COUNT", most));
        let mut page = self.page(&pipeline).await?;
        page.posts.reverse();
        Ok(page)
    }

    async fn page(&self, pipeline: &redis::Pipeline) -> Result<Page, Unavailable> {
        type Entries = Vec<(String, Vec<(String, String)>)>;
        let (last, entries): (Option<u64>, Entries) =
            pipeline.query_async(&mut self.connection.clone()).await?;
        let posts = entries.into_iter().filter_map(|(id, fields)| {
            let id = id.strip_suffix("-0")?.parse().ok()?;
            parse_post(id, &fields.first()?.1)
        });
        let posts: Vec<Post> = posts.collect();
        Ok(Page {
            last: last.unwrap_or(0),
            posts,
        })
    }

    async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Unavailable> {
        Ok(script.invoke_async(&mut self.connection.clone()).await?)
    }

    pub(crate) async fn claim(&self, name: &str, client: &str) -> Result<bool, Unavailable> {
        let mut claim = self.claim.prepare_invoke();
        let claim = claim
            .key(format!("chat:name:{name}"))
            .arg(client)
            .arg(NAME_KEPT.as_secs());
        self.invoke(claim).await
    }

    /// Says who is in a room on this server; gives who is there on all of them.
    pub(crate) async fn present(
        &self,
        channel: &Channel,
        here: Vec<String>,
    ) -> Result<Vec<String>, Unavailable> {
        let mut present = self.present.prepare_invoke();
        let present = present
            .key(key(channel, "present"))
            .arg(&self.server)
            .arg(serde_json::to_string(&here).unwrap_or_default())
            .arg(key(channel, "live"))
            .arg(u64::try_from(PRESENT_FOR.as_millis()).unwrap_or(u64::MAX));
        let said: Vec<String> = self.invoke(present).await?;
        let mut names: Vec<String> = (said.iter())
            .flat_map(|names| serde_json::from_str::<Vec<String>>(names).unwrap_or_default())
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// All keys of a channel lie in one slot, for a cluster.
fn key(channel: &Channel, what: &str) -> String {
    match channel {
        Channel::Room(name) => format!("chat:{{room:{name}}}:{what}"),
        Channel::Inbox(name) => format!("chat:{{inbox:{name}}}:{what}"),
    }
}

/// The channel of a pub/sub channel.
fn live_channel(key: &str) -> Option<Channel> {
    let (kind, name) = (key.strip_prefix("chat:{")?.strip_suffix("}:live")?).split_once(':')?;
    match kind {
        "room" => Channel::room(name),
        "inbox" => Channel::inbox(name),
        _ => None,
    }
}

/// `TIME JSON`.
fn parse_post(id: u64, post: &str) -> Option<Post> {
    let (at, said) = post.split_once(' ')?;
    let Said { from, text } = serde_json::from_str(said).ok()?;
    let at = at.parse().ok()?;
    Some(Post { id, at, from, text })
}

impl From<RedisError> for Unavailable {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}
