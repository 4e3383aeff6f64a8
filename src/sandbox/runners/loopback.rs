//! One HTTP request to a server on 127.0.0.1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer of a local server.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Bytes,
}

/// Current documentation allows 25 MB for a real-time answer (docs/aws/sagemaker-endpoints.md#invoking).
const LONGEST_REPLY: usize = 25 * 1024 * 1024;

/// Sends a request to a server of this machine.
pub async fn send(
    port: u16,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> io::Result<Reply> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let mut request = Request::builder().method(method).uri(path).header(HOST, address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).map_err(io::Error::other)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_REPLY).collect().await.map_err(io::Error::other)?.to_bytes();
        let content_type =
            head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Reply { status: head.status.as_u16(), content_type, body })
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    // The connection future moves the bytes; it may end (server closes) before the exchange has read them
    // all.
    tokio::select! {
        reply = &mut exchange => reply,
        moved = &mut connection => match moved {
            Ok(()) => exchange.await,
            Err(error) => Err(io::Error::other(error)),
        },
    }
}
