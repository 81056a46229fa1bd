//! Several servers on one Redis, each of which may die at any time: no confirmed message is lost, none
//! comes twice, and all see the same order.

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::client::Client;
use common::{Chat, Peer, Redis};
use serde_json::json;
use tokio::time::sleep;

const ROOM: &str = "lobby";

/// Four clients on two servers that talk all the time.
struct Talk {
    clients: Vec<Client>,
    said: usize,
}

impl Talk {
    async fn start(a: &Chat, b: &Chat) -> Self {
        let [a, b] = [a.url(), b.url()];
        let both = [b.clone(), a.clone()];
        let clients = vec![
            Client::start("ada", ROOM, std::slice::from_ref(&a)),
            Client::start("bob", ROOM, std::slice::from_ref(&b)),
            Client::start("cyd", ROOM, &[a, b]),
            Client::start("dan", ROOM, &both),
        ];
        for client in &clients {
            client
                .until("connected", |client| client.connected() > 0)
                .await;
        }
        Self { clients, said: 0 }
    }

    /// Each says so many things, while whatever happens.
    async fn go_on(&mut self, count: usize) {
        for _ in 0..count {
            for (index, client) in self.clients.iter().enumerate() {
                client.say(format!("{index}: {}", self.said));
            }
            self.said += 1;
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until everybody has everything.
    async fn settle(&self) {
        let all = self.said * self.clients.len();
        for client in &self.clients {
            client
                .until("confirmed", |client| client.confirmed().len() == self.said)
                .await;
            client
                .until("everywhere", |client| client.received().len() >= all)
                .await;
        }
    }

    /// That each message came once, and to all in the same order.
    fn check(&self) {
        let received = self.clients[0].received();
        assert_eq!(received.len(), self.said * self.clients.len());
        let texts: HashSet<_> = received.iter().map(|(_, _, text)| text.clone()).collect();
        assert_eq!(texts.len(), received.len(), "a message came twice");
        for (index, client) in self.clients.iter().enumerate() {
            assert_eq!(client.received(), received, "another order");
            let said: Vec<_> = (0..self.said).map(|n| format!("{index}: {n}")).collect();
            assert_eq!(client.confirmed(), said);
            // What one has said keeps its order.
            let own = received.iter().map(|(_, _, text)| text);
            let own = own.filter(|text| text.starts_with(&format!("{index}: ")));
            assert!(own.eq(&said), "the order of {index}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_killed_loses_nothing() {
    let redis = Redis::start();
    let (mut a, b) = (Chat::start(Some(&redis)), Chat::start(Some(&redis)));
    let mut talk = Talk::start(&a, &b).await;
    talk.go_on(20).await;
    a.kill();
    talk.go_on(40).await;
    // Those who know both have gone on.
    let bob = &talk.clients[1];
    bob.until("going on", |bob| bob.confirmed().len() > 40)
        .await;
    a.restart();
    talk.go_on(20).await;
    talk.settle().await;
    talk.check();
    assert!(talk.clients[0].connected() >= 2);
}

#[tokio::test]
async fn a_redis_that_is_restarted_or_killed_loses_nothing() {
    let mut redis = Redis::start();
    let (a, b) = (Chat::start(Some(&redis)), Chat::start(Some(&redis)));
    let mut talk = Talk::start(&a, &b).await;
    talk.go_on(20).await;
    talk.settle().await;
    redis.stop();
    // While it is away nothing is confirmed, and nobody is thrown out.
    talk.go_on(100).await;
    for client in &talk.clients {
        assert_eq!(client.confirmed().len(), 20, "confirmed by whom?");
    }
    redis.restart();
    talk.go_on(20).await;
    redis.kill();
    talk.go_on(20).await;
    redis.restart();
    talk.go_on(20).await;
    talk.settle().await;
    talk.check();
    assert_eq!(
        talk.clients[0].connected(),
        1,
        "the connection outlives Redis"
    );
}

#[tokio::test]
async fn all_of_it_at_once_loses_nothing() {
    let mut redis = Redis::start();
    let (mut a, mut b) = (Chat::start(Some(&redis)), Chat::start(Some(&redis)));
    let mut talk = Talk::start(&a, &b).await;
    talk.go_on(20).await;
    a.kill();
    talk.go_on(10).await;
    redis.kill();
    talk.go_on(10).await;
    a.restart();
    b.kill();
    talk.go_on(10).await;
    redis.restart();
    talk.go_on(10).await;
    b.restart();
    talk.go_on(10).await;
    talk.settle().await;
    talk.check();
}

#[tokio::test]
async fn a_message_sent_again_to_another_server_is_said_once() {
    let redis = Redis::start();
    let (a, b) = (Chat::start(Some(&redis)), Chat::start(Some(&redis)));
    let mut reader = Peer::hello(&b, "reader").await;
    reader.join(ROOM).await;
    let mut confirmed = Vec::new();
    let mut last = None;
    for chat in [&a, &b, &a] {
        let mut writer = Peer::hello(chat, "writer").await;
        writer.join(ROOM).await;
        writer.say("the-same", ROOM, "once").await;
        confirmed.push(writer.next("confirmed").await["message"].as_u64().unwrap());
        last = Some(writer);
    }
    assert_eq!(confirmed, [confirmed[0]; 3]);
    let mut last = last.unwrap();
    last.say("another", ROOM, "the end").await;
    last.next("confirmed").await;
    assert_eq!(reader.next("message").await["text"], "once");
    assert_eq!(reader.next("message").await["text"], "the end");
}

#[tokio::test]
async fn a_private_message_crosses_servers_and_waits_for_who_is_away() {
    let redis = Redis::start();
    let (a, b) = (Chat::start(Some(&redis)), Chat::start(Some(&redis)));
    let mut ada = Peer::hello(&a, "ada").await;
    let mut bob = Peer::hello(&b, "bob").await;
    ada.send(json!({"type": "tell", "id": "1", "to": "bob", "text": "psst"}))
        .await;
    ada.next("confirmed").await;
    let private = bob.next("private").await;
    assert_eq!(
        (&private["from"], &private["text"]),
        (&json!("ada"), &json!("psst"))
    );
    drop(bob);
    ada.send(json!({"type": "tell", "id": "2", "to": "bob", "text": "there?"}))
        .await;
    ada.next("confirmed").await;
    let mut bob = Peer::connect(&a).await;
    bob.send(json!({
        "type": "hello", "client": "bob-0123456789abcdef", "name": "bob", "since": private["id"],
    }))
    .await;
    assert_eq!(bob.next("private").await["text"], "there?");
}

#[tokio::test]
async fn who_is_there_is_known_on_all_servers_and_expires_with_one() {
    let redis = Redis::start();
    let (mut a, b) = (Chat::start(Some(&redis)), Chat::start(Some(&redis)));
    let mut bob = Peer::hello(&b, "bob").await;
    bob.join(ROOM).await;
    let mut ada = Peer::hello(&a, "ada").await;
    ada.join(ROOM).await;
    while bob.next("present").await["names"] != json!(["ada", "bob"]) {}
    a.kill();
    while bob.next("present").await["names"] != json!(["bob"]) {}
    // One that ends in good order is not waited for.
    a.restart();
    let mut ada = Peer::hello(&a, "ada").await;
    ada.join(ROOM).await;
    while bob.next("present").await["names"] != json!(["ada", "bob"]) {}
    let began = std::time::Instant::now();
    a.terminate();
    while bob.next("present").await["names"] != json!(["bob"]) {}
    assert!(began.elapsed() < Duration::from_secs(5));
}
