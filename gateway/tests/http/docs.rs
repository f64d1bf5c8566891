//! The documentation: the document against the table of routes, and its page in headless Chromium.

mod browser;
mod page;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::docs::browser::{ALONE, chromium};
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
    let upload = &document["paths"]["/api/image/upload"]["post"]["requestBody"]["content"];
    let form = &upload["multipart/form-data"]["schema"];
    assert_eq!(
        (&form["required"][0], &form["properties"]["image"]["type"]),
        (&"image".into(), &"string".into())
    );
    for (template, name) in
        [("/api/admin/seat-layouts/csv", "name"), ("/api/admin/events/{id}/seats/csv", "action")]
    {
        let parameters = document["paths"][template]["post"]["parameters"].as_array();
        let parameter = parameters.expect("parameters").iter().find(|of| of["name"] == name);
        assert_eq!(parameter.expect("the parameter")["required"], true, "{template}");
    }
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

/// What Chromium prints of the page, and of its console.
fn browse(url: &str, size: &str) -> (String, String) {
    let profile = tempfile::tempdir().expect("directory");
    let mut command = Command::new(chromium());
    command.args(ALONE);
    command.args(["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"]);
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

#[tokio::test]
async fn tables_are_taken_as_the_document_gives_them() {
    let gateway = Gateway::with(|config| config.sample_data = true).await;
    let admin = gateway.admin().await;
    let (_, document) = read(gateway.get("/api-docs/openapi.json").await).await;
    let (_, events) = read(gateway.get("/api/events").await).await;
    let event = events["events"][0]["id"].as_str().expect("an event");
    for (template, query) in [
        ("/api/admin/events/{id}/tickets/csv", ""),
        ("/api/admin/seat-layouts/csv", "&name=Hall"),
        ("/api/admin/events/{id}/seats/csv", "&action=block"),
    ] {
        let body = &document["paths"][template]["post"]["requestBody"]["content"]["text/csv"];
        let example = body["schema"]["examples"][0].as_str().expect("an example").to_owned();
        let path = format!("{}?dryRun=true{query}", template.replace("{id}", event));
        let request = gateway.request("POST", &path).bearer_auth(&admin).body(example);
        let (status, answer) = read(request.send().await.expect("answer")).await;
        assert_eq!(status, 200, "{template}: {answer}");
    }
}

/// What `.with("` is followed by in the source below a directory.
fn fields_of_refusals(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            fields_of_refusals(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).expect("source");
            let names = source.split(".with(\"").skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[tokio::test]
async fn the_body_of_refusals_has_every_field_that_any_of_them_has() {
    let gateway = Gateway::start().await;
    let (_, document) = read(gateway.get("/api-docs/openapi.json").await).await;
    let mut sent = BTreeSet::new();
    fields_of_refusals(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sent);
    let known = document["components"]["schemas"]["ErrorBody"]["properties"].as_object();
    let known: BTreeSet<String> = known.expect("properties").keys().cloned().collect();
    assert!(sent.len() > 5, "the source was not found: {sent:?}");
    let unknown: Vec<_> = sent.difference(&known).collect();
    assert!(unknown.is_empty(), "not in api::ErrorBody: {unknown:?}");
}
