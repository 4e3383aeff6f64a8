//! Function URLs (docs/aws/lambda.md#function-urls). The address is one of this machine, under the sandbox's
//! own; every method and path below it reaches the handler, but for CORS's preflights (`crate::guard`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::invoke;
use super::region::{LATEST, LambdaRegion, Target, conflict, invalid, key, not_found};
use crate::call::Call;
use crate::clock::{Millis, iso8601};
use crate::fault::Fault;
use crate::protocol::rest_json::{Reply, decode};

/// Where a URL leads: a region, and what is known of it alone.
pub(super) const PLACE: &str = "/function-url/{Region}/{UrlId}/{+}";

fn qualifier(target: &Target) -> &str {
    target.qualifier.as_deref().unwrap_or(LATEST)
}

fn entry(target: &Target) -> String {
    key(&target.name, qualifier(target))
}

/// As on the wire: the sandbox's port is another one each time.
fn shown(call: &Call, lambda: &LambdaRegion, mut document: Value) -> Value {
    let id = document["_Id"].as_str().unwrap_or_default();
    let address = format!("{}/function-url/{}/{id}/", call.shared.endpoint_url(), lambda.region);
    document["FunctionUrl"] = address.into();
    if let Some(members) = document.as_object_mut() {
        members.retain(|name, _| !name.starts_with('_'));
    }
    document
}

fn missing() -> Fault {
    not_found("The resource you requested does not exist.")
}

/// A URL is of an alias or of `$LATEST`.
fn target(call: &Call) -> Result<(LambdaRegion, Target), Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    lambda.find(&target)?;
    if target.qualifier.as_deref().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(invalid("Function URLs cannot be of a version: use an alias, or no qualifier."));
    }
    Ok((lambda, target))
}

pub(super) fn create(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = target(call)?;
    let now = lambda.timestamp();
    let mut document = json!({
        "FunctionArn": lambda.arn(&target.name, target.qualifier.as_deref()),
        "AuthType": call.text("AuthType"),
        "InvokeMode": call.maybe("InvokeMode").unwrap_or("BUFFERED"),
        "CreationTime": now, "LastModifiedTime": now,
        "_Id": lambda.revision(&call.request_id).replace('-', ""),
    });
    if let Some(cors) = call.input.get("Cors") {
        document["Cors"] = cors.clone();
    }
    if !lambda.urls().insert_new(&entry(&target), document.clone())? {
        let message = format!(
            "Failed to create function url config for [functionArn = {}]. Error message: \
                               FunctionUrlConfig exists for this Lambda function",
            lambda.arn(&target.name, None)
        );
        return Err(conflict(message));
    }
    Ok(Reply::json(201, &shown(call, &lambda, document)))
}

pub(super) fn get(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = target(call)?;
    let document = lambda.urls().get(&entry(&target)).ok_or_else(missing)?;
    Ok(Reply::json(200, &shown(call, &lambda, document)))
}

pub(super) fn list(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = target(call)?;
    let all = LambdaRegion::of_function(&lambda.urls(), &target.name);
    let all = all.into_iter().map(|(name, document)| (name, shown(call, &lambda, document))).collect();
    super::lists::page(call, "FunctionUrlConfigs", all, 50)
}

pub(super) fn update(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = target(call)?;
    let mut document = lambda.urls().get(&entry(&target)).ok_or_else(missing)?;
    for member in ["AuthType", "InvokeMode", "Cors"] {
        if let Some(value) = call.input.get(member) {
            document[member] = value.clone();
        }
    }
    document["LastModifiedTime"] = lambda.timestamp().into();
    lambda.urls().put(&entry(&target), document.clone())?;
    Ok(Reply::json(200, &shown(call, &lambda, document)))
}

pub(super) fn delete(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = target(call)?;
    lambda.urls().remove(&entry(&target))?.ok_or_else(missing)?;
    Ok(Reply::empty())
}

/// They go with what they are of.
pub(super) fn forget(lambda: &LambdaRegion, function: &str, qualifier: &str) -> Result<(), Fault> {
    lambda.urls().remove(&key(function, qualifier)).map(drop)
}

/// A request to a URL.
pub(super) async fn invoke(call: Call) -> Result<Reply, Fault> {
    let region = call.text("Region").to_owned();
    // Regions are in names of files.
    if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(missing());
    }
    let lambda = LambdaRegion { shared: std::sync::Arc::clone(&call.shared), region };
    let id = call.text("UrlId").to_owned();
    let found = lambda.urls().list("").into_iter().find(|(_, document)| document["_Id"] == id.as_str());
    let Some((entry, document)) = found else { return Err(missing()) };
    let (name, qualifier) = entry.split_once(':').unwrap_or((&entry, LATEST));
    let qualifier = Some(qualifier).filter(|qualifier| *qualifier != LATEST);
    let target = Target { name: name.to_owned(), qualifier: qualifier.map(str::to_owned) };
    if !is_allowed(&call, &lambda, &target, &document)? {
        return Ok(Reply::json(403, &json!({ "Message": "Forbidden" })));
    }
    let payload = event(&call).to_string();
    let invoked = invoke::by_url(&call, lambda, target, payload.into()).await?;
    if invoked.function_error.is_some() {
        return Ok(Reply::json(502, &json!({ "Message": "Internal Server Error" })));
    }
    Ok(answer(&invoked.payload))
}

/// Whoever signs may; everybody, where the policy has both statements.
fn is_allowed(call: &Call, lambda: &LambdaRegion, target: &Target, url: &Value) -> Result<bool, Fault> {
    if url["AuthType"] != "NONE" {
        return Ok(call.headers.contains_key(AUTHORIZATION));
    }
    let document = lambda.function(&target.name)?;
    let owner = target.qualifier.as_deref().unwrap_or("-");
    let statements = document["Policies"][owner]["Statement"].as_array().cloned().unwrap_or_default();
    let opens = |action: &str, key: &str, value: &str| {
        statements.iter().filter(|s| s["Principal"] == "*" && s["Action"] == action).any(|statement| {
            let said = statement["Condition"].as_object().into_iter().flatten();
            let mut said = said.flat_map(|(_, keys)| keys.as_object().into_iter().flatten());
            said.all(|(name, wanted)| name == key && *wanted == value)
        })
    };
    let may_call = opens("lambda:InvokeFunctionUrl", "lambda:FunctionUrlAuthType", "NONE");
    let may_invoke = opens("lambda:InvokeFunction", "lambda:InvokedViaFunctionUrl", "true");
    Ok(may_call && may_invoke)
}

/// The event of a request
/// (<https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>).
fn event(call: &Call) -> Value {
    let id = call.text("UrlId");
    let (path, query) = (format!("/{}", call.text("Path")), call.text("Query"));
    let agent = call.headers.get("user-agent").and_then(|value| value.to_str().ok());
    let now = call.now();
    let mut event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": headers(&call.headers),
        "requestContext": {
            "accountId": "anonymous", "apiId": id, "domainName": "127.0.0.1", "domainPrefix": id,
            "requestId": call.request_id, "routeKey": "$default", "stage": "$default",
            "time": log_time(now), "timeEpoch": now,
            "http": {
                "method": call.text("Method"), "path": path, "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": agent,
            },
        },
        "isBase64Encoded": false,
    });
    let cookies = call.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies: Vec<&str> = cookies.flat_map(|line| line.split(';')).map(str::trim).collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = parameters(query);
    }
    if call.body.is_empty() {
        return event;
    }
    let text = std::str::from_utf8(&call.body).ok().filter(|_| is_text(&call.headers));
    event["isBase64Encoded"] = text.is_none().into();
    event["body"] = text.map_or_else(|| STANDARD.encode(&call.body), str::to_owned).into();
    event
}

/// `30/Nov/2026:01:05:00 +0000`, as logs of web servers have it.
fn log_time(now: Millis) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = iso8601(now);
    let month = text[5..7].parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1)).unwrap_or(&"Jan");
    format!("{}/{month}/{}:{} +0000", &text[8..10], &text[..4], &text[11..19])
}

/// Those that come more than once are joined; cookies are in a list of their own.
fn headers(all: &HeaderMap) -> Map<String, Value> {
    let mut headers = Map::new();
    for name in all.keys().filter(|name| *name != COOKIE) {
        let values: Vec<&str> = all.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.as_str().to_owned(), values.join(",").into());
    }
    headers
}

fn parameters(query: &str) -> Value {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value);
        all.entry(decode(name)).and_modify(|known| *known = format!("{known},{value}")).or_insert(value);
    }
    json!(all)
}

/// What comes as it is; all other bytes come in base64.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("text/plain");
    let main = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let words = ["application/json", "application/xml", "application/javascript"];
    main.starts_with("text/") || words.contains(&main.as_str())
}

/// A response with a `statusCode` is one; anything else is the body of one.
fn answer(payload: &[u8]) -> Reply {
    let json = HeaderValue::from_static("application/json");
    let response: Value = serde_json::from_slice(payload).unwrap_or_default();
    let Some(status) = response["statusCode"].as_u64() else {
        let body = match &response {
            Value::String(text) => text.clone().into_bytes(),
            _ => payload.to_vec(),
        };
        return Reply::raw(200, json, body);
    };
    let body = match &response["body"] {
        Value::String(body) if response["isBase64Encoded"] == true => {
            STANDARD.decode(body).unwrap_or_default()
        }
        Value::String(body) => body.clone().into_bytes(),
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let mut reply =
        Reply { status: u16::try_from(status).unwrap_or(500), headers: Vec::new(), body: body.into() };
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            reply.headers.push((name, value));
        }
    }
    if !reply.headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
        reply.headers.push((CONTENT_TYPE, json));
    }
    reply
}
