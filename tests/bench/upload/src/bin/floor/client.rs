//! One connection to S3 and the four requests of the floor. Every answer but success is the end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Failure;
use crate::sign::Signer;

/// What SigV4 leaves unencoded in a path.
const IN_PATHS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Where to, shared by all connections.
pub struct Target {
    host: String,
    bucket: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    keys: (String, String),
}

impl Target {
    pub fn new(endpoint: &str, ca: Option<&Path>, bucket: String) -> Result<Self, Failure> {
        let (scheme, host) = endpoint.split_once("://").ok_or("the endpoint is not a URL")?;
        let host = host.trim_end_matches('/').to_owned();
        let tls = match scheme {
            "https" => {
                let mut roots = RootCertStore::empty();
                let file = ca.ok_or("--ca is missing")?;
                roots.add(rustls::pki_types::CertificateDer::from_pem_file(file)?)?;
                let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
                let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
                Some((Arc::new(config), ServerName::try_from(name.to_owned())?))
            }
            _ => None,
        };
        let key = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
        Ok(Self { host, bucket, tls, keys: (key("AWS_ACCESS_KEY_ID")?, key("AWS_SECRET_ACCESS_KEY")?) })
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

pub struct Client<'a> {
    target: &'a Target,
    stream: Stream,
    signer: Signer,
    answer: Vec<u8>,
}

impl<'a> Client<'a> {
    pub fn connect(target: &'a Target) -> Result<Self, Failure> {
        let socket = TcpStream::connect(&target.host)?;
        socket.set_nodelay(true)?;
        let stream = match &target.tls {
            None => Stream::Plain(socket),
            Some((config, name)) => {
                let session = ClientConnection::new(config.clone(), name.clone())?;
                Stream::Tls(Box::new(StreamOwned::new(session, socket)))
            }
        };
        let signer = Signer::new(&target.keys.0, &target.keys.1);
        Ok(Self { target, stream, signer, answer: Vec::with_capacity(16 * 1024) })
    }

    /// `PutObject`, or `UploadPart` with its query; the ETag that it got.
    pub fn put(&mut self, key: &str, query: &str, body: &[u8]) -> Result<String, Failure> {
        let crc = BASE64_STANDARD.encode(crc_fast::checksum(Crc64Nvme, body).to_be_bytes());
        let (head, _) = self.exchange("PUT", key, query, Some(&crc), body)?;
        let etag = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("etag").then(|| value.trim().to_owned())
        });
        Ok(etag.ok_or("the answer to a PUT has no ETag")?)
    }

    pub fn create_upload(&mut self, key: &str) -> Result<String, Failure> {
        let (_, body) = self.exchange("POST", key, "uploads=", None, &[])?;
        let id = body.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once("</UploadId>"));
        Ok(id.ok_or("no upload id")?.0.to_owned())
    }

    pub fn complete_upload(&mut self, key: &str, id: &str, etags: &[String]) -> Result<(), Failure> {
        let part =
            |(index, etag)| format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", index + 1);
        let parts: String = etags.iter().enumerate().map(part).collect();
        let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        self.exchange("POST", key, &format!("uploadId={id}"), None, document.as_bytes()).map(drop)
    }

    fn exchange(
        &mut self,
        method: &str,
        key: &str,
        query: &str,
        crc: Option<&str>,
        body: &[u8],
    ) -> Result<(String, String), Failure> {
        let host = &self.target.host;
        let path = format!("/{}/{}", self.target.bucket, utf8_percent_encode(key, IN_PATHS));
        let signed = self.signer.sign(method, host, &path, query, crc);
        let checksum = crc.map(|crc| format!("x-amz-checksum-crc64nvme: {crc}\r\n")).unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        let head = format!(
            "{method} {path}{mark}{query} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n{checksum}{signed}\r\n",
            body.len()
        );
        match &mut self.stream {
            Stream::Plain(stream) => exchange(stream, &head, body, &mut self.answer),
            Stream::Tls(stream) => exchange(stream, &head, body, &mut self.answer),
        }
    }
}

/// Sends a request and reads its answer: head and body.
fn exchange(
    stream: &mut (impl Read + Write),
    head: &str,
    body: &[u8],
    answer: &mut Vec<u8>,
) -> Result<(String, String), Failure> {
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    answer.clear();
    loop {
        let had = answer.len();
        answer.resize(had + 8 * 1024, 0);
        let got = stream.read(&mut answer[had..])?;
        answer.truncate(had + got);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        if let httparse::Status::Complete(length) = response.parse(answer)? {
            let value = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let value = value.and_then(|h| std::str::from_utf8(h.value).ok()).unwrap_or("0");
            if answer.len() >= length + value.parse::<usize>()? {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                return match response.code {
                    Some(200) => Ok((text(&answer[..length]), text(&answer[length..]))),
                    code => Err(format!("HTTP {}: {}", code.unwrap_or(0), text(&answer[length..])).into()),
                };
            }
        }
        if got == 0 {
            return Err("the server closed the connection".into());
        }
    }
}
