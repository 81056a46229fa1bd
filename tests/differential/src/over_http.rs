//! Heads read by hyper, and judged by tungstenite or by our own checks of what hyper has parsed.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sansocket::handshake::{Headers, client, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Builder;

type Body = Empty<bytes::Bytes>;

/// What is asked of each: time enough that none is cut short, or its answer would depend on it.
const SOON: Duration = Duration::from_secs(10);

/// Runs a future that needs no thread but this one.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    runtime
        .block_on(async { tokio::time::timeout(SOON, future).await })
        .expect("no hang")
}

/// What a server on hyper makes of a request.
#[derive(Debug, Default)]
pub struct Judged {
    /// Our checks of what hyper has parsed; `None` if it has found no request.
    pub ours: Option<Result<server::Request, server::Refusal>>,
    /// The value of tungstenite's `Sec-WebSocket-Accept`, or its error.
    pub theirs: Option<Result<String, String>>,
    /// What hyper wrote.
    pub response: Vec<u8>,
}

/// Serves one request through hyper, with tungstenite's answer.
pub fn serve(request: &[u8]) -> Judged {
    let judged = Rc::new(RefCell::new(Judged::default()));
    let shared = judged.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut judged = shared.borrow_mut();
        judged.ours = Some(server::Request::try_from(&request));
        let made = tungstenite::handshake::server::create_response_with_body(&request, Body::new);
        let (response, theirs) = match made {
            Ok(response) => {
                let accept = response.headers()["sec-websocket-accept"].to_str();
                let accept = accept.expect("base64").to_owned();
                (response, Ok(accept))
            }
            Err(error) => {
                let mut response = Response::new(Body::new());
                *response.status_mut() = StatusCode::BAD_REQUEST;
                (response, Err(error.to_string()))
            }
        };
        judged.theirs = Some(theirs);
        async move { Ok::<_, Infallible>(response) }
    });
    let response = run(async {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(request).await.expect("room");
        let server = hyper::server::conn::http1::Builder::new();
        let server = server
            .serve_connection(TokioIo::new(near), service)
            .with_upgrades();
        let mut server = pin!(server);
        let mut response = Vec::new();
        let reads = async {
            while !response.windows(4).any(|end| end == b"\r\n\r\n") {
                if far.read_buf(&mut response).await.unwrap_or(0) == 0 {
                    break;
                }
            }
        };
        tokio::select! {
            // What hyper does not like ends its connection, perhaps with an answer.
            _ = &mut server => {}
            () = reads => {}
        }
        let mut rest = [0; 4096];
        while let Ok(Ok(n @ 1..)) = tokio::time::timeout(Duration::ZERO, far.read(&mut rest)).await
        {
            response.extend_from_slice(&rest[..n]);
        }
        response
    });
    let mut judged = judged.take();
    judged.response = response;
    judged
}

/// What our client's checks make of a response that hyper has parsed; `None` if it could not.
pub fn ask(
    handshake: &client::Handshake,
    response: &[u8],
) -> Option<Result<Headers, sansocket::handshake::ResponseError>> {
    let request = Request::<Body>::try_from(handshake).expect("a request that hyper takes");
    run(async {
        let (near, mut far) = duplex(1 << 20);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near))
            .await
            .expect("no I/O yet");
        let connection = connection.with_upgrades();
        let exchange = async {
            let sent = sender.send_request(request);
            let answer = async {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(far.read_u8().await.expect("a request"));
                }
                far.write_all(response).await.expect("room");
                far.shutdown().await.expect("an open stream");
            };
            let (response, ()) = tokio::join!(sent, answer);
            let checked = response.ok().map(|response| handshake.check(&response));
            checked.map(|result| result.map(|response| response.headers().clone()))
        };
        let (_, checked) = tokio::join!(connection, exchange);
        checked
    })
}
