//! `gateway/PROTOCOL.md` against the table of routes and a gateway that serves.

use std::collections::BTreeSet;

use crate::support::{Gateway, read};

const PROTOCOL: &str = include_str!("../../PROTOCOL.md");
const ROUTES: &str = include_str!("../../src/routes.rs");

/// Method, template, who may call, class of rate.
pub(crate) type Row = (String, String, String, String);

fn row(method: &str, template: &str, who: &str, rate: &str) -> Row {
    let [method, template] = [method.to_uppercase(), template.to_owned()];
    (method, template, who.to_lowercase(), rate.to_lowercase())
}

/// The rows of the table in the page.
pub(crate) fn documented() -> Vec<Row> {
    let cells = |line: &str| -> Option<Row> {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let (method, template) = cells.next()?.strip_suffix('`')?.split_once(' ')?;
        Some(row(method, template, cells.next()?, cells.next()?))
    };
    let table = PROTOCOL.split("## Routes").nth(1).and_then(|rest| rest.split("\n## ").next());
    table.expect("the section of the routes").lines().filter_map(cells).collect()
}

/// The lines of the table in the source.
pub(crate) fn served() -> Vec<Row> {
    let line = |line: &str| -> Option<Row> {
        let mut parts = line.trim().strip_prefix("route(")?.split(',').map(str::trim);
        let method = parts.next()?;
        let template = parts.next()?.strip_prefix('"')?.strip_suffix('"')?;
        let who = match parts.next()? {
            "Public" => "–",
            who => who,
        };
        Some(row(method, template, who, parts.next()?))
    };
    ROUTES.lines().filter_map(line).collect()
}

#[test]
fn the_page_names_every_route_and_no_other() {
    let (documented, served) = (documented(), served());
    assert!(served.len() > 30, "the table of routes was not found: {served:?}");
    let set = |rows: &[Row]| rows.iter().cloned().collect::<BTreeSet<_>>();
    let (in_page, in_table) = (set(&documented), set(&served));
    let missing: Vec<_> = in_table.difference(&in_page).collect();
    let invented: Vec<_> = in_page.difference(&in_table).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "not in PROTOCOL.md: {missing:?}; not in routes.rs: {invented:?}"
    );
    assert_eq!(documented.len(), served.len(), "a route is there twice");
}

#[tokio::test]
async fn what_the_page_names_is_served_to_whom_it_says() {
    let gateway = Gateway::start().await;
    for (method, template, who, _) in documented() {
        let path = template.replace(':', "no-id-");
        let response = gateway.request(&method, &path).send().await.expect("answer");
        if template == "/metrics" {
            assert_eq!(response.status(), 200);
            continue;
        }
        // What is no name of an image is not found; `images` finds some.
        if template == "/images/:name" {
            continue;
        }
        let (status, body) = read(response).await;
        let is_known = !matches!(status.as_u16(), 404 | 405);
        assert!(is_known, "{method} {template}: {status} {body}");
        assert_eq!(status == 401, who != "–", "{method} {template}: {status} {body}");
    }
}
