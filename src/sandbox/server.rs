//! HTTP on loopback: guards a request, finds its service, and sends the answer, unless a fault cuts the line.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::call::Fault;
use super::control;
use super::protocol::scope::Scope;
use super::protocol::{Body, BodyError, Response, Service, json11, query};
use super::services;
use super::world::World;

/// The services of a sandbox.
type Services = Vec<Box<dyn Service>>;

/// Why a connection ends without an answer: a fault rule wanted it.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut by a fault rule")]
struct Cut;

/// Accepts connections until the sandbox stops.
pub(super) async fn serve(world: Arc<World>, listener: TcpListener) {
    let services: Arc<Services> = Arc::new(services::all(&world));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if is_loopback(peer) => {
                world.spawn(converse(Arc::clone(&world), Arc::clone(&services), stream));
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
async fn converse(world: Arc<World>, services: Arc<Services>, stream: TcpStream) {
    // Answers are small and single: waiting to fill a packet only adds 40 ms.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&world), Arc::clone(&services), request));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn answer(
    world: Arc<World>,
    services: Arc<Services>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Cut> {
    let (mut head, body) = request.into_parts();
    let body: Body = body
        .map_err(|error| BodyError::from(Box::<dyn std::error::Error + Send + Sync>::from(error)))
        .boxed_unsync();
    if let Err(fault) = guard(&head.headers) {
        return Ok(json11::render(&fault, "application/json"));
    }
    if let Some(path) = head.uri.path().strip_prefix("/_sandbox/") {
        let path = path.to_owned();
        return Ok(control::answer(&world, &head, &path, body).await);
    }

    // Whoever prints the headers of a call for debugging must not print these.
    for name in ["authorization", "x-amz-security-token"] {
        if let Some(value) = head.headers.get_mut(name) {
            value.set_sensitive(true);
        }
    }
    let visit = Arc::new(world.calls.begin());
    head.extensions.insert(Arc::clone(&visit));
    let mut response = match find(&services, &head) {
        Ok(service) => service.handle(&world, hyper::Request::from_parts(head, body)).await,
        Err(fault) if is_form(&head.headers) => {
            query::render_fault(&fault, query::Flavour::Query, "", &visit.id)
        }
        Err(fault) => json11::render(&fault, "application/x-amz-json-1.1"),
    };

    let answered = visit.may_answer().await;
    world.calls.end(&visit, world.clock.now(), answered.then(|| response.status().as_u16()));
    if !answered {
        return Err(Cut);
    }
    // S3's clients read the one, all others the other.
    if let Ok(id) = HeaderValue::from_str(&visit.id) {
        for name in ["x-amzn-requestid", "x-amz-request-id"] {
            response.headers_mut().entry(HeaderName::from_static(name)).or_insert_with(|| id.clone());
        }
    }
    Ok(response)
}

/// The service that a request is for: by its credential scope, else by what its head says; an unsigned request
/// that nobody claims is S3's, which alone serves the public.
fn find<'a>(services: &'a Services, head: &Parts) -> Result<&'a dyn Service, Fault> {
    let all = || services.iter().map(AsRef::as_ref);
    let Some(signing_name) = Scope::of(head).and_then(|scope| scope.service) else {
        return all()
            .find(|service| service.claims(head))
            .or_else(|| all().find(|service| service.name() == "s3"))
            .ok_or_else(|| Fault::new(403, "MissingAuthenticationToken", "Missing Authentication Token"));
    };
    let signed = || all().filter(|service| service.signing_name() == signing_name);
    signed()
        .find(|service| service.claims(head))
        .or_else(|| signed().next())
        .ok_or_else(|| Fault::not_implemented(&signing_name, "*"))
}

/// Only programs on this machine that mean this sandbox are answered. A web page could otherwise reach it, by
/// a name that it points at 127.0.0.1 (DNS rebinding) or by a request across origins.
fn guard(headers: &HeaderMap) -> Result<(), Fault> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let refuse = |what| Err(Fault::new(403, "AccessDenied", format!("the sandbox answers only {what}")));
    if !text(HOST).is_some_and(names_loopback) {
        return refuse("requests whose Host is on loopback");
    }
    let origin = text(ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if !origin.is_none_or(names_loopback) {
        return refuse("web pages of this machine");
    }
    Ok(())
}

/// `127.0.0.1:80`, `[::1]`, `localhost`, and `bucket.localhost`, which resolvers keep on this machine (RFC 6761).
fn names_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost"),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(hyper::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_hosts_and_origins_on_loopback_pass() {
        for host in ["127.0.0.1:4566", "127.0.0.1", "[::1]:1", "localhost:80", "bucket.localhost:4566"] {
            assert!(guard(&headers(host, None)).is_ok(), "{host}");
        }
        for host in ["example.com", "127.0.0.1.example.com:80", "10.0.0.1", "localhost.example.com", ""] {
            assert!(guard(&headers(host, None)).is_err(), "{host}");
        }
        assert!(guard(&headers("127.0.0.1", Some("http://localhost:3000"))).is_ok());
        assert!(guard(&headers("127.0.0.1", Some("https://example.com"))).is_err());
        assert!(guard(&headers("127.0.0.1", Some("null"))).is_err());
        assert!(guard(&HeaderMap::new()).is_err());
    }
}
