//! The tokio server: its gates, limits and shutdown, over a listener in memory and a clock that does
//! not wait, and over TCP.
#![cfg(all(feature = "policy", feature = "tokio", feature = "handshake"))]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use sansocket::handshake::client::Request;
use sansocket::handshake::{Limits, OriginAllowList, Rejection, ResponseError};
use sansocket::policy::{ConnectionLimits, RateLimit, Shutdown, ShutdownReport};
use sansocket::tokio::{
    AcceptError, ConnectError, ConnectionInfo, Connector, Error, Listener, MaybeTlsStream, Server,
    ServerWebSocket, WebSocket,
};
use sansocket::{CloseCode, CloseOutcome, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;
type Accepted = io::Result<(DuplexStream, SocketAddr)>;
type Client = WebSocket<MaybeTlsStream<DuplexStream>>;

/// Connections, and failures, as they are sent to it.
struct Channel(mpsc::UnboundedReceiver<Accepted>);

impl Listener for Channel {
    type Stream = DuplexStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Accepted> {
        self.0.poll_recv(cx).map(|accepted| {
            accepted.unwrap_or_else(|| Err(io::ErrorKind::ConnectionAborted.into()))
        })
    }
}

/// A server that runs, and the ways to it.
struct Running {
    accepted: mpsc::UnboundedSender<Accepted>,
    stop: Option<oneshot::Sender<()>>,
    report: JoinHandle<ShutdownReport>,
}

impl Running {
    fn start<U, F>(
        server: Server<U>,
        handler: impl Fn(ServerWebSocket<DuplexStream>, ConnectionInfo<U>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        U: Send + 'static,
        F: Future + Send + 'static,
    {
        let (accepted, listener) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = server.shutdown(Shutdown::new(Duration::from_secs(10)), async {
            let _ = stopped.await;
        });
        Self {
            accepted,
            stop: Some(stop),
            report: tokio::spawn(server.serve(Channel(listener), handler)),
        }
    }

    fn echo<U: Send + 'static>(server: Server<U>) -> Self {
        Self::start(server, echo)
    }

    fn open(&self, address: &str) -> DuplexStream {
        let (ours, theirs) = duplex(64 * 1024);
        let address = SocketAddr::new(address.parse::<IpAddr>().unwrap(), 1234);
        self.accepted.send(Ok((theirs, address))).unwrap();
        ours
    }

    async fn connect(&self, address: &str) -> Result<Client, ConnectError> {
        self.request(address, Request::new("ws://a/".parse()?))
            .await
    }

    async fn request(&self, address: &str, request: Request) -> Result<Client, ConnectError> {
        let stream = self.open(address);
        let (client, _) = Connector::new().connect_over(request, stream).await?;
        Ok(client)
    }

    async fn stop(mut self) -> Result<ShutdownReport, Failure> {
        self.stop.take();
        Ok(self.report.await?)
    }
}

async fn echo<U>(
    mut websocket: ServerWebSocket<DuplexStream>,
    _: ConnectionInfo<U>,
) -> Result<(), Error> {
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}

async fn is_echoed(client: &mut Client, text: &str) -> Outcome {
    client.send(text).await?;
    assert_eq!(client.recv().await?, Some(text.into()));
    Ok(())
}

/// Receives until the end; gives the close code.
async fn code(client: &mut Client) -> Result<u16, Failure> {
    while client.recv().await?.is_some() {}
    let outcome = client.connection().outcome().ok_or("no outcome")?;
    Ok(outcome.code())
}

/// Status and `Retry-After` of a refusal.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ConnectError>) -> (u16, Option<String>) {
    match result {
        Err(ConnectError::Response(ResponseError::Refused(response))) => (
            response.status(),
            response.headers().get("Retry-After").map(String::from),
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_site_gets_403() -> Outcome {
    let origins = OriginAllowList::new(["https://chat.example"])?;
    let server = Running::echo(Server::new().origins(origins));
    let of = |origin: &str| -> Result<Request, Failure> {
        Ok(Request::new("ws://a/".parse()?).origin(origin))
    };
    let evil = server.request("192.0.2.1", of("https://evil.example")?);
    assert_eq!(refused(evil.await).0, 403);
    let good = server.request("192.0.2.1", of("https://chat.example")?);
    is_echoed(&mut good.await?, "hello").await?;
    is_echoed(&mut server.connect("192.0.2.1").await?, "hello").await
}

#[tokio::test(start_paused = true)]
async fn who_is_not_authorized_gets_401_and_others_are_known_by_name() -> Outcome {
    let server = Server::new()
        .subprotocols(["chat"])
        .authorize(|request, address| async move {
            assert!(address.ip().is_ipv4());
            // Somebody else is asked.
            sleep(Duration::from_secs(3)).await;
            match request.bearer_token() {
                Some("secret") => Ok("ann".to_string()),
                _ => Err(Rejection::new(401).header("WWW-Authenticate", "Bearer")),
            }
        });
    let server = Running::start(server, |mut websocket, info| async move {
        assert_eq!(info.subprotocol(), Some("chat"));
        assert_eq!(info.request().path(), "/");
        websocket.send(format!("hello {}", info.user())).await
    });
    assert_eq!(refused(server.connect("192.0.2.1").await).0, 401);
    let request = Request::new("ws://a/".parse()?)
        .subprotocol("other")
        .subprotocol("chat")
        .header("Authorization", "Bearer secret");
    let mut client = server.request("192.0.2.1", request).await?;
    assert_eq!(client.recv().await?, Some("hello ann".into()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_takes_too_long_is_503() -> Outcome {
    let limits = Limits::new().timeout(Some(Duration::from_secs(5)));
    let server = Server::new().limits(limits);
    let server = server.authorize(|_, _| std::future::pending::<Result<(), _>>());
    let server = Running::echo(server);
    let start = Instant::now();
    let (status, retry_after) = refused(server.connect("192.0.2.1").await);
    assert_eq!((status, retry_after.as_deref()), (503, Some("5")));
    assert_eq!(start.elapsed().as_secs(), 5);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_third_connection_of_an_address_gets_429_until_another_has_ended() -> Outcome {
    let limits = ConnectionLimits::new().max_per_key(2);
    let server = Running::echo(
        Server::new()
            .connections(limits)
            .retry_after(Duration::from_secs(7)),
    );
    let mut one = server.connect("2001:db8::1").await?;
    let mut two = server.connect("2001:db8::2").await?;
    let (status, retry_after) = refused(server.connect("2001:db8::3").await);
    assert_eq!((status, retry_after.as_deref()), (429, Some("7")));
    is_echoed(
        &mut server.connect("2001:db8:0:1::1").await?,
        "another network",
    )
    .await?;
    one.close(CloseCode::NORMAL).await?;
    assert_eq!(code(&mut one).await?, 1000);
    drop(one);
    sleep(Duration::from_millis(1)).await;
    is_echoed(&mut server.connect("2001:db8::3").await?, "there is room").await?;
    is_echoed(&mut two, "still here").await
}

#[tokio::test(start_paused = true)]
async fn a_place_is_held_until_the_task_has_ended() -> Outcome {
    let limits = ConnectionLimits::new().max_total(1);
    let server = Server::new().connections(limits);
    let server = Running::start(server, |mut websocket, _| async move {
        while let Ok(Some(_)) = websocket.recv().await {}
        drop(websocket);
        sleep(Duration::from_secs(30)).await;
    });
    let mut client = server.connect("192.0.2.1").await?;
    client.close(None).await?;
    code(&mut client).await?;
    sleep(Duration::from_secs(29)).await;
    assert_eq!(refused(server.connect("192.0.2.2").await).0, 503);
    sleep(Duration::from_secs(2)).await;
    server.connect("192.0.2.2").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn those_that_are_turned_away_are_answered_and_never_in_the_way() -> Outcome {
    let limits = ConnectionLimits::new().max_total(1);
    let server = Running::echo(Server::new().connections(limits));
    let mut client = server.connect("192.0.2.1").await?;
    // Many that say nothing, and take the places of those to be told.
    let silent: Vec<_> = (0..100).map(|_| server.open("192.0.2.2")).collect();
    is_echoed(&mut client, "not affected").await?;
    assert!(
        server.connect("192.0.2.3").await.is_err(),
        "dropped without a word"
    );
    // None of them is waited for longer than for any other.
    sleep(Duration::from_secs(15)).await;
    assert_eq!(refused(server.connect("192.0.2.3").await).0, 503);
    drop(silent);
    // An ordinary request is told the same.
    let mut stream = server.open("192.0.2.4");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    is_echoed(&mut client, "not affected").await
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_closed_with_1008_and_others_are_not_affected() -> Outcome {
    let delivered = Arc::new(Mutex::new(0));
    let count = delivered.clone();
    let server = Server::new().rate(RateLimit::new().messages(10, 20));
    let server = Running::start(server, move |mut websocket, _| {
        let count = count.clone();
        async move {
            while let Some(message) = websocket.recv().await? {
                if message.as_bytes() == b"flood" {
                    *count.lock().unwrap() += 1;
                }
                websocket.feed(message).await?;
            }
            Ok::<_, Error>(())
        }
    });
    let mut good = server.connect("192.0.2.1").await?;
    let mut flood = server.connect("192.0.2.2").await?;
    for _ in 0..1000 {
        flood.feed("flood").await?;
    }
    flood.flush().await?;
    assert_eq!(code(&mut flood).await?, 1008);
    assert_eq!(*delivered.lock().unwrap(), 21, "the last is one too many");
    // Within the rate, for as long as one likes.
    for n in 0..100 {
        is_echoed(&mut good, &n.to_string()).await?;
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_bytes_holds_for_lent_events_and_halves_too() -> Outcome {
    let server = Server::new().rate(RateLimit::new().bytes(1000, 10_000));
    let server = Running::start(server, |websocket, info| async move {
        let (mut receive, mut send) = websocket.split();
        let mut received = 0;
        while let Some(event) = receive.recv_event().await? {
            received += usize::from(event.into_message().is_some());
            if info.request().path() == "/told" {
                send.send(received.to_string()).await?;
            }
        }
        Ok::<_, Error>(())
    });
    for path in ["/", "/told"] {
        let request = Request::new(format!("ws://a{path}").parse()?);
        let mut client = server.request("192.0.2.1", request).await?;
        client.send(vec![0; 10_000]).await?;
        sleep(Duration::from_secs(2)).await;
        client.send(vec![0; 2000]).await?;
        sleep(Duration::from_millis(1)).await;
        client.send(vec![0; 100]).await?;
        assert_eq!(code(&mut client).await?, 1008);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_full_server_evicts_the_one_that_is_idle_for_longest() -> Outcome {
    let limits = ConnectionLimits::new()
        .max_total(2)
        .evict_idle(Duration::from_secs(60));
    // That it is alive does not make it active.
    let config = Config::new().keep_alive(Duration::from_secs(10), Duration::from_secs(10));
    let server = Running::echo(Server::new().connections(limits).config(config));
    let mut first = server.connect("192.0.2.1").await?;
    let mut second = server.connect("192.0.2.2").await?;
    let idle = tokio::spawn(async move { code(&mut second).await });
    // It answers pings meanwhile.
    let nothing = timeout(Duration::from_secs(50), first.recv()).await;
    assert!(nothing.is_err());
    assert_eq!(refused(server.connect("192.0.2.3").await).0, 503);
    is_echoed(&mut first, "active").await?;
    let ponging = tokio::spawn(async move {
        timeout(Duration::from_secs(20), first.recv()).await.ok();
        first
    });
    sleep(Duration::from_secs(15)).await;
    let mut third = server.connect("192.0.2.3").await?;
    assert_eq!(idle.await??, 1013);
    is_echoed(&mut third, "in its place").await?;
    is_echoed(&mut ponging.await?, "still here").await
}

#[tokio::test(start_paused = true)]
async fn one_that_is_evicted_before_it_is_open_is_dropped() -> Outcome {
    let limits = ConnectionLimits::new()
        .max_total(1)
        .evict_idle(Duration::from_secs(5));
    let server = Running::echo(Server::new().connections(limits));
    let mut silent = server.open("192.0.2.1");
    sleep(Duration::from_secs(6)).await;
    is_echoed(&mut server.connect("192.0.2.2").await?, "in its place").await?;
    assert_eq!(silent.read(&mut [0]).await?, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_all_with_1001_and_reports_how() -> Outcome {
    let server = Running::start(Server::new(), |mut websocket, info| async move {
        match info.request().path() {
            // One that waits for room to send, and one that awaits nothing of its WebSocket.
            "/blocked" => while websocket.send(vec![0; 100_000]).await.is_ok() {},
            "/stuck" => std::future::pending::<()>().await,
            _ => while let Ok(Some(_)) = websocket.recv().await {},
        }
    });
    let at = |path: &str| -> Result<Request, Failure> {
        Ok(Request::new(format!("ws://a{path}").parse()?))
    };
    let mut answering = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect("192.0.2.1").await?;
        answering.push(tokio::spawn(async move {
            let code = code(&mut client).await?;
            let outcome = client.connection().outcome().cloned();
            Ok::<_, Failure>((code, outcome))
        }));
    }
    let _silent = server.connect("192.0.2.1").await?;
    let _blocked = server.request("192.0.2.1", at("/blocked")?).await?;
    let _stuck = server.request("192.0.2.1", at("/stuck")?).await?;
    // Not a WebSocket yet.
    let mut opening = server.open("192.0.2.1");
    opening.write_all(b"GET / HT").await?;
    // Ended before.
    let mut early = server.connect("192.0.2.1").await?;
    early.close(None).await?;
    code(&mut early).await?;
    sleep(Duration::from_millis(10)).await;

    let start = Instant::now();
    let report = server.stop().await?;
    assert_eq!(
        (report.clean, report.unclean, report.open),
        (3, 2, 1),
        "{report}"
    );
    assert_eq!(start.elapsed().as_secs(), 10, "for the one that is stuck");
    for client in answering {
        let (code, outcome) = client.await??;
        assert_eq!(code, 1001);
        let Some(CloseOutcome::Clean(Some(frame))) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(frame.reason(), "the server shuts down");
    }
    let mut rest = Vec::new();
    opening.read_to_end(&mut rest).await?;
    assert!(rest.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_no_longer_than_for_the_last() -> Outcome {
    let server = Running::echo(Server::new());
    let mut client = server.connect("192.0.2.1").await?;
    let client = tokio::spawn(async move {
        client.send("last words").await?;
        let echoed = client.recv().await?;
        Ok::<_, Failure>((echoed, code(&mut client).await?))
    });
    sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    let report = server.stop().await?;
    assert_eq!((report.clean, report.unclean, report.open), (1, 0, 0));
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(client.await??, (Some("last words".into()), 1001));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_accept_is_told_and_not_the_end() -> Outcome {
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = told.clone();
    let server = Running::echo(Server::new().on_error(move |address, error| {
        let AcceptError::Io(error) = error else {
            panic!("{error}");
        };
        let code = error.raw_os_error();
        list.lock().unwrap().push((address.is_some(), code));
    }));
    const EMFILE: i32 = 24;
    for _ in 0..3 {
        let full = io::Error::from_raw_os_error(EMFILE);
        server.accepted.send(Err(full))?;
    }
    let start = Instant::now();
    let mut client = server.connect("192.0.2.1").await?;
    assert_eq!(start.elapsed().as_millis(), 300, "a pause for each");
    is_echoed(&mut client, "it goes on").await?;
    server
        .accepted
        .send(Err(io::ErrorKind::ConnectionAborted.into()))?;
    let start = Instant::now();
    server.connect("192.0.2.1").await?;
    assert_eq!(start.elapsed().as_millis(), 0, "none for a client's own");
    // And one that fails in its opening handshake.
    drop(server.open("192.0.2.1"));
    sleep(Duration::from_millis(1)).await;
    let full = (false, Some(EMFILE));
    assert_eq!(
        *told.lock().unwrap(),
        [full, full, full, (false, None), (true, None)]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_given_up_and_a_task_that_panics_ends_alone() -> Outcome {
    let limits = Limits::new().timeout(Some(Duration::from_secs(3)));
    let server = Running::start(
        Server::new().limits(limits),
        |mut websocket, info| async move {
            assert_ne!(info.request().path(), "/panic");
            while let Ok(Some(message)) = websocket.recv().await {
                let _ = websocket.feed(message).await;
            }
        },
    );
    let mut silent = server.open("192.0.2.1");
    let start = Instant::now();
    let mut answer = String::new();
    silent.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(start.elapsed().as_secs(), 3);

    let request = Request::new("ws://a/panic".parse()?);
    let mut client = server.request("192.0.2.1", request).await?;
    assert!(matches!(
        client.recv().await,
        Err(Error::Ended(CloseOutcome::Lost))
    ));
    is_echoed(&mut server.connect("192.0.2.1").await?, "others go on").await
}

#[tokio::test]
async fn it_serves_tcp() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new()
        .connections(ConnectionLimits::new().max_per_key(2))
        .shutdown(Shutdown::new(Duration::from_secs(5)), async {
            let _ = stopped.await;
        });
    let server = tokio::spawn(server.serve(listener, |mut websocket, info| async move {
        assert!(info.address().ip().is_loopback());
        assert!(websocket.stream().nodelay()?);
        while let Some(message) = websocket.recv().await? {
            websocket.feed(message).await?;
        }
        Ok::<_, Error>(())
    }));
    let mut clients = Vec::new();
    for text in ["one", "two"] {
        let mut client = sansocket::tokio::connect(&uri).await?;
        client.send(text).await?;
        assert_eq!(client.recv().await?, Some(text.into()));
        clients.push(client);
    }
    let (status, retry_after) = refused(sansocket::tokio::connect(&uri).await);
    assert_eq!((status, retry_after.as_deref()), (429, Some("5")));
    let ends = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            while client.recv().await?.is_some() {}
            Ok::<_, Failure>(client.connection().outcome().map(CloseOutcome::code))
        })
    });
    let ends: Vec<_> = ends.collect();
    drop(stop);
    let report = server.await?;
    assert_eq!((report.clean, report.unclean, report.open), (2, 0, 0));
    for end in ends {
        assert_eq!(end.await??, Some(1001));
    }
    let _: TcpStream = match sansocket::tokio::connect(&uri).await {
        Err(ConnectError::Io(_)) => return Ok(()),
        other => panic!("{other:?}"),
    };
}

#[cfg(feature = "rustls")]
#[path = "common/tls.rs"]
mod tls;

#[cfg(feature = "rustls")]
#[tokio::test]
async fn it_serves_tls_and_a_slow_handshake_is_in_nobodys_way() -> Outcome {
    let ca = tls::Ca::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let acceptor = tokio_rustls::TlsAcceptor::from(ca.server(&["localhost"]));
    let secure = move |stream| acceptor.accept(stream);
    let server = Server::new().serve_over(listener, secure, |mut websocket, _| async move {
        websocket.send("secret").await
    });
    let server = tokio::spawn(server);
    let _silent = TcpStream::connect(address).await?;
    let uri = format!("wss://localhost:{}/", address.port());
    let connector = Connector::new().tls_config(ca.client());
    let (mut client, _) = connector.connect(Request::new(uri.parse()?)).await?;
    assert_eq!(client.recv().await?, Some("secret".into()));
    server.abort();
    Ok(())
}
