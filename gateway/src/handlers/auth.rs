//! Registration and login (contract/http.md 2.1).

use std::sync::Arc;

use hyper::StatusCode;
use rand::Rng;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tiketi_engine::command::NewUser;
use tiketi_engine::ids::{UnixMillis, UserId};
use tiketi_engine::limits::{NAME_CHARS_MAX, PHONE_CHARS_MAX};
use tiketi_engine::record::Role;

use crate::api::{AuthAnswer, AuthUser, role_name};
use crate::app::App;
use crate::auth::{email, is_suspended};
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::metrics::AuthKind;
use crate::refusals;

const PASSWORD_CHARS_MIN: usize = 6;

/// `POST /api/auth/register`.
pub(crate) async fn register(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let result = try_register(app, request).await;
    app.metrics.auth_attempt(AuthKind::Register, result.is_ok());
    result
}

/// `POST /api/auth/login`.
pub(crate) async fn login(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let result = try_login(app, request).await;
    app.metrics.auth_attempt(AuthKind::Login, result.is_ok());
    result
}

async fn try_register(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let body: RegisterFields = request.json_and_more()?;
    let mut fields = Fields::default();
    let email = fields.take("email", body.email, email::normalise);
    let password = fields.take("password", body.password, |text| {
        (text.chars().count() >= PASSWORD_CHARS_MIN).then(|| text.to_owned())
    });
    let name = fields.take("name", body.name, |text| {
        let name = text.trim();
        (is_text(name, NAME_CHARS_MAX) && !name.is_empty()).then(|| name.to_owned())
    });
    let phone = match body.phone {
        None => Some(None),
        sent => fields
            .take("phone", sent, |text| is_text(text, PHONE_CHARS_MAX).then(|| text.to_owned()))
            .map(Some),
    };
    let (Some(email), Some(password), Some(name), Some(phone)) = (email, password, name, phone)
    else {
        return Err(fields.into_error());
    };
    app.catch_up(None).await?;
    // Spares the hash; the engine decides.
    if app.view.read(|state| state.user_by_email(&email).is_some()) {
        return Err(ApiError::new(Code::EmailTaken));
    }
    let password_hash = app.passwords.hash(password).await?;
    let new = NewUser {
        email: email.clone(),
        password_hash,
        name: name.clone(),
        phone,
        role: Role::User,
        tag: rand::rng().next_u64(),
    };
    let checked = new.check().map_err(|error| ApiError::new(Code::Validation).cause(error))?;
    let pending = app.engine.register_user(checked, request.now).map_err(refusals::account)?;
    let lsn = pending.lsn();
    let user = app.durable(pending).await?;
    let answer = answer(app, user, email, name, Role::User, request.now)?;
    Ok(app.written(Response::json(StatusCode::CREATED, &answer), lsn))
}

async fn try_login(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let body: LoginFields = request.json()?;
    let mut fields = Fields::default();
    let email = fields.take("email", body.email, email::normalise);
    let password =
        fields.take("password", body.password, |text| (!text.is_empty()).then(|| text.to_owned()));
    let (Some(email), Some(password)) = (email, password) else {
        return Err(fields.into_error());
    };
    let allowance = app.limits.check_login(&email)?;
    match log_in(app, email, password, request.now).await {
        Ok(answer) => Ok(Response::ok(&answer).with_allowance(allowance)),
        Err(error) => Err(error.with_allowance(allowance)),
    }
}

async fn log_in(
    app: &App,
    email: String,
    password: String,
    now: UnixMillis,
) -> Result<AuthAnswer, ApiError> {
    app.catch_up(None).await?;
    let account = app.view.read(|state| {
        let user = state.user_by_email(&email)?;
        Some((user.id, user.name.clone(), user.role, user.password_hash.clone()))
    });
    let (account, hash) = match account {
        Some((id, name, role, hash)) => (Some((id, name, role)), Some(hash)),
        None => (None, None),
    };
    let is_right = app.passwords.verify(password, hash).await?;
    let account = account.filter(|_| is_right);
    let (user, name, role) = account.ok_or_else(|| ApiError::new(Code::BadCredentials))?;
    // Told to whoever knows the password alone.
    if is_suspended(app, user) {
        return Err(ApiError::new(Code::Suspended));
    }
    answer(app, user, email, name, role, now)
}

fn answer(
    app: &App,
    user: UserId,
    email: String,
    name: String,
    role: Role,
    now: UnixMillis,
) -> Result<AuthAnswer, ApiError> {
    let token = app
        .tokens
        .issue(user, &email, role, now)
        .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    let id = user.into();
    let user = AuthUser { id, user_id: id, email, name, role: role_name(role).to_owned() };
    Ok(AuthAnswer { message: "환영해요.".to_owned(), token, user })
}

/// No control characters, and not too long.
fn is_text(text: &str, chars_max: usize) -> bool {
    text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

/// The body of a registration, each field as it was sent: all that break their rule are listed.
#[derive(Deserialize)]
struct RegisterFields {
    #[serde(default, deserialize_with = "as_sent")]
    email: Option<Value>,
    #[serde(default, deserialize_with = "as_sent")]
    password: Option<Value>,
    #[serde(default, deserialize_with = "as_sent")]
    name: Option<Value>,
    #[serde(default, deserialize_with = "as_sent")]
    phone: Option<Value>,
}

/// The same of a login.
#[derive(Deserialize)]
struct LoginFields {
    #[serde(default, deserialize_with = "as_sent")]
    email: Option<Value>,
    #[serde(default, deserialize_with = "as_sent")]
    password: Option<Value>,
}

/// Of any type, `null` as well.
fn as_sent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// An entry for each field that breaks its rule.
#[derive(Default)]
struct Fields {
    errors: Vec<Value>,
}

impl Fields {
    /// The checked value, or an entry.
    fn take<T>(
        &mut self,
        path: &str,
        sent: Option<Value>,
        check: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let checked = sent.as_ref().and_then(Value::as_str).and_then(check);
        if checked.is_none() {
            let mut entry =
                json!({"type": "field", "msg": "Invalid value", "path": path, "location": "body"});
            if let (Some(value), Some(entry)) = (sent, entry.as_object_mut()) {
                entry.insert("value".to_owned(), value);
            }
            self.errors.push(entry);
        }
        checked
    }

    fn into_error(self) -> ApiError {
        ApiError::new(Code::Validation).with("errors", self.errors)
    }
}
