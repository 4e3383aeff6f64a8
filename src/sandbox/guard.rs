//! Who may send requests: programs on this machine that address this sandbox. Never a web page.
//!
//! Any page that is open in a browser of this machine can send requests to 127.0.0.1, and DNS lets it give
//! that address a name of its own. It cannot read the answers, but what it asks would be done: `<img
//! src="http://127.0.0.1:…/?Action= DeleteRole…">`, or a form that posts itself. Anybody's key opens the
//! sandbox, so the signature protects nothing. What a page can send is narrow: without a preflight, which
//! nobody answers here, it sends GET, HEAD or POST with one of three content types and without an
//! `Authorization` header (<https://fetch.spec.whatwg.org/#cors-safelisted-method>,
//! <https://fetch.spec.whatwg.org/#cors-safelisted-request-header>). So:
//!
//! 1. `Host` is on loopback, and whatever names where a request comes from (`Origin`, `Referer`,
//!    `Sec-Fetch-Site`) names this sandbox itself or nothing.
//! 2. GET and HEAD only read: [`may_change`].
//! 3. A browser's POST has to be one that a page cannot send.
//! 4. A signature in a URL is whole.

use std::net::IpAddr;

use hyper::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, ORIGIN, REFERER,
    USER_AGENT,
};
use hyper::http::request::Parts;
use hyper::{Method, Uri};

use super::effect::Effect;
use super::fault::Fault;

/// Refuses what does not come from a program of this machine.
pub fn check(head: &Parts) -> Result<(), Fault> {
    let refuse = |what| Err(Fault::new(403, "AccessDenied", format!("the sandbox answers {what}")));
    let headers = &head.headers;
    let host = text(headers, HOST).unwrap_or_default();
    // A browser that asks a proxy names the host in the first line too.
    let named = head.uri.authority().map_or(host, |authority| authority.as_str());
    if !names_loopback(host) || !names_loopback(named) {
        return refuse("only requests whose Host is on loopback");
    }
    for name in [ORIGIN, REFERER] {
        if text(headers, name).is_some_and(|from| origin_host(from) != Some(host)) {
            return refuse("no web pages");
        }
    }
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    if !site.is_none_or(|site| ["same-origin", "none"].contains(&site)) {
        return refuse("no web pages");
    }
    if head.method == Method::OPTIONS || (head.method == Method::POST && is_a_browsers(headers)) {
        return refuse("no web pages: it has no CORS, and takes no forms from browsers");
    }
    Ok(())
}

/// Whether a request may do more than read: GET and HEAD never change anything, whatever their URL says.
pub fn may_change(method: &Method) -> bool {
    *method != Method::GET && *method != Method::HEAD
}

/// What is called by an address that nobody can guess: a page that knows it may call it on AWS too.
const BY_SECRET: &str = "InvokeFunctionUrl";

/// Refuses an operation that changes something and comes by GET. AWS takes presigned URLs for all of them,
/// and checks who signed; here nobody does.
pub fn check_effect(method: &Method, service: &str, operation: &str) -> Result<(), Fault> {
    if may_change(method) || Effect::of(operation) == Effect::Reads || operation == BY_SECRET {
        return Ok(());
    }
    let message =
        format!("the sandbox does not carry out {service}:{operation} by {method}: send it by POST");
    Err(Fault::new(403, "AccessDenied", message))
}

/// A POST that any page can make a browser send. What a page cannot set is what gives it away: an
/// `Authorization` header and any other content type need a preflight.
fn is_a_browsers(headers: &HeaderMap) -> bool {
    let content_type = text(headers, CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is_simple =
        ["", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"].contains(&kind);
    let has_browser_headers = headers.keys().any(|name| {
        [ORIGIN, REFERER, COOKIE, ACCEPT_LANGUAGE].contains(name) || name.as_str().starts_with("sec-")
    });
    let is_browser =
        has_browser_headers || text(headers, USER_AGENT).is_some_and(|agent| agent.starts_with("Mozilla/"));
    is_simple && is_browser && !headers.contains_key(AUTHORIZATION)
}

/// What a presigned URL has, besides its signature.
const PRESIGNED: &[&str] = &["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders"];

/// Refuses a URL that only looks signed. Which key has signed it, nobody checks.
pub fn check_presigned(uri: &Uri) -> Result<(), Fault> {
    let pairs = || uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let value = |name: &str| pairs().find(|(known, _)| *known == name).map(|(_, value)| value);
    if value("X-Amz-Credential").is_none() {
        return Ok(());
    }
    let is_signature = |value: &str| value.len() >= 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let missing = PRESIGNED.iter().find(|name| value(name).is_none_or(str::is_empty));
    match (missing, value("X-Amz-Signature").is_some_and(is_signature)) {
        (None, true) => Ok(()),
        (missing, _) => {
            let name = missing.unwrap_or(&"X-Amz-Signature");
            Err(Fault::new(
                400,
                "AuthorizationQueryParametersError",
                format!("{name} is missing or malformed"),
            ))
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"))
}

/// `127.0.0.1:80` of `http://127.0.0.1:80/page`; none of `null` and of what is not HTTP.
fn origin_host(origin: &str) -> Option<&str> {
    let rest = origin.strip_prefix("http://")?;
    rest.split(['/', '?', '#']).next()
}

/// `127.0.0.1:80`, `[::1]`, `localhost`, and `bucket.localhost`, which resolvers keep on this machine (RFC
/// 6761).
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

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn passes(method: &str, headers: &[(&str, &str)]) -> bool {
        let with_host = [&[("host", "127.0.0.1:4566")], headers].concat();
        check(&head(method, &with_host)).is_ok()
    }

    #[test]
    fn only_hosts_on_loopback_are_answered() {
        for host in ["127.0.0.1:4566", "127.0.0.1", "[::1]:1", "localhost:80", "bucket.localhost:4566"] {
            assert!(check(&head("GET", &[("host", host)])).is_ok(), "{host}");
        }
        for host in ["example.com", "127.0.0.1.example.com:80", "10.0.0.1", "localhost.example.com", ""] {
            assert!(check(&head("GET", &[("host", host)])).is_err(), "{host}");
        }
        assert!(check(&head("GET", &[])).is_err());
    }

    #[test]
    fn whatever_comes_from_a_page_is_refused() {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert!(passes(method, &[]), "{method}");
            for from in
                ["https://example.com", "null", "http://localhost:3000", "http://127.0.0.1", "file://", "é"]
            {
                assert!(!passes(method, &[("origin", from)]), "{method} {from}");
                assert!(!passes(method, &[("referer", from)]), "{method} {from}");
            }
            for site in ["cross-site", "same-site", "anything"] {
                assert!(!passes(method, &[("sec-fetch-site", site)]), "{method} {site}");
            }
        }
        // A link that somebody opens, and the page behind it.
        assert!(passes("GET", &[("sec-fetch-site", "none"), ("user-agent", "Mozilla/5.0")]));
        assert!(passes(
            "GET",
            &[("sec-fetch-site", "same-origin"), ("referer", "http://127.0.0.1:4566/a?b")]
        ));
        assert!(!passes("OPTIONS", &[]));
    }

    /// Browsers that send neither `Origin` nor `Sec-Fetch-Site` still say who they are.
    #[test]
    fn a_browsers_post_must_be_one_that_no_page_can_send() {
        let browser = ("user-agent", "Mozilla/5.0");
        for simple in [
            "text/plain;charset=UTF-8",
            "multipart/form-data; boundary=x",
            "Application/x-www-form-urlencoded",
        ] {
            assert!(!passes("POST", &[browser, ("content-type", simple)]), "{simple}");
            assert!(!passes("POST", &[("accept-language", "en"), ("content-type", simple)]), "{simple}");
            assert!(passes("POST", &[("user-agent", "curl/8"), ("content-type", simple)]), "{simple}");
            assert!(passes(
                "POST",
                &[browser, ("content-type", simple), ("authorization", "AWS4-HMAC-SHA256 …")]
            ));
        }
        assert!(!passes("POST", &[browser]));
        assert!(passes("POST", &[browser, ("content-type", "application/x-amz-json-1.1")]));
    }

    #[test]
    fn by_get_nothing_is_changed_and_half_a_signature_is_none() {
        assert!(check_effect(&Method::GET, "iam", "GetRole").is_ok());
        assert!(check_effect(&Method::POST, "iam", "DeleteRole").is_ok());
        for operation in ["DeleteRole", "InvokeEndpoint", ""] {
            assert!(check_effect(&Method::GET, "iam", operation).is_err(), "{operation}");
        }
        let whole = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256\
                     &X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fsts%2Faws4_request\
                     &X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=";
        let signed = |signature: &str| check_presigned(&format!("{whole}{signature}").parse().unwrap());
        assert!(signed(&"0a".repeat(32)).is_ok());
        for odd in ["", "00", &"x".repeat(64)] {
            assert!(signed(odd).is_err(), "{odd}");
        }
        let no_date = format!("{whole}{}", "0a".repeat(32)).replace("X-Amz-Date", "Date");
        assert!(check_presigned(&no_date.parse().unwrap()).is_err());
        assert!(check_presigned(&"/b/k?versionId=1".parse().unwrap()).is_ok());
    }
}
