//! Seat maps, encoded once for each change and shared by everybody who asks.
//!
//! A map is current when it is sent: a reader gets the version that the view had when it asked, or a
//! later one. What is saved is work, never freshness. One reader at a time encodes a map, the
//! others wait for it; and after a map is made, the next one of that event is not begun before
//! [`REST_FACTOR`] times as long as it took, at most [`REST_MAX`], have passed. So the maps of an
//! event that sells as fast as it can take a fifth of one thread, and a reader of a small hall is
//! kept waiting for well under a millisecond.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dashmap::DashMap;
use hyper::header::HeaderValue;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use tiketi_engine::ids::{EventIndex, Lsn, SeatIndex, UnixMillis};
use tiketi_engine::state::Event;
use tokio::sync::Mutex;

use crate::api::seats::{LayoutConfig, SeatMapEvent, SeatStatus};
use crate::app::App;
use crate::compression::CachedBody;
use crate::error::{ApiError, Code};
use crate::event_plans::EventPlan;

const REST_FACTOR: u32 = 4;
const REST_MAX: Duration = Duration::from_millis(50);
/// Smaller maps are encoded where they are asked for: it takes less than moving the work.
const INLINE_SEATS_MAX: u32 = 1_000;

/// What a map shows: seats as of a record, the event's title as of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    seats: Lsn,
    event: UnixMillis,
}

struct Kept {
    version: Version,
    body: Arc<CachedBody>,
    /// No newer one is made before this instant.
    rests_until: Instant,
}

/// The maps of all events that somebody has asked for; one body for each.
#[derive(Default)]
pub(crate) struct SeatMaps {
    by_event: DashMap<EventIndex, Arc<Mutex<Option<Kept>>>>,
}

impl SeatMaps {
    /// The map of an event as the view has it now; 404 where it has no seats.
    ///
    /// # Cancel safety
    /// A map half made is dropped, and the next reader makes it.
    pub(crate) async fn get(
        &self,
        app: &App,
        index: EventIndex,
    ) -> Result<Arc<CachedBody>, ApiError> {
        let wanted = version(app, index)?;
        let slot = Arc::clone(&self.by_event.entry(index).or_default());
        let mut kept = slot.lock().await;
        // Made before, or by whoever was waited for.
        if let Some(kept) = kept.as_ref().filter(|kept| kept.version.covers(wanted)) {
            return Ok(Arc::clone(&kept.body));
        }
        if let Some(kept) = &*kept {
            tokio::time::sleep_until(kept.rests_until.into()).await;
        }
        let map = app
            .view
            .read(|state| state.event(index).map(|event| MapData::copy(index, event)))
            .ok_or_else(|| ApiError::new(Code::NotFound))?;
        let version = map.version;
        let started = Instant::now();
        let body = map.encode().await?;
        let rest = (started.elapsed() * REST_FACTOR).min(REST_MAX);
        // Weak: the encoded variants share it. Instants of edits make it differ from other logs'.
        let etag = format!("W/\"{}-{}\"", version.seats, version.event.0);
        let etag = HeaderValue::try_from(etag)
            .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
        let body = CachedBody::new(body, etag);
        *kept = Some(Kept { version, body: Arc::clone(&body), rests_until: Instant::now() + rest });
        Ok(body)
    }
}

/// The version that the view has.
fn version(app: &App, index: EventIndex) -> Result<Version, ApiError> {
    let version = app.view.read(|state| {
        let event = state.event(index).filter(|event| event.layout.is_some())?;
        Some(Version::of(event))
    });
    version.ok_or_else(|| ApiError::new(Code::NotFound))
}

impl Version {
    fn of(event: &Event) -> Self {
        Version { seats: event.inventory_lsn(), event: event.updated_at }
    }

    fn covers(self, other: Version) -> bool {
        self.seats >= other.seats && self.event >= other.event
    }
}

/// What a map is made of, copied under the view's lock and encoded outside it.
struct MapData {
    version: Version,
    event: SeatMapEvent,
    plan: EventPlan,
    statuses: Vec<SeatStatus>,
}

impl MapData {
    fn copy(index: EventIndex, event: &Event) -> Self {
        let seats = (0..event.seat_count()).map(SeatIndex);
        MapData {
            version: Version::of(event),
            event: SeatMapEvent { id: index.into(), title: event.details.title.clone() },
            plan: EventPlan::of(index, event),
            statuses: seats.map(|seat| event.seat_status(seat).into()).collect(),
        }
    }

    async fn encode(self) -> Result<Bytes, ApiError> {
        let encoded = match self.plan.plan.seat_count() <= INLINE_SEATS_MAX {
            true => self.json(),
            false => tokio::task::spawn_blocking(move || self.json())
                .await
                .map_err(|error| ApiError::new(Code::Internal).cause(error))?,
        };
        encoded.map(Bytes::from).map_err(|error| ApiError::new(Code::Internal).cause(error))
    }

    fn json(&self) -> serde_json::Result<Vec<u8>> {
        // A seat takes some 160 bytes.
        let mut bytes = Vec::with_capacity(1024 + self.statuses.len() * 176);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }
}

/// As [`crate::api::seats::SeatMap`], without making one.
impl Serialize for MapData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("event", &self.event)?;
        map.serialize_entry("layout", &LayoutConfig::from(&*self.plan.sections))?;
        map.serialize_entry("seats", &Seats(self))?;
        map.end()
    }
}

struct Seats<'m>(&'m MapData);

impl Serialize for Seats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// As [`crate::api::seats::Seat`], borrowed.
        #[derive(Serialize)]
        struct Seat<'s> {
            id: crate::api::Id,
            section: &'s str,
            row_number: u32,
            seat_number: u32,
            seat_label: &'s str,
            price: u32,
            status: SeatStatus,
        }
        let Seats(map) = self;
        let mut list = serializer.serialize_seq(Some(map.statuses.len()))?;
        let mut label = String::new();
        for (index, &status) in map.statuses.iter().enumerate() {
            let seat = map.plan.seat(SeatIndex(index as u32));
            label.clear();
            seat.write_label(&mut label);
            list.serialize_element(&Seat {
                id: seat.id,
                section: &seat.section.name,
                row_number: seat.row,
                seat_number: seat.number,
                seat_label: &label,
                price: seat.section.price,
                status,
            })?;
        }
        list.end()
    }
}
