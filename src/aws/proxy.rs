//! Proxies as the environment names them: read strictly, because the SDK drops one that it cannot read and
//! goes to AWS directly; and named in errors, without their credentials.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use aws_smithy_runtime_api::client::result::ConnectorError;
use hyper::http::uri::Authority;
use hyper_util::client::proxy::matcher::Matcher;

/// The variables of each scheme, in the order of their weight. The first that is set counts, as for the SDK,
/// also when it is empty.
const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Which variable names the proxy, by the scheme of what is asked for.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    https: Option<&'static str>,
    http: Option<&'static str>,
}

impl Proxies {
    /// Reads the environment through `get`.
    ///
    /// # Errors
    /// The variable that cannot be used, and why; its value may have a password in it.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, (&'static str, &'static str)> {
        let named = |names: [&'static str; 4]| {
            let (own, all) = names.split_at(2);
            for pair in [own, all] {
                let set = pair.iter().find_map(|name| Some((*name, get(name)?)));
                let Some((name, value)) = set.filter(|(_, value)| !value.is_empty()) else { continue };
                return usable(&value).map_or_else(|why| Err((name, why)), |()| Ok(Some(name)));
            }
            Ok(None)
        };
        Ok(Self { https: named(HTTPS)?, http: named(HTTP)? })
    }

    /// The proxy that leads to a URL: its variable and its address, without credentials.
    fn of(&self, url: &str) -> Option<String> {
        static MATCHER: OnceLock<Matcher> = OnceLock::new();
        let url = url.parse().ok()?;
        // As the SDK reads it.
        let proxy = MATCHER.get_or_init(Matcher::from_env).intercept(&url)?;
        let variable = if url.scheme_str() == Some("https") { self.https } else { self.http };
        let address = proxy.uri().authority().map_or("", without_credentials).to_owned();
        Some(variable.map_or_else(|| address.clone(), |name| format!("{address} ({name})")))
    }

    /// An error of the way to `url`, with the proxy that it went through.
    pub(super) fn named(&self, url: &str, error: ConnectorError) -> ConnectorError {
        let Some(proxy) = self.of(url) else { return error };
        let (timeout, io, user, other) =
            (error.is_timeout(), error.is_io(), error.is_user(), error.as_other());
        let through = Box::new(Through { proxy, error });
        if timeout {
            ConnectorError::timeout(through)
        } else if io {
            ConnectorError::io(through)
        } else if user {
            ConnectorError::user(through)
        } else {
            ConnectorError::other(through, other)
        }
    }
}

/// Whether the SDK's client takes it for a proxy.
fn usable(value: &str) -> Result<(), &'static str> {
    let Ok(url) = value.parse::<hyper::Uri>() else { return Err("is not a URL") };
    match url.scheme_str() {
        None | Some("http" | "https") => {}
        Some(scheme) if scheme.starts_with("socks") => {
            return Err("names a SOCKS proxy, which opsctl does not speak to");
        }
        Some(_) => return Err("is a URL that is neither http:// nor https://"),
    }
    let Some(authority) = url.authority() else { return Err("names no host") };
    let again = format!("http://{}/", without_credentials(authority)).parse::<hyper::Uri>();
    match again.ok().as_ref().and_then(hyper::Uri::authority) {
        Some(again) if !again.host().is_empty() && port_is_good(again) => Ok(()),
        _ => Err("names no host and port that can be read"),
    }
}

/// Host and port. A password may have an `@` in it.
fn without_credentials(authority: &Authority) -> &str {
    authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host)
}

/// A colon is followed by a number.
fn port_is_good(authority: &Authority) -> bool {
    let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    rest.is_empty() || authority.port_u16().is_some()
}

/// What went wrong on the way through a proxy.
#[derive(Debug)]
pub(super) struct Through {
    pub proxy: String,
    error: ConnectorError,
}

impl fmt::Display for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {}", self.proxy)
    }
}

impl Error for Through {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Proxies, (&'static str, &'static str)> {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Proxies::read(get)
    }

    #[test]
    fn what_the_sdk_would_drop_is_refused_by_its_name() {
        for bad in [
            "http://us:pw@:::bad",
            "http://us:pw@",
            "not a url",
            "socks5://us:pw@proxy:1080",
            "ftp://proxy",
            "http://proxy:port",
            "http://proxy:99999",
            "/proxy",
            // What is left of bytes that are no text.
            "http://us:pw\u{fffd}@proxy:3128",
        ] {
            let (name, why) = read(&[("https_proxy", bad)]).expect_err(bad);
            assert!(name == "https_proxy" && !why.contains("pw"), "{bad}: {name} {why}");
        }
        let good = [
            "http://proxy:3128",
            "https://us:p%40w@proxy",
            "proxy:3128",
            "http://[::1]:80",
            "10.0.0.1:8080",
            "",
        ];
        for good in good {
            read(&[("HTTPS_PROXY", good)]).expect(good);
        }
    }

    #[test]
    fn no_part_of_a_password_is_shown() {
        for text in ["us:p@ss@proxy:3128", "us:pass@proxy:3128", "pass@proxy:3128", "proxy:3128"] {
            let authority: Authority = text.parse().expect(text);
            assert_eq!(without_credentials(&authority), "proxy:3128");
        }
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        let all = read(&[("ALL_PROXY", "http://a:1"), ("HTTP_PROXY", "http://b:1")]).expect("good");
        assert_eq!((all.https, all.http), (Some("ALL_PROXY"), Some("HTTP_PROXY")));
        // Nobody reads what does not count.
        let both = read(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "://"), ("all_proxy", "://")]);
        assert_eq!(both.expect_err("http has no other").0, "all_proxy");
    }
}
