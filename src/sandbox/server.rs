//! HTTP on loopback: guards a request, finds its service, and sends the answer, unless a fault cuts the line.

use std::error::Error;
use std::future::ready;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::activity::Activity;
use super::authority::Principal;
use super::clock::http_date;
use super::control;
use super::fault::Fault;
use super::guard;
use super::protocol::scope::CredentialScope;
use super::protocol::{Body, BodyError, Response, Service, json11, query};
use super::services;
use super::state::SandboxState;
use super::timeouts::{self, TimedBody};

/// The services of a sandbox.
type Services = Vec<Box<dyn Service>>;

/// Why a connection ends without an answer: a fault rule wanted it.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut by a fault rule")]
struct ConnectionCut;

/// Connections at once. Each may have a file open besides, and the user's processes need some, too.
fn most_connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 2).unwrap_or(usize::MAX).clamp(16, 1_000)
}

/// Accepts connections until the sandbox stops.
pub(super) async fn serve(shared: Arc<SandboxState>, listener: TcpListener) {
    serve_at_most(most_connections(), shared, listener).await;
}

/// Those that are too many wait in the listener's queue until others have ended, as idle ones do by
/// themselves.
async fn serve_at_most(connections: usize, shared: Arc<SandboxState>, listener: TcpListener) {
    let services: Arc<Services> = Arc::new(services::all(&shared));
    let seats = Arc::new(Semaphore::new(connections));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) if is_loopback(peer) => {
                let conversation = converse(Arc::clone(&shared), Arc::clone(&services), stream);
                shared.spawn(async move {
                    let _seat = seat;
                    conversation.await;
                });
            }
            Ok((_, peer)) => tracing::warn!(%peer, "refused a connection that is not from this machine"),
            // Most often no file descriptors are left: give the connections that hold them time to end.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                super::clock::real_sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn is_loopback(peer: SocketAddr) -> bool {
    peer.ip().is_loopback()
}

/// Answers the requests of one connection.
async fn converse(shared: Arc<SandboxState>, services: Arc<Services>, stream: TcpStream) {
    // Answers are small and single: waiting to fill a packet only adds 40 ms.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&shared), Arc::clone(&services), request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(timeouts::HEAD);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn answer(
    shared: Arc<SandboxState>,
    services: Arc<Services>,
    request: hyper::Request<Incoming>,
) -> Result<Response, ConnectionCut> {
    let _answering = Activity::begin(&shared.activity);
    let (mut head, body) = request.into_parts();
    let body: Body = TimedBody::new(body).map_err(BodyError::from).boxed_unsync();
    if let Err(fault) = guard::check(&head) {
        return Ok(json11::render(&fault, "application/json"));
    }
    if let Some(path) = head.uri.path().strip_prefix("/_sandbox/") {
        let path = path.to_owned();
        let answer = control::answer(&shared, &head, &path, body);
        return Ok(unbroken(answer).await.unwrap_or_else(|fault| json11::render(&fault, "application/json")));
    }

    // Whoever prints the headers of a call for debugging must not print these.
    for name in ["authorization", "x-amz-security-token"] {
        if let Some(value) = head.headers.get_mut(name) {
            value.set_sensitive(true);
        }
    }
    let exchange =
        Arc::new(shared.calls.begin(CredentialScope::of(&head).and_then(|scope| scope.access_key)));
    head.extensions.insert(Arc::clone(&exchange));
    let found = find(&services, &head).and_then(|service| Ok((service, principal(&head)?)));
    let mut response = match found {
        Ok((service, principal)) => {
            head.extensions.insert(principal);
            let is_form = is_form(&head.headers);
            let answer = service.handle(&shared, hyper::Request::from_parts(head, body));
            unbroken(answer).await.unwrap_or_else(|fault| refusal(&fault, is_form, &exchange.id))
        }
        Err(fault) => refusal(&fault, is_form(&head.headers), &exchange.id),
    };

    let answered = exchange.may_answer().await;
    shared.calls.end(&exchange, shared.clock.now(), answered.then(|| response.status().as_u16()));
    if !answered {
        return Err(ConnectionCut);
    }
    // What is there is dated by this clock, and not by that of the machine; S3 has said its own time already.
    if let Some(date) = http_date(shared.clock.now()) {
        response.headers_mut().entry(DATE).or_insert(date);
    }
    // S3's clients read the one, all others the other.
    if let Ok(id) = HeaderValue::from_str(&exchange.id) {
        for name in ["x-amzn-requestid", "x-amz-request-id"] {
            response.headers_mut().entry(HeaderName::from_static(name)).or_insert_with(|| id.clone());
        }
    }
    match exchange.is_truncated() {
        true => truncate(response).await,
        false => Ok(response),
    }
}

/// An answer that breaks off in the middle of its body; where it has none, before it begins.
async fn truncate(response: Response) -> Result<Response, ConnectionCut> {
    let (mut head, body) = response.into_parts();
    let body = body.collect().await.map_err(|_| ConnectionCut)?.to_bytes();
    if body.is_empty() {
        return Err(ConnectionCut);
    }
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    let half = stream::once(ready(Ok(Frame::data(body.slice(..body.len() / 2)))));
    // What was written is sent before the connection ends.
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(BodyError::from(Box::<dyn Error + Send + Sync>::from(ConnectionCut)))
    });
    Ok(Response::from_parts(head, StreamBody::new(half.chain(end)).boxed_unsync()))
}

/// An answer also when a bug panics on the way: the request fails, and no other one notices. What is shared
/// is written in single steps, and its locks do not mind.
async fn unbroken(answer: impl Future<Output = Response>) -> Result<Response, Fault> {
    AssertUnwindSafe(answer).catch_unwind().await.map_err(|_| {
        Fault::new(
            500,
            "InternalFailure",
            "a bug in the sandbox: please report it with the request that was sent",
        )
    })
}

/// Whose credentials have signed a request, in its head or in its URL.
fn principal(head: &Parts) -> Result<Principal, Fault> {
    let in_head = head.headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
    let pairs = || head.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let in_url = pairs().find(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"));
    let in_url = in_url.and_then(|(_, token)| percent_decode_str(token).decode_utf8().ok());
    let access_key = CredentialScope::of(head).and_then(|scope| scope.access_key);
    Principal::of(access_key.as_deref(), in_head.or(in_url.as_deref()))
}

/// A refusal before a service could word it.
fn refusal(fault: &Fault, is_form: bool, request_id: &str) -> Response {
    match is_form {
        true => query::render_fault(fault, query::Flavor::Query, "", request_id),
        false => json11::render(fault, "application/x-amz-json-1.1"),
    }
}

/// The service that a request is for, by its credential scope. An unsigned one is for who answers it to
/// everybody, or for S3, which alone may serve the public.
fn find<'a>(services: &'a Services, head: &Parts) -> Result<&'a dyn Service, Fault> {
    let all = || services.iter().map(AsRef::as_ref);
    guard::check_presigned(&head.uri)?;
    let scope = CredentialScope::of(head).unwrap_or_default();
    let Some(signing_name) = scope.service else {
        if let Some(service) = all().find(|service| service.is_public(head)) {
            return Ok(service);
        }
        let claimed = all().any(|service| service.claims(head)) || is_form(&head.headers);
        return all()
            .find(|service| service.name() == "s3" && !claimed)
            .ok_or_else(|| Fault::new(403, "MissingAuthenticationToken", "Missing Authentication Token"));
    };
    // Regions are in names of files.
    let is_region = |region: &str| region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !scope.region.as_deref().is_none_or(is_region) {
        return Err(Fault::new(
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to a valid region.",
        ));
    }
    // An account is of one partition, and AWS does not know its keys in another.
    if let Some(partition) = scope.region.as_deref().and_then(other_partition) {
        let message = format!(
            "The account of the opsctl sandbox is of the partition aws, and {} is a region of {partition}. \
             Use another region, such as us-east-1.",
            scope.region.unwrap_or_default()
        );
        return Err(Fault::new(403, "InvalidClientTokenId", message));
    }
    let signed = || all().filter(|service| service.signing_name() == signing_name);
    signed()
        .find(|service| service.claims(head))
        .or_else(|| signed().next())
        .ok_or_else(|| Fault::not_implemented(&signing_name, "*"))
}

/// The partition of a region that is not of `aws`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
fn other_partition(region: &str) -> Option<&'static str> {
    const BEGINNINGS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    BEGINNINGS.iter().find(|(beginning, _)| region.starts_with(beginning)).map(|(_, partition)| *partition)
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(hyper::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::SandboxOptions;

    async fn ask(stream: &mut TcpStream) {
        stream.write_all(b"GET /_sandbox/health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    }

    async fn answered(stream: &mut TcpStream) {
        let mut told = Vec::new();
        while !told.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut told).await.unwrap(), 0);
        }
        assert!(told.starts_with(b"HTTP/1.1 200 OK"));
    }

    fn state(root: &std::path::Path) -> Arc<SandboxState> {
        let options = SandboxOptions::new(root);
        Arc::new(SandboxState::open(options, String::new(), crate::services::has_bytes).unwrap())
    }

    #[tokio::test]
    async fn the_account_is_unknown_in_other_partitions() {
        let root = tempfile::tempdir().unwrap();
        let shared = state(root.path());
        let services = crate::services::all(&shared);
        for (region, is_known) in [("eu-west-1", true), ("cn-north-1", false), ("us-isob-east-1", false)] {
            let signed =
                format!("AWS4-HMAC-SHA256 Credential=AKID/20261130/{region}/sts/aws4_request, Signature=00");
            let request = hyper::Request::builder().header(hyper::header::AUTHORIZATION, signed);
            let found = find(&services, &request.body(()).unwrap().into_parts().0);
            match found.err() {
                None => assert!(is_known, "{region}"),
                Some(fault) => {
                    assert!(!is_known && fault.message.contains(region), "{}", fault.message);
                    assert_eq!(fault.code, "InvalidClientTokenId");
                }
            }
        }
    }

    #[tokio::test]
    async fn more_connections_than_there_are_seats_wait_for_one() {
        let root = tempfile::tempdir().unwrap();
        let shared = state(root.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        shared.spawn(serve_at_most(2, Arc::clone(&shared), listener));
        let [mut first, mut second, mut third] = [(); 3].map(|()| {
            std::net::TcpStream::connect(address)
                .map(|stream| {
                    stream.set_nonblocking(true).unwrap();
                    TcpStream::from_std(stream).unwrap()
                })
                .unwrap()
        });
        for held in [&mut first, &mut second] {
            ask(held).await;
            answered(held).await;
        }
        ask(&mut third).await;
        ask(&mut second).await;
        answered(&mut second).await;
        let waits = third.try_read(&mut [0; 1]).unwrap_err().kind();
        assert_eq!(waits, std::io::ErrorKind::WouldBlock);
        drop(first);
        answered(&mut third).await;
        shared.stop().await;
    }
}
