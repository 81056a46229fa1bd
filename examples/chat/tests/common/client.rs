//! A client that reconnects, resumes and sends again, as the page does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sansocket::Message;
use sansocket::tokio::connect;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::PATIENCE;

/// So many messages are on their way at once.
const WINDOW: usize = 32;

pub struct Client {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    name: String,
    room: String,
    urls: Vec<String>,
    state: Mutex<State>,
    more: Notify,
}

#[derive(Default)]
struct State {
    /// Said and not confirmed: the message's number and its text.
    outbox: VecDeque<(usize, String)>,
    said: usize,
    confirmed: Vec<String>,
    /// Of the room, as it came: number, sender and text.
    received: Vec<(u64, String, String)>,
    /// The last number that the server has told.
    last: Option<u64>,
    connected: usize,
    present: Vec<String>,
}

impl Client {
    /// A client of the first of these servers, or of the next when that is away.
    pub fn start(name: &str, room: &str, urls: &[String]) -> Self {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            room: room.to_owned(),
            urls: urls.to_vec(),
            state: Mutex::default(),
            more: Notify::new(),
        });
        let task = tokio::spawn(run(shared.clone()));
        Self { shared, task }
    }

    pub fn say(&self, text: String) {
        let mut state = self.shared.state.lock().unwrap();
        let id = state.said;
        state.said += 1;
        state.outbox.push_back((id, text));
        self.shared.more.notify_one();
    }

    pub fn confirmed(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().confirmed.clone()
    }

    pub fn received(&self) -> Vec<(u64, String, String)> {
        self.shared.state.lock().unwrap().received.clone()
    }

    pub fn connected(&self) -> usize {
        self.shared.state.lock().unwrap().connected
    }

    pub fn present(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().present.clone()
    }

    /// Waits until this holds.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            let name = &self.shared.name;
            assert!(!self.task.is_finished(), "{name}: the client has failed");
            if began.elapsed() > PATIENCE {
                let state = self.shared.state.lock().unwrap();
                let (confirmed, received) = (state.confirmed.len(), state.received.len());
                let (left, times) = (state.outbox.len(), state.connected);
                panic!(
                    "{name}: not {what}; {confirmed} confirmed, {left} not, {received} received, \
                     connected {times} times"
                );
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>) {
    for url in shared.urls.iter().cycle() {
        let _ = online(&shared, url).await;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Until the connection ends, however that comes.
async fn online(shared: &Shared, url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let Shared {
        name, room, state, ..
    } = shared;
    let mut websocket = timeout(Duration::from_secs(2), connect(url)).await??;
    let since = state.lock().unwrap().last;
    let client = format!("client-of-{name}-0123456789");
    let hello = json!({"type": "hello", "client": client, "name": name});
    websocket.feed(hello.to_string()).await?;
    let join = json!({"type": "join", "room": room, "since": since});
    websocket.feed(join.to_string()).await?;
    // Of the outbox, so many have been sent on this connection.
    let mut sent = 0;
    let mut is_joined = false;
    loop {
        let next = {
            let state = state.lock().unwrap();
            let next = state
                .outbox
                .get(sent)
                .filter(|_| is_joined && sent < WINDOW);
            next.map(|(id, text)| {
                json!({"type": "say", "id": format!("m{id}"), "room": room, "text": text})
            })
        };
        if let Some(next) = next {
            websocket.feed(next.to_string()).await?;
            sent += 1;
            continue;
        }
        let received = tokio::select! {
            received = websocket.recv() => received?,
            () = shared.more.notified() => continue,
        };
        let Some(Message::Text(text)) = received else {
            return Ok(());
        };
        let reply: Value = serde_json::from_str(&text)?;
        let mut state = state.lock().unwrap();
        match reply["type"].as_str().unwrap() {
            "joined" => {
                assert_eq!(reply["missed"], false, "{name}: {reply}");
                if let Some(since) = since {
                    assert_eq!(reply["since"], since, "{name}: {reply}");
                }
                state.last = reply["since"].as_u64();
                state.connected += 1;
                is_joined = true;
            }
            "message" => {
                let id = reply["id"].as_u64().unwrap();
                // No gap and none twice, whatever has happened in between.
                if let Some((last, ..)) = state.received.last() {
                    assert_eq!(id, last + 1, "{name}: {reply}");
                }
                state.last = Some(id);
                let [from, text] = ["from", "text"].map(|key| reply[key].as_str().unwrap());
                state.received.push((id, from.to_owned(), text.to_owned()));
            }
            "confirmed" => {
                // Confirmations come in the order of what was sent.
                let (id, text) = state.outbox.pop_front().expect("nothing is waited for");
                assert_eq!(reply["id"], format!("m{id}"), "{name}");
                state.confirmed.push(text);
                sent -= 1;
            }
            "present" => {
                let names = reply["names"].as_array().unwrap();
                state.present = names
                    .iter()
                    .map(|n| n.as_str().unwrap().to_owned())
                    .collect();
            }
            "refused" => panic!("{name}: {reply}"),
            _ => {}
        }
    }
}
