//! axum on tokio's single-threaded runtime: plain text, and a JSON route with a parameter.
//!
//!     axum-server PORT

use axum::extract::Path;
use axum::http::header::{HeaderName, CONTENT_TYPE, SERVER};
use axum::routing::get;
use axum::Router;

type Fields = [(HeaderName, &'static str); 2];

fn fields(content_type: &'static str) -> Fields {
    [(SERVER, "axum"), (CONTENT_TYPE, content_type)]
}

async fn hello() -> (Fields, &'static str) {
    (fields("text/plain"), "Hello, World!")
}

async fn user(Path(id): Path<String>) -> (Fields, String) {
    let json = format!("{{\"id\":\"{id}\",\"name\":\"user{id}\"}}");
    (fields("application/json"), json)
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: axum-server PORT");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async move {
        let routes = Router::new().route("/", get(hello)).route("/users/:id", get(user));
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        axum::serve(listener, routes).tcp_nodelay(true).await
    })
}
