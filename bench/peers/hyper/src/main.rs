//! hyper 0.14 on tokio's single-threaded runtime: plain text, and a JSON route with a parameter.
//!
//!     hyper-server PORT

use std::convert::Infallible;

use hyper::header::{HeaderValue, CONTENT_TYPE, SERVER};
use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Request, Response, StatusCode};

fn answer(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let fields = response.headers_mut();
    fields.insert(SERVER, HeaderValue::from_static("hyper"));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

async fn serve(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path();
    if path == "/" {
        return Ok(answer("text/plain", "Hello, World!"));
    }
    if let Some(id) = path.strip_prefix("/users/") {
        let json = format!("{{\"id\":\"{id}\",\"name\":\"user{id}\"}}");
        return Ok(answer("application/json", json));
    }
    let mut missing = answer("text/plain", "");
    *missing.status_mut() = StatusCode::NOT_FOUND;
    Ok(missing)
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: hyper-server PORT");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn(async move {
                let _ = Http::new()
                    .http1_only(true)
                    .pipeline_flush(true)
                    .serve_connection(stream, service_fn(serve))
                    .await;
            });
        }
    })
}
