//! What a request that changes something may carry beside what its route reads: nothing.
//!
//! A request that says more than the route understands asks for something else than what would be
//! done: `?dryrun=true` of a table would be carried out, `{"seats":[…]}` of a cancellation would
//! cancel all. So a body is refused where the route has none, and a parameter that the route has not.
//! Both follow from the line of the route in the document (`docs/operations.rs`), which every route
//! has; [`Request::json`] refuses the same within a body. The server asks before it calls a handler.

use std::sync::LazyLock;

use crate::auth::Access;
use crate::docs;
use crate::docs::operation::{Operation, Parameter};
use crate::error::{ApiError, Code};
use crate::http::{Request, shortened};
use crate::routes::{ROUTES, Verb};

/// The lines of the document in the order of the table of routes.
static OPERATIONS: LazyLock<Vec<Option<&'static Operation>>> =
    LazyLock::new(|| ROUTES.iter().map(docs::of).collect());

/// Checks what came for the route at this position of the table.
///
/// # Errors
/// 400 with the first key or parameter that the route does not know.
pub(crate) fn check(position: usize, request: &Request) -> Result<(), ApiError> {
    if request.route.verb == Verb::Get {
        return Ok(());
    }
    let operation = OPERATIONS.get(position).copied().flatten();
    // What providers and payment windows add to a public address is theirs.
    if request.route.access != Access::Public {
        parameters(request, operation.map_or(&[][..], |operation| operation.query))?;
    }
    match operation.and_then(|operation| operation.body) {
        None => request.no_fields(),
        Some(_) => Ok(()),
    }
}

/// Whether the query has these parameters alone, each once.
fn parameters(request: &Request, known: &'static [Parameter]) -> Result<(), ApiError> {
    let mut seen = Vec::new();
    for sent in request.parameter_names() {
        let refused = |name: &str, message: String| {
            Err(ApiError::new(Code::Validation).message(message).with("field", name))
        };
        let Some(parameter) = known.iter().find(|parameter| parameter.is_called(sent)) else {
            let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
            let sent = shortened(sent);
            return refused(
                &sent,
                match names.is_empty() {
                    true => {
                        format!("이 요청의 주소에는 조건을 붙일 수 없어요. {sent}을(를) 빼 주세요.")
                    }
                    false => {
                        format!("{sent}라는 조건은 없어요. 쓸 수 있는 조건: {}", names.join(", "))
                    }
                },
            );
        };
        if seen.contains(&parameter.name) {
            let message = format!("{} 조건이 두 번 왔어요. 한 번만 적어 주세요.", parameter.name);
            return refused(parameter.name, message);
        }
        seen.push(parameter.name);
    }
    Ok(())
}
