//! Lambda's Runtime API for one execution environment, on a loopback port of its own.
//!
//! Source: AWS, "Using the Lambda runtime API" (lambda/latest/dg/runtimes-api), version 2018-06-01.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

/// A synchronous answer is at most 6 MB (docs/aws/lambda.md#limits); the runtime's error documents are far
/// smaller.
const LONGEST_ANSWER: usize = 6 * 1024 * 1024 + 1024;

/// What the runtime gets from `/next`.
#[derive(Debug)]
pub(super) struct Work {
    pub request_id: String,
    pub invoked_arn: String,
    pub deadline_ms: u128,
    pub client_context: Option<String>,
    pub payload: Bytes,
}

/// What the runtime did.
#[derive(Debug)]
pub(super) enum Event {
    /// It asks for work: init, or an invocation, is over.
    Ready,
    Response(Bytes),
    Error(Bytes),
    InitError(Bytes),
    /// It answered with more than 6 MB.
    TooLarge,
}

/// The server's side. Dropping it closes the port.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    pub port: u16,
    work: mpsc::Sender<Work>,
    pub events: mpsc::Receiver<Event>,
    server: AbortHandle,
}

struct RuntimeServer {
    work: Mutex<mpsc::Receiver<Work>>,
    events: mpsc::Sender<Event>,
}

impl RuntimeApi {
    /// Listens on a free port.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (work, work_end) = mpsc::channel(1);
        let (events_end, events) = mpsc::channel(8);
        let server = Arc::new(RuntimeServer { work: Mutex::new(work_end), events: events_end });
        let server = tokio::spawn(serve(listener, address, server)).abort_handle();
        Ok(Self { port: address.port(), work, events, server })
    }

    /// Hands work to the runtime, which waits in `/next`. False when the runtime's server is gone.
    pub async fn give(&self, work: Work) -> bool {
        self.work.send(work).await.is_ok()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, server: Arc<RuntimeServer>) {
    // Connections are owned here, so that closing the server closes them.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let server = Arc::clone(&server);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(answer(request, address, &server).await) }
        });
        let builder = hyper::server::conn::http1::Builder::new();
        connections.spawn(builder.serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    address: SocketAddr,
    server: &RuntimeServer,
) -> Response<Full<Bytes>> {
    // A page in a browser can reach a loopback port under a name of its own; the runtime never uses one.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host != Some(address.to_string().as_str()) {
        return plain(StatusCode::FORBIDDEN);
    }
    let path = request.uri().path().to_owned();
    let Some(path) = path.strip_prefix("/2018-06-01/runtime/") else { return plain(StatusCode::NOT_FOUND) };
    if (request.method(), path) == (&Method::GET, "invocation/next") {
        return next(server).await;
    }
    let make: fn(Bytes) -> Event = match path.rsplit_once('/') {
        Some(("init", "error")) => Event::InitError,
        Some((id, "response")) if id.starts_with("invocation/") => Event::Response,
        Some((id, "error")) if id.starts_with("invocation/") => Event::Error,
        _ => return plain(StatusCode::NOT_FOUND),
    };
    let body = Limited::new(request.into_body(), LONGEST_ANSWER).collect().await;
    let (event, status) = match body {
        Ok(body) => (make(body.to_bytes()), StatusCode::ACCEPTED),
        Err(_) => (Event::TooLarge, StatusCode::PAYLOAD_TOO_LARGE),
    };
    if server.events.send(event).await.is_err() {
        return plain(StatusCode::GONE);
    }
    plain(status)
}

async fn next(server: &RuntimeServer) -> Response<Full<Bytes>> {
    let mut queue = server.work.lock().await;
    if server.events.send(Event::Ready).await.is_err() {
        return plain(StatusCode::GONE);
    }
    let Some(work) = queue.recv().await else { return plain(StatusCode::GONE) };
    let mut response = Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", work.request_id)
        .header("Lambda-Runtime-Deadline-Ms", work.deadline_ms.to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", work.invoked_arn);
    if let Some(context) = work.client_context {
        response = response.header("Lambda-Runtime-Client-Context", context);
    }
    // Only a client context with line breaks can fail here; AWS refuses it at Invoke.
    response.body(Full::new(work.payload)).unwrap_or_else(|_| plain(StatusCode::BAD_REQUEST))
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}\n")));
    *response.status_mut() = status;
    response
}
