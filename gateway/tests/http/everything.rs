//! One of everything there is to change, and every route that could change it: from the document that
//! the gateway serves, so that a new route is walked by being there.

use serde_json::{Map, Value, json};
use tiketi_gateway::config::Secret;

use crate::auth::SECRET;
use crate::shop::{Shop, text};
use crate::support::{Gateway, read};

/// A route as the document describes it.
pub(crate) struct Operation {
    /// Small letters.
    pub(crate) method: String,
    /// Parameters in braces.
    pub(crate) template: String,
    /// `public`, `user` or `admin`.
    pub(crate) access: &'static str,
    /// The schema of its JSON body.
    pub(crate) body: Option<Value>,
    /// Whether it takes a body that is no JSON of ours.
    pub(crate) is_raw: bool,
}

impl Operation {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.template)
    }

    pub(crate) fn changes(&self) -> bool {
        self.method != "get"
    }
}

/// What the gateway says of itself.
pub(crate) struct Document(pub(crate) Value);

impl Document {
    pub(crate) async fn of(gateway: &Gateway) -> Document {
        Document(read(gateway.get("/api-docs/openapi.json").await).await.1)
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().expect("paths");
        let of_path = |(template, methods): (&String, &Value)| {
            let methods = methods.as_object().expect("methods").clone();
            let template = template.clone();
            methods.into_iter().map(move |(method, about)| operation(method, &template, &about))
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// The fields of a route's JSON body; `template` as in the table of routes.
    pub(crate) fn field_names(&self, method: &str, template: &str) -> Vec<String> {
        let is_it = |operation: &Operation| {
            let path = operation.template.replace('{', ":").replace('}', "");
            operation.method == method.to_lowercase() && path == template
        };
        let operation = self.operations().into_iter().find(is_it);
        let schema = operation.and_then(|operation| operation.body);
        let fields = schema.map(|schema| self.resolved(&schema)["properties"].clone());
        let fields = fields.and_then(|fields| fields.as_object().cloned()).unwrap_or_default();
        fields.keys().cloned().collect()
    }

    /// A schema, looked up where it is only named.
    pub(crate) fn resolved<'d>(&'d self, schema: &'d Value) -> &'d Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                self.0.pointer(reference.trim_start_matches('#')).expect("a known schema")
            }
            None => schema,
        }
    }

    /// Whether `null` is one of the values.
    pub(crate) fn is_nullable(&self, schema: &Value) -> bool {
        let has_null = |types: &Value| match types {
            Value::Array(types) => types.iter().any(|of| of == "null"),
            one => one == "null",
        };
        let choices = schema["oneOf"].as_array().into_iter().flatten();
        has_null(&schema["type"]) || choices.into_iter().any(|choice| has_null(&choice["type"]))
    }

    /// A value of the right types with every field there is; ids are `id`.
    pub(crate) fn sample(&self, schema: &Value, id: &str) -> Value {
        let schema = self.resolved(schema);
        if let Some(choices) = schema["oneOf"].as_array() {
            let real = choices.iter().find(|choice| choice["type"] != "null").expect("a choice");
            return self.sample(real, id);
        }
        let kind = match &schema["type"] {
            Value::Array(types) => types.iter().find(|of| *of != "null").expect("a type"),
            one => one,
        };
        match kind.as_str().expect("a type") {
            "object" => {
                let fields = schema["properties"].as_object().cloned().unwrap_or_default();
                let of = |(name, field): (String, Value)| (name, self.sample(&field, id));
                Value::Object(fields.into_iter().map(of).collect::<Map<_, _>>())
            }
            "array" => json!([self.sample(&schema["items"], id)]),
            "string" => match (&schema["format"], schema["enum"].get(0)) {
                (_, Some(first)) => first.clone(),
                (format, _) if format == "uuid" => json!(id),
                _ => json!("x"),
            },
            "boolean" => json!(true),
            _ => json!(1),
        }
    }

    /// Every field of a body at any depth: its name as refusals have it, where it is in a sample (as
    /// a JSON pointer), and its schema.
    pub(crate) fn fields(&self, schema: &Value) -> Vec<(String, String, Value)> {
        let mut found = Vec::new();
        self.collect(schema, "", "", &mut found);
        found
    }

    /// Every object of a body in the same way: its name ends in a point, but for the body itself.
    pub(crate) fn objects(&self, schema: &Value) -> Vec<(String, String)> {
        let inner =
            self.fields(schema).into_iter().filter_map(|(name, pointer, schema)| {
                match self.inner(&schema) {
                    Inner::Object(_) => Some((format!("{name}."), pointer)),
                    Inner::List(_) => Some((format!("{name}[0]."), format!("{pointer}/0"))),
                    Inner::Plain => None,
                }
            });
        std::iter::once((String::new(), String::new())).chain(inner).collect()
    }

    fn collect(
        &self,
        schema: &Value,
        name: &str,
        pointer: &str,
        found: &mut Vec<(String, String, Value)>,
    ) {
        let fields = self.resolved(schema)["properties"].as_object().cloned().unwrap_or_default();
        for (field, schema) in fields {
            let (name, pointer) = (format!("{name}{field}"), format!("{pointer}/{field}"));
            found.push((name.clone(), pointer.clone(), schema.clone()));
            match self.inner(&schema) {
                Inner::Object(schema) => {
                    self.collect(&schema, &format!("{name}."), &pointer, found);
                }
                Inner::List(schema) => {
                    let (name, pointer) = (format!("{name}[0]."), format!("{pointer}/0"));
                    self.collect(&schema, &name, &pointer, found);
                }
                Inner::Plain => {}
            }
        }
    }

    fn inner(&self, schema: &Value) -> Inner {
        let choices = schema["oneOf"].as_array().into_iter().flatten();
        let schema = choices.into_iter().find(|of| of["type"] != "null").unwrap_or(schema);
        let schema = self.resolved(schema);
        let has_fields = |schema: &Value| schema["properties"].is_object();
        if has_fields(schema) {
            return Inner::Object(schema.clone());
        }
        match self.resolved(&schema["items"]) {
            items if has_fields(items) => Inner::List(items.clone()),
            _ => Inner::Plain,
        }
    }
}

enum Inner {
    Object(Value),
    List(Value),
    Plain,
}

fn operation(method: String, template: &str, about: &Value) -> Operation {
    let content = &about["requestBody"]["content"];
    let json = &content["application/json"]["schema"];
    let is_ours = json["$ref"].is_string();
    let access = match (about.get("security"), about["description"].as_str()) {
        (None, _) => "public",
        (Some(_), Some("For administrators.")) => "admin",
        (Some(_), Some("For users.")) => "user",
        other => panic!("{template}: who may? {other:?}"),
    };
    Operation {
        method,
        template: template.to_owned(),
        access,
        body: is_ours.then(|| json.clone()),
        is_raw: content.is_object() && !is_ours,
    }
}

/// A shop with one of everything, all of which belongs to one user.
pub(crate) struct World {
    pub(crate) shop: Shop,
    /// The token of whom it belongs to.
    pub(crate) owner: String,
    owner_id: String,
    pub(crate) event: String,
    ticket_type: String,
    /// Paid by card.
    pub(crate) reservation: String,
    /// The payment of it.
    pub(crate) order_id: String,
    news: String,
}

impl World {
    pub(crate) async fn make() -> World {
        let shop = Shop::with(|config| config.jwt_secret = Some(Secret::new(SECRET))).await;
        let owner = shop.buyer("owner").await;
        let me = shop.ok("/api/admin/users/owner@example.com", &shop.admin).await;
        let event = shop.seat_event(json!({"category": CATEGORY})).await;
        let (_, types) =
            shop.ticket_event(json!([{"name": "R", "price": 1_000, "totalQuantity": 5}])).await;
        let seat = shop.seats(&event).await[0].clone();
        let reservation = shop.hold(&owner, &event, &seat).await;
        let order_id = shop.pay_by_card(&owner, &reservation).await;
        let post = json!({"title": "소식", "content": "내용", "author": "owner"});
        let (status, news) = shop.post("/api/news", &owner, &post).await;
        assert_eq!(status, 201, "{news}");
        World {
            owner_id: text(&me["user"]["id"]),
            ticket_type: text(&types[0]["id"]),
            news: text(&news["news"]["id"]),
            shop,
            owner,
            event,
            reservation,
            order_id,
        }
    }

    /// A path with the ids of what there is.
    pub(crate) fn path(&self, template: &str) -> String {
        let mut before = "";
        let part = |part| {
            let filled = match part {
                "{eventId}" => &self.event,
                "{orderId}" => &self.order_id,
                "{ticketTypeId}" => &self.ticket_type,
                "{reservationId}" => &self.reservation,
                _ if !str::starts_with(part, '{') => part,
                _ => match before {
                    "events" => &self.event,
                    "reservations" | "orders" => &self.reservation,
                    "users" => &self.owner_id,
                    "news" => &self.news,
                    "tickets" => &self.ticket_type,
                    "categories" => CATEGORY,
                    "images" => "0.jpg",
                    _ => panic!("say here which of the things stands for {part} in {template}"),
                },
            };
            before = part;
            filled
        };
        template.split('/').map(part).collect::<Vec<_>>().join("/")
    }
}

const CATEGORY: &str = "콘서트";

impl Shop {
    /// Pays a reservation through the simulated Toss; the payment's order id.
    async fn pay_by_card(&self, token: &str, reservation: &str) -> String {
        let asked = json!({"reservationId": reservation});
        let (status, order) = self.post("/api/payments/toss/request", token, &asked).await;
        assert_eq!(status, 201, "{order}");
        let agreed =
            json!({"orderId": order["orderId"], "amount": order["amount"], "method": "card"});
        let (status, agreed) = self.post("/sandbox/toss/sandbox/authenticate", "", &agreed).await;
        assert_eq!(status, 200, "{agreed}");
        // What a message has written comes at its own time; nothing is to be written meanwhile.
        let lost = json!({"orderId": order["orderId"], "call": "webhook", "fault": "dropBefore",
            "times": 9});
        assert_eq!(self.post("/sandbox/toss/sandbox/faults", "", &lost).await.0, 200);
        let body = json!({
            "paymentKey": agreed["paymentKey"], "orderId": order["orderId"], "amount": order["amount"],
        });
        let (status, answer) = self.post("/api/payments/toss/confirm", token, &body).await;
        assert_eq!(status, 200, "{answer}");
        text(&order["orderId"])
    }
}
