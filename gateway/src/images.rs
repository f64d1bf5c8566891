//! Uploaded pictures: made anew from their pixels, kept in an object store, served for ever.
//!
//! Nothing of an upload is kept but what it shows: no metadata, no name, no byte that a browser could
//! take for something else. `whole` tells uploads that were cut off, `picture` makes what is kept,
//! `name` says what it is called, `store` where it lies.

pub(crate) mod name;
mod picture;
mod store;
mod whole;

use std::io;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use thiserror::Error;

use crate::config::ImagePlace;
use crate::error::{ApiError, Code};
use crate::images::name::{ImageFormat, ImageName};
use crate::images::picture::{PIXELS_MAX, PictureError, SIDE_MAX};
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
    /// has the same names. What its header or its end give away is refused without waiting for a
    /// turn.
    ///
    /// # Errors
    /// 400 where it is no picture of the formats taken, damaged or too large once decoded, 503 where
    /// too many wait, its turn comes after `deadline`, or the store is out of reach: what of it was
    /// kept by then nobody knows the name of.
    pub(crate) async fn keep(
        &self,
        upload: Bytes,
        deadline: Instant,
    ) -> Result<Vec<Variant>, ApiError> {
        picture::check(&upload).map_err(refused)?;
        let make = move || picture::make(&upload);
        let made = self.pool.run_before(deadline, make).await?.map_err(refused)?;
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

fn refused(error: PictureError) -> ApiError {
    let message = match error {
        PictureError::Encoding(_) => return ApiError::new(Code::Internal).cause(error),
        PictureError::TooLarge => format!(
            "이미지가 너무 커요. 한 변은 {SIDE_MAX}픽셀, 전체는 {}만 픽셀까지 올릴 수 있어요.",
            PIXELS_MAX / 10_000
        ),
        PictureError::NoPicture(_) => "JPEG, PNG, WebP 이미지만 올릴 수 있어요.".to_owned(),
        PictureError::Damaged(_) => "이미지 파일이 손상되었어요.".to_owned(),
    };
    ApiError::new(Code::Validation).message(message).with("field", "image").cause(error)
}

fn unreachable_store(error: object_store::Error) -> ApiError {
    ApiError::new(Code::Unavailable).cause(error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use image::{DynamicImage, ImageFormat};

    use super::*;

    fn png(width: u32, height: u32) -> Bytes {
        let mut bytes = io::Cursor::new(Vec::new());
        let picture = DynamicImage::new_luma8(width, height);
        picture.write_to(&mut bytes, ImageFormat::Png).expect("encoded");
        bytes.into_inner().into()
    }

    fn open(directory: &Path) -> Images {
        Images::open(&ImagePlace::Directory(directory.to_owned()), directory).expect("open")
    }

    #[tokio::test]
    async fn what_is_wrong_at_a_glance_is_refused_while_another_has_its_turn() {
        let directory = tempfile::tempdir().expect("directory");
        let images = open(directory.path());
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let busy = images.pool.run(move || wait.recv());
        let wrong = async {
            let deadline = Instant::now() + Duration::from_secs(3600);
            for wrong in [png(SIDE_MAX + 1, 1), png(8_000, 8_000), png(9, 9).slice(..20)] {
                let refused = images.keep(wrong, deadline).await.expect_err("refused");
                assert_eq!(refused.code(), Code::Validation);
            }
            release.send(()).expect("awaited");
        };
        let (released, ()) = tokio::join!(busy, wrong);
        assert!(released.is_ok_and(|released| released.is_ok()));
    }

    #[tokio::test]
    async fn nothing_is_made_for_whoever_has_been_given_up() {
        let directory = tempfile::tempdir().expect("directory");
        let images = open(directory.path());
        let late = images.keep(png(9, 9), Instant::now()).await.expect_err("late");
        assert_eq!(late.code(), Code::Unavailable);
        assert_eq!(std::fs::read_dir(directory.path()).expect("directory").count(), 0);
    }
}
