//! What is said of one route beyond what the table of routes knows.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::error::Code;
use crate::routes::Verb;

/// One line of [`crate::docs::operations::OPERATIONS`].
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    /// As in the table of routes.
    pub(crate) template: &'static str,
    /// The group it is shown in.
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [Parameter],
    pub(crate) body: Option<Body>,
    /// Keys beside the fields of its JSON mean nothing instead of being refused.
    pub(crate) takes_more: bool,
    pub(crate) answers: [Option<(u16, Answer)>; ANSWERS_MAX],
    /// Refusals of its own; those of every route like it are added.
    pub(crate) refuses: &'static [Code],
    /// Its answer has `Tiketi-Lsn`.
    pub(crate) writes: bool,
    /// It takes an `Idempotency-Key`.
    pub(crate) keyed: bool,
}

const ANSWERS_MAX: usize = 3;

/// Begins a line.
pub(crate) const fn op(
    verb: Verb,
    template: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> Operation {
    Operation {
        verb,
        template,
        tag,
        summary,
        query: &[],
        body: None,
        takes_more: false,
        answers: [None; ANSWERS_MAX],
        refuses: &[],
        writes: false,
        keyed: false,
    }
}

impl Operation {
    pub(crate) const fn query(mut self, parameters: &'static [Parameter]) -> Self {
        self.query = parameters;
        self
    }

    /// A JSON body.
    pub(crate) const fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some(Body::Json(TypeOf::new::<T>()));
        self
    }

    /// A JSON body whose other keys mean nothing, as the contract says of one route.
    pub(crate) const fn body_and_more<T: ToSchema>(mut self) -> Self {
        self.takes_more = true;
        self.body::<T>()
    }

    /// A body of another kind, as `content` describes it.
    pub(crate) const fn body_of(mut self, media: &'static str, content: fn() -> Value) -> Self {
        self.body = Some(Body::Other(media, content));
        self
    }

    /// 200 with JSON.
    pub(crate) const fn ok<T: ToSchema>(self) -> Self {
        self.answer(200, Answer::Json(TypeOf::new::<T>()))
    }

    /// 201 with JSON.
    pub(crate) const fn created<T: ToSchema>(self) -> Self {
        self.answer(201, Answer::Json(TypeOf::new::<T>()))
    }

    /// Any status with JSON.
    pub(crate) const fn json<T: ToSchema>(self, status: u16) -> Self {
        self.answer(status, Answer::Json(TypeOf::new::<T>()))
    }

    /// 200 with something else; beside JSON, where that was said before.
    pub(crate) const fn text(self, media: &'static str) -> Self {
        self.answer(200, Answer::Other(media))
    }

    /// A status that says everything.
    pub(crate) const fn bare(self, status: u16) -> Self {
        self.answer(status, Answer::Bare)
    }

    const fn answer(mut self, status: u16, answer: Answer) -> Self {
        let mut at = 0;
        while self.answers[at].is_some() {
            at += 1;
        }
        self.answers[at] = Some((status, answer));
        self
    }

    pub(crate) const fn refuses(mut self, codes: &'static [Code]) -> Self {
        self.refuses = codes;
        self
    }

    pub(crate) const fn writes(mut self) -> Self {
        self.writes = true;
        self
    }

    /// Writes, once for each `Idempotency-Key`.
    pub(crate) const fn keyed(mut self) -> Self {
        self.keyed = true;
        self.writes()
    }
}

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    Json(TypeOf),
    /// Its type, and the media type object of OpenAPI.
    Other(&'static str, fn() -> Value),
}

/// What comes back.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Json(TypeOf),
    Other(&'static str),
    Bare,
}

/// A wire type, as its derive describes it.
#[derive(Clone, Copy)]
pub(crate) struct TypeOf {
    name: fn() -> Cow<'static, str>,
    schema: fn() -> RefOr<Schema>,
    parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl TypeOf {
    pub(crate) const fn new<T: ToSchema>() -> Self {
        TypeOf { name: T::name, schema: T::schema, parts: T::schemas }
    }

    pub(crate) fn reference(self) -> Value {
        json!({ "$ref": format!("#/components/schemas/{}", (self.name)()) })
    }

    /// It and all it consists of.
    pub(crate) fn collect(self, schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(((self.name)().into_owned(), (self.schema)()));
        (self.parts)(schemas);
    }
}

/// A parameter of the query.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) description: &'static str,
    pub(crate) is_required: bool,
    /// Its name may be written in any case.
    pub(crate) is_in_any_case: bool,
}

/// What a parameter may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Id,
    /// A date or a date and time, with or without a zone.
    Instant,
    /// A whole number from the first to the second.
    Number(u64, u64),
    Choice(&'static [&'static str]),
}

/// An optional one.
pub(crate) const fn parameter(
    name: &'static str,
    kind: Kind,
    description: &'static str,
) -> Parameter {
    Parameter { name, kind, description, is_required: false, is_in_any_case: false }
}

impl Parameter {
    pub(crate) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub(crate) const fn in_any_case(mut self) -> Self {
        self.is_in_any_case = true;
        self
    }

    /// Whether this is its name.
    pub(crate) fn is_called(&self, sent: &str) -> bool {
        sent == self.name || (self.is_in_any_case && sent.eq_ignore_ascii_case(self.name))
    }
}

impl Kind {
    pub(crate) fn schema(self) -> Value {
        match self {
            Kind::Text => json!({"type": "string"}),
            Kind::Id => json!({"type": "string", "format": "uuid"}),
            Kind::Instant => json!({
                "type": "string",
                "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,3})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$",
            }),
            Kind::Number(least, most) => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Kind::Choice(names) => json!({"type": "string", "enum": names}),
        }
    }
}
