//! A running gateway, over HTTP.
//!
//! Logs in when a call needs it and not before. Nothing is tried again by itself: whether a change
//! whose answer is missing was made is for a person to look up.

use std::cell::OnceCell;
use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use reqwest::blocking::{Client as Http, Response};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tiketi_gateway::api::{AuthAnswer, LoginRequest};

use crate::exit::{Exit, Failure};

/// Which gateway, and as whom.
#[derive(Args, Clone)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Where the gateway listens
    #[arg(
        long,
        global = true,
        env = "TIKETI_URL",
        default_value = "http://127.0.0.1:3001",
        hide_env_values = true
    )]
    url: String,
    /// The administrator's address
    #[arg(
        long,
        global = true,
        env = "ADMIN_EMAIL",
        default_value = "admin@tiketi.gg",
        hide_env_values = true
    )]
    email: String,
    /// The administrator's password [default: the one of development]
    #[arg(
        long,
        global = true,
        env = "ADMIN_PASSWORD",
        default_value = "admin123",
        hide_default_value = true,
        hide_env_values = true
    )]
    password: String,
    /// A token from `tiketi login`, instead of address and password
    #[arg(long, global = true, env = "TIKETI_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Seconds to wait for an answer
    #[arg(long, global = true, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// A gateway to talk to.
pub(crate) struct Client {
    http: Http,
    base: String,
    connection: Connection,
    token: OnceCell<String>,
}

/// Who a call is made as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Anybody,
    Admin,
}

impl Client {
    /// # Errors
    /// The address is none.
    pub(crate) fn new(connection: &Connection) -> Result<Client, Failure> {
        let wrong = |why: &str| {
            // The address may hold a password, so it is not repeated.
            Failure::usage(format!("--url (TIKETI_URL): {why}; expected http://HOST:PORT"))
        };
        let url = Url::parse(&connection.url).map_err(|error| wrong(&error.to_string()))?;
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("no host"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("not http or https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a user belongs into --email and --password"));
        }
        let mut builder = Http::builder()
            .connect_timeout(Duration::from_secs(connection.timeout.min(5)))
            .timeout(Duration::from_secs(connection.timeout))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tiketi/", env!("CARGO_PKG_VERSION")));
        if is_loopback(host) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Failure::new(Exit::Unavailable, "CLIENT", format!("no HTTP client: {error}"))
        })?;
        let base = url.as_str().trim_end_matches('/').trim_end_matches("/api").to_owned();
        Ok(Client { http, base, connection: connection.clone(), token: OnceCell::new() })
    }

    /// Reads what anybody may read.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None::<&()>, As::Anybody)
    }

    /// Reads as the administrator.
    pub(crate) fn admin_get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None::<&()>, As::Admin)
    }

    /// Changes something as the administrator.
    pub(crate) fn admin_post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.call(Method::POST, path, Some(body), As::Admin)
    }

    /// Replaces something as the administrator.
    pub(crate) fn admin_put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.call(Method::PUT, path, Some(body), As::Admin)
    }

    /// Deletes something as the administrator.
    pub(crate) fn admin_delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::DELETE, path, None::<&()>, As::Admin)
    }

    /// The administrator's token: the one given, or a new one.
    pub(crate) fn token(&self) -> Result<&str, Failure> {
        if let Some(token) = self.connection.token.as_deref().filter(|token| !token.is_empty()) {
            return Ok(token);
        }
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let body = LoginRequest {
            email: self.connection.email.clone(),
            password: self.connection.password.clone(),
        };
        let login =
            self.call::<AuthAnswer>(Method::POST, "/api/auth/login", Some(&body), As::Anybody);
        let answer = login.map_err(|failure| login_failure(failure, &self.connection.email))?;
        Ok(self.token.get_or_init(|| answer.token))
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        caller: As,
    ) -> Result<T, Failure> {
        let changes = method != Method::GET;
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if caller == As::Admin {
            request = request.bearer_auth(self.token()?);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().map_err(|error| self.no_answer(&error, changes))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response));
        }
        let bytes = response.bytes().map_err(|error| self.no_answer(&error, changes))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let text = format!(
                "{} answered {path} with what this version does not understand ({error}); is it a \
                 tiketi gateway of the same version?",
                self.base
            );
            Failure::new(Exit::Unavailable, "ANSWER", text)
        })
    }

    fn no_answer(&self, error: &reqwest::Error, changes: bool) -> Failure {
        let base = &self.base;
        if error.is_connect() {
            let text = format!("cannot reach {base}; start the gateway, or name it with --url");
            return Failure::new(Exit::Unavailable, "UNREACHABLE", text);
        }
        let what = match error.is_timeout() {
            true => format!("no answer from {base} within {} s", self.connection.timeout),
            false => format!("the connection to {base} broke"),
        };
        let then = match changes {
            true => "; whether the change was made is not known, look before you repeat it",
            false => "; try again",
        };
        Failure::new(Exit::Unavailable, "NO_ANSWER", format!("{what}{then}"))
    }

    fn refusal(&self, response: Response) -> Failure {
        let status = response.status();
        let json = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/json"));
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|wait| wait.to_str().ok())
            .map(|wait| format!("; try again in {wait} s"))
            .unwrap_or_default();
        let body: Option<Value> = if json { response.json().ok() } else { None };
        let text = |key: &str| body.as_ref().and_then(|body| body.get(key)?.as_str());
        let exit = match status {
            StatusCode::TOO_MANY_REQUESTS => Exit::Unavailable,
            status if status.is_server_error() => Exit::Unavailable,
            _ => Exit::Refused,
        };
        let Some(code) = text("code") else {
            let base = &self.base;
            let message = format!("{base} answered {status}; is it a tiketi gateway?");
            return Failure::new(Exit::Unavailable, "ANSWER", message);
        };
        let mut message = text("error").unwrap_or("the gateway refused").to_owned();
        message.push_str(&details(body.as_ref()));
        message.push_str(&format!(" ({code}){wait}"));
        match code {
            "USER_NOT_FOUND" | "TOKEN_INVALID" | "TOKEN_EXPIRED" => {
                message.push_str("; get a new token with `tiketi login`");
            }
            "ADMIN_ONLY" => message.push_str("; log in as an administrator"),
            _ => {}
        }
        Failure::new(exit, code, message)
    }
}

/// What an error body says beside its text.
fn details(body: Option<&Value>) -> String {
    let Some(Value::Object(body)) = body else {
        return String::new();
    };
    let known = ["success", "error", "message", "code", "errors"];
    body.iter()
        .filter(|(key, _)| !known.contains(&key.as_str()))
        .map(|(key, value)| match value {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(plain).collect();
                format!("; {key}: {}", items.join(", "))
            }
            value => format!("; {key}: {}", plain(value)),
        })
        .collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn login_failure(failure: Failure, email: &str) -> Failure {
    match failure.code.as_str() {
        "BAD_CREDENTIALS" | "VALIDATION" => {
            let text = format!(
                "cannot log in as {email}: wrong address or password; give --email and --password, \
                 or ADMIN_EMAIL and ADMIN_PASSWORD, or --token"
            );
            Failure::new(Exit::Refused, "BAD_CREDENTIALS", text)
        }
        "RATE_LIMITED" => {
            let text = format!(
                "{}; to log in once for many commands: export TIKETI_TOKEN=$(tiketi login)",
                failure.message
            );
            Failure::new(Exit::Unavailable, "RATE_LIMITED", text)
        }
        _ => failure,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'@' | b'+' => {
                encoded.push(char::from(byte));
            }
            // A segment of dots alone would be taken for a directory.
            b'.' if text.bytes().any(|byte| byte != b'.') => encoded.push('.'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Text as the value of a query parameter.
pub(crate) fn query_value(text: &str) -> String {
    segment(text).replace('+', "%2B").replace('@', "%40")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded() {
        for (text, encoded) in [
            ("a@b.kr", "a@b.kr"),
            ("../x y", "..%2Fx%20y"),
            ("..", "%2E%2E"),
            ("콘", "%EC%BD%98"),
            ("a+b", "a+b"),
        ] {
            assert_eq!(segment(text), encoded);
        }
        assert_eq!(query_value("a+b@c"), "a%2Bb%40c");
    }

    #[test]
    fn addresses_are_checked_without_repeating_them() {
        let client = |url: &str| {
            let connection = Connection {
                url: url.into(),
                email: "a@b.kr".into(),
                password: "hunter2".into(),
                token: None,
                timeout: 1,
            };
            Client::new(&connection).map(|client| client.base)
        };
        assert_eq!(
            client("http://localhost:3001/api/").ok().as_deref(),
            Some("http://localhost:3001")
        );
        for wrong in ["", "localhost", "ftp://x", "http://user:hunter2@x:1", "unix:/tmp/x"] {
            let failure = client(wrong).expect_err(wrong);
            assert_eq!(failure.exit, Exit::Usage, "{wrong}");
            assert!(!failure.message.contains("hunter2"), "{}", failure.message);
        }
    }

    #[test]
    fn loopback_needs_no_proxy() {
        for (host, expected) in
            [("localhost", true), ("127.0.0.1", true), ("[::1]", true), ("tiketi.gg", false)]
        {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
