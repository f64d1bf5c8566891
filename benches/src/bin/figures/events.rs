//! `GET /api/events` and `GET /api/events/:id` beside a bare hyper server, same client, taking
//! turns.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HOST, HeaderValue};
use serde_json::json;
use tiketi_engine::ids::EventIndex;
use tiketi_gateway::api::Id;

use tiketi_benches::Setup;
use tiketi_benches::bare::{self, Server};
use tiketi_benches::client::load;
use tiketi_benches::gateway::Gateway;
use tiketi_benches::table::{Table, count, median};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 5;
/// Three pages of them.
const EVENTS: u32 = 30;

fn request(path: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = path.parse().expect("a path");
    request.headers_mut().insert(HOST, HeaderValue::from_static("bench"));
    request
}

pub(crate) fn pages(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let sections =
        json!([{"name": "R", "rows": 20, "seatsPerRow": 50, "price": 100_000, "startRow": 1}]);
    let gateway = Gateway::start(setup, &json!({"name": "hall", "sections": sections}), EVENTS)?;
    let bare = Server::start(&[bare::ROLE.as_ref()])?;
    let each = Duration::from_secs((setup.seconds / 3).max(1));
    let detail = format!("/api/events/{}", Id::from(EventIndex(7)));
    for (row, path) in [
        ("`GET /api/events`, first page of 10", "/api/events"),
        ("`GET /api/events/:id`", detail.as_str()),
    ] {
        let run = |server: &Server, each| {
            let path = path.to_owned();
            load(server.address, CONNECTIONS, each, move || Some(request(&path)))
        };
        let bytes = run(&gateway.server, Duration::from_millis(100))?.body_bytes;
        let as_long = Server::start(&[bare::ROLE.as_ref(), bytes.to_string().as_ref()])?;
        let (mut ratios, mut ours) = (Vec::new(), Vec::new());
        let (mut bares, mut as_longs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let plain = run(&bare, each)?;
            as_longs.push(run(&as_long, each)?.per_second());
            let answered = run(&gateway.server, each)?;
            anyhow::ensure!(answered.refused == 0, "{} were refused", answered.refused);
            ratios.push(answered.per_second() / plain.per_second());
            ours.push(answered.per_second());
            bares.push(plain.per_second());
        }
        table.row(
            format!("{row}, {CONNECTIONS} connections"),
            format!("{:.2} × bare hyper ({}/s)", median(&mut ratios), count(median(&mut ours))),
            format!(
                "bare hyper: {}/s, with as many bytes ({bytes}) {}/s",
                count(median(&mut bares)),
                count(median(&mut as_longs))
            ),
            "≥ 0.7 ×",
        );
    }
    Ok(())
}
