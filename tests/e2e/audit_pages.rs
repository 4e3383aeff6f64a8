//! `opsctl audit-iam` against an IAM that answers badly: too slow a rate, half a page, pages without an end;
//! and against one with a clock of its own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Beside, Ran, World};

const ACCOUNT: &str = "123456789012";

/// What is asked: the parameters of a call.
type Call = HashMap<String, String>;
/// Status and body.
type Answer = (u16, String);

/// A server that answers every call by a function, on a port of its own. Its threads end with the test's
/// process.
struct Fake {
    url: String,
    calls: Arc<AtomicUsize>,
}

impl Fake {
    fn start(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let calls = Arc::new(AtomicUsize::new(0));
        let (answer, counted) = (Arc::new(answer), Arc::clone(&calls));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, counted) = (Arc::clone(&answer), Arc::clone(&counted));
                std::thread::spawn(move || {
                    serve(stream, |call| {
                        counted.fetch_add(1, Ordering::Relaxed);
                        answer(call)
                    })
                });
            }
        });
        Self { url, calls }
    }
}

/// One connection: requests of HTTP/1.1 with a Content-Length, one after the other.
fn serve(stream: TcpStream, answer: impl Fn(&Call) -> Answer) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket can be shared"));
    let mut writer = stream;
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let header = line.trim().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let call = text
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let (status, body) = answer(&call);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if writer.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn identity() -> Answer {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/a</Arn><UserId>A</UserId><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    (200, body)
}

/// A page of roles, and how it says where the next begins.
fn page(action: &str, roles: std::ops::Range<usize>, end: &str) -> Answer {
    let list = if action == "ListRoles" { "Roles" } else { "RoleDetailList" };
    let policies = "<RolePolicyList/><AttachedManagedPolicies><member>\
        <PolicyName>AmazonS3FullAccess</PolicyName>\
        <PolicyArn>arn:aws:iam::aws:policy/AmazonS3FullAccess</PolicyArn></member></AttachedManagedPolicies>";
    let trust = "%7B%22Statement%22%3A%5B%5D%7D";
    let roles: String = roles
        .map(|n| {
            format!(
                "<member><Path>/</Path><RoleName>r{n}</RoleName><RoleId>AROA{n}</RoleId>\
                 <Arn>arn:aws:iam::{ACCOUNT}:role/r{n}</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate>\
                 <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>\
                 <MaxSessionDuration>3600</MaxSessionDuration>{policies}<RoleLastUsed/></member>"
            )
        })
        .collect();
    let body = format!(
        "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <{action}Result><{list}>{roles}</{list}>{end}\
         </{action}Result></{action}Response>"
    );
    (200, body)
}

const END: &str = "<IsTruncated>false</IsTruncated>";

/// Of the chains only the one of roles has anything; `roles` answers it by the number of its page.
fn account(roles: impl Fn(usize) -> Answer) -> impl Fn(&Call) -> Answer {
    move |call| {
        let marker = call.get("Marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
        match call.get("Action").map(String::as_str) {
            Some("GetCallerIdentity") => identity(),
            Some("ListRoles") => page("ListRoles", 0..0, END),
            Some(_) if call.get("Filter.member.1").is_some_and(|kind| kind == "Role") => roles(marker),
            _ => page("GetAccountAuthorizationDetails", 0..0, END),
        }
    }
}

fn next(page: usize) -> String {
    format!("<IsTruncated>true</IsTruncated><Marker>{page}</Marker>")
}

fn audit(fake: &Fake, code: i32) -> Value {
    let world = World::empty().credentials();
    let args =
        ["--endpoint-url", &fake.url, "audit-iam", "--now", "2026-11-01T00:00:00Z", "--format", "json"];
    world.run(args).ended(code).json()
}

fn reasons(report: &Value) -> Vec<String> {
    let entries = report["not_evaluated"].as_array().expect("a list");
    let hard = entries.iter().filter(|entry| entry["optional"] == false);
    hard.map(|entry| {
        format!("{} {}", entry["rule"].as_str().unwrap_or(""), entry["reason"].as_str().unwrap_or(""))
    })
    .collect()
}

const DETAILS: &str = "GetAccountAuthorizationDetails";

#[test]
fn pages_that_do_not_end_or_do_not_parse_are_named() {
    type Pages = fn(usize) -> Answer;
    let cases: [(&str, Pages); 4] = [
        ("no marker", |_| page(DETAILS, 0..2, "<IsTruncated>true</IsTruncated>")),
        ("the same marker", |_| page(DETAILS, 0..2, &next(7))),
        ("cut off", |n| match n {
            0 => page(DETAILS, 0..2, &next(1)),
            _ => (200, page(DETAILS, 2..4, END).1[..400].to_owned()),
        }),
        ("refused", |n| {
            match n {
            0 => page(DETAILS, 0..2, &next(1)),
            _ => (403, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>".into()),
        }
        }),
    ];
    for (what, roles) in cases {
        let report = audit(&Fake::start(account(roles)), 10);
        assert_eq!(report["summary"]["incomplete"], true, "{what}");
        assert_eq!(report["summary"]["roles"], 2, "{what}: what was read is judged");
        let found =
            report["findings"].as_array().expect("a list").iter().filter(|f| f["rule"] == "IAM101").count();
        assert_eq!(found, 2, "{what}");
        let reasons = reasons(&report);
        assert!(
            reasons.iter().any(|r| r.starts_with("IAM903 all roles could not be read")),
            "{what}: {reasons:?}"
        );
    }
}

/// 15 requests a second and no more, as IAM was seen to allow; the pages are many and the machine is fast.
#[test]
fn a_throttled_account_is_read_to_its_end() {
    const PAGES: usize = 40;
    let bucket = Mutex::new((15.0_f64, Instant::now()));
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let whole =
        account(|n| page(DETAILS, n * 5..n * 5 + 5, &if n + 1 < PAGES { next(n + 1) } else { END.into() }));
    let fake = Fake::start(move |call| {
        let mut bucket = bucket.lock().expect("nobody panics here");
        let (tokens, since) = *bucket;
        let tokens = (tokens + since.elapsed().as_secs_f64() * 15.0).min(15.0);
        *bucket = (if tokens >= 1.0 { tokens - 1.0 } else { tokens }, Instant::now());
        if tokens >= 1.0 {
            return whole(call);
        }
        counted.fetch_add(1, Ordering::Relaxed);
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
        (400, body.into())
    });
    let report = audit(&fake, 0);
    assert_eq!(report["summary"]["roles"], PAGES * 5);
    assert_eq!(report["summary"]["incomplete"], false);
    let all = fake.calls.load(Ordering::Relaxed);
    assert!(all >= PAGES + 3, "{all} calls, {} refused", refused.load(Ordering::Relaxed));
}

/// A role's age is counted by the clock that dated it, and every service says what that shows.
#[test]
fn stale_roles_are_found_by_the_clock_of_the_place() {
    let world = World::empty().sandbox();
    let beside = Beside::start(&world, &[]);
    beside.with("us-east-1", async |aws| {
        let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{"Service":"lambda.amazonaws.com"}}}"#;
        let made = aws.iam.create_role().role_name("old").assume_role_policy_document(trust);
        made.send().await.expect("made");
    });
    let audit = ["--region", "us-east-1", "audit-iam", "--format", "json", "--rule", "never-used"];
    let found = |run: &Ran| run.json()["findings"].as_array().map_or(0, Vec::len);
    assert_eq!(found(&world.run(audit)), 0);
    beside.advance(Duration::from_secs(400 * 86_400));
    assert_eq!(found(&world.run(audit)), 1);
}
