//! Follows what is said on other servers. Pub/sub may lose posts, at the latest when Redis goes away:
//! what is missing, and only that, is read from the stream.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSubSink;
use redis::{Msg, RedisError};
use tokio::time::{interval, sleep, timeout};

use super::{PATIENCE, Redis, key, live_channel, parse_post};
use crate::hub::Hub;
use crate::protocol::Channel;
use crate::store::Unavailable;

/// How often it is looked whether a post did not come.
const CHECK: Duration = Duration::from_secs(3);
/// How long to wait before Redis is tried again, at the longest.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// So many posts are read at once.
const PAGE: usize = 200;

/// Passes on what is said in the channels that this server has members of, for ever.
pub(crate) async fn follow(hub: &Hub, redis: &Redis) {
    let mut delay = Duration::from_millis(50);
    loop {
        let Err(error) = connected(hub, redis, &mut delay).await;
        eprintln!("live: {error}");
        sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

enum Never {}

async fn connected(hub: &Hub, redis: &Redis, delay: &mut Duration) -> Result<Never, Unavailable> {
    let connecting = timeout(PATIENCE, redis.client.get_async_pubsub());
    let (mut sink, mut messages) = connecting.await.map_err(late)??.split();
    let mut subscribed = HashSet::new();
    let mut check = interval(CHECK);
    loop {
        subscribe(hub, redis, &mut sink, &mut subscribed).await?;
        *delay = Duration::from_millis(50);
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => pass_on(hub, redis, &message).await?,
                None => return Err(Unavailable("the connection has ended".to_owned())),
            },
            () = hub.wanted_changed() => {}
            _ = check.tick() => {
                let _: String = timeout(PATIENCE, sink.ping()).await.map_err(late)??;
                for channel in &subscribed {
                    catch_up(hub, redis, channel).await?;
                }
            }
        }
    }
}

/// Subscribes to what has members now, and to that alone.
async fn subscribe(
    hub: &Hub,
    redis: &Redis,
    sink: &mut PubSubSink,
    subscribed: &mut HashSet<Channel>,
) -> Result<(), Unavailable> {
    let wanted = hub.channels();
    for channel in subscribed.difference(&wanted) {
        command(sink.unsubscribe(key(channel, "live"))).await?;
    }
    subscribed.retain(|channel| wanted.contains(channel));
    for channel in wanted {
        if !subscribed.contains(&channel) {
            command(sink.subscribe(key(&channel, "live"))).await?;
            // What was said before that did not come.
            catch_up(hub, redis, &channel).await?;
            subscribed.insert(channel);
        }
    }
    Ok(())
}

async fn pass_on(hub: &Hub, redis: &Redis, message: &Msg) -> Result<(), Unavailable> {
    let Some(channel) = live_channel(message.get_channel_name()) else {
        return Ok(());
    };
    let payload: String = message.get_payload().unwrap_or_default();
    if payload == "present" {
        hub.presence_changed(channel);
        return Ok(());
    }
    let post = (payload.split_once(' ')).and_then(|(id, post)| parse_post(id.parse().ok()?, post));
    match (post, hub.last(&channel)) {
        (Some(post), Some(last)) if post.id == last + 1 => hub.deliver(&channel, &[post]),
        (Some(post), Some(last)) if post.id > last => catch_up(hub, redis, &channel).await?,
        _ => {}
    }
    Ok(())
}

/// Passes on all that came after the last post that was.
async fn catch_up(hub: &Hub, redis: &Redis, channel: &Channel) -> Result<(), Unavailable> {
    while let Some(last) = hub.last(channel) {
        let page = redis.read(channel, last, PAGE).await?;
        hub.deliver(channel, &page.posts);
        if page.posts.len() < PAGE {
            break;
        }
    }
    Ok(())
}

async fn command(command: impl Future<Output = Result<(), RedisError>>) -> Result<(), Unavailable> {
    Ok(timeout(PATIENCE, command).await.map_err(late)??)
}

fn late(_: tokio::time::error::Elapsed) -> Unavailable {
    Unavailable("no answer".to_owned())
}
