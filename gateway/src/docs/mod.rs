//! The API described by itself: OpenAPI 3.1 from the table of routes, a line of [`operations`] for
//! each of them, and the wire types.
//!
//! Who may call, what refusals follow from that, and the parameters of the path come from the table
//! of routes; fields come from the types that are sent. A route without a line, or a line without a
//! route, fails a test.

mod bodies;
pub(crate) mod operation;
pub(crate) mod operations;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};

use crate::api::ErrorBody;
use crate::auth::Access;
use crate::docs::operation::{Answer, Body, Operation, TypeOf};
use crate::docs::operations::{OPERATIONS, TAGS};
use crate::routes::{ROUTES, Route};

const ABOUT: &str = "The ticketing API. Times go out in UTC; times without a zone come in as Seoul \
    time. Money is whole won. Every refusal has the same body, ErrorBody, with a stable code. \
    Paths may end in a slash and are matched in either case; a leading /api/api/ means /api/.";

/// The whole document.
pub(crate) fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        if let Some(operation) = of(route) {
            let methods = paths.entry(path(route.template)).or_default();
            methods.insert(route.verb.name().to_lowercase(), described(route, operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Tiketi", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT},
        "tags": TAGS.iter().map(|(name, about)| json!({"name": name, "description": about})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": refusals::shared(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    })
}

/// The line of a route.
pub(crate) fn of(route: &Route) -> Option<&'static Operation> {
    let is_same = |operation: &&Operation| {
        operation.verb == route.verb && operation.template == route.template
    };
    OPERATIONS.iter().find(is_same)
}

/// `/a/:id` as OpenAPI has it: `/a/{id}`.
fn path(template: &str) -> String {
    let segment = |part: &str| match part.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => part.to_owned(),
    };
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn described(route: &Route, operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation_id(route),
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters(route, operation),
        "responses": responses(route, operation),
    });
    if route.access != Access::Public {
        described["security"] = json!([{"bearer": []}]);
        let who = if route.access == Access::Admin { "For administrators." } else { "For users." };
        described["description"] = who.into();
    }
    match operation.body {
        Some(Body::Json(of)) => {
            let content = json!({"application/json": {"schema": of.reference()}});
            described["requestBody"] = json!({"required": true, "content": content});
        }
        Some(Body::Other(media, of)) => {
            let content = json!({ media: of() });
            described["requestBody"] = json!({"required": true, "content": content});
        }
        None => {}
    }
    described
}

/// `getApiEventsId` for `GET /api/events/:id`.
fn operation_id(route: &Route) -> String {
    let words = route.template.split(|c: char| !c.is_ascii_alphanumeric());
    let mut id = route.verb.name().to_lowercase();
    for word in words.filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    id
}

fn parameters(route: &Route, operation: &Operation) -> Vec<Value> {
    let names = route.template.split('/').filter_map(|part| part.strip_prefix(':'));
    let in_path = names.map(|name| {
        let schema = match is_id(name) {
            true => json!({"type": "string", "format": "uuid"}),
            false => json!({"type": "string", "minLength": 1}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let in_query = operation.query.iter().map(|parameter| {
        json!({
            "name": parameter.name, "in": "query", "required": parameter.is_required,
            "description": parameter.description, "schema": parameter.kind.schema(),
        })
    });
    let key = operation.keyed.then(|| {
        json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "The same request with the same key within a day is carried out once.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        })
    });
    in_path.chain(in_query).chain(key).collect()
}

/// Parameters of the path that are no UUIDs say so in their name, or are a provider's.
fn is_id(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("id") && name != "orderId"
}

fn responses(route: &Route, operation: &Operation) -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, answer) in operation.answers.iter().flatten() {
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({"description": reason(*status)}));
        match answer {
            Answer::Json(of) => {
                response["content"]["application/json"] = json!({"schema": of.reference()});
            }
            Answer::Other(media) => {
                response["content"][*media] = json!({"schema": {"type": "string"}});
            }
            Answer::Bare => {}
        }
        if operation.writes && *status < 300 {
            response["headers"] = json!({"Tiketi-Lsn": {
                "description": "The position in the log of what was done.",
                "schema": {"type": "string"},
            }});
        }
    }
    for (status, codes) in refusals::of(route, operation) {
        // A route with a body of its own for a status has it for all of that status.
        let response = || refusals::response(status, &codes);
        responses.entry(status.to_string()).or_insert_with(response);
    }
    responses
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "The connection becomes a socket.",
        201 => "Made.",
        202 => "Under way.",
        301 | 303 => "Elsewhere.",
        304 => "As the caller has it.",
        503 => "Not now.",
        _ => "Done.",
    }
}

/// Every type that a route sends or takes. What is taken has no other keys.
fn schemas() -> BTreeMap<String, Value> {
    let mut schemas = Vec::new();
    let mut taken = BTreeSet::new();
    TypeOf::new::<ErrorBody>().collect(&mut schemas);
    for operation in OPERATIONS {
        if let Some(Body::Json(of)) = operation.body {
            let from = schemas.len();
            of.collect(&mut schemas);
            if !operation.takes_more {
                taken.extend(schemas[from..].iter().map(|(name, _)| name.clone()));
            }
        }
        for (_, answer) in operation.answers.iter().flatten() {
            if let Answer::Json(of) = answer {
                of.collect(&mut schemas);
            }
        }
    }
    let closed = |(name, schema): (String, RefOr<Schema>)| {
        let mut schema = json!(schema);
        if taken.contains(&name) && schema["type"] == "object" {
            schema["additionalProperties"] = false.into();
        }
        (name, schema)
    };
    schemas.into_iter().map(closed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Verb;

    fn key(verb: Verb, template: &'static str) -> (&'static str, &'static str) {
        (verb.name(), template)
    }

    #[test]
    fn every_route_has_a_line_and_every_line_a_route() {
        let served: BTreeSet<_> = ROUTES.iter().map(|of| key(of.verb, of.template)).collect();
        let described: BTreeSet<_> =
            OPERATIONS.iter().map(|of| key(of.verb, of.template)).collect();
        let missing: Vec<_> = served.difference(&described).collect();
        let invented: Vec<_> = described.difference(&served).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "add these to docs/operations.rs: {missing:?}; take these out: {invented:?}"
        );
        assert_eq!(OPERATIONS.len(), ROUTES.len(), "a line is there twice");
    }

    #[test]
    fn the_document_is_whole() {
        let document = document();
        let operations = document["paths"].as_object().expect("paths").values();
        let operations: Vec<&Value> =
            operations.flat_map(|path| path.as_object().expect("methods").values()).collect();
        assert_eq!(operations.len(), ROUTES.len());
        let ids: BTreeSet<&str> =
            operations.iter().filter_map(|of| of["operationId"].as_str()).collect();
        assert_eq!(ids.len(), ROUTES.len(), "operation ids repeat");
        for operation in operations {
            let tag = operation["tags"][0].as_str().expect("tag");
            assert!(TAGS.iter().any(|(name, _)| *name == tag), "{tag}");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.len() > 1, "no answer but the default: {operation}");
        }
        for reference in document.to_string().split("\"$ref\":\"#").skip(1) {
            let place = reference.split('"').next().expect("a reference");
            assert!(document.pointer(place).is_some(), "{place} is referred to and not there");
        }
    }

    #[test]
    fn descriptions_are_for_those_who_read_no_rust() {
        let document = document().to_string();
        let texts = document.split("\"description\":\"").skip(1);
        for text in texts.filter_map(|rest| rest.split("\",\"").next()) {
            for rust in ["[`", "`None`", "`Some", "::"] {
                assert!(!text.contains(rust), "{rust} in {text}");
            }
        }
    }

    #[test]
    fn no_two_types_have_one_name() {
        let mut all = Vec::new();
        for operation in OPERATIONS {
            if let Some(Body::Json(of)) = operation.body {
                of.collect(&mut all);
            }
            for (_, answer) in operation.answers.iter().flatten() {
                if let Answer::Json(of) = answer {
                    of.collect(&mut all);
                }
            }
        }
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        for (name, schema) in all {
            let schema = json!(schema);
            let before = seen.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*before, schema, "{name} is two types");
        }
    }
}
