//! The real parts: servers of the chat, a Redis, and plain clients.

#![allow(dead_code, reason = "each test uses some of it")]

pub mod client;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::tokio::{MaybeTlsStream, WebSocket, connect};
use sansocket::{CloseOutcome, Message};
use serde_json::Value;
use tokio::time::timeout;

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process that is killed when it goes out of scope.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of the chat, on a port that it keeps.
pub struct Chat {
    process: Option<Killed>,
    pub addr: String,
    redis: Option<String>,
}

impl Chat {
    pub fn start(redis: Option<&Redis>) -> Self {
        let mut chat = Self {
            process: None,
            addr: "127.0.0.1:0".to_owned(),
            redis: redis.map(|redis| format!("redis://127.0.0.1:{}", redis.port)),
        };
        chat.restart();
        chat
    }

    pub fn url(&self) -> String {
        format!("ws://{}/chat", self.addr)
    }

    /// With SIGKILL: it says good-bye to nobody.
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat"));
        command.args(["--addr", &self.addr]);
        if let Some(redis) = &self.redis {
            command.args(["--redis", redis]);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the chat does not start");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).unwrap();
        self.process = Some(Killed(child));
        let addr = line.trim().strip_prefix("open http://");
        addr.and_then(|addr| addr.strip_suffix('/'))
            .unwrap_or_else(|| panic!("the chat says '{line}'"))
            .clone_into(&mut self.addr);
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let process = self.process.as_ref().expect("it runs");
        signal("TERM", &process.0);
    }
}

/// A redis-server of the test's own, which keeps its data on disk.
pub struct Redis {
    process: Option<Killed>,
    pub port: u16,
    dir: PathBuf,
}

impl Redis {
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("redis-{}-{number}", std::process::id());
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&dir).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut redis = Self {
            process: None,
            port: free.local_addr().unwrap().port(),
            dir,
        };
        drop(free);
        redis.restart();
        redis
    }

    /// With SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Gracefully.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        signal("TERM", &process.0);
        process.0.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args([
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--save",
                "",
            ])
            .arg("--dir")
            .arg(&self.dir)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server does not start: is it installed?");
        self.process = Some(Killed(child));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "redis-server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn signal(name: &str, process: &Child) {
    let pid = process.id().to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(status.unwrap().success());
}

/// A client that does what the test says.
pub struct Peer(pub WebSocket<MaybeTlsStream>);

impl Peer {
    pub async fn connect(chat: &Chat) -> Self {
        Self(connect(&chat.url()).await.unwrap())
    }

    /// Says hello as somebody, and waits for the welcome.
    pub async fn hello(chat: &Chat, name: &str) -> Self {
        let mut peer = Self::connect(chat).await;
        peer.send(serde_json::json!({
            "type": "hello", "client": format!("{name}-0123456789abcdef"), "name": name,
        }))
        .await;
        assert_eq!(peer.next("welcome").await["name"], name);
        peer
    }

    /// Goes to a room, and waits until it is there.
    pub async fn join(&mut self, room: &str) -> u64 {
        self.send(serde_json::json!({"type": "join", "room": room}))
            .await;
        let joined = self.next("joined").await;
        assert_eq!(joined["room"], room);
        joined["since"].as_u64().unwrap()
    }

    pub async fn say(&mut self, id: &str, room: &str, text: &str) {
        let say = serde_json::json!({"type": "say", "id": id, "room": room, "text": text});
        self.send(say).await;
    }

    pub async fn send(&mut self, request: Value) {
        self.0.send(request.to_string()).await.unwrap();
    }

    /// The next reply of this type; others are passed over.
    pub async fn next(&mut self, kind: &str) -> Value {
        let waited = timeout(PATIENCE, async {
            loop {
                let reply = self.any().await.expect("the connection has ended");
                if reply["type"] == kind {
                    return reply;
                }
            }
        });
        waited.await.unwrap_or_else(|_| panic!("no '{kind}' came"))
    }

    /// The next reply; `None` at the end.
    pub async fn any(&mut self) -> Option<Value> {
        match self.0.recv().await.unwrap() {
            Some(Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
            Some(Message::Binary(_)) => panic!("binary"),
            None => None,
        }
    }

    /// Waits for the end, and gives its code.
    pub async fn close_code(&mut self) -> u16 {
        let waited = timeout(PATIENCE, async { while self.any().await.is_some() {} });
        waited.await.expect("it does not close");
        self.0.connection().outcome().map_or(0, CloseOutcome::code)
    }
}
