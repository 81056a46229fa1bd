//! The client that connects again: over streams in memory, on a clock that moves when all tasks wait.
#![cfg(all(feature = "tokio", feature = "handshake", feature = "policy"))]

use std::io::{Error as IoError, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use sansocket::handshake::client::Request;
use sansocket::handshake::{Limits, Rejection, ResponseError};
use sansocket::policy::{
    Backoff, CircuitBreaker, Ended, GaveUp, Heartbeat, Jitter, Outbox, Reconnect, ReconnectState,
    Verdict,
};
use sansocket::tokio::{
    Attempt, ClientEvent, ConnectError, Connector, Incoming, ReconnectingClient, WebSocket, accept,
    read_request,
};
use sansocket::{CloseCode, CloseFrame, CloseOutcome, Config, Message, SendError, Timeout};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
/// Longer than anything takes: what hangs fails.
const DAY: Duration = Duration::from_secs(24 * 3600);

type Client = ReconnectingClient<u64, DuplexStream>;

/// A server that can be switched off, and what it sees of the client.
struct Net {
    is_up: Arc<AtomicBool>,
    attempts: mpsc::UnboundedReceiver<(Attempt, Instant)>,
    streams: mpsc::UnboundedReceiver<DuplexStream>,
}

/// A client, whose delays are 1, 2, 4 and 8 seconds, and then stay so.
fn net() -> (Client, Net) {
    net_with(4096, Config::new(), |reconnect| reconnect)
}

fn net_with(
    capacity: usize,
    config: Config,
    with: impl FnOnce(Reconnect) -> Reconnect,
) -> (Client, Net) {
    let is_up = Arc::new(AtomicBool::new(true));
    let (attempted, attempts) = mpsc::unbounded_channel();
    let (connected, streams) = mpsc::unbounded_channel();
    let is_on = is_up.clone();
    let backoff = Backoff::new([7; 32])
        .jitter(Jitter::None)
        .ceiling(8 * SECOND);
    let client = ReconnectingClient::with_connect(move |attempt| {
        attempted.send((attempt, Instant::now())).unwrap();
        let stream = is_on.load(Ordering::Relaxed).then(|| {
            let (near, far) = duplex(capacity);
            connected.send(far).unwrap();
            near
        });
        let connector = Connector::new().config(config.clone());
        async move {
            let stream = stream.ok_or(IoError::from(ErrorKind::ConnectionRefused))?;
            let request = Request::new("ws://localhost/".parse()?);
            let (websocket, _) = connector.handshake(request, stream).await?;
            Ok(websocket)
        }
    })
    .unwrap()
    .reconnect(with(Reconnect::new(backoff)));
    let net = Net {
        is_up,
        attempts,
        streams,
    };
    (client, net)
}

impl Net {
    fn switch(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Relaxed);
    }

    /// The server's end of the next connection.
    async fn accept(&mut self) -> WebSocket<DuplexStream> {
        accept(self.streams.recv().await.unwrap()).await.unwrap()
    }

    async fn reject(&mut self, rejection: Rejection) {
        let stream = self.streams.recv().await.unwrap();
        let Incoming::Request(pending) = read_request(stream, Limits::new()).await.unwrap() else {
            panic!();
        };
        pending.reject(rejection).await.unwrap();
    }

    /// How long after the one before each attempt was made.
    fn gaps(&mut self) -> Vec<Duration> {
        let mut times = Vec::new();
        while let Ok((_, at)) = self.attempts.try_recv() {
            times.push(at);
        }
        times
            .windows(2)
            .map(|pair| rounded(pair[1] - pair[0]))
            .collect()
    }
}

/// The runtime's timer counts in milliseconds.
fn rounded(time: Duration) -> Duration {
    Duration::from_secs_f64((time.as_secs_f64() * 10.0).round() / 10.0)
}

async fn next_state(client: &mut Client) -> ReconnectState {
    match client.recv().await {
        Some(ClientEvent::State(state)) => state,
        other => panic!("{other:?}"),
    }
}

/// All that comes up to a state that fits.
async fn until(client: &mut Client, fits: impl Fn(&ReconnectState) -> bool) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let event = timeout(DAY, client.recv()).await.unwrap();
        match event.unwrap() {
            ClientEvent::State(state) if fits(&state) => return messages,
            ClientEvent::State(_) => {}
            ClientEvent::Message(message) => messages.push(message),
        }
    }
}

async fn online(client: &mut Client) {
    until(client, |state| *state == ReconnectState::Online).await;
}

/// Lets the client work until the server has done its part.
async fn beside<R>(client: &mut Client, server: impl Future<Output = R>) -> R {
    tokio::select! {
        done = server => done,
        () = async { while client.recv().await.is_some() {} } => panic!("the client has given up"),
        () = sleep(DAY) => panic!("nothing happens any more"),
    }
}

async fn text(server: &mut WebSocket<DuplexStream>) -> String {
    let message = timeout(DAY, server.recv()).await.unwrap();
    match message.unwrap().unwrap() {
        Message::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

/// Nothing comes for a while.
async fn assert_silent(server: &mut WebSocket<DuplexStream>) {
    let message = timeout(SECOND / 10, server.recv()).await;
    assert!(message.is_err(), "{message:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_the_server_is_down_arrives_once_and_in_order() {
    let (mut client, mut net) = net();
    net.switch(false);
    client.send("1").unwrap();
    let waits = |state: &_| matches!(state, ReconnectState::Reconnecting { attempt: 2, .. });
    until(&mut client, waits).await;
    client.send("2").unwrap();
    client.send("3").unwrap();
    assert_eq!(client.waiting().len(), 3);

    net.switch(true);
    let server = beside(&mut client, async {
        let mut server = net.accept().await;
        for expected in ["1", "2", "3"] {
            assert_eq!(text(&mut server).await, expected);
        }
        server
    })
    .await;
    assert!(client.waiting().is_empty());

    // It dies, and comes back.
    drop(server);
    let waits = |state: &_| matches!(state, ReconnectState::Reconnecting { .. });
    until(&mut client, waits).await;
    assert_eq!(client.outcome(), Some(&CloseOutcome::Lost));
    client.send("4").unwrap();
    beside(&mut client, async {
        let mut server = net.accept().await;
        assert_eq!(text(&mut server).await, "4");
        assert_silent(&mut server).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_change_of_state_is_told_in_order() {
    let (mut client, mut net) = net();
    net.switch(false);
    let connecting = |attempt| ReconnectState::Connecting {
        attempt,
        refresh: false,
    };
    assert_eq!(next_state(&mut client).await, connecting(0));
    let ReconnectState::Reconnecting { attempt, after, .. } = next_state(&mut client).await else {
        panic!();
    };
    assert_eq!((attempt, after), (1, Ended::Unreachable));
    assert!(matches!(client.connect_error(), Some(ConnectError::Io(_))));
    net.switch(true);
    assert_eq!(next_state(&mut client).await, connecting(1));
    let server = tokio::spawn(async move { (net.accept().await, net) });
    assert_eq!(next_state(&mut client).await, ReconnectState::Online);
    assert_eq!(client.state(), ReconnectState::Online);
    assert!(client.connection().is_some());
    drop(server.await.unwrap());
    let ReconnectState::Reconnecting { attempt, after, .. } = next_state(&mut client).await else {
        panic!();
    };
    assert_eq!((attempt, after), (2, Ended::Closed(1006)));
    assert!(client.connection().is_none());
}

#[tokio::test(start_paused = true)]
async fn who_is_not_let_in_does_not_try_again() {
    for status in [401, 403, 404] {
        let (mut client, mut net) = net();
        tokio::spawn(async move {
            net.reject(Rejection::new(status)).await;
            sleep(SECOND).await;
        });
        let given_up = |state: &_| matches!(state, ReconnectState::Disconnected(_));
        until(&mut client, given_up).await;
        let why = Ended::Refused {
            status,
            retry_after: None,
        };
        let expected = ReconnectState::Disconnected(GaveUp::Final(why));
        assert_eq!(client.state(), expected);
        assert_eq!(client.recv().await, None);
        let Some(ConnectError::Response(ResponseError::Refused(refused))) = client.connect_error()
        else {
            panic!();
        };
        assert_eq!(refused.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_time_gets_it() {
    let (mut client, mut net) = net();
    let busy = Rejection::new(503).header("Retry-After", "20");
    beside(&mut client, async {
        net.reject(busy).await;
        net.accept().await;
    })
    .await;
    assert_eq!(net.gaps(), [20 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_asked_ever_more_rarely() {
    let (mut client, mut net) = net();
    net.switch(false);
    assert!(timeout(38 * SECOND, online(&mut client)).await.is_err());
    let expected = [1, 2, 4, 8, 8, 8].map(Duration::from_secs);
    assert_eq!(net.gaps(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_breaker_lets_one_attempt_through_at_its_period() {
    let breaker = CircuitBreaker::new(3, 60 * SECOND);
    let (mut client, mut net) = net_with(4096, Config::new(), |reconnect| {
        reconnect.circuit_breaker(breaker)
    });
    net.switch(false);
    assert!(timeout(150 * SECOND, online(&mut client)).await.is_err());
    let expected = [1, 2, 60, 60].map(Duration::from_secs);
    assert_eq!(net.gaps(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_the_next_attempt_if_a_code_says_so() {
    let (mut client, mut net) = net_with(4096, Config::new(), |reconnect| {
        reconnect.on_close_code(4001, Verdict::Refresh)
    });
    beside(&mut client, async {
        let expired = CloseCode::new(4001).unwrap();
        for code in [expired, CloseCode::SERVICE_RESTART] {
            let mut server = net.accept().await;
            server.close(code).await.unwrap();
            while server.recv().await.unwrap().is_some() {}
        }
        net.accept().await;
    })
    .await;
    let mut refreshes = Vec::new();
    while let Ok((attempt, _)) = net.attempts.try_recv() {
        refreshes.push(attempt.refresh);
    }
    assert_eq!(refreshes, [false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_for_good_is_left_until_the_client_starts_again() {
    let (mut client, mut net) = net();
    let server = tokio::spawn(async move {
        let mut server = net.accept().await;
        server.send("bye").await.unwrap();
        server.close(CloseCode::NORMAL).await.unwrap();
        while server.recv().await.unwrap().is_some() {}
        net
    });
    let given_up = |state: &_| matches!(state, ReconnectState::Disconnected(_));
    assert_eq!(until(&mut client, given_up).await, [Message::from("bye")]);
    let expected = ReconnectState::Disconnected(GaveUp::Final(Ended::Closed(1000)));
    assert_eq!(client.state(), expected);
    assert!(client.outcome().unwrap().is_clean());
    assert_eq!(client.recv().await, None);

    let mut net = server.await.unwrap();
    client.send("again").unwrap();
    client.start();
    beside(&mut client, async {
        assert_eq!(text(&mut net.accept().await).await, "again");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_confirmed_in_time_is_sent_again_on_the_same_connection() {
    let (client, mut net) = net();
    let outbox = Outbox::new(10, 1000).confirm_within(5 * SECOND);
    let mut client = client.outbox(outbox);
    client.send_with_id(1, "one").unwrap();
    client.send_with_id(2, "two").unwrap();
    let server = tokio::spawn(async move {
        let mut server = net.accept().await;
        assert_eq!(text(&mut server).await, "one");
        assert_eq!(text(&mut server).await, "two");
        let start = Instant::now();
        server.send("confirmed").await.unwrap();
        assert_eq!(text(&mut server).await, "two");
        assert_eq!(rounded(start.elapsed()), 5 * SECOND);
        server.send("confirmed").await.unwrap();
        let again = timeout(60 * SECOND, server.recv()).await;
        assert!(again.is_err(), "{again:?}");
    });
    online(&mut client).await;
    for id in [1, 2] {
        let event = client.recv().await;
        assert_eq!(event, Some(ClientEvent::Message("confirmed".into())));
        assert!(client.confirm(&id));
    }
    assert!(client.waiting().is_empty());
    beside(&mut client, server).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_confirmed_is_sent_again_on_the_next_connection_and_the_rest_is_not() {
    let (mut client, mut net) = net();
    for (id, message) in [(1, "one"), (2, "two"), (3, "three")] {
        client.send_with_id(id, message).unwrap();
    }
    client.send("without").unwrap();
    let server = beside(&mut client, async {
        let mut server = net.accept().await;
        for expected in ["one", "two", "three", "without"] {
            assert_eq!(text(&mut server).await, expected);
        }
        server
    })
    .await;
    client.confirm(&2);
    drop(server);
    beside(&mut client, async {
        let mut server = net.accept().await;
        assert_eq!(text(&mut server).await, "one");
        assert_eq!(text(&mut server).await, "three");
        assert_silent(&mut server).await;
    })
    .await;
    assert_eq!(client.waiting().unconfirmed(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_this_connection_goes_before_all_that_waits() {
    let (mut client, mut net) = net();
    client.send("waits").unwrap();
    let refused = client.send_now("nobody is there");
    assert_eq!(refused, Err(SendError::Closing("nobody is there".into())));
    for _ in 0..2 {
        let server = tokio::spawn(async move { (net.accept().await, net) });
        online(&mut client).await;
        client.send_now("who I am").unwrap();
        let (mut server, rest) = server.await.unwrap();
        net = rest;
        beside(&mut client, async {
            assert_eq!(text(&mut server).await, "who I am");
            assert_eq!(text(&mut server).await, "waits");
        })
        .await;
        drop(server);
        let lost = |state: &_| matches!(state, ReconnectState::Reconnecting { .. });
        until(&mut client, lost).await;
        client.send("waits").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_network_no_attempt_is_made_and_then_one_at_once() {
    let (mut client, mut net) = net();
    let server = tokio::spawn(async move { (net.accept().await, net) });
    online(&mut client).await;
    let (mut server, mut net) = server.await.unwrap();
    client.set_offline(true);
    assert_eq!(next_state(&mut client).await, ReconnectState::Offline);
    assert!(client.connection().is_none());
    assert!(server.recv().await.is_err());
    client.send("meanwhile").unwrap();
    assert!(timeout(3600 * SECOND, client.recv()).await.is_err());
    let start = Instant::now();
    client.set_offline(false);
    beside(&mut client, async {
        assert_eq!(text(&mut net.accept().await).await, "meanwhile");
    })
    .await;
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn closing_sends_what_waits_first_and_receives_what_comes() {
    // One message is all that the connection queues.
    let config = Config::new().write_limit(1);
    let (mut client, mut net) = net_with(4096, config, |reconnect| reconnect);
    let server = tokio::spawn(async move {
        let mut server = net.accept().await;
        server.send("early").await.unwrap();
        let mut received = Vec::new();
        while let Some(message) = server.recv().await.unwrap() {
            received.push(message);
        }
        (received, server.connection().outcome().cloned())
    });
    online(&mut client).await;
    client.send("1").unwrap();
    client.send("2").unwrap();
    let frame = CloseFrame::new(CloseCode::NORMAL, "done");
    client.close(frame.clone());
    client.close(CloseCode::GOING_AWAY); // the first counts
    let stopped = |state: &_| *state == ReconnectState::Disconnected(GaveUp::Stopped);
    assert_eq!(until(&mut client, stopped).await, [Message::from("early")]);
    assert_eq!(client.recv().await, None);
    let (received, outcome) = server.await.unwrap();
    assert_eq!(received, ["1", "2"].map(Message::from));
    assert_eq!(outcome, Some(CloseOutcome::Clean(Some(frame))));
}

#[tokio::test(start_paused = true)]
async fn closing_without_a_connection_ends_at_once() {
    for is_up in [true, false] {
        let (mut client, net) = net();
        net.switch(is_up); // amid the handshake, or between two attempts
        client.send("kept").unwrap();
        let _ = timeout(SECOND / 2, async { while client.recv().await.is_some() {} }).await;
        let start = Instant::now();
        client.close(CloseCode::NORMAL);
        let stopped = |state: &_| *state == ReconnectState::Disconnected(GaveUp::Stopped);
        until(&mut client, stopped).await;
        assert_eq!(client.recv().await, None);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(client.waiting().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_while_it_closes_is_not_made_again() {
    let (mut client, mut net) = net();
    let server = tokio::spawn(async move { net.accept().await });
    online(&mut client).await;
    let server = server.await.unwrap();
    client.close(CloseCode::NORMAL);
    drop(server);
    let stopped = |state: &_| *state == ReconnectState::Disconnected(GaveUp::Stopped);
    until(&mut client, stopped).await;
    assert_eq!(client.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_the_heartbeat_is_connected_to_anew() {
    let (client, mut net) = net();
    let mut client = client.heartbeat(Heartbeat::new(
        20 * SECOND,
        5 * SECOND,
        |number| format!("ping {number}").into(),
        |message, number| message.as_bytes() == format!("pong {number}").as_bytes(),
    ));
    let server = tokio::spawn(async move {
        let mut server = net.accept().await;
        for number in 1..=3 {
            assert_eq!(text(&mut server).await, format!("ping {number}"));
            sleep(SECOND).await;
            server.send(format!("pong {number}")).await.unwrap();
        }
        assert_eq!(text(&mut server).await, "ping 4");
        let start = Instant::now();
        let mut next = net.accept().await;
        let waited = rounded(start.elapsed());
        // Another connection begins at the beginning.
        assert_eq!(text(&mut next).await, "ping 1");
        drop(server);
        waited
    });
    let lost = |state: &_| matches!(state, ReconnectState::Reconnecting { .. });
    assert!(until(&mut client, lost).await.is_empty());
    assert_eq!(
        client.outcome(),
        Some(&CloseOutcome::TimedOut(Timeout::Pong))
    );
    let waited = beside(&mut client, server).await.unwrap();
    assert_eq!(waited, 6 * SECOND); // 5 for the answer, 1 for the next attempt
}

#[tokio::test(start_paused = true)]
async fn more_than_the_connection_takes_at_once_leaves_bit_by_bit() {
    // The stream takes less than the connection has queued, or all of it at once.
    for capacity in [64, 4096] {
        let config = Config::new().write_limit(100);
        let (client, mut net) = net_with(capacity, config, |reconnect| reconnect);
        let mut client = client.outbox(Outbox::new(10_000, 1_000_000));
        for number in 0..1000 {
            client.send(format!("message {number}")).unwrap();
        }
        beside(&mut client, async {
            let mut server = net.accept().await;
            for number in 0..1000 {
                assert_eq!(text(&mut server).await, format!("message {number}"));
            }
        })
        .await;
        assert!(client.waiting().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_each_wait_it_loses_nothing() {
    let (mut client, mut net) = net_with(32, Config::new(), |reconnect| reconnect);
    let server = tokio::spawn(async move {
        for round in 0..3 {
            let mut server = net.accept().await;
            for number in 0..20 {
                server.send(format!("{round}/{number}")).await.unwrap();
            }
            server.close(CloseCode::SERVICE_RESTART).await.unwrap();
            while server.recv().await.unwrap().is_some() {}
        }
        let mut server = net.accept().await;
        server.flush().await.unwrap();
        (server, net)
    });
    let mut received = Vec::new();
    let mut onlines = 0;
    while onlines < 4 {
        match client.recv().now_or_never() {
            None => sleep(SECOND / 1000).await,
            Some(Some(ClientEvent::Message(message))) => received.push(message),
            Some(Some(ClientEvent::State(state))) => {
                onlines += usize::from(state == ReconnectState::Online);
            }
            Some(None) => panic!("given up"),
        }
    }
    let expected: Vec<Message> = (0..3)
        .flat_map(|round| (0..20).map(move |number| format!("{round}/{number}").into()))
        .collect();
    assert_eq!(received, expected);
    // Each attempt was made once.
    let (_server, mut net) = server.await.unwrap();
    assert_eq!(net.gaps().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_sink_in_another_task_waits_for_room_and_wakes_who_receives() {
    let (client, mut net) = net();
    net.switch(false);
    let client = client.outbox(Outbox::<u64>::new(2, 1000));
    let (mut sink, mut stream) = client.split();
    let sender = tokio::spawn(async move {
        for number in 0..10 {
            sink.send(format!("{number}").into()).await.unwrap();
        }
        // All tasks rest by now.
        sleep(100 * SECOND).await;
        sink.send("later".into()).await.unwrap();
        sink
    });
    let receiver = tokio::spawn(async move { while stream.next().await.is_some() {} });
    sleep(10 * SECOND).await;
    assert!(!sender.is_finished());
    net.switch(true);
    let mut server = net.accept().await;
    for number in 0..10 {
        assert_eq!(text(&mut server).await, format!("{number}"));
    }
    assert_eq!(text(&mut server).await, "later");
    let mut sink = sender.await.unwrap();
    for message in ["x", "y", "z"] {
        sink.feed(message.into()).await.unwrap();
    }
    let (closed, ()) = tokio::join!(sink.close(), async {
        for message in ["x", "y", "z"] {
            assert_eq!(text(&mut server).await, message);
        }
    });
    closed.unwrap();
    let end = timeout(DAY, server.recv()).await.unwrap();
    assert_eq!(end.unwrap(), None);
    timeout(DAY, receiver).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_will_never_have_room_comes_back() {
    let (client, _net) = net();
    let mut client = client.outbox(Outbox::<u64>::new(2, 3));
    let long = Message::from("long");
    assert_eq!(client.send("long"), Err(SendError::Full(long.clone())));
    let sent = SinkExt::send(&mut client, long.clone()).await;
    assert_eq!(sent, Err(SendError::Full(long)));
}
