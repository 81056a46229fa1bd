//! What can be moved to another thread, or shared with it: all of it.

use sansocket::{
    Chunk, CloseFrame, CloseOutcome, Config, Connection, Event, Message, Payload, ProtocolError,
    ReceiveBuffer, SeededMaskKeys, SendError, Text, Transmit,
};

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn the_engine_is_send_and_sync() {
    is_send_and_sync::<Connection>();
    is_send_and_sync::<Transmit<'_>>();
    is_send_and_sync::<ReceiveBuffer>();
    is_send_and_sync::<Config>();
    is_send_and_sync::<SeededMaskKeys>();
    is_send_and_sync::<(CloseFrame, CloseOutcome)>();
    is_send_and_sync::<(ProtocolError, SendError<Message>)>();
}

#[test]
fn events_are_send_and_sync() {
    is_send_and_sync::<Event<'_>>();
    is_send_and_sync::<Text<'_>>();
    is_send_and_sync::<Payload<'_>>();
    is_send_and_sync::<Chunk<'_>>();
    is_send_and_sync::<Message>();
}

#[cfg(feature = "handshake")]
#[test]
fn the_opening_handshake_is_send_and_sync() {
    use sansocket::handshake::{BuildError, RequestError, ResponseError, client, server};

    is_send_and_sync::<(client::Request, client::Handshake, client::Progress)>();
    is_send_and_sync::<client::Response>();
    is_send_and_sync::<(server::Handshake, server::Progress)>();
    is_send_and_sync::<(server::Request, server::Refusal, server::Accepted)>();
    is_send_and_sync::<(BuildError, RequestError, ResponseError)>();
}

#[cfg(feature = "std")]
#[test]
fn the_blocking_adapter_is_send_and_sync() {
    use sansocket::OsMaskKeys;
    use sansocket::blocking::{Error, WebSocket};
    use std::net::TcpStream;

    is_send_and_sync::<WebSocket<TcpStream>>();
    is_send_and_sync::<Error>();
    is_send_and_sync::<OsMaskKeys>();
}

#[cfg(all(feature = "std", feature = "handshake"))]
#[test]
fn the_blocking_handshakes_are_send_and_sync() {
    use sansocket::blocking::{
        AcceptError, ClientHandshake, ConnectError, Connector, Incoming, ServerHandshake,
    };
    use std::net::TcpStream;

    is_send_and_sync::<(Connector, ClientHandshake<TcpStream>, ConnectError)>();
    is_send_and_sync::<(ServerHandshake<TcpStream>, Incoming<TcpStream>, AcceptError)>();
}

#[cfg(all(feature = "tokio", feature = "handshake"))]
#[test]
fn the_tokio_adapter_is_send_and_sync() {
    use sansocket::tokio::{
        Connector, Incoming, MaybeTlsStream, ReceiveHalf, ReuniteError, SendHalf, WebSocket,
    };
    use tokio::net::TcpStream;

    is_send_and_sync::<(WebSocket<TcpStream>, WebSocket<MaybeTlsStream>)>();
    is_send_and_sync::<(ReceiveHalf<TcpStream>, SendHalf<TcpStream>)>();
    is_send_and_sync::<(Connector, Incoming<TcpStream>, ReuniteError<TcpStream>)>();
}

#[cfg(all(feature = "tokio", feature = "handshake"))]
#[test]
fn the_futures_of_the_tokio_adapter_are_send() {
    use sansocket::tokio::{
        Connector, PendingRefusal, PendingRequest, ReceiveHalf, SendHalf, WebSocket, accept,
        accept_with, connect, read_request,
    };
    use sansocket::{
        CloseCode,
        handshake::{Limits, Rejection, client, server::Acceptance},
    };
    use tokio::net::TcpStream;

    fn is_send<T: Send>(_: T) {}

    // Compiled, never called.
    #[allow(dead_code)]
    fn whole(websocket: &mut WebSocket<TcpStream>, chunk: Chunk<'_>) {
        is_send(websocket.recv());
        is_send(websocket.recv_event());
        is_send(websocket.recv_with_connection());
        is_send(websocket.send("hello"));
        is_send(websocket.feed("hello"));
        is_send(websocket.feed_chunk(chunk));
        is_send(websocket.send_from(tokio::io::empty()));
        is_send(websocket.ping(b"?"));
        is_send(websocket.close(CloseCode::NORMAL));
        is_send(websocket.flush());
    }

    #[allow(dead_code)]
    fn halves(receive: &mut ReceiveHalf<TcpStream>, send: &mut SendHalf<TcpStream>) {
        is_send(receive.recv());
        is_send(receive.recv_event());
        is_send(send.send("hello"));
        is_send(send.send_from(tokio::io::empty()));
        is_send(send.close(None));
    }

    #[allow(dead_code)]
    fn server(pending: PendingRequest<TcpStream>, config: Config) {
        is_send(pending.accept(Acceptance::new(), config));
    }

    #[allow(dead_code)]
    fn refusing(pending: PendingRequest<TcpStream>, refusal: PendingRefusal<TcpStream>) {
        is_send(pending.reject(Rejection::new(404)));
        is_send(refusal.answer());
    }

    #[allow(dead_code)]
    fn opening(streams: [TcpStream; 5], request: client::Request) {
        let [one, two, three, four, five] = streams;
        let connector = Connector::new();
        is_send(connect("ws://127.0.0.1/"));
        is_send(connector.connect(request.clone()));
        is_send(connector.connect_over(request.clone(), one));
        is_send(connector.handshake(request, two));
        is_send(accept(three));
        is_send(accept_with(four, Acceptance::new(), Config::new()));
        is_send(read_request(five, Limits::new()));
    }
}

#[cfg(feature = "futures-io")]
#[test]
fn the_futures_io_adapter_is_send_and_sync() {
    use async_io::{Async, Timer};
    use sansocket::futures_io::{ReceiveHalf, SendHalf, WebSocket};
    use std::net::TcpStream;
    use std::time::Instant;

    type Stream = Async<TcpStream>;
    type At = fn(Instant) -> Timer;

    is_send_and_sync::<WebSocket<Stream, At>>();
    is_send_and_sync::<(ReceiveHalf<Stream, At>, SendHalf<Stream, At>)>();
}

#[cfg(feature = "axum")]
#[test]
fn the_upgrades_of_http_servers_can_be_moved_to_another_thread() {
    use sansocket::axum::{WebSocket, WebSocketUpgrade};
    use sansocket::hyper::{ClientUpgrade, ServerUpgrade, Upgrading};

    fn is_send<T: Send>() {}

    is_send::<(WebSocket, WebSocketUpgrade)>();
    is_send::<(ClientUpgrade, ServerUpgrade, Upgrading)>();
}
