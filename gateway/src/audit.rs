//! Who changed what: the one place where administrators' changes are written down.
//!
//! A change is written down after it is done and before it is answered, in a task of its own:
//! whoever hangs up early is written down all the same.

use std::sync::Arc;

use hyper::header::CONTENT_TYPE;
use serde_json::Value;
use tiketi_engine::command::AdminAct;
use tiketi_engine::ids::UserIndex;

use crate::app::App;
use crate::auth::Access;
use crate::error::{ApiError, Code};
use crate::http::{Audited, Request, Response};
use crate::server::guarded;

/// What stands in place of a secret.
const HIDDEN: &str = "***";
/// Fields with one of these in their names, small letters or not, are nobody's business later.
const SECRET: [&str; 5] = ["password", "secret", "token", "account", "card"];

/// Carries out what an administrator wants changed, and writes it down where it took the rights of
/// one.
///
/// # Errors
/// Those of the handler; 504 where it is done and could not be written down.
///
/// # Cancel safety
/// It goes on without whoever waits for it.
pub(crate) async fn carry_out(
    app: &Arc<App>,
    request: Request,
    by: UserIndex,
) -> Result<Response, ApiError> {
    let app = Arc::clone(app);
    let work = tokio::spawn(async move {
        let response = guarded((request.route.handler)(&app, &request)).await?;
        let is_audited = match response.audited {
            Audited::ByRoute => request.route.access == Access::Admin,
            Audited::Always => true,
            Audited::Never => false,
        };
        if is_audited && response.status.is_success() {
            write_down(&app, &request, by, response.made()).await?;
        }
        Ok(response)
    });
    work.await.unwrap_or_else(|lost| Err(ApiError::new(Code::Timeout).cause(lost)))
}

async fn write_down(
    app: &App,
    request: &Request,
    by: UserIndex,
    made: Option<String>,
) -> Result<(), ApiError> {
    let act = AdminAct {
        by,
        method: request.route.verb.name().to_owned(),
        path: request.target().to_owned(),
        body: content(request),
        made,
    };
    let pending = app
        .engine
        .note_admin_act(act.cut(), app.clock.now())
        .map_err(|unavailable| ApiError::new(Code::Timeout).cause(unavailable))?;
    app.durable(pending).await
}

/// What came with a request: JSON without its secrets, text as it is, of anything else what it was.
fn content(request: &Request) -> String {
    let bytes = request.body();
    if bytes.is_empty() {
        return String::new();
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    if let Ok(mut json) = serde_json::from_slice::<Value>(bytes) {
        hide_secrets(&mut json);
        return json.to_string();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if content_type.starts_with("text/") => text.to_owned(),
        _ => format!("[{content_type}, {} bytes]", bytes.len()),
    }
}

fn hide_secrets(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.to_lowercase();
                match SECRET.iter().any(|secret| name.contains(secret)) {
                    true => *value = Value::from(HIDDEN),
                    false => hide_secrets(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_at_any_depth() {
        let mut json = json!({
            "role": "admin",
            "newPassword": "hunter2",
            "list": [{"accessToken": {"a": 1}, "seat": "VIP-1-1"}],
            "refundAccount": {"bank": "92", "accountNumber": "1000"},
        });
        hide_secrets(&mut json);
        let expected = json!({
            "role": "admin",
            "newPassword": "***",
            "list": [{"accessToken": "***", "seat": "VIP-1-1"}],
            "refundAccount": "***",
        });
        assert_eq!(json, expected);
    }
}
