//! What kept pictures are called: a hash of what is kept, the width, the format. Nothing a client says
//! is part of a name, and no other text is one, so that no path can be made of it.

use std::fmt;

use hyper::header::HeaderValue;

/// The name of one kept picture, as in
/// `0123456789abcdef0123456789abcdef-800.jpg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// Of all variants together: they differ in what follows.
    pub(crate) digest: u128,
    /// In pixels.
    pub(crate) width: u32,
    pub(crate) format: ImageFormat,
}

/// What pictures are kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageFormat {
    /// For whatever shows pictures.
    Jpeg,
    /// A third smaller, and transparent where the upload was.
    Webp,
}

impl ImageFormat {
    pub(crate) fn content_type(self) -> HeaderValue {
        match self {
            ImageFormat::Jpeg => HeaderValue::from_static("image/jpeg"),
            ImageFormat::Webp => HeaderValue::from_static("image/webp"),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            ImageFormat::Jpeg => "jpg",
            ImageFormat::Webp => "webp",
        }
    }
}

impl ImageName {
    /// The name that `text` is; each has one spelling.
    pub(crate) fn parse(text: &str) -> Option<ImageName> {
        let (stem, extension) = text.split_once('.')?;
        let (digest, width) = stem.split_once('-')?;
        let formats = [ImageFormat::Jpeg, ImageFormat::Webp];
        let name = ImageName {
            digest: u128::from_str_radix(digest, 16).ok()?,
            width: width.parse().ok()?,
            format: formats.into_iter().find(|format| format.extension() == extension)?,
        };
        (name.to_string() == text).then_some(name)
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{}.{}", self.digest, self.width, self.format.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_names() {
        let name = ImageName { digest: 0x0123_4567, width: 800, format: ImageFormat::Webp };
        let text = name.to_string();
        assert_eq!(text, "00000000000000000000000001234567-800.webp");
        assert_eq!(ImageName::parse(&text), Some(name));
        for wrong in [
            "",
            "..",
            "../../etc/passwd",
            "00000000000000000000000001234567-800.webp/..",
            "..%2f..%2fx",
            "+0000000000000000000000001234567-800.webp",
            "00000000000000000000000001234567-+800.webp",
            "00000000000000000000000001234567-0800.webp",
            "0000000000000000000000000123456A-800.webp",
            "1234567-800.webp",
            "00000000000000000000000001234567-800.WEBP",
            "00000000000000000000000001234567-800.png",
            "00000000000000000000000001234567-800.jpg.webp",
            "00000000000000000000000001234567-800.jpg\0",
            "naver-pay.png",
        ] {
            assert_eq!(ImageName::parse(wrong), None, "{wrong}");
        }
    }
}
