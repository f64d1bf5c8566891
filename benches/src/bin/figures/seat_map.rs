//! `GET /api/seats/events/:id`: kept encoded, beside a server that encodes for each request.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tiketi_engine::ids::{EventIndex, ExternalId, SeatIndex};
use tiketi_gateway::api::Id;
use tiketi_gateway::api::seats::{
    LayoutConfig, Seat, SeatMap, SeatMapEvent, SeatStatus, SectionConfig,
};
use tokio::net::TcpListener;

use tiketi_benches::Setup;
use tiketi_benches::bare::{self, Server};
use tiketi_benches::client::load;
use tiketi_benches::gateway::Gateway;
use tiketi_benches::table::{Table, count, median};

/// The argument that makes this binary encode for each request.
pub(crate) const ROLE: &str = "--serve-encoder";

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 3;

/// The stadium of the sample data: rows, seats a row, price.
const STADIUM: [(&str, u32, u32, u32); 3] =
    [("Floor1", 20, 50, 80_000), ("Floor2", 30, 60, 50_000), ("Floor3", 30, 70, 30_000)];

fn sections() -> Vec<SectionConfig> {
    let mut start_row = 1;
    STADIUM
        .iter()
        .map(|&(name, rows, seats_per_row, price)| {
            let section =
                SectionConfig { name: name.to_owned(), rows, seats_per_row, price, start_row };
            start_row += rows;
            section
        })
        .collect()
}

fn map() -> SeatMap {
    let mut seats = Vec::new();
    let sections = sections();
    for section in &sections {
        for row in section.start_row..section.start_row + section.rows {
            for number in 1..=section.seats_per_row {
                let index = SeatIndex(seats.len() as u32);
                seats.push(Seat {
                    id: Id::from(ExternalId::Seat(EventIndex(0), index)),
                    section: section.name.clone(),
                    row_number: row,
                    seat_number: number,
                    seat_label: format!("{}-{row}-{number}", section.name),
                    price: section.price,
                    status: SeatStatus::Available,
                });
            }
        }
    }
    let event = SeatMapEvent { id: Id::from(EventIndex(0)), title: "Concert".to_owned() };
    SeatMap { event, layout: LayoutConfig { sections }, seats }
}

/// Serves the map until killed, encoding and compressing it for each request.
pub(crate) fn serve() -> anyhow::Result<()> {
    let map = Arc::new(map());
    bare::runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        bare::announce(listener.local_addr()?)?;
        loop {
            let (socket, _) = listener.accept().await?;
            let map = Arc::clone(&map);
            tokio::spawn(async move {
                let service = service_fn(move |_: Request<Incoming>| {
                    let answer = Response::new(Full::new(encoded(&map).unwrap_or_default()));
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                // The client closes it.
                let _ = connection.await;
            });
        }
    })
}

fn encoded(map: &SeatMap) -> anyhow::Result<Bytes> {
    let json = serde_json::to_vec(map)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&json)?;
    Ok(Bytes::from(gzip.finish()?))
}

fn request() -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::new()));
    let path = format!("/api/seats/events/{}", Id::from(EventIndex(0)));
    *request.uri_mut() = path.parse().expect("a path");
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("bench"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    request
}

pub(crate) fn cached_against_encoded(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let sections = serde_json::to_value(sections())?;
    let gateway = Gateway::start(setup, &json!({"name": "stadium", "sections": sections}), 1)?;
    let encoder = Server::start(&[ROLE.as_ref()])?;
    let each = Duration::from_secs((setup.seconds / 3).max(1));
    let run = |server: &Server| load(server.address, CONNECTIONS, each, || Some(request()));
    let (mut ratios, mut kept, mut encodes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let encoding = run(&encoder)?;
        let cached = run(&gateway.server)?;
        anyhow::ensure!(cached.refused == 0 && cached.body_bytes > 1_000, "no map was served");
        ratios.push(cached.per_second() / encoding.per_second());
        kept.push(cached.per_second());
        encodes.push(encoding.per_second());
    }
    table.row(
        "`GET /api/seats/events/:id`, 4,900 seats, gzip, kept encoded",
        format!("{:.0} × ({}/s)", median(&mut ratios), count(median(&mut kept))),
        format!("bare hyper encoding for each request: {}/s", count(median(&mut encodes))),
        "≥ 20 ×",
    );
    Ok(())
}
