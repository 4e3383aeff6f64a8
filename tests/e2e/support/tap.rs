//! Between opsctl and the sandbox: what really goes over the wire.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request: the header lines and the body.
pub type Sent = (Vec<String>, Vec<u8>);

/// Stands between opsctl and the sandbox, and keeps what goes by.
pub struct Tap {
    pub url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Tap {
    pub fn on(endpoint: &str) -> Self {
        let upstream = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sent);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, kept) = (upstream.clone(), Arc::clone(&kept));
                std::thread::spawn(move || pass_on(client, &upstream, &kept));
            }
        });
        Self { url, sent }
    }

    /// What has gone by so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("nobody panics with it").clone()
    }
}

/// One request of a connection; AWS's SDK opens another for the next.
fn pass_on(mut client: TcpStream, upstream: &str, kept: &Mutex<Vec<Sent>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        head.iter().find_map(|h| Some(h.split_once(':')?).filter(|h| h.0.eq_ignore_ascii_case(name)))
    };
    let length = header("content-length").and_then(|(_, n)| n.trim().parse().ok()).unwrap_or(0);
    if header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut server = TcpStream::connect(upstream).ok()?;
    let passed =
        head.iter().filter(|h| !["connection:", "expect:"].iter().any(|n| h.to_lowercase().starts_with(n)));
    let passed: String = passed.map(|h| format!("{h}\r\n")).collect();
    // Before the other side has all of it, and counts it.
    kept.lock().expect("nobody panics with it").push((head, body.clone()));
    server.write_all(format!("{passed}connection: close\r\n\r\n").as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    std::io::copy(&mut server, &mut client).ok().map(drop)
}
