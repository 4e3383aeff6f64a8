//! Function URLs, called as anybody calls them.

use aws_sdk_lambda::types::FunctionUrlAuthType;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Bench, refused, told};

#[tokio::test]
async fn a_public_url_takes_both_permissions() {
    let bench = Bench::new().await;
    bench.active("f").await;
    let client = &bench.client;
    let create =
        || client.create_function_url_config().function_name("f").auth_type(FunctionUrlAuthType::None);
    let address = create().send().await.unwrap().function_url;
    assert_eq!(refused(told(create().send().await)).0, 409);
    // Of a version there is none: AWS's pattern of a qualifier refuses numbers.
    assert_eq!(refused(told(create().qualifier("1").send().await)).0, 400);
    let call = |body: &'static [u8], content_type: &'static str| {
        let address = address.clone();
        async move { post(&address, content_type, body).await }
    };
    assert!(call(b"{}", "application/json").await.starts_with("HTTP/1.1 403"));
    let open = |id: &str, action: &str| {
        client.add_permission().function_name("f").statement_id(id).action(action).principal("*")
    };
    let may_call = open("a", "lambda:InvokeFunctionUrl").function_url_auth_type(FunctionUrlAuthType::None);
    may_call.send().await.unwrap();
    assert!(call(b"{}", "application/json").await.starts_with("HTTP/1.1 403"));
    open("b", "lambda:InvokeFunction").invoked_via_function_url(true).send().await.unwrap();
    let answer = call(b"{\"a\": 1}", "application/json").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\\\"a\\\": 1"), "{answer}");
    let answer = call(b"\xff\xd8", "image/jpeg").await;
    assert!(answer.contains("\"body\":\"/9g=\"") && answer.contains("\"isBase64Encoded\":true"), "{answer}");
    // Every method and path.
    let answer = send(&address, "PUT", "items/7%20a/?q=1&q=2&x", "Cookie: a=1; b=2\r\n", b"").await;
    for part in [
        r#""rawPath":"/items/7%20a/""#,
        r#""rawQueryString":"q=1&q=2&x""#,
        r#""queryStringParameters":{"q":"1,2","x":""}"#,
        r#""cookies":["a=1","b=2"]"#,
        r#""method":"PUT""#,
        r#""isBase64Encoded":false"#,
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert!(!answer.contains("\"body\"") && !answer.contains("\"cookie\""), "{answer}");
    for method in ["GET", "DELETE", "PATCH"] {
        let answer = send(&address, method, "", "", b"").await;
        assert!(answer.contains(&format!("\"method\":\"{method}\"")), "{answer}");
        assert!(answer.contains("\"rawPath\":\"/\""), "{answer}");
    }
    // With credentials it is open to whoever signs, and to nobody else.
    let update = client.update_function_url_config().function_name("f");
    update.auth_type(FunctionUrlAuthType::AwsIam).send().await.unwrap();
    assert!(call(b"{}", "application/json").await.starts_with("HTTP/1.1 403"));
    assert_eq!(
        client
            .list_function_url_configs()
            .function_name("f")
            .send()
            .await
            .unwrap()
            .function_url_configs
            .len(),
        1
    );
    client.delete_function_url_config().function_name("f").send().await.unwrap();
    assert!(call(b"{}", "application/json").await.starts_with("HTTP/1.1 404"));
}

/// The answer of a URL, head and body.
async fn post(address: &str, content_type: &str, body: &[u8]) -> String {
    send(address, "POST", "", &format!("Content-Type: {content_type}\r\n"), body).await
}

async fn send(address: &str, method: &str, below: &str, headers: &str, body: &[u8]) -> String {
    let rest = address.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!(
        "{method} /{path}{below} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
