//! The protocol, and a server that keeps its rooms in memory.

mod common;

use common::{Chat, Peer};
use sansocket::handshake::ResponseError;
use sansocket::handshake::client;
use sansocket::tokio::{ConnectError, Connector};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_message_reaches_the_room_and_is_confirmed() {
    let chat = Chat::start(None);
    let mut ada = Peer::hello(&chat, "ada").await;
    let mut bob = Peer::hello(&chat, "bob").await;
    let since = ada.join("lobby").await;
    bob.join("lobby").await;
    for n in 1..=3 {
        ada.say(&format!("m{n}"), "lobby", &format!("text {n}"))
            .await;
        let confirmed = ada.next("confirmed").await;
        assert_eq!(confirmed["id"], format!("m{n}"));
        let message = bob.next("message").await;
        assert_eq!(message["id"], confirmed["message"]);
        assert_eq!(
            (&message["from"], &message["room"]),
            (&json!("ada"), &json!("lobby"))
        );
        assert_eq!(message["text"], format!("text {n}"));
        // The room's numbers have no gaps, but before its first message.
        assert!(since == 0 || message["id"] == since + n);
    }
}

#[tokio::test]
async fn a_message_sent_again_is_said_once() {
    let chat = Chat::start(None);
    let mut ada = Peer::hello(&chat, "ada").await;
    ada.join("lobby").await;
    ada.say("m1", "lobby", "once").await;
    let first = ada.next("confirmed").await["message"].clone();
    ada.say("m1", "lobby", "once").await;
    assert_eq!(ada.next("confirmed").await["message"], first);
    ada.say("m2", "lobby", "next").await;
    assert_eq!(
        ada.next("confirmed").await["message"],
        first.as_u64().unwrap() + 1
    );
    // The same id of another client is another message.
    let mut bob = Peer::hello(&chat, "bob").await;
    bob.join("lobby").await;
    bob.say("m1", "lobby", "mine").await;
    assert_eq!(
        bob.next("confirmed").await["message"],
        first.as_u64().unwrap() + 2
    );
}

#[tokio::test]
async fn who_comes_again_gets_what_came_since() {
    let chat = Chat::start(None);
    let mut ada = Peer::hello(&chat, "ada").await;
    ada.join("lobby").await;
    let mut ids = Vec::new();
    for n in 0..500 {
        ada.say(&format!("m{n}"), "lobby", &n.to_string()).await;
        ids.push(ada.next("confirmed").await["message"].as_u64().unwrap());
    }
    let mut bob = Peer::hello(&chat, "bob").await;
    bob.send(json!({"type": "join", "room": "lobby", "since": ids[9]}))
        .await;
    let joined = bob.next("joined").await;
    assert_eq!(
        (&joined["since"], &joined["missed"]),
        (&json!(ids[9]), &json!(false))
    );
    for id in &ids[10..] {
        assert_eq!(bob.next("message").await["id"], *id);
    }
    // Without `since`, the last of it.
    assert_eq!(bob.join("lobby").await, ids[449]);
    assert_eq!(bob.next("message").await["id"], ids[450]);
    // What is not kept any more is told.
    for n in 500..1200 {
        ada.say(&format!("m{n}"), "lobby", &n.to_string()).await;
        ada.next("confirmed").await;
    }
    let mut cyd = Peer::hello(&chat, "cyd").await;
    cyd.send(json!({"type": "join", "room": "lobby", "since": ids[0]}))
        .await;
    assert_eq!(cyd.next("joined").await["missed"], true);
    assert_eq!(cyd.next("message").await["id"], ids[200]);
}

#[tokio::test]
async fn who_is_in_a_room_is_told() {
    let chat = Chat::start(None);
    let mut ada = Peer::hello(&chat, "ada").await;
    ada.join("lobby").await;
    assert_eq!(ada.next("present").await["names"], json!(["ada"]));
    let mut bob = Peer::hello(&chat, "bob").await;
    bob.join("lobby").await;
    assert_eq!(ada.next("present").await["names"], json!(["ada", "bob"]));
    bob.send(json!({"type": "leave", "room": "lobby"})).await;
    bob.next("left").await;
    assert_eq!(ada.next("present").await["names"], json!(["ada"]));
    bob.say("m1", "lobby", "from outside").await;
    assert_eq!(bob.next("refused").await["reason"], "not in this room");
}

#[tokio::test]
async fn a_name_belongs_to_one_client() {
    let chat = Chat::start(None);
    let mut ada = Peer::hello(&chat, "ada").await;
    let mut thief = Peer::connect(&chat).await;
    let hello = json!({"type": "hello", "client": "another-client-of-all", "name": "ada"});
    thief.send(hello).await;
    assert_eq!(thief.next("refused").await["reason"], "the name is taken");
    let hello = json!({"type": "hello", "client": "another-client-of-all", "name": "eve"});
    thief.send(hello).await;
    assert_eq!(thief.next("welcome").await["name"], "eve");
    thief
        .send(json!({"type": "tell", "id": "1", "to": "ada", "text": "it is me"}))
        .await;
    assert_eq!(ada.next("private").await["from"], "eve");
}

#[tokio::test]
async fn what_breaks_the_rules_is_closed_with_its_code() {
    let chat = Chat::start(None);
    let mut peer = Peer::connect(&chat).await;
    peer.send(json!({"type": "join", "room": "lobby"})).await;
    assert_eq!(peer.close_code().await, 1008);
    for (text, code) in [("{", 1007), ("{\"type\":\"dance\"}", 1007)] {
        let mut peer = Peer::hello(&chat, "ada").await;
        peer.0.send(text).await.unwrap();
        assert_eq!(peer.close_code().await, code);
    }
    let mut peer = Peer::hello(&chat, "ada").await;
    peer.0.send(vec![1]).await.unwrap();
    assert_eq!(peer.close_code().await, 1003);
    let mut peer = Peer::hello(&chat, "ada").await;
    peer.join("lobby").await;
    peer.say("m1", "lobby", &"x".repeat(5000)).await;
    assert_eq!(peer.next("refused").await["reason"], "too long");
}

#[tokio::test]
async fn a_server_that_ends_says_so() {
    let chat = Chat::start(None);
    let mut ada = Peer::hello(&chat, "ada").await;
    chat.terminate();
    assert_eq!(ada.close_code().await, 1001);
}

#[tokio::test]
async fn a_page_of_elsewhere_is_refused_and_the_own_one_is_not() {
    let chat = Chat::start(None);
    for (origin, is_let_in) in [
        (format!("http://{}", chat.addr), true),
        ("http://elsewhere.example".to_owned(), false),
        ("null".to_owned(), false),
    ] {
        let request = client::Request::new(chat.url().parse().unwrap()).origin(origin);
        match Connector::new().connect(request).await {
            Ok(_) => assert!(is_let_in),
            Err(ConnectError::Response(ResponseError::Refused(refused))) => {
                assert!(!is_let_in);
                assert_eq!(refused.status(), 403);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn the_page_is_served_on_the_same_port() {
    let chat = Chat::start(None);
    for (path, status, part) in [
        ("/", "200", "<title>"),
        ("/client.js", "200", "WebSocket"),
        ("/nothing", "404", ""),
    ] {
        let mut stream = TcpStream::connect(&chat.addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", chat.addr);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}")),
            "{response}"
        );
        assert!(response.contains(part), "{response}");
    }
}
