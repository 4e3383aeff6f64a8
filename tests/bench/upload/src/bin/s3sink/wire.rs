//! Bytes in and out of one connection, plain or through TLS.
//!
//! TLS is rustls's unbuffered API over a large buffer of ours: records are decrypted in place and one `read`
//! takes many of them, where the buffered API reads 4 KiB at a time. The server shares its cores with the
//! client that it measures.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use socket2::SockRef;

/// Read at once at most. Large enough that system calls do not count, small enough to stay in the cache.
const GULP: usize = 256 * 1024;
/// Encrypted at once at most; a record takes 16 KiB and at most 256 bytes around it.
const SIP: usize = 64 * 1024;
const AROUND: usize = 5 * 256;

pub enum Wire {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

impl Wire {
    pub fn new(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(match tls {
            None => Self::Plain(socket),
            Some(config) => {
                let session = UnbufferedServerConnection::new(config.clone()).map_err(io::Error::other)?;
                let (raw, out, early) = (vec![0; GULP], Vec::new(), Vec::new());
                Self::Tls(Box::new(Tls { socket, session, raw, start: 0, end: 0, out, early }))
            }
        })
    }

    /// Appends what comes next; 0 is the end of the connection.
    pub fn fill(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => {
                let had = into.len();
                into.resize(had + GULP, 0);
                let got = socket.read(&mut into[had..]);
                into.truncate(had + *got.as_ref().unwrap_or(&0));
                got
            }
            Self::Tls(tls) => tls.fill(into),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(tls) => bytes.chunks(SIP).try_for_each(|chunk| tls.send(chunk)),
        }
    }

    /// Ends the connection with a TCP reset instead of an orderly close.
    pub fn reset(&self) -> io::Result<()> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        };
        SockRef::from(socket).set_linger(Some(Duration::ZERO))
    }
}

pub struct Tls {
    socket: TcpStream,
    session: UnbufferedServerConnection,
    /// Encrypted bytes as they came: `raw[start..end]` is not yet processed.
    raw: Vec<u8>,
    start: usize,
    end: usize,
    out: Vec<u8>,
    /// Decrypted while we wanted to send.
    early: Vec<u8>,
}

/// Where [`Tls::advance`] stopped.
enum Stop {
    Data,
    Sent,
    NeedsMore,
    Closed,
}

impl Tls {
    fn fill(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let had = into.len();
        into.append(&mut self.early);
        while into.len() == had {
            match self.advance(into, &[])? {
                Stop::Data => {}
                Stop::Closed => return Ok(0),
                Stop::Sent | Stop::NeedsMore => {
                    self.raw.copy_within(self.start..self.end, 0);
                    (self.start, self.end) = (0, self.end - self.start);
                    let got = self.socket.read(&mut self.raw[self.end..])?;
                    if got == 0 {
                        return Ok(0); // without close_notify, as many clients do
                    }
                    self.end += got;
                }
            }
        }
        Ok(into.len() - had)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut early = std::mem::take(&mut self.early);
        loop {
            match self.advance(&mut early, bytes)? {
                Stop::Sent => break,
                Stop::Data => {}
                Stop::NeedsMore => return Err(io::Error::other("an answer before the handshake was over")),
                Stop::Closed => return Err(ErrorKind::ConnectionAborted.into()),
            }
        }
        self.early = early;
        Ok(())
    }

    /// Goes on with the session until it has data for us, can take data from us, or needs more from the peer.
    fn advance(&mut self, plain: &mut Vec<u8>, say: &[u8]) -> io::Result<Stop> {
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.session.process_tls_records(&mut self.raw[self.start..self.end]);
            let stop = match state.map_err(io::Error::other)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                    Some(Stop::Data)
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    let had = self.out.len();
                    // The first try tells the size.
                    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                        self.out.resize(had + size.required_size, 0);
                        data.encode(&mut self.out[had..]).map_err(io::Error::other)?;
                    }
                    None
                }
                ConnectionState::TransmitTlsData(data) => {
                    self.socket.write_all(&self.out)?;
                    self.out.clear();
                    data.done();
                    None
                }
                ConnectionState::WriteTraffic(mut traffic) => {
                    if say.is_empty() {
                        Some(Stop::NeedsMore)
                    } else {
                        self.out.resize(say.len() + AROUND, 0);
                        let length = traffic.encrypt(say, &mut self.out).map_err(io::Error::other)?;
                        self.socket.write_all(&self.out[..length])?;
                        self.out.clear();
                        Some(Stop::Sent)
                    }
                }
                ConnectionState::BlockedHandshake => Some(Stop::NeedsMore),
                ConnectionState::PeerClosed | ConnectionState::Closed => Some(Stop::Closed),
                other => {
                    return Err(io::Error::other(format!("a TLS state that was never offered: {other:?}")));
                }
            };
            self.start += discard;
            if let Some(stop) = stop {
                return Ok(stop);
            }
        }
    }
}
