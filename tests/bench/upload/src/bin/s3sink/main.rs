//! A small S3 for measuring clients. One thread per connection: it shares its cores with the client that it
//! measures, and blocking reads into a large buffer cost least.

mod answer;
mod buckets;
mod certificate;
mod chunked;
mod counters;
mod intake;
mod multipart;
mod objects;
mod options;
mod request;
mod route;
mod serve;
mod store;
mod wire;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use options::Options;
use serve::Sink;
use socket2::{Domain, Socket, Type};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(options) = Options::parse()? else {
        println!("{}", options::HELP);
        return Ok(());
    };
    if let Some(folder) = &options.keep {
        std::fs::create_dir_all(folder)?;
    }
    let tls = certificate::server(&options.ca)?;
    let (secure, plain) = (listen(options.port)?, options.plain_port.map(listen).transpose()?);
    let sink = Arc::new(Sink::new(options));
    // The one line that scripts wait for.
    println!("https://127.0.0.1:{}", secure.local_addr()?.port());
    if let Some(plain) = plain {
        println!("http://127.0.0.1:{}", plain.local_addr()?.port());
        let sink = sink.clone();
        std::thread::spawn(move || sink.accept(&plain, None));
    }
    sink.accept(&secure, Some(&tls));
    Ok(())
}

/// Loopback only, with room for clients that open hundreds of connections at once (std's queue is 128).
fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
