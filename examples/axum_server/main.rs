//! A chat: an axum server whose page sends to everybody who has it open.
//!
//! ```text
//! cargo run --release --example axum_server --features axum,deflate
//! ```
//!
//! Then open <http://127.0.0.1:3000/> in two windows.

mod app;

use sansocket::handshake::OriginAllowList;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origins = OriginAllowList::new(["http://127.0.0.1:3000", "http://localhost:3000"])?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("open http://127.0.0.1:3000/");
    axum::serve(listener, app::app(origins)).await?;
    Ok(())
}
