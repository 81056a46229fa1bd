//! Upgrades of hyper, over real sockets.
#![cfg(feature = "hyper")]

#[path = "../examples/hyper_client.rs"]
#[allow(dead_code)] // its main
mod hyper_client;
#[path = "../examples/hyper_server.rs"]
#[allow(dead_code)] // its main
mod hyper_server;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sansocket::handshake::server::Acceptance;
use sansocket::handshake::{BuildError, RequestError, ResponseError, client};
use sansocket::hyper::{ClientUpgrade, ServerUpgrade, WebSocket};
use sansocket::tokio::{Connector, accept};
use sansocket::{CloseCode, CloseOutcome, Config, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;

/// The example's server, and its address.
async fn example() -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(hyper_server::serve(listener));
    Ok(address)
}

/// A client's connection of hyper that may be upgraded.
async fn sender(address: &str) -> Result<SendRequest<Empty<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

async fn connect(address: &str, request: client::Request) -> Result<WebSocket, Failure> {
    let (upgrade, request) = ClientUpgrade::start(request)?;
    let mut response = sender(address).await?.send_request(request).await?;
    let (_, upgrading) = upgrade.check(&mut response, Config::new())?;
    Ok(upgrading.await?)
}

#[tokio::test]
async fn the_example_client_is_answered_by_the_example_server() -> Outcome {
    let uri = format!("ws://{}/echo", example().await?);
    for size in [0, 1, 125, 65_536, 1 << 20] {
        let message = Message::from(vec![7; size]);
        let answer = hyper_client::ask(&uri, message.clone()).await?;
        assert_eq!(answer, Some(message));
    }
    Ok(())
}

#[tokio::test]
async fn our_own_client_is_served_by_hyper() -> Outcome {
    let uri = format!("ws://{}/echo", example().await?);
    let request = client::Request::new(uri.parse()?).subprotocol("echo");
    let stream = TcpStream::connect((request.uri().host(), request.uri().port())).await?;
    let (mut websocket, response) = Connector::new().handshake(request, stream).await?;
    assert_eq!(response.subprotocol(), Some("echo"));
    for n in 0..100 {
        websocket.feed(n.to_string()).await?;
    }
    for n in 0..100 {
        assert_eq!(websocket.recv().await?, Some(n.to_string().into()));
    }
    websocket.close(CloseCode::NORMAL).await?;
    assert_eq!(websocket.recv().await?, None);
    assert!(matches!(
        websocket.connection().outcome(),
        Some(CloseOutcome::Clean(_))
    ));
    Ok(())
}

#[tokio::test]
async fn a_client_of_hyper_is_served_by_our_own_server() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut server = accept(stream).await?;
        while let Some(message) = server.recv().await? {
            server.feed(message).await?;
        }
        Ok::<(), Failure>(())
    });
    let request = client::Request::new(format!("ws://{address}/").parse()?);
    let mut client = connect(&address, request).await?;
    client.send("hello").await?;
    assert_eq!(client.recv().await?, Some("hello".into()));
    client.close(CloseCode::NORMAL).await?;
    assert_eq!(client.recv().await?, None);
    server.await?
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn both_sides_compress() -> Outcome {
    use sansocket::DeflateConfig;

    let address = example().await?;
    let request =
        client::Request::new(format!("ws://{address}/echo").parse()?).deflate(DeflateConfig::new());
    let (upgrade, request) = ClientUpgrade::start(request)?;
    let mut response = sender(&address).await?.send_request(request).await?;
    let (checked, upgrading) = upgrade.check(&mut response, Config::new())?;
    assert!(checked.deflate().is_some());
    let mut websocket = upgrading.await?;
    let text = Message::from("the same again ".repeat(10_000));
    for _ in 0..3 {
        websocket.send(text.clone()).await?;
        assert_eq!(websocket.recv().await?, Some(text.clone()));
    }
    Ok(())
}

/// A masked frame with the text `hi`.
const HI: &[u8] = b"\x81\x82\0\0\0\0hi";

#[tokio::test]
async fn frames_behind_the_request_are_not_lost() -> Outcome {
    let mut stream = TcpStream::connect(example().await?).await?;
    let head = b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(&[&head[..], HI, HI].concat()).await?;
    let mut received = Vec::new();
    while !received.ends_with(b"\x81\x02hi\x81\x02hi") {
        assert!(stream.read_buf(&mut received).await? > 0, "{received:?}");
    }
    let head = String::from_utf8_lossy(&received).to_ascii_lowercase();
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="));
    Ok(())
}

#[tokio::test]
async fn frames_behind_the_response_are_not_lost() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut rx = sansocket::ReceiveBuffer::new();
        let mut handshake =
            sansocket::handshake::server::Handshake::new(sansocket::handshake::Limits::new());
        let request = loop {
            use sansocket::handshake::server::Progress;
            let n = stream.read(rx.spare(1024)).await?;
            rx.commit(n);
            match handshake.receive(&mut rx) {
                Progress::Incomplete(again) => handshake = again,
                Progress::Request(request) => break request,
                Progress::Refused(refusal) => return Err(refusal.into()),
            }
        };
        let accepted = request.accept(Acceptance::new())?;
        let both = [accepted.response(), b"\x81\x05hello\x88\x02\x03\xe8"].concat();
        stream.write_all(&both).await?;
        let answer = stream.read(&mut [0; 64]).await?;
        assert_eq!(answer, 8, "a masked Close frame");
        Ok::<(), Failure>(())
    });
    let request = client::Request::new(format!("ws://{address}/").parse()?);
    let mut client = connect(&address, request).await?;
    assert_eq!(client.recv().await?, Some("hello".into()));
    assert_eq!(client.recv().await?, None);
    Ok(())
}

#[tokio::test]
async fn other_requests_get_real_answers() -> Outcome {
    let mut sender = sender(&example().await?).await?;
    for (request, status) in [
        (Request::get("/"), StatusCode::OK),
        (Request::get("/echo"), StatusCode::UPGRADE_REQUIRED),
        (Request::post("/echo"), StatusCode::METHOD_NOT_ALLOWED),
        (
            Request::get("/echo")
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13"),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let request = request.header("host", "a").body(Empty::new())?;
        let response = sender.send_request(request).await?;
        assert_eq!(response.status(), status);
        let headers = response.headers();
        match status {
            StatusCode::UPGRADE_REQUIRED => {
                assert_eq!(headers["sec-websocket-version"], "13");
                assert_eq!(headers["upgrade"], "websocket");
            }
            StatusCode::METHOD_NOT_ALLOWED => assert_eq!(headers["allow"], "GET"),
            _ => {}
        }
        let length: usize = headers["content-length"].to_str()?.parse()?;
        let body = response.into_body().collect().await?.to_bytes();
        assert_eq!(body.len(), length);
        assert!(length > 10);
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_leaves_the_client_its_body() -> Outcome {
    let address = example().await?;
    let request = client::Request::new(format!("ws://{address}/").parse()?);
    let (upgrade, request) = ClientUpgrade::start(request)?;
    let mut response = sender(&address).await?.send_request(request).await?;
    let error = upgrade.check(&mut response, Config::new()).unwrap_err();
    let ResponseError::Refused(refused) = error else {
        panic!("{error}");
    };
    assert_eq!((refused.status(), refused.reason()), (200, "OK"));
    let body = response.into_body().collect().await?.to_bytes();
    assert_eq!(body, "The WebSocket is at /echo.\n");
    Ok(())
}

#[tokio::test]
async fn a_connection_that_cannot_be_upgraded_is_refused_with_500() -> Outcome {
    let (_, mut request) = ClientUpgrade::start::<()>(client::Request::new("ws://a".parse()?))?;
    let refusal = ServerUpgrade::from_request(&mut request).unwrap_err();
    assert_eq!(refusal.error(), &RequestError::NotUpgradable);
    assert_eq!(Response::<Bytes>::from(&refusal).status(), 500);
    Ok(())
}

/// Serves one connection, with upgrades or without; gives what became of the upgrade.
async fn serve_once(with_upgrades: bool) -> Result<(String, impl Future<Output = bool>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (to, outcome) = tokio::sync::oneshot::channel();
    let to = std::sync::Mutex::new(Some(to));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(|mut request| {
            let upgrade = ServerUpgrade::from_request(&mut request).unwrap();
            let accepted = upgrade.accept(Acceptance::new(), Config::new());
            let to = to.lock().unwrap().take();
            async {
                let (response, upgrading) = accepted?;
                tokio::spawn(async {
                    let upgraded = upgrading.await.is_ok();
                    to.map(|to| to.send(upgraded))
                });
                Ok::<Response<Full<Bytes>>, BuildError>(response)
            }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let _ = match with_upgrades {
            true => connection.with_upgrades().await,
            false => connection.await,
        };
    });
    Ok((address, async { outcome.await.unwrap() }))
}

#[tokio::test]
async fn a_server_without_upgrades_is_an_error_and_no_hang() -> Outcome {
    for with_upgrades in [true, false] {
        let (address, outcome) = serve_once(with_upgrades).await?;
        let request = client::Request::new(format!("ws://{address}/").parse()?);
        let _client = connect(&address, request).await?;
        let outcome = tokio::time::timeout(Duration::from_secs(10), outcome).await?;
        assert_eq!(outcome, with_upgrades);
    }
    Ok(())
}
