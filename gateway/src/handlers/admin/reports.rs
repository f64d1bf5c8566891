//! Reports.

use std::sync::Arc;

use hyper::header::HeaderValue;

use crate::api::reports::SalesBy;
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::refusals;
use crate::sales_report::{self, Wanted, csv, xlsx};

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
const XLSX: HeaderValue =
    HeaderValue::from_static("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");

/// `GET /api/admin/reports/sales`.
pub(crate) async fn sales(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let by = match request.parameter("by")?.as_deref() {
        None | Some("" | "day") => SalesBy::Day,
        Some("event") => SalesBy::Event,
        Some(_) => return Err(refusals::invalid("by는 day 또는 event예요.")),
    };
    let format = request.parameter("format")?.unwrap_or_default().into_owned();
    if !matches!(format.as_str(), "" | "json" | "csv" | "xlsx") {
        return Err(refusals::invalid("format은 json, csv, xlsx 중 하나예요."));
    }
    let event = request.event_parameter()?;
    if event.is_some_and(|event| app.view.read(|state| state.event_of_orders(event).is_none())) {
        return Err(ApiError::new(Code::NotFound));
    }
    let wanted = Wanted { span: request.span()?, event, by };
    let app = Arc::clone(app);
    // Looks at every order: off the threads that serve.
    let made = tokio::task::spawn_blocking(move || {
        let report = sales_report::make(&app, &wanted);
        let name = |suffix| sales_report::file_name(&report, suffix);
        match format.as_str() {
            "csv" => Response::download(CSV, &name("csv"), csv::encode(&report)),
            "xlsx" => {
                let bytes = xlsx::encode(&report)
                    .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
                Response::download(XLSX, &name("xlsx"), bytes)
            }
            _ => Ok(Response::ok(&report)),
        }
    });
    made.await.map_err(|panic| ApiError::new(Code::Internal).cause(panic))?
}
