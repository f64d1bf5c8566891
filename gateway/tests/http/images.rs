//! Uploads of pictures and the pictures, over HTTP (contract/http.md 2.10).

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tiketi_gateway::api::images::UploadAnswer;
use tiketi_gateway::config::{ImagePlace, S3Place, Secret};

use crate::support::{Gateway, assert_error, read};

const BOUNDARY: &str = "----tiketi";
const PART_BYTES_MAX: usize = 5 << 20;

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 128]));
    encoded(&pixels.into(), format)
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

/// A form of parts, each with its name, what the client calls the file, and its bytes.
fn form(parts: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
             content-type: image/png\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

async fn send(gateway: &Gateway, token: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    send_as(gateway, token, &kind, body).await
}

async fn send_as(gateway: &Gateway, token: &str, kind: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let mut request = gateway.request("POST", "/api/image/upload").header("content-type", kind);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    read(request.body(body).send().await.expect("answer")).await
}

async fn upload(gateway: &Gateway, token: &str, bytes: &[u8]) -> (StatusCode, Value) {
    send(gateway, token, form(&[("image", "poster.png", bytes)])).await
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn what_is_uploaded_is_shown_in_every_width_and_for_ever() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let (status, body) = upload(&gateway, &admin, &picture(1000, 500, format)).await;
        assert_eq!(status, 200, "{body}");
        let answer: UploadAnswer = serde_json::from_value(body.clone()).expect("shape");
        assert_eq!(serde_json::to_value(&answer).expect("JSON"), body, "other keys");
        assert_eq!(answer.url, gateway.url(&format!("/images/{}", answer.key)));
        let sizes: Vec<_> = answer.variants.iter().map(|one| (one.width, one.height)).collect();
        assert_eq!(sizes, [(300, 150), (800, 400), (1000, 500)]);
        assert_eq!(answer.url, answer.variants[1].jpeg);
        for variant in &answer.variants {
            for (url, kind) in [(&variant.jpeg, "image/jpeg"), (&variant.webp, "image/webp")] {
                let response = gateway.client.get(url).send().await.expect("answer");
                assert_eq!(response.status(), 200);
                let headers = response.headers().clone();
                assert_eq!(headers["content-type"], kind);
                assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
                assert_eq!(headers["x-content-type-options"], "nosniff");
                assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
                assert!(!headers.contains_key("content-encoding"));
                let shown = image::load_from_memory(&response.bytes().await.expect("body"));
                let shown = shown.expect("a picture");
                assert_eq!((shown.width(), shown.height()), (variant.width, variant.height));
                let again = gateway.client.get(url).header("if-none-match", &headers["etag"]);
                let again = again.send().await.expect("answer");
                assert_eq!(again.status(), 304);
                assert_eq!(again.headers()["cache-control"], headers["cache-control"]);
                assert!(again.bytes().await.expect("body").is_empty());
            }
        }
    }
    let head = gateway.request("HEAD", "/images/x").send().await.expect("answer");
    assert_eq!(head.status(), 404);
    // They outlive the process.
    let (_, first) = upload(&gateway, &admin, &picture(9, 9, ImageFormat::Png)).await;
    let key = first["key"].as_str().expect("key").to_owned();
    let gateway = gateway.restart().await;
    assert_eq!(gateway.get(&format!("/images/{key}")).await.status(), 200);
}

#[tokio::test]
async fn only_administrators_upload() {
    let gateway = Gateway::start().await;
    let user = gateway.user("a@b.kr").await;
    let bytes = picture(9, 9, ImageFormat::Png);
    for (token, status, code) in [
        ("", 401, "AUTH_REQUIRED"),
        ("nonsense", 403, "TOKEN_INVALID"),
        (user.as_str(), 403, "ADMIN_ONLY"),
    ] {
        let (found, body) = upload(&gateway, token, &bytes).await;
        assert_eq!(found, status, "{body}");
        assert_error(&body, code);
    }
    assert!(files(&gateway.data.path().join("images")).is_empty());
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_leaves_nothing() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let png = picture(64, 64, ImageFormat::Png);
    let jpeg = picture(640, 640, ImageFormat::Jpeg);
    let grey = encoded(&DynamicImage::new_luma8(12_000, 12_000), ImageFormat::Png);
    let bomb = encoded(&DynamicImage::new_rgba8(7_000, 7_000), ImageFormat::Png);
    assert!(bomb.len() < 1 << 20);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let gif =
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    let too_long = vec![0; PART_BYTES_MAX + 1];
    let exactly = vec![0; PART_BYTES_MAX];
    for (what, bytes, status, code) in [
        ("nothing", &b""[..], 400, "VALIDATION"),
        ("text", b"hello", 400, "VALIDATION"),
        ("svg", svg, 400, "VALIDATION"),
        ("gif", gif, 400, "VALIDATION"),
        ("half a picture", &png[..png.len() / 2], 400, "VALIDATION"),
        ("half a photograph", &jpeg[..jpeg.len() / 2], 400, "VALIDATION"),
        ("a bomb", &bomb, 400, "VALIDATION"),
        ("grey of 12,000 by 12,000", &grey, 400, "VALIDATION"),
        ("5 MiB of nothing", &exactly, 400, "VALIDATION"),
        ("a byte more", &too_long, 413, "BODY_TOO_LARGE"),
    ] {
        let (found, body) = upload(&gateway, &admin, bytes).await;
        assert_eq!(found, status, "{what}: {body}");
        assert_error(&body, code);
        let expected = match what {
            "half a picture" | "half a photograph" => "손상되었어요",
            "a bomb" | "grey of 12,000 by 12,000" => "한 변은 12000픽셀, 전체는 4000만 픽셀",
            "nothing" => "image 항목에 이미지가 없어요",
            "a byte more" => "너무 커요",
            _ => "JPEG, PNG, WebP",
        };
        let message = body["message"].as_str().expect("text");
        assert!(message.contains(expected), "{what}: {message}");
    }
    let two = form(&[("image", "a", &png), ("image", "b", &png)]);
    let none = form(&[("picture", "a", &png)]);
    let other = form(&[("image", "a", &png), ("poster2", "b.png", &png)]);
    let many = form(&[("x", "", &b"x"[..]); 17]);
    let whole = form(&[("image", "a", &png)]);
    let cut = whole[..whole.len() - 20].to_vec();
    let bare = form(&[("alt", "", b"text")]);
    for (what, body) in [
        ("image 항목이 두 번", two),
        ("image가 아닌 항목에 파일", none),
        ("image가 아닌 항목에 파일", other),
        ("image 항목에 이미지가 없어요", bare),
        ("항목이 너무 많아요", many),
        ("multipart/form-data", cut),
        ("multipart/form-data", vec![]),
    ] {
        let (found, body) = send(&gateway, &admin, body).await;
        assert_eq!(found, 400, "{what}: {body}");
        assert_error(&body, "VALIDATION");
        assert_eq!(body["field"], "image");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(what)), "{what}: {body}");
    }
    for kind in [
        "multipart/form-data; boundary=another",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "application/json",
        "image/png",
    ] {
        let (found, body) = send_as(&gateway, &admin, kind, whole.clone()).await;
        assert_eq!(found, 400, "{kind}: {body}");
        assert_error(&body, "VALIDATION");
    }
    let (found, body) = send(&gateway, &admin, vec![0; 6 << 20]).await;
    assert_eq!(found, 413, "{body}");
    assert_error(&body, "BODY_TOO_LARGE");
    assert!(files(&gateway.data.path().join("images")).is_empty());
}

#[tokio::test]
async fn a_content_length_that_lies_changes_nothing() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let body = form(&[("image", "a.png", &picture(9, 9, ImageFormat::Png))]);
    for announced in [body.len() / 2, body.len() + 1_000] {
        let head = format!(
            "POST /api/image/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {admin}\r\n\
             content-type: multipart/form-data; boundary={BOUNDARY}\r\n\
             content-length: {announced}\r\nconnection: close\r\n\r\n"
        );
        let mut socket = gateway.connect();
        let bytes = [head.as_bytes(), &body].concat();
        let answer = tokio::task::spawn_blocking(move || {
            use std::io::{Read, Write};
            socket.write_all(&bytes).expect("sent");
            socket.shutdown(std::net::Shutdown::Write).expect("no more");
            let mut answer = Vec::new();
            // It may be reset with bytes unread.
            let _ = socket.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        });
        let answer = answer.await.expect("exchange");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{announced}: {answer}");
    }
    assert!(files(&gateway.data.path().join("images")).is_empty());
}

#[tokio::test]
async fn names_are_ours_and_nothing_of_the_client_stays() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut polyglot = picture(40, 40, ImageFormat::Png);
    polyglot.extend_from_slice(b"<script>alert('polyglot')</script>");
    for file in ["../../x.png", "/etc/passwd", "a\u{202e}gnp.exe", "한글.png", "x.php%00.png"] {
        let (status, body) =
            send(&gateway, &admin, form(&[("image", file, &polyglot), ("alt", "", b"text")])).await;
        assert_eq!(status, 200, "{file}: {body}");
    }
    // The same picture again is the same picture.
    let directory = gateway.data.path().join("images");
    let names = files(&directory);
    assert_eq!(names.len(), 2, "{names:?}");
    for name in &names {
        let (stem, extension) = name.split_once('.').expect("extension");
        let (digest, width) = stem.split_once('-').expect("width");
        assert!(
            digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{name}"
        );
        assert!(width == "40" && matches!(extension, "jpg" | "webp"), "{name}");
        let kept = std::fs::read(directory.join(name)).expect("kept");
        assert!(!kept.windows(8).any(|window| window == b"polyglot"));
    }
    std::fs::write(directory.join("secret.jpg"), "secret").expect("written");
    for path in [
        "/images/secret.jpg",
        "/images/..%2fjwt-secret",
        "/images/%2e%2e%2fjwt-secret",
        "/images/../jwt-secret",
        "/images/....//jwt-secret",
        "/images/naver-pay.png",
        "/images/00000000000000000000000000000000-300.jpg",
        "/images/",
        "/images/%00",
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = gateway.exchange(head).await;
        assert!(
            answer.starts_with("HTTP/1.1 404 ") && answer.contains("NOT_FOUND"),
            "{path}: {answer}"
        );
    }
    let upper = names[0].to_uppercase();
    assert_eq!(gateway.get(&format!("/images/{upper}")).await.status(), 404);
    let missing = gateway.request("GET", "/images/00000000000000000000000000000000-300.jpg");
    let missing = missing.header("if-none-match", "*").send().await.expect("answer");
    assert_eq!(missing.status(), 404);
}

#[tokio::test]
async fn addresses_are_those_of_the_browser() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let body = form(&[("image", "a", &picture(9, 9, ImageFormat::Png))]);
    for (headers, expected) in [
        (&[("host", "tickets.example:8080")][..], "http://tickets.example:8080/images/"),
        (
            &[
                ("host", "inside"),
                ("x-forwarded-host", "tickets.example, inner"),
                ("x-forwarded-proto", "https"),
            ],
            "https://tickets.example/images/",
        ),
        (
            &[("host", "tickets.example"), ("x-forwarded-host", "a b\"><")],
            "http://tickets.example/images/",
        ),
    ] {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let mut request = gateway.request("POST", "/api/image/upload").bearer_auth(&admin);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", kind).body(body.clone());
        let (status, answer) = read(request.send().await.expect("answer")).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["url"].as_str().is_some_and(|url| url.starts_with(expected)), "{answer}");
    }
    let public = "https://tickets.example/shop".to_owned();
    let gateway = Gateway::with(|config| config.public_url = Some(public)).await;
    let admin = gateway.admin().await;
    let (_, answer) = send(&gateway, &admin, body).await;
    let url = answer["url"].as_str().expect("url");
    assert!(url.starts_with("https://tickets.example/shop/images/"), "{url}");
}

#[tokio::test]
async fn a_bucket_keeps_them_too_and_its_silence_is_503() {
    let bucket = bucket::Bucket::start().await;
    let place = S3Place {
        bucket: "posters".to_owned(),
        prefix: "tiketi/images".to_owned(),
        endpoint: Some(bucket.url()),
        region: "ap-northeast-2".to_owned(),
        keys: Some(("AKIDEXAMPLE".to_owned(), Secret::new("secret"))),
    };
    let gateway = Gateway::with(|config| config.images = ImagePlace::S3(place)).await;
    let admin = gateway.admin().await;
    let bytes = picture(20, 10, ImageFormat::Png);
    let (status, answer) = upload(&gateway, &admin, &bytes).await;
    assert_eq!(status, 200, "{answer}");
    let key = answer["key"].as_str().expect("key");
    assert_eq!(bucket.names().len(), 2);
    assert!(
        bucket.names().contains(&format!("/posters/tiketi/images/{key}")),
        "{:?}",
        bucket.names()
    );
    let response = gateway.get(&format!("/images/{key}")).await;
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"image/jpeg".parse().expect("value"))
    );
    assert!(image::load_from_memory(&response.bytes().await.expect("body")).is_ok());
    let missing = gateway.get("/images/00000000000000000000000000000000-300.jpg").await;
    assert_eq!(missing.status(), 404);
    bucket.refuse();
    for response in [
        upload(&gateway, &admin, &bytes).await,
        read(gateway.get(&format!("/images/{key}")).await).await,
    ] {
        assert_eq!(response.0, 503, "{}", response.1);
        assert_error(&response.1, "UNAVAILABLE");
        assert_eq!(response.1.get("cause"), None);
    }
    let (status, _) = gateway.call("GET", "/api/events", &admin, &json!({})).await;
    assert_eq!(status, 200);
}

/// As much of S3 as pictures need: PUT, GET and HEAD of whole objects, signed.
mod bucket {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper::{Method, Request, Response};
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;

    #[derive(Default)]
    struct Kept {
        objects: Mutex<HashMap<String, Bytes>>,
        refuses: AtomicBool,
    }

    pub(super) struct Bucket {
        address: std::net::SocketAddr,
        kept: Arc<Kept>,
    }

    impl Bucket {
        pub(super) async fn start() -> Bucket {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let address = listener.local_addr().expect("address");
            let kept = Arc::new(Kept::default());
            let shared = Arc::clone(&kept);
            tokio::spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    let kept = Arc::clone(&shared);
                    let serve = service_fn(move |request| answer(Arc::clone(&kept), request));
                    let builder = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(builder.serve_connection(TokioIo::new(socket), serve));
                }
            });
            Bucket { address, kept }
        }

        pub(super) fn url(&self) -> String {
            format!("http://{}", self.address)
        }

        pub(super) fn names(&self) -> Vec<String> {
            self.kept.objects.lock().expect("lock").keys().cloned().collect()
        }

        /// From now on nothing works, in a way that no retry cures.
        pub(super) fn refuse(&self) {
            self.kept.refuses.store(true, Ordering::SeqCst);
        }
    }

    async fn answer(
        kept: Arc<Kept>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let response = |status: u16, body: Bytes| {
            let builder = Response::builder().status(status).header("etag", "\"1\"");
            builder.header("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT").body(Full::new(body))
        };
        let signature = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
        let is_signed = signature.is_some_and(|text| text.contains("Credential=AKIDEXAMPLE/"));
        let name = parts.uri.path().to_owned();
        let mut objects = kept.objects.lock().expect("lock");
        let answer = if kept.refuses.load(Ordering::SeqCst) || !is_signed {
            response(403, Bytes::from_static(b"<Error><Code>AccessDenied</Code></Error>"))
        } else if parts.method == Method::PUT {
            objects.insert(name, body);
            response(200, Bytes::new())
        } else {
            match objects.get(&name) {
                Some(object) => response(200, object.clone()),
                None => response(404, Bytes::from_static(b"<Error><Code>NoSuchKey</Code></Error>")),
            }
        };
        Ok(answer.expect("response"))
    }
}
