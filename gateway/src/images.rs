//! Uploaded pictures: made anew from their pixels, kept in an object store, served for ever.
//!
//! Nothing of an upload is kept but what it shows: no metadata, no name, no byte that a browser could
//! take for something else. `picture` makes what is kept, `name` says what it is called, `store`
//! where it lies.

pub(crate) mod name;
mod picture;
mod store;

use std::io;
use std::path::Path;

use bytes::Bytes;
use thiserror::Error;

use crate::config::ImagePlace;
use crate::error::{ApiError, Code};
use crate::images::name::{ImageFormat, ImageName};
use crate::images::picture::PictureError;
use crate::images::store::ImageStore;
use crate::pool::Pool;

/// The largest upload of the contract.
pub(crate) const UPLOAD_BYTES_MAX: usize = 5 << 20;
/// Uploads that wait for the one thread; with their bytes they are what this may take of the memory.
const WAITING_MAX: usize = 8;

/// Makes, keeps and finds pictures.
pub(crate) struct Images {
    pool: Pool,
    store: ImageStore,
}

/// Why there is no place for pictures.
#[derive(Debug, Error)]
pub(crate) enum ImagesError {
    /// The directory cannot be made or opened.
    #[error("{path}: {source}")]
    Directory {
        /// Which.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The object store refuses its settings.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// One width of a picture, in both formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) jpeg: ImageName,
    pub(crate) webp: ImageName,
}

impl Images {
    /// Opens the store at `place`; a directory is made where there is none, `data` is the one of the
    /// log.
    ///
    /// # Errors
    /// See [`ImagesError`].
    pub(crate) fn open(place: &ImagePlace, data: &Path) -> Result<Self, ImagesError> {
        Ok(Images {
            store: ImageStore::open(place, data)?,
            pool: Pool::start("image", 1, WAITING_MAX).map_err(ImagesError::Thread)?,
        })
    }

    /// Keeps the picture that `upload` is, in its widths, the smallest first. The same picture again
    /// has the same names.
    ///
    /// # Errors
    /// 400 where it is no picture of the formats taken or too large once decoded, 503 where too many
    /// wait or the store is out of reach: what of it was kept by then nobody knows the name of.
    pub(crate) async fn keep(&self, upload: Bytes) -> Result<Vec<Variant>, ApiError> {
        let made = self.pool.run(move || picture::make(&upload)).await?;
        let made = made.map_err(|error| match error {
            PictureError::Encoding(_) => ApiError::new(Code::Internal).cause(error),
            PictureError::TooLarge => ApiError::new(Code::Validation)
                .message("이미지가 너무 커요.")
                .with("field", "image"),
            PictureError::NoPicture(_) => ApiError::new(Code::Validation)
                .message("JPEG, PNG, WebP 이미지만 올릴 수 있어요.")
                .with("field", "image")
                .cause(error),
        })?;
        let mut variants = Vec::with_capacity(made.sizes.len());
        for size in made.sizes {
            let name = |format| ImageName { digest: made.digest, width: size.width, format };
            let (jpeg, webp) = (name(ImageFormat::Jpeg), name(ImageFormat::Webp));
            self.store.put(jpeg, size.jpeg).await.map_err(unreachable_store)?;
            self.store.put(webp, size.webp).await.map_err(unreachable_store)?;
            variants.push(Variant { width: size.width, height: size.height, jpeg, webp });
        }
        Ok(variants)
    }

    /// The bytes of a kept picture.
    ///
    /// # Errors
    /// 503 where the store is out of reach.
    pub(crate) async fn bytes(&self, name: ImageName) -> Result<Option<Bytes>, ApiError> {
        self.store.get(name).await.map_err(unreachable_store)
    }

    /// Whether a picture is kept. Errors as [`Images::bytes`].
    pub(crate) async fn has(&self, name: ImageName) -> Result<bool, ApiError> {
        self.store.has(name).await.map_err(unreachable_store)
    }
}

fn unreachable_store(error: object_store::Error) -> ApiError {
    ApiError::new(Code::Unavailable).cause(error)
}
