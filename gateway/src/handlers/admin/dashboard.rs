//! The administrators' first page. Nothing is walked: the fold keeps the sums.

use std::sync::Arc;

use tiketi_engine::ids::UnixMillis;
use tiketi_engine::record::OrderRef;
use tiketi_engine::state::State;

use crate::api::dashboard::{Dashboard, DashboardStats, RecentReservation};
use crate::app::App;
use crate::error::ApiError;
use crate::http::{Request, Response};
use crate::instants::seoul_midnight;
use crate::order_view::{OrderView, standing};

const RECENT: usize = 10;

/// `GET /api/admin/dashboard/stats`.
pub(crate) async fn stats(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let answer = app.view.read(|state| {
        let sales = state.sales();
        Dashboard {
            stats: DashboardStats {
                total_events: state.listed_count(),
                total_reservations: sales.live(now),
                total_revenue: sales.orders().revenue,
                today_reservations: sales.live_since(seoul_midnight(now), now),
            },
            recent_reservations: state
                .orders()
                .newest(None, 0)
                .take(RECENT)
                .filter_map(|order| recent(state, order, now))
                .collect(),
        }
    });
    Ok(Response::ok(&answer))
}

fn recent(state: &State, order: OrderRef, now: UnixMillis) -> Option<RecentReservation> {
    let found = OrderView::of(state, order)?;
    let user = state.users().get(found.order.user.position())?;
    Some(RecentReservation {
        id: found.id.into(),
        reservation_number: found.number(),
        total_amount: found.total_amount(),
        status: standing(found.order, now).status,
        created_at: found.order.held_at.into(),
        user_name: user.name.clone(),
        user_email: user.email.clone(),
        event_title: found.event.details.title.clone(),
    })
}
