//! Where pictures lie: a directory, or a bucket that speaks S3.

use std::fs::{self, File};
use std::path::Path as FilePath;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
};

use crate::config::{ImagePlace, S3Place};
use crate::images::ImagesError;
use crate::images::name::ImageName;

/// How long one call to a bucket may take, tries included; the request's own time is longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
const RETRIES_MAX: usize = 2;

/// Keeps pictures by name.
pub(super) struct ImageStore {
    objects: Box<dyn ObjectStore>,
    prefix: Path,
}

impl ImageStore {
    pub(super) fn open(place: &ImagePlace, data: &FilePath) -> Result<Self, ImagesError> {
        match place {
            ImagePlace::DataDirectory => Self::directory(&data.join("images")),
            ImagePlace::Directory(path) => Self::directory(path),
            ImagePlace::S3(place) => Self::bucket(place),
        }
    }

    fn directory(path: &FilePath) -> Result<Self, ImagesError> {
        let failed = |source| ImagesError::Directory { path: path.display().to_string(), source };
        if !path.is_dir() {
            fs::create_dir_all(path).map_err(failed)?;
            // Or a power cut takes the directory back, and every picture in it.
            if let Some(parent) = path.parent() {
                File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
            }
        }
        // The store's paths have no `..`; another mount namespace's have no form without links.
        let whole = path.canonicalize().or_else(|_| std::path::absolute(path)).map_err(failed)?;
        // What was answered for stays: each file is made whole under another name, and synced.
        let objects = LocalFileSystem::new().with_fsync(true);
        let prefix = Path::from_absolute_path(whole).map_err(Error::from)?;
        Ok(ImageStore { objects: Box::new(objects), prefix })
    }

    fn bucket(place: &S3Place) -> Result<Self, ImagesError> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES_MAX,
            retry_timeout: CALL_TIMEOUT,
        };
        let options = ClientOptions::new().with_timeout(CALL_TIMEOUT);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_retry(retry)
            .with_client_options(options);
        if let Some(endpoint) = &place.endpoint {
            builder =
                builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http:"));
        }
        if let Some((id, secret)) = &place.keys {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
        }
        let prefix = Path::parse(&place.prefix).map_err(Error::from)?;
        Ok(ImageStore { objects: Box::new(builder.build()?), prefix })
    }

    fn path(&self, name: ImageName) -> Path {
        self.prefix.clone().join(name.to_string())
    }

    pub(super) async fn put(&self, name: ImageName, bytes: Vec<u8>) -> Result<(), Error> {
        self.objects.put(&self.path(name), PutPayload::from(bytes)).await.map(|_| ())
    }

    pub(super) async fn get(&self, name: ImageName) -> Result<Option<Bytes>, Error> {
        match self.objects.get(&self.path(name)).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn has(&self, name: ImageName) -> Result<bool, Error> {
        match self.objects.head(&self.path(name)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::name::ImageFormat;

    #[tokio::test]
    async fn a_directory_may_be_called_anything() {
        let temporary = tempfile::tempdir().expect("directory");
        let name = ImageName { digest: 7, width: 300, format: ImageFormat::Jpeg };
        for called in ["plain", "한글 d%20x", "#1?", "up/../beside"] {
            let directory = temporary.path().join(called);
            let store = ImageStore::directory(&directory).expect("a store");
            assert!(!store.has(name).await.expect("looked"), "{called}");
            store.put(name, b"picture".to_vec()).await.expect("kept");
            let kept = store.get(name).await.expect("found").expect("there");
            assert_eq!(&kept[..], b"picture");
            assert!(directory.join(name.to_string()).is_file(), "{called}");
        }
    }
}
