//! A client behind a proxy: what `examples/proxy` does, against proxies of our own.
#![cfg(all(feature = "tokio", feature = "handshake"))]

#[path = "../examples/proxy/connect.rs"]
mod connect;

use std::error::Error;
use std::future::Future;

use connect::{MAX_HEAD, Proxy, ProxyError};
use sansocket::handshake::client::Request;
use sansocket::tokio::{Connector, accept};
use sansocket::{CloseCode, CloseOutcome, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Failure = Box<dyn Error + Send + Sync>;
type Outcome = Result<(), Failure>;

/// Serves one connection; gives the port and what becomes of it.
async fn serve<F>(
    service: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> Result<(u16, JoinHandle<Outcome>), Failure>
where
    F: Future<Output = Outcome> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let served = tokio::spawn(async move { service(listener.accept().await?.0).await });
    Ok((port, served))
}

async fn echo(stream: TcpStream) -> Outcome {
    let mut server = accept(stream).await?;
    while let Some(message) = server.recv().await? {
        server.feed(message).await?;
    }
    Ok(())
}

/// Sends a message there and back, and closes.
async fn converse(proxy: &Proxy, uri: &str) -> Outcome {
    let request = Request::new(uri.parse()?);
    let (mut client, _) = connect::connect(&Connector::new(), request, proxy).await?;
    for message in [Message::from("hello"), vec![7; 100_000].into()] {
        client.send(message.clone()).await?;
        assert_eq!(client.recv().await?, Some(message));
    }
    client.close(CloseCode::NORMAL).await?;
    assert_eq!(client.recv().await?, None);
    assert!(
        client
            .connection()
            .outcome()
            .is_some_and(CloseOutcome::is_clean)
    );
    Ok(())
}

async fn read_head(stream: &mut TcpStream) -> Result<String, Failure> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

/// A proxy that wants `user:pass`, and splits its answer.
async fn http_proxy(mut client: TcpStream, authority: String) -> Outcome {
    let head = read_head(&mut client).await?;
    let wanted = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    assert!(head.starts_with(&wanted), "{head}");
    if !head.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n") {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\
            Proxy-Authenticate: Basic realm=\"us\"\r\nContent-Length: 4\r\n\r\nno!\n";
        return Ok(client.write_all(answer.as_bytes()).await?);
    }
    let mut server = TcpStream::connect(&authority).await?;
    for part in [
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 20",
        "0 Connection established\r\nVia: us\r\n",
        "\r\n",
    ] {
        client.write_all(part.as_bytes()).await?;
        tokio::task::yield_now().await;
    }
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

#[tokio::test]
async fn a_message_goes_through_an_http_proxy() -> Outcome {
    let (port, server) = serve(echo).await?;
    let (proxy_port, proxy) =
        serve(move |stream| http_proxy(stream, format!("127.0.0.1:{port}"))).await?;
    let through: Proxy = format!("http://127.0.0.1:{proxy_port}").parse()?;
    let through = through.credentials("user:pass".parse()?);
    converse(&through, &format!("ws://127.0.0.1:{port}/")).await?;
    server.await??;
    proxy.await?
}

#[tokio::test]
async fn a_refusal_of_the_proxy_is_reported() -> Outcome {
    let (port, proxy) = serve(|stream| http_proxy(stream, "example.com:80".to_owned())).await?;
    let through: Proxy = format!("http://127.0.0.1:{port}/").parse()?;
    let error = converse(&through, "ws://example.com/").await.unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(ProxyError::Refused(status))
            if status == "407 Proxy Authentication Required"),
        "{error}"
    );
    proxy.await?
}

#[tokio::test]
async fn bytes_behind_the_answer_of_the_proxy_are_the_servers() -> Outcome {
    let (port, proxy) = serve(|mut stream| async move {
        let head = read_head(&mut stream).await?;
        assert!(head.starts_with("CONNECT [::1]:81 HTTP/1.1\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nearly").await?;
        stream.write_all(b" and late").await?;
        Ok(())
    })
    .await?;
    let through: Proxy = format!("http://127.0.0.1:{port}").parse()?;
    let mut received = String::new();
    let mut tunnel = through.connect("::1", 81).await?;
    tunnel.read_to_string(&mut received).await?;
    assert_eq!(received, "early and late");
    proxy.await?
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_its_end() -> Outcome {
    // Once as one line, and once as many.
    for piece in ["a", "a: b\r\n"] {
        let (port, _proxy) = serve(move |mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            // More than is read: the client is gone before it has left.
            while stream
                .write_all(piece.repeat(MAX_HEAD).as_bytes())
                .await
                .is_ok()
            {}
            Ok(())
        })
        .await?;
        let through: Proxy = format!("http://127.0.0.1:{port}").parse()?;
        let error = through.connect("example.com", 80).await.unwrap_err();
        assert!(matches!(error, ProxyError::TooLarge), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_answer_is_reported() -> Outcome {
    for (answer, wanted) in [
        ("", "proxy: unexpected end of file"),
        ("HTTP/1.1 200 OK\r\n", "proxy: unexpected end of file"),
        ("SSH-2.0-x\r\n\r\n", "the proxy's answer is not HTTP/1.1"),
        (
            "HTTP/1.1 +20 x\r\n\r\n",
            "the proxy's answer is not HTTP/1.1",
        ),
        ("HTTP/1.1 502\r\n\r\n", "the proxy refused: 502"),
    ] {
        let (port, proxy) = serve(move |mut stream| async move {
            read_head(&mut stream).await?;
            Ok(stream.write_all(answer.as_bytes()).await?)
        })
        .await?;
        let through: Proxy = format!("http://127.0.0.1:{port}").parse()?;
        let error = through.connect("example.com", 80).await.unwrap_err();
        assert_eq!(error.to_string(), wanted);
        proxy.await??;
    }
    Ok(())
}

/// A proxy of RFC 1928 that knows names only, and no other command than to connect.
async fn socks5_proxy(mut client: TcpStream, with_password: bool, reply: u8) -> Outcome {
    let [version, methods] = read(&mut client).await?;
    assert_eq!(version, 5);
    let mut offered = vec![0; methods.into()];
    client.read_exact(&mut offered).await?;
    let method = if with_password { 2 } else { 0 };
    assert!(offered.contains(&method));
    client.write_all(&[5, method]).await?;
    if with_password {
        assert_eq!(&read::<11>(&mut client).await?, b"\x01\x04user\x04pass");
        client.write_all(&[1, 0]).await?;
    }
    let [version, command, _, kind, len] = read(&mut client).await?;
    assert_eq!((version, command, kind), (5, 1, 3));
    let mut name = vec![0; len.into()];
    client.read_exact(&mut name).await?;
    let port = client.read_u16().await?;
    client
        .write_all(&[5, reply, 0, 1, 127, 0, 0, 1, 0, 0])
        .await?;
    if reply == 0 {
        let mut server = TcpStream::connect((std::str::from_utf8(&name)?, port)).await?;
        copy_bidirectional(&mut client, &mut server).await?;
    }
    Ok(())
}

async fn read<const N: usize>(stream: &mut TcpStream) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[tokio::test]
async fn a_message_goes_through_a_socks5_proxy_that_resolves_the_name() -> Outcome {
    for with_password in [false, true] {
        let (port, server) = serve(echo).await?;
        let (proxy_port, proxy) =
            serve(move |stream| socks5_proxy(stream, with_password, 0)).await?;
        let mut through: Proxy = format!("socks5://127.0.0.1:{proxy_port}").parse()?;
        if with_password {
            through = through.credentials("user:pass".parse()?);
        }
        converse(&through, &format!("ws://localhost:{port}/")).await?;
        server.await??;
        proxy.await??;
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_of_a_socks5_proxy_is_reported() -> Outcome {
    let (port, proxy) = serve(|stream| socks5_proxy(stream, false, 2)).await?;
    let through: Proxy = format!("socks5://127.0.0.1:{port}").parse()?;
    let error = converse(&through, "ws://example.com/").await.unwrap_err();
    assert!(
        matches!(
            error.downcast_ref(),
            Some(ProxyError::Socks(
                tokio_socks::Error::ConnectionNotAllowedByRuleset
            ))
        ),
        "{error}"
    );
    proxy.await?
}

#[test]
fn a_proxy_has_a_protocol_and_a_port() {
    for wrong in [
        "127.0.0.1:80",
        "https://a:80",
        "http://a",
        "http://a:",
        "http://a:x",
        "http://user:pass@a:80",
    ] {
        assert!(wrong.parse::<Proxy>().is_err(), "{wrong}");
    }
    assert!("socks5://[::1]:1080".parse::<Proxy>().is_ok());
}
