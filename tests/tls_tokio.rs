//! TLS through the tokio adapter, over TCP on loopback.
#![cfg(all(feature = "rustls", feature = "tokio"))]

#[path = "common/tls.rs"]
mod tls;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use sansocket::handshake::client::Request;
use sansocket::tokio::{ConnectError, Connector, Error, MaybeTlsStream, WebSocket, accept};
use sansocket::{CloseCode, CloseOutcome, Message};
use tls::Ca;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;
type ServerStream = tokio_rustls::server::TlsStream<TcpStream>;
type Server = WebSocket<ServerStream>;

/// Accepts one connection with TLS, and gives the port.
async fn listen(
    config: Arc<ServerConfig>,
) -> Result<(u16, JoinHandle<Result<ServerStream, Failure>>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await?;
        Ok(TlsAcceptor::from(config).accept(tcp).await?)
    });
    Ok((port, server))
}

async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    port: u16,
) -> Result<WebSocket<MaybeTlsStream>, ConnectError> {
    let request = Request::new(format!("wss://{host}:{port}/").parse()?);
    let connector = Connector::new()
        .tls_config(config)
        .connect_timeout(Duration::from_secs(5));
    Ok(connector.connect(request).await?.0)
}

async fn echo(stream: ServerStream) -> Result<Server, Failure> {
    let mut server = accept(stream).await?;
    while let Some(message) = server.recv().await? {
        server.feed(message).await?;
    }
    Ok(server)
}

/// The error of TLS that ended this.
#[track_caller]
fn tls_error<T>(result: Result<T, ConnectError>) -> rustls::Error {
    match result.map(drop) {
        Err(ConnectError::Io(error)) => error.downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_of_all_sizes_come_back_and_both_sides_end_tls() -> Outcome {
    let ca = Ca::new();
    let (port, server) = listen(ca.server(&["localhost"])).await?;
    let server = tokio::spawn(async move { echo(server.await??).await });
    let mut client = connect(ca.client(), "localhost", port).await?;
    assert!(client.stream().get_ref().nodelay()?);
    for size in [0, 1, 125, 16 * 1024, 16 * 1024 + 1, 1 << 20] {
        let message = Message::from(vec![7; size]);
        client.send(message.clone()).await?;
        assert_eq!(client.recv().await?, Some(message));
    }
    client.close(CloseCode::NORMAL).await?;
    assert_eq!(client.recv().await?, None);
    // What ends a read with 0 and no error is close_notify.
    let MaybeTlsStream::Rustls(tls) = client.stream_mut() else {
        panic!("no TLS");
    };
    let (_, session) = tls.get_mut();
    assert!(matches!(
        std::io::Read::read(&mut session.reader(), &mut [0]),
        Ok(0)
    ));
    let server = server.await??;
    assert!(matches!(
        server.connection().outcome(),
        Some(CloseOutcome::Clean(_))
    ));
    Ok(())
}

#[tokio::test]
async fn the_server_sees_the_name_and_only_http_1_1() -> Outcome {
    let ca = Ca::new();
    let (port, server) = listen(ca.server(&["localhost"])).await?;
    let client = tokio::spawn(async move { connect(ca.client(), "localhost", port).await });
    let stream = server.await??;
    let session = stream.get_ref().1;
    assert_eq!(session.server_name(), Some("localhost"));
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    let _server = accept(stream).await?;
    client.await??;
    Ok(())
}

#[tokio::test]
async fn a_certificate_has_to_be_for_the_host_and_of_a_known_authority() -> Outcome {
    let (ca, other) = (Ca::new(), Ca::new());
    for (config, host) in [(other.client(), "localhost"), (ca.client(), "127.0.0.1")] {
        let (port, server) = listen(ca.server(&["localhost"])).await?;
        let error = tls_error(connect(config, host, port).await);
        assert!(
            matches!(error, rustls::Error::InvalidCertificate(_)),
            "{error:?}"
        );
        assert!(server.await?.is_err());
    }
    let (port, server) = listen(ca.server(&["127.0.0.1"])).await?;
    let server = tokio::spawn(async move { accept(server.await??).await.map_err(Failure::from) });
    connect(ca.client(), "127.0.0.1", port).await?;
    server.await??;
    Ok(())
}

#[tokio::test]
async fn the_default_configuration_trusts_no_authority_of_ours() -> Outcome {
    let ca = Ca::new();
    let (port, _server) = listen(ca.server(&["localhost"])).await?;
    let result = sansocket::tokio::connect(&format!("wss://localhost:{port}/")).await;
    let error = tls_error(result);
    assert!(
        matches!(error, rustls::Error::InvalidCertificate(_)),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn the_end_of_tcp_alone_is_a_loss() -> Outcome {
    let ca = Ca::new();
    let (port, server) = listen(ca.server(&["localhost"])).await?;
    let server = tokio::spawn(async move {
        let mut server = accept(server.await??).await?;
        server.send("last words").await?;
        let (stream, ..) = server.into_parts();
        let (mut tcp, _) = stream.into_inner();
        tcp.shutdown().await?;
        Ok::<_, Failure>(tcp)
    });
    let mut client = connect(ca.client(), "localhost", port).await?;
    assert_eq!(client.recv().await?, Some("last words".into()));
    match client.recv().await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    assert_eq!(client.connection().outcome(), Some(&CloseOutcome::Lost));
    server.await??;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_ends_by_the_time_limit() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let start = tokio::time::Instant::now();
    match connect(Ca::new().client(), "127.0.0.1", port).await {
        Err(ConnectError::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed().as_secs(), 5);
    Ok(())
}

#[tokio::test]
async fn a_stream_of_ones_own_is_secured_as_its_uri_asks() -> Outcome {
    let ca = Ca::new();
    let (port, server) = listen(ca.server(&["chat.example"])).await?;
    let server = tokio::spawn(async move { echo(server.await??).await });
    // As through a proxy: what is connected to is not what the URI names.
    let tunnel = TcpStream::connect(("127.0.0.1", port)).await?;
    let connector = Connector::new().tls_config(ca.client());
    let request = Request::new("wss://chat.example/".parse()?);
    let (mut client, _) = connector.connect_over(request, tunnel).await?;
    client.send("hi").await?;
    assert_eq!(client.recv().await?, Some("hi".into()));
    client.close(CloseCode::NORMAL).await?;
    assert_eq!(client.recv().await?, None);
    server.await??;

    let (tunnel, _peer) = tokio::io::duplex(64);
    let plain = Request::new("ws://chat.example/".parse()?);
    let connecting = connector.connect_over(plain, tunnel);
    let waits = tokio::time::timeout(Duration::from_millis(10), connecting).await;
    assert!(
        waits.is_err(),
        "the opening handshake waits for its response"
    );
    Ok(())
}
