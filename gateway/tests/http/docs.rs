//! The documentation: the document against the table of routes, and its page in headless Chromium.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::documented::served;
use crate::support::{Gateway, read};

/// Method and path of every operation of the document.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn the_document_lists_every_route_and_nothing_else() {
    let gateway = Gateway::start().await;
    let response = gateway.get("/api-docs/openapi.json").await;
    let etag = response.headers()["etag"].clone();
    let (status, document) = read(response).await;
    assert_eq!((status.as_u16(), &document["openapi"]), (200, &Value::from("3.1.0")));
    let braces = |template: String| {
        let segments = template.split('/').map(|part| match part.strip_prefix(':') {
            Some(name) => format!("{{{name}}}"),
            None => part.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    };
    let routes: BTreeSet<_> =
        served().into_iter().map(|(method, path, ..)| (method, braces(path))).collect();
    assert_eq!(operations(&document), routes);

    let again = gateway.request("GET", "/api-docs/openapi.json").header("if-none-match", etag);
    assert_eq!(again.send().await.expect("answer").status(), 304);
}

#[tokio::test]
async fn operations_say_what_they_take_and_answer() {
    let gateway = Gateway::start().await;
    let (_, document) = read(gateway.get("/api-docs/openapi.json").await).await;
    let list = &document["paths"]["/api/events"]["get"];
    let names = |operation: &Value| -> Vec<String> {
        let parameters = operation["parameters"].as_array().expect("parameters").iter();
        parameters.filter_map(|of| Some(of["name"].as_str()?.to_owned())).collect()
    };
    for name in ["status", "q", "page", "limit", "from", "to", "venue", "minPrice", "sort"] {
        assert!(names(list).iter().any(|found| found == name), "{name}: {list}");
    }
    assert!(list.get("security").is_none());
    let reserve = &document["paths"]["/api/seats/reserve"]["post"];
    assert_eq!(reserve["security"][0]["bearer"], Value::Array(Vec::new()));
    assert_eq!(names(reserve), ["Idempotency-Key"]);
    let body = &reserve["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(body, "#/components/schemas/ReserveRequest");
    let refusals = reserve["responses"]["400"]["description"].as_str().expect("codes");
    assert!(
        refusals.contains("SEAT_UNAVAILABLE") && refusals.contains("NOT_ON_SALE"),
        "{refusals}"
    );
    let schemas = &document["components"]["schemas"];
    let row = &schemas["EventRow"]["properties"];
    assert_eq!(row["id"]["$ref"], "#/components/schemas/Id");
    assert_eq!(schemas["Id"]["format"], "uuid");
    assert_eq!(schemas["Timestamp"]["format"], "date-time");
    assert_eq!(schemas["TicketType"]["properties"]["price"]["type"], "integer");
    for field in ["success", "error", "message", "code"] {
        assert!(schemas["ErrorBody"]["properties"][field].is_object(), "{field}");
    }
}

#[tokio::test]
async fn the_way_to_the_page() {
    let gateway = Gateway::start().await;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("client");
    let response = client.get(gateway.url("/api-docs")).send().await.expect("answer");
    assert_eq!(
        (response.status().as_u16(), response.headers()["location"].as_bytes()),
        (301, &b"/api-docs/"[..])
    );
    let response = gateway.get("/api-docs/").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    let page = response.text().await.expect("page");
    assert!(!page.contains("http://") && !page.contains("https://"), "the page names another host");
}

/// Chromium that finds no host but this one: what it prints of the page, and of its console.
fn browse(url: &str, size: &str) -> (String, String) {
    let profile = tempfile::tempdir().expect("directory");
    let mut command = Command::new(std::env::var("CHROMIUM").unwrap_or("chromium".to_owned()));
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args(["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"]);
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1");
    command.arg(format!("--window-size={size}"));
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    let output = command.arg(url).output().expect("chromium");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (dom, log) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{log}");
    (dom, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_every_operation_and_asks_nobody_else() {
    let gateway = Gateway::start().await;
    let (_, document) = read(gateway.get("/api-docs/openapi.json").await).await;
    let url = gateway.url("/api-docs/#getApiEvents");
    let (dom, log) =
        tokio::task::spawn_blocking(move || browse(&url, "390,844")).await.expect("page");
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    let all = operations(&document);
    assert_eq!(dom.matches("class=\"operation\"").count(), all.len(), "{dom}");
    for (method, path) in all {
        let shown = format!("<b class=\"{method}\">{method}</b><code>{path}</code>");
        assert!(dom.contains(&shown), "{method} {path}");
    }
    // The one in the address is open: its parameters, its answer, its refusals, its form.
    for part in
        ["name=\"minPrice\"", "name=\"sort\"", "pagination: {", "VALIDATION", "Send</button>"]
    {
        assert!(dom.contains(part), "{part}");
    }
}
