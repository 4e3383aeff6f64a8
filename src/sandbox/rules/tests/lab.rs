//! A sandbox at AWS's pace whose clock is moved by hand, and the least client that speaks all of AWS's
//! protocols.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::clock::real_sleep;
use crate::fault::Fault;
use crate::services::lambda::{Backend as FunctionBackend, FunctionVersion, Invocation as Event, Invoked};
use crate::services::sagemaker::backend::{Backend, Invocation, Prediction, StatesOnly};
use crate::services::sagemaker::{Endpoint, Job};
use crate::state::SandboxState;
use crate::{AwsRule, Sandbox, SandboxOptions, StatePace};

pub const REGION: &str = "eu-west-1";
pub const ROLE: &str = "arn:aws:iam::123456789012:role/exec";

/// What came of calls: the last answer, or the code of the refusal.
pub type Told = Result<Value, String>;

/// Goes through the states, and answers whoever invokes.
struct Obliging;

impl Backend for Obliging {
    fn train(&self, job: Job) {
        StatesOnly.train(job);
    }

    fn stop(&self, job: Job) {
        StatesOnly.stop(job);
    }

    fn deploy(&self, endpoint: Endpoint) {
        StatesOnly.deploy(endpoint);
    }

    fn restore(&self, endpoint: Endpoint) {
        StatesOnly.restore(endpoint);
    }

    fn remove(&self, endpoint: Endpoint) {
        StatesOnly.remove(endpoint);
    }

    fn invoke(&self, _: Endpoint, _: String, _: Invocation) -> BoxFuture<'static, Result<Prediction, Fault>> {
        Box::pin(async { Ok(Prediction { body: Bytes::from_static(b"[]"), ..Prediction::default() }) })
    }
}

impl FunctionBackend for Obliging {
    fn invoke(
        &self,
        _: Arc<SandboxState>,
        _: FunctionVersion,
        _: Event,
    ) -> BoxFuture<'static, Result<Invoked, Fault>> {
        let invoked = Invoked {
            payload: Bytes::from_static(b"{}"),
            function_error: None,
            log_tail: String::new(),
            duration: Duration::ZERO,
            provisioned: false,
        };
        Box::pin(async { Ok(invoked) })
    }

    fn provision(
        &self,
        _: Arc<SandboxState>,
        _: FunctionVersion,
        _: u32,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn discard(&self, _: &SandboxState, _: &FunctionVersion) {}
}

pub struct Lab {
    pub sandbox: Sandbox,
    _root: tempfile::TempDir,
}

impl Lab {
    /// With a role that SageMaker and Lambda can assume. `whole`: functions take their code from S3.
    pub async fn new(off: Option<AwsRule>, whole: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        let options = SandboxOptions {
            pace: StatePace::Realistic,
            rules_off: off.into_iter().collect(),
            runs: whole,
            ..SandboxOptions::new(root.path())
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let shared = sandbox.state();
        shared.extensions.plug::<dyn Backend>(Arc::new(Obliging));
        if !whole {
            shared.extensions.plug::<dyn FunctionBackend>(Arc::new(Obliging));
        }
        let lab = Self { sandbox, _root: root };
        lab.role("exec", &["sagemaker.amazonaws.com", "lambda.amazonaws.com"]);
        lab
    }

    /// A role that has been there for long.
    pub fn role(&self, name: &str, services: &[&str]) -> String {
        let arn = format!("arn:aws:iam::123456789012:role/{name}");
        let trust = json!({"Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": services}},
        ]});
        let role = json!({"RoleName": name, "Arn": arn, "AssumeRolePolicyDocument": trust.to_string(),
            "UsableAt": 0, "Path": "/", "Attached": {}, "Inline": {}});
        self.sandbox.state().global("iam.role").put(name, role).unwrap();
        arn
    }

    pub fn advance(&self, minutes: u64) {
        self.sandbox.state().clock.advance(Duration::from_secs(60 * minutes));
    }

    /// A request as it is on the wire, signed for a service; the body of the answer.
    pub async fn send(
        &self,
        service: Option<&str>,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Told {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(service) = service {
            let scope = format!("AWS4-HMAC-SHA256 Credential=k/20261130/{REGION}/{service}/aws4_request");
            request = request.header("authorization", scope);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let stream = TcpStream::connect(self.sandbox.address()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let document: Option<Value> = serde_json::from_slice(&body).ok();
        if head.status.is_success() {
            let etag = head.headers.get("etag").map(|etag| etag.to_str().unwrap().to_owned());
            return Ok(document.unwrap_or_else(|| etag.unwrap_or(text).into()));
        }
        let named = head.headers.get("x-amzn-errortype").and_then(|code| code.to_str().ok());
        let in_json = document.as_ref().and_then(|document| document["__type"].as_str());
        let in_xml = text.split_once("<Code>").and_then(|(_, rest)| rest.split("</Code>").next());
        Err(named.or(in_json).or(in_xml).unwrap_or(&text).to_owned())
    }

    pub async fn json(&self, service: &str, target: &str, input: Value) -> Told {
        self.send(Some(service), "POST /", &[("x-amz-target", target)], input.to_string()).await
    }

    pub async fn sagemaker(&self, operation: &str, input: Value) -> Told {
        self.json("sagemaker", &format!("SageMaker.{operation}"), input).await
    }

    pub async fn scaling(&self, operation: &str, input: Value) -> Told {
        self.json("application-autoscaling", &format!("AnyScaleFrontendService.{operation}"), input).await
    }

    pub async fn lambda(&self, line: &str, input: Value) -> Told {
        self.send(Some("lambda"), line, &[], input.to_string()).await
    }

    async fn query(&self, service: &str, version: &str, parameters: &[(&str, &str)]) -> Told {
        let version = [("Version", version)];
        let pairs = parameters.iter().chain(&version);
        let form: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Some(service), "POST /", &headers, form.join("&")).await
    }

    pub async fn iam(&self, parameters: &[(&str, &str)]) -> Told {
        self.query("iam", "2010-05-08", parameters).await
    }

    pub async fn ec2(&self, parameters: &[(&str, &str)]) -> Told {
        self.query("ec2", "2016-11-15", parameters).await
    }

    pub async fn s3(&self, line: &str, body: &str) -> Told {
        self.send(Some("s3"), line, &[], body.to_owned()).await
    }

    /// Moves the clock and asks until what it answers with is so.
    pub async fn until(&self, operation: &str, input: Value, done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_000 {
            let answer = self.sagemaker(operation, input.clone()).await.unwrap();
            if done(&answer) {
                return answer;
            }
            self.advance(5);
            real_sleep(Duration::from_millis(2)).await;
        }
        panic!("{operation} {input} never becomes what it should");
    }
}
