//! hyper 1 on tokio's single-threaded runtime: plain text, and a JSON route with a parameter.
//!
//!     hyper-server PORT

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, CONTENT_TYPE, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

type Answer = Response<Full<Bytes>>;

fn answer(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    let fields = response.headers_mut();
    fields.insert(SERVER, HeaderValue::from_static("hyper"));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

async fn serve(request: Request<Incoming>) -> Result<Answer, Infallible> {
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
                let _ = http1::Builder::new()
                    .pipeline_flush(true)
                    .serve_connection(TokioIo::new(stream), service_fn(serve))
                    .await;
            });
        }
    })
}
