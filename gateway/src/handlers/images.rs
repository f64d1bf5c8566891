//! Uploads of pictures, and the pictures.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use multer::{Constraints, Multipart, SizeLimit};
use tiketi_engine::error::JournalUnavailable;

use crate::api::images::{ImageVariant, UploadAnswer};
use crate::app::App;
use crate::config::ImagePlace;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::images::name::ImageName;
use crate::images::{UPLOAD_BYTES_MAX, Variant};

/// The name of the one part that counts.
const PART: &str = "image";
/// Other fields of the form may come with it.
const PARTS_MAX: usize = 16;
/// An upload with the lines around it.
pub(crate) const FORM_BYTES_MAX: usize = UPLOAD_BYTES_MAX + (64 << 10);
/// The width that `url` has where the picture is so wide.
const POSTER_WIDTH: u32 = 800;
/// A name says what is there, so that what is there never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// `POST /api/image/upload`.
pub(crate) async fn upload(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    // Pictures must not take the disk from the log.
    if app.is_disk_low() && !matches!(app.config.images, ImagePlace::S3(_)) {
        return Err(JournalUnavailable::DiskLow.into());
    }
    // About when the caller is told that it takes too long, gone or not.
    let deadline = Instant::now() + app.config.request_timeout;
    let variants = app.images.keep(uploaded(request).await?, deadline).await?;
    let poster = variants.iter().rfind(|variant| variant.width <= POSTER_WIDTH);
    let poster = poster.ok_or_else(|| ApiError::new(Code::Internal).cause("no variant"))?.jpeg;
    let base = base_url(app, request);
    let url = |name: ImageName| format!("{base}/images/{name}");
    let shown = |variant: &Variant| ImageVariant {
        width: variant.width,
        height: variant.height,
        jpeg: url(variant.jpeg),
        webp: url(variant.webp),
    };
    Ok(Response::ok(&UploadAnswer {
        url: url(poster),
        key: poster.to_string(),
        variants: variants.iter().map(shown).collect(),
    }))
}

/// `GET /images/:name`.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let not_found = || ApiError::new(Code::NotFound);
    let name = ImageName::parse(request.path_part(0)).ok_or_else(not_found)?;
    let tag = format!("\"{name}\"");
    let response = if request.has_version(&tag) {
        app.images.has(name).await?.then(|| Response::empty(StatusCode::NOT_MODIFIED))
    } else {
        let bytes = app.images.bytes(name).await?;
        bytes.map(|bytes| Response::packed(name.format.content_type(), bytes))
    };
    let tag =
        HeaderValue::from_str(&tag).map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    Ok(response.ok_or_else(not_found)?.header(ETAG, tag).header(CACHE_CONTROL, FOR_EVER))
}

/// The part that the picture is.
///
/// # Errors
/// 400 where the body is no form, has not exactly one such part, or another file, 413 where it is too
/// long.
async fn uploaded(request: &Request) -> Result<Bytes, ApiError> {
    let refused = |message| ApiError::new(Code::Validation).message(message).with("field", PART);
    let wrong = |error: multer::Error| match error {
        multer::Error::FieldSizeExceeded { .. } => ApiError::new(Code::BodyTooLarge),
        error => refused("multipart/form-data 양식의 image 항목에 이미지를 담아 보내 주세요.")
            .cause(error),
    };
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(wrong)?;
    let limits = SizeLimit::new().per_field(UPLOAD_BYTES_MAX as u64);
    let constraints = Constraints::new().size_limit(limits);
    let body = request.body().clone();
    let body = stream::once(async { Ok::<Bytes, Infallible>(body) });
    let mut form = Multipart::with_constraints(body, boundary, constraints);
    let mut found = None;
    let mut parts = 0;
    while let Some(part) = form.next_field().await.map_err(wrong)? {
        parts += 1;
        let is_picture = part.name() == Some(PART);
        if parts > PARTS_MAX {
            return Err(refused("양식의 항목이 너무 많아요."));
        }
        if is_picture && found.is_some() {
            return Err(refused("image 항목이 두 번 있어요. 이미지는 한 번에 하나만 올려 주세요."));
        }
        if !is_picture && part.file_name().is_some_and(|name| !name.is_empty()) {
            return Err(refused(
                "image가 아닌 항목에 파일이 있어요. 이미지 하나만 image에 담아 주세요.",
            ));
        }
        let bytes = part.bytes().await.map_err(wrong)?;
        if is_picture {
            found = Some(bytes);
        }
    }
    // Browsers send an empty part where no file was chosen.
    let found = found.filter(|bytes| !bytes.is_empty());
    found.ok_or_else(|| refused("image 항목에 이미지가 없어요."))
}

/// This server as the browser of whoever uploads sees it, unless the settings say. Only an
/// administrator gets this far, and is told nothing but what the own request said.
fn base_url(app: &App, request: &Request) -> String {
    if let Some(url) = &app.config.public_url {
        return url.clone();
    }
    let header = |name: HeaderName| {
        let text = request.headers().get(name)?.to_str().ok()?;
        // Of several proxies the first one is the browser's.
        Some(text.split(',').next().unwrap_or_default().trim())
    };
    let host =
        |name| header(name)?.parse::<Authority>().ok().filter(|host| !host.as_str().contains('@'));
    let Some(host) = host(FORWARDED_HOST).or_else(|| host(HOST)) else {
        return app.payments.base_url().to_owned();
    };
    let is_https =
        header(FORWARDED_PROTO).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    format!("{}://{host}", if is_https { "https" } else { "http" })
}
