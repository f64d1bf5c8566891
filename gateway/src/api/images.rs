//! Uploaded pictures (contract/http.md 2.10).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to `POST /api/image/upload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadAnswer {
    /// Where the picture is, for `src` on any page: a JPEG of the width that posters are shown in.
    pub url: String,
    /// What that JPEG is called.
    pub key: String,
    /// Every width, the narrowest first.
    pub variants: Vec<ImageVariant>,
}

/// One width of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageVariant {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Where its JPEG is.
    pub jpeg: String,
    /// Where its WebP is.
    pub webp: String,
}
