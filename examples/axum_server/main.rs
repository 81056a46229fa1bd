//! A chat: an axum server whose page sends to everybody who has it open.
//!
//! ```text
//! cargo run --release --example axum_server --features axum,deflate
//! ```
//!
//! Then open <http://127.0.0.1:3000/> in two windows. An argument is another address to listen on.

mod app;

use sansocket::handshake::OriginAllowList;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = std::env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let addr = listener.local_addr()?;
    let origins = [
        format!("http://{addr}"),
        format!("http://localhost:{}", addr.port()),
    ];
    let origins = OriginAllowList::new(origins.iter().map(String::as_str))?;
    println!("open http://{addr}/");
    axum::serve(listener, app::app(origins)).await?;
    Ok(())
}
