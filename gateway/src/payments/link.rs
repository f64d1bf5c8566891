//! HTTP to a provider: one request, one bounded answer, no second try.
//!
//! A request that may have arrived is never sent again from here: whether to repeat it is for
//! whoever knows what it means.

use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use thiserror::Error;

use crate::config::Secret;
use crate::payments::answer::{
    CODE_CHARS_MAX, Health, ProviderCall, TRACE_CHARS_MAX, Trail, Unknown, bounded,
};

/// A payment with all its cancels is a tenth of this.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Calls to a provider at a time, each of which has a connection and some 40 KB to itself; whoever
/// comes then waits at a tenth of that. At 300 ms each that is a thousand payments a second.
pub(crate) const CALLS_MAX: usize = 320;
/// Shorter than what load balancers allow, so that they rarely close one under a request.
const IDLE_FOR: Duration = Duration::from_secs(45);

/// How long a provider is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    /// For the whole answer, from the first byte sent.
    pub(crate) answer: Duration,
}

impl Default for Patience {
    /// What Toss asks for: it may answer in the 60th second, and the money has moved then.
    fn default() -> Self {
        Patience { connect: Duration::from_secs(3), answer: Duration::from_secs(60) }
    }
}

/// Why no provider can be reached with these settings.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    #[error("expected a base URL such as https://api.tosspayments.com")]
    BadUrl,
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// A provider's address and the connections to it.
#[derive(Debug)]
pub(crate) struct Link {
    http: Client,
    base: Url,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: StatusCode,
    pub(crate) trace_id: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// One call, however it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) heard: Result<Heard, Unknown>,
    pub(crate) took: Duration,
}

impl Link {
    /// # Errors
    /// A base URL that is not `http(s)://host`, then a system without root certificates.
    pub(crate) fn new(base_url: &str, patience: Patience) -> Result<Self, LinkError> {
        let base = Url::parse(base_url).map_err(|_| LinkError::BadUrl)?;
        let is_bare = base.query().is_none() && base.fragment().is_none();
        if !matches!(base.scheme(), "https" | "http") || !base.has_host() || !is_bare {
            return Err(LinkError::BadUrl);
        }
        let builder = Client::builder()
            .connect_timeout(patience.connect)
            .timeout(patience.connect + patience.answer)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .pool_max_idle_per_host(CALLS_MAX)
            .pool_idle_timeout(IDLE_FOR);
        let builder = match base.scheme() {
            "https" => builder.https_only(true),
            // A simulator without TLS needs no root certificates of the system.
            _ => builder.tls_certs_only([]),
        };
        Ok(Link { http: builder.build()?, base })
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.base.scheme() == "https"
    }

    pub(crate) fn get(&self, path: &[&str]) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(crate) fn get_with(&self, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        self.http.get(url)
    }

    pub(crate) fn post(&self, path: &[&str]) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    /// Below the base URL; every segment is escaped.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

impl Said {
    /// For the audit: the call, and the code or status that its answer had.
    pub(crate) fn trail(&self, call: ProviderCall, code: Option<&str>) -> Trail {
        let heard = self.heard.as_ref().ok();
        Trail {
            call,
            http_status: heard.map(|heard| heard.status.as_u16()),
            code: code.map(|code| bounded(code, CODE_CHARS_MAX)),
            trace_id: heard.and_then(|heard| heard.trace_id.clone()),
            took: self.took,
        }
    }

    /// Whether the provider works, leaving its own codes aside.
    pub(crate) fn health(&self) -> Health {
        match &self.heard {
            Err(Unknown::Timeout | Unknown::Connection) => Health::Down,
            Ok(heard) if heard.status.is_server_error() => Health::Down,
            Ok(_) | Err(_) => Health::Up,
        }
    }
}

/// Sends a request and reads the whole answer; `trace_header` holds the provider's name for it.
///
/// A key that is not taken has done nothing, so the next one is tried: keys can be changed with no
/// moment at which both sides have to agree.
pub(crate) async fn send(
    keys: &[Secret],
    trace_header: &str,
    request: impl Fn(&Secret) -> RequestBuilder,
) -> Said {
    let begun = Instant::now();
    let mut heard = Err(Unknown::Connection);
    for key in keys {
        heard = hear(request(key), trace_header).await;
        if !matches!(&heard, Ok(heard) if heard.status == StatusCode::UNAUTHORIZED) {
            break;
        }
    }
    Said { heard, took: begun.elapsed() }
}

async fn hear(request: RequestBuilder, trace_header: &str) -> Result<Heard, Unknown> {
    let response = request.send().await.map_err(silence)?;
    let trace_id = response.headers().get(trace_header).and_then(|id| id.to_str().ok());
    let trace_id = trace_id.map(|id| bounded(id, TRACE_CHARS_MAX));
    let status = response.status();
    Ok(Heard { status, trace_id, body: read(response).await? })
}

async fn read(mut response: Response) -> Result<Vec<u8>, Unknown> {
    let announced = response.content_length().unwrap_or(0);
    if announced > ANSWER_BYTES_MAX as u64 {
        return Err(Unknown::TooLarge);
    }
    let mut body = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await.map_err(silence)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Unknown::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What an error of the client means. Its text is dropped: it may have a payment's key in it.
fn silence(error: reqwest::Error) -> Unknown {
    match error.is_timeout() {
        true => Unknown::Timeout,
        false => Unknown::Connection,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_address_is_a_base_url() {
        for (url, good) in [
            ("https://api.tosspayments.com", true),
            ("http://127.0.0.1:4001/toss/", true),
            ("ftp://api.tosspayments.com", false),
            ("api.tosspayments.com", false),
            ("https://host/?key=1", false),
            ("https://host/#x", false),
            ("file:///etc", false),
        ] {
            assert_eq!(Link::new(url, Patience::default()).is_ok(), good, "{url}");
        }
    }

    #[test]
    fn segments_stay_segments() {
        let link = Link::new("http://host/base/", Patience::default()).expect("link");
        for (path, url) in [
            (["v1", "payments"], "http://host/base/v1/payments"),
            (["v1", "a/b?c#d%2F"], "http://host/base/v1/a%2Fb%3Fc%23d%252F"),
        ] {
            assert_eq!(link.url(&path).as_str(), url);
        }
    }
}
