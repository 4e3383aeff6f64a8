//! The command line, and the conditions (latency, faults) that can also be changed while the server runs.

use std::path::PathBuf;
use std::time::Duration;

pub const HELP: &str = "\
A small S3 for measuring clients: takes objects in, remembers what they were, throws the bodies away.

Usage: s3sink [OPTIONS]

  --port N            HTTPS on 127.0.0.1:N (default 0: any free port)
  --plain-port N      plain HTTP too
  --ca FILE           where the certificate of the self-made CA is written (default: s3sink-ca.pem)
  --keep DIR          keep all bodies, as files below DIR, so that they can be read back
  --verify            compute and compare every checksum that a request states, as S3 does

Conditions, which `POST /_sink/set?NAME=VALUE` changes later:
  --latency-ms N      every answer so much later
  --rate-cap BYTES    per connection and second (0: none)
  --slow-down P       the share of requests answered with 503 SlowDown
  --reset P           the share of connections reset: half in the body, half after the work, before the answer
  --corrupt P         the share of bodies in which one bit is flipped on arrival
  --seed N            of the faults: the same requests in the same order suffer the same ones

  GET /_sink          counters as JSON: requests by operation, connections, bytes, own CPU seconds, faults
  POST /_sink/reset   counters to zero
  POST /_sink/clear   counters to zero, and all objects and uploads away; buckets stay";

pub struct Options {
    pub port: u16,
    pub plain_port: Option<u16>,
    pub ca: PathBuf,
    pub keep: Option<PathBuf>,
    pub verify: bool,
    pub conditions: Conditions,
}

/// What a client has to live with.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub latency: Duration,
    /// Bytes per second and connection; 0 is no limit.
    pub rate_cap: u64,
    pub slow_down: f64,
    pub reset: f64,
    pub corrupt: f64,
    pub seed: u64,
}

impl Conditions {
    /// Sets one by the name that it has on the command line; `Err` says what is wrong.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|e| format!("{name} {value}: {e}"));
        let share = || match value.parse::<f64>() {
            Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
            _ => Err(format!("{name} {value}: not a share between 0 and 1")),
        };
        match name {
            "latency-ms" => self.latency = Duration::from_millis(number()?),
            "rate-cap" => self.rate_cap = number()?,
            "slow-down" => self.slow_down = share()?,
            "reset" => self.reset = share()?,
            "corrupt" => self.corrupt = share()?,
            "seed" => self.seed = number()?,
            _ => return Err(format!("there is no condition `{name}`")),
        }
        Ok(())
    }
}

impl Options {
    /// `None`: help was asked for.
    pub fn parse() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Self {
            port: 0,
            plain_port: None,
            ca: "s3sink-ca.pem".into(),
            keep: None,
            verify: false,
            conditions: Conditions::default(),
        };
        let mut words = lexopt::Parser::from_env();
        while let Some(word) = words.next()? {
            match word {
                Long("port") => options.port = words.value()?.parse()?,
                Long("plain-port") => options.plain_port = Some(words.value()?.parse()?),
                Long("ca") => options.ca = words.value()?.into(),
                Long("keep") => options.keep = Some(words.value()?.into()),
                Long("verify") => options.verify = true,
                Long("help") | Short('h') => return Ok(None),
                Long(name) => {
                    let name = name.to_owned();
                    options.conditions.set(&name, &words.value()?.string()?)?;
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(options))
    }
}
