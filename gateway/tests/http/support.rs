//! Starts gateways in this process and talks to them: over `reqwest` where HTTP is not the point,
//! over a bare socket where it is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tiketi_gateway::app::{App, Running};
use tiketi_gateway::config::Config;
use tiketi_gateway::rate_limit::RateLimitConfig;

/// Long enough for anything that happens at all on a busy machine; never decides what a test says.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway on a free port, with a directory of its own.
pub(crate) struct Gateway {
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) data: TempDir,
}

impl Gateway {
    /// Without rate limits and sample data.
    pub(crate) async fn start() -> Gateway {
        Gateway::with(|_| {}).await
    }

    /// With some settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Gateway {
        let data = tempfile::tempdir().expect("directory");
        Gateway::on(data, change).await
    }

    /// Stops in order and starts again on the same data.
    pub(crate) async fn restart(self) -> Gateway {
        self.running.stop().await;
        Gateway::on(self.data, |_| {}).await
    }

    pub(crate) async fn on(data: TempDir, change: impl FnOnce(&mut Config)) -> Gateway {
        let mut config = Config::development(data.path());
        config.sample_data = false;
        config.ballast_bytes = 0;
        config.rate_limit = RateLimitConfig::OFF;
        change(&mut config);
        let running = App::start(config).await.expect("start");
        let client = Client::builder().timeout(PATIENCE).no_proxy().build().expect("client");
        Gateway { running, client, data }
    }

    /// Where it listens, for bare sockets.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.running.address()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("method");
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request("GET", path).send().await.expect("answer")
    }

    /// With a token and a JSON body.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let mut request = self.request(method, path).json(body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        read(request.send().await.expect("answer")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call("POST", path, "", body).await
    }

    /// A new user's token.
    pub(crate) async fn user(&self, email: &str) -> String {
        let body = json!({"email": email, "password": "secret1", "name": "구매자"});
        let (status, answer) = self.post("/api/auth/register", &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["token"].as_str().expect("token").to_owned()
    }

    /// The administrator's token.
    pub(crate) async fn admin(&self) -> String {
        let body = json!({"email": "admin@tiketi.gg", "password": "admin123"});
        let (status, answer) = self.post("/api/auth/login", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().expect("token").to_owned()
    }

    /// A bare connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address()).expect("connect");
        socket.set_read_timeout(Some(PATIENCE)).expect("timeout");
        socket
    }

    /// Sends bytes on a connection of its own and reads until the server closes it.
    pub(crate) async fn exchange(&self, bytes: impl Into<Vec<u8>>) -> String {
        let mut socket = self.connect();
        let bytes = bytes.into();
        tokio::task::spawn_blocking(move || {
            // The server may close before it has taken everything.
            let _ = socket.write_all(&bytes);
            read_to_end(&mut socket)
        })
        .await
        .expect("exchange")
    }
}

/// Status and JSON.
pub(crate) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.expect("body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Everything until the peer closes.
pub(crate) fn read_to_end(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).expect("the peer closes in time");
    String::from_utf8(bytes).expect("text")
}

/// Checks the shape that every refusal has.
pub(crate) fn assert_error(body: &Value, code: &str) {
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["success"], false, "{body}");
    assert!(body["error"].is_string() && body["error"] == body["message"], "{body}");
}
