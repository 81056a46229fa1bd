//! The extractor in routers of axum, over real sockets.
#![cfg(feature = "axum")]

#[path = "../examples/axum_server/app.rs"]
mod app;

use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use sansocket::axum::WebSocketUpgrade;
use sansocket::handshake::server::Refusal;
use sansocket::handshake::{OriginAllowList, RefusedResponse, RequestError, ResponseError, client};
use sansocket::tokio::{ConnectError, Connector, MaybeTlsStream, WebSocket};
use sansocket::{CloseCode, CloseOutcome, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Failure>;

const ORIGIN: &str = "https://chat.example";

/// Serves the routes; gives the address.
async fn serve(app: Router) -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// The example.
async fn chat() -> Result<String, Failure> {
    serve(app::app(OriginAllowList::new([ORIGIN])?)).await
}

fn request(address: &str, path: &str) -> client::Request {
    client::Request::new(format!("ws://{address}{path}").parse().unwrap())
}

async fn connect(
    request: client::Request,
) -> Result<(WebSocket<MaybeTlsStream>, client::Response), ConnectError> {
    Connector::new().connect(request).await
}

async fn refused(request: client::Request) -> Box<RefusedResponse> {
    match connect(request).await {
        Err(ConnectError::Response(ResponseError::Refused(refused))) => refused,
        other => panic!("{other:?}"),
    }
}

/// A response to these lines, whole: the server is asked to close.
async fn raw(address: &str, lines: &[&str]) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("{}\r\nHost: a\r\n\r\n", lines.join("\r\n"));
    stream.write_all(head.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

#[tokio::test]
async fn the_example_passes_messages_to_everybody() -> Outcome {
    let address = chat().await?;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let request = request(&address, "/chat").origin(ORIGIN);
        let (mut client, _) = connect(request).await?;
        // When its own message comes back it has joined.
        client.send("here").await?;
        while client.recv().await? != Some("here".into()) {}
        clients.push(client);
    }
    clients[1].send("hello").await?;
    for client in &mut clients {
        while client.recv().await? != Some("hello".into()) {}
    }
    for mut client in clients {
        client.close(CloseCode::NORMAL).await?;
        while client.recv().await?.is_some() {}
        let outcome = client.connection().outcome();
        assert!(
            matches!(outcome, Some(CloseOutcome::Clean(_))),
            "{outcome:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_servers_preference_selects_the_subprotocol() -> Outcome {
    let address = chat().await?;
    for (offered, selected) in [
        (&["chat.v1", "chat.v2"][..], Some("chat.v2")),
        (&["x", "chat.v1"], Some("chat.v1")),
        (&["x"], None),
        (&[], None),
    ] {
        let mut request = request(&address, "/chat");
        for name in offered {
            request = request.subprotocol(*name);
        }
        let (_, response) = connect(request).await?;
        assert_eq!(response.subprotocol(), selected);
    }
    Ok(())
}

#[tokio::test]
async fn pages_of_other_origins_get_403() -> Outcome {
    let address = chat().await?;
    connect(request(&address, "/chat").origin(ORIGIN)).await?;
    connect(request(&address, "/chat")).await?;
    for origin in ["https://evil.example", "null"] {
        let refused = refused(request(&address, "/chat").origin(origin)).await;
        assert_eq!(refused.status(), 403);
        assert_eq!(
            refused.body(),
            b"pages of this origin may not connect here\n"
        );
    }
    Ok(())
}

#[tokio::test]
async fn limits_are_the_configs() -> Outcome {
    let (mut client, _) = connect(request(&chat().await?, "/chat")).await?;
    client.send(vec![0; 5000]).await?;
    while client.recv().await?.is_some() {}
    match client.connection().outcome() {
        Some(CloseOutcome::Clean(Some(frame))) => assert_eq!(frame.code(), CloseCode::TOO_BIG),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn messages_are_compressed() -> Outcome {
    use sansocket::{DeflateConfig, Message};

    let request = request(&chat().await?, "/chat").deflate(DeflateConfig::new());
    let (mut client, response) = connect(request).await?;
    assert!(response.deflate().is_some());
    let text = Message::from("the same again ".repeat(200));
    for _ in 0..3 {
        client.send(text.clone()).await?;
        assert_eq!(client.recv().await?, Some(text.clone()));
    }
    Ok(())
}

#[tokio::test]
async fn other_requests_get_real_answers() -> Outcome {
    let address = chat().await?;
    let upgrade = [
        "GET /chat HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
    ];
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (lines, status, header) in [
        (
            vec!["GET /chat HTTP/1.1", "Connection: close"],
            426,
            "sec-websocket-version: 13\r\n",
        ),
        (
            vec!["POST /chat HTTP/1.1", "Connection: close"],
            405,
            "allow: GET\r\n",
        ),
        (
            [
                &upgrade[..],
                &[key, "Sec-WebSocket-Version: 8", "Connection: close"],
            ]
            .concat(),
            426,
            "sec-websocket-version: 13\r\n",
        ),
        (
            [
                &upgrade[..],
                &["Sec-WebSocket-Version: 13", "Connection: close"],
            ]
            .concat(),
            400,
            "",
        ),
        (
            vec![
                "GET /chat HTTP/1.0",
                "Connection: Upgrade",
                "Upgrade: websocket",
            ],
            505,
            "",
        ),
    ] {
        let response = raw(&address, &lines).await?;
        let line = format!("HTTP/1.{} {status} ", u8::from(status != 505));
        assert!(response.starts_with(&line), "{response}");
        assert!(response.contains(header), "{response}");
        let (_, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(body.ends_with('\n'), "{response}");
    }
    let page = raw(&address, &["GET / HTTP/1.1", "Connection: close"]).await?;
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<title>"));
    Ok(())
}

#[tokio::test]
async fn the_handler_sees_the_request_and_may_answer_otherwise() -> Outcome {
    async fn handler(upgrade: Result<WebSocketUpgrade, Refusal>) -> Response {
        let upgrade = match upgrade {
            Ok(upgrade) => upgrade.subprotocols([String::from("a")]),
            Err(refusal) => return format!("a page, since {refusal}").into_response(),
        };
        if upgrade.request().query() != Some("token=1") {
            return (http::StatusCode::UNAUTHORIZED, "a token is missing").into_response();
        }
        let selected = upgrade.selected_subprotocol().map(str::to_owned);
        let mut response = upgrade
            .config(Config::new())
            .on_upgrade(|mut websocket| async move {
                websocket.send(format!("{selected:?}")).await.unwrap();
                websocket.close(CloseCode::NORMAL).await.unwrap();
                while let Ok(Some(_)) = websocket.recv().await {}
            });
        let cookie = "session=1".parse().unwrap();
        response.headers_mut().insert("set-cookie", cookie);
        response
    }
    let address = serve(Router::new().route("/{room}", get(handler))).await?;
    let good = request(&address, "/a?token=1").subprotocol("a");
    let (mut client, response) = connect(good).await?;
    assert_eq!(response.headers().get("set-cookie"), Some("session=1"));
    assert_eq!(client.recv().await?, Some("Some(\"a\")".into()));
    assert_eq!(client.recv().await?, None);
    assert_eq!(refused(request(&address, "/a")).await.status(), 401);
    let page = raw(&address, &["GET /a HTTP/1.1", "Connection: close"]).await?;
    assert!(
        page.contains("a page, since this is a WebSocket server"),
        "{page}"
    );
    Ok(())
}

#[tokio::test]
async fn a_connection_that_cannot_be_upgraded_is_refused_with_500() -> Outcome {
    let handshake = client::Request::new("ws://a".parse()?).start([0; 16])?;
    let (mut parts, ()) = http::Request::try_from(&handshake)?.into_parts();
    let refusal = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .unwrap_err();
    assert_eq!(refusal.error(), &RequestError::NotUpgradable);
    assert_eq!(refusal.into_response().status(), 500);
    Ok(())
}

#[tokio::test]
async fn a_failed_upgrade_is_told() -> Outcome {
    let (to, mut errors) = mpsc::unbounded_channel();
    let handler = move |upgrade: WebSocketUpgrade| async move {
        let failed = to.clone();
        let response = upgrade
            .on_failed_upgrade(move |error| drop(failed.send(Some(error))))
            .on_upgrade(|_| async { panic!("there is none") });
        drop(to.send(None));
        std::future::pending::<()>().await;
        response
    };
    let address = serve(Router::new().route("/", any(handler))).await?;
    let client = tokio::spawn(connect(request(&address, "/")));
    assert!(errors.recv().await.ok_or("no handler")?.is_none());
    client.abort();
    let error = tokio::time::timeout(Duration::from_secs(10), errors.recv()).await?;
    assert!(error.flatten().is_some());
    Ok(())
}
