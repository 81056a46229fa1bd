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
