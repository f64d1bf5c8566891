//! From what was uploaded to what is kept: decoded within bounds, turned upright, resized, encoded.

use std::io::Cursor;

use fast_image_resize::{ResizeError, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};
use thiserror::Error;

use crate::images::whole;

/// In pixels; an upload that is narrower keeps its own width in place of the larger ones.
const WIDTHS: [u32; 3] = [300, 800, 1920];
/// The longer side, in pixels.
pub(super) const SIDE_MAX: u32 = 12_000;
/// Width times height, in pixels: what 5 MiB can unpack to has no other bound.
pub(super) const PIXELS_MAX: u64 = 40_000_000;
/// Of a decoded picture. There are two at the most, the second one turned upright or with other
/// channels; what a progressive JPEG is decoded from is up to two more, and gone by then.
const DECODED_BYTES_MAX: u64 = 4 * PIXELS_MAX;
/// What colour profiles and the like of an upload may unpack to: they are read with the header.
const METADATA_BYTES_MAX: u64 = 16 << 20;
const JPEG_QUALITY: u8 = 82;
const WEBP_QUALITY: f32 = 80.0;

// Both encoders take less than that.
const _: () = assert!(SIDE_MAX <= 16_383);

/// Why nothing was made.
#[derive(Debug, Error)]
pub(super) enum PictureError {
    /// Not of the formats taken.
    #[error("no picture: {0}")]
    NoPicture(String),
    /// Of a format taken, but not whole.
    #[error("damaged: {0}")]
    Damaged(String),
    /// More pixels than are unpacked.
    #[error("too large once decoded")]
    TooLarge,
    /// A mistake of ours.
    #[error("not encoded: {0}")]
    Encoding(String),
}

/// A picture as it is kept.
pub(super) struct Made {
    /// Of all that is kept.
    pub(super) digest: u128,
    /// The narrowest first.
    pub(super) sizes: Vec<Size>,
}

/// One width, in both formats.
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) jpeg: Vec<u8>,
    pub(super) webp: Vec<u8>,
}

/// Makes what is kept of an upload. Takes up to seconds of a processor.
///
/// # Errors
/// See [`PictureError`].
pub(super) fn make(upload: &[u8]) -> Result<Made, PictureError> {
    let picture = decode(upload)?;
    let mut widths = WIDTHS.map(|width| width.min(picture.width())).to_vec();
    widths.dedup();
    let sizes = widths.into_iter().map(|width| size(&picture, width));
    let sizes = sizes.collect::<Result<Vec<Size>, PictureError>>()?;
    let mut hasher = blake3::Hasher::new();
    for size in &sizes {
        hasher.update(&size.jpeg).update(&size.webp);
    }
    let mut digest = [0; 16];
    hasher.finalize_xof().fill(&mut digest);
    Ok(Made { digest: u128::from_be_bytes(digest), sizes })
}

/// Refuses what [`make`] would refuse for its format, its size or its missing end, in milliseconds.
///
/// # Errors
/// See [`PictureError`].
pub(super) fn check(upload: &[u8]) -> Result<(), PictureError> {
    open(upload).map(drop)
}

/// The pixels, upright, with transparency where there is some.
fn decode(upload: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut decoder = open(upload)?;
    let orientation = decoder.orientation().map_err(wrong)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(wrong)?;
    picture.apply_orientation(orientation);
    Ok(match picture.color().has_alpha() {
        true => picture.into_rgba8().into(),
        false => picture.into_rgb8().into(),
    })
}

/// Reads the header: nothing is unpacked yet.
fn open(upload: &[u8]) -> Result<impl ImageDecoder + '_, PictureError> {
    // By what it begins with, whatever the client calls it.
    let mut reader = ImageReader::new(Cursor::new(upload))
        .with_guessed_format()
        .map_err(|error| PictureError::NoPicture(error.to_string()))?;
    let format = match reader.format() {
        Some(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) => format,
        other => return Err(PictureError::NoPicture(format!("{other:?}"))),
    };
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
    limits.max_alloc = Some(METADATA_BYTES_MAX);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(wrong)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXELS_MAX || decoder.total_bytes() > DECODED_BYTES_MAX {
        return Err(PictureError::TooLarge);
    }
    match whole::has_end(format, upload) {
        true => Ok(decoder),
        false => Err(PictureError::Damaged("cut off".to_owned())),
    }
}

fn wrong(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::TooLarge,
        ImageError::Unsupported(error) => PictureError::NoPicture(error.to_string()),
        error => PictureError::Damaged(error.to_string()),
    }
}

fn size(picture: &DynamicImage, width: u32) -> Result<Size, PictureError> {
    if width == picture.width() {
        return encode(picture);
    }
    let height = u64::from(picture.height()) * u64::from(width) / u64::from(picture.width());
    let height = u32::try_from(height).unwrap_or(SIDE_MAX).max(1);
    let mut resized = DynamicImage::new(width, height, picture.color());
    let failed = |error: ResizeError| PictureError::Encoding(error.to_string());
    Resizer::new().resize(picture, &mut resized, None).map_err(failed)?;
    encode(&resized)
}

fn encode(picture: &DynamicImage) -> Result<Size, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    let (layout, opaque) = match picture {
        DynamicImage::ImageRgba8(pixels) => (webp::PixelLayout::Rgba, on_white(pixels)),
        // Pixels are of these two kinds once decoded; this is no copy for the other.
        other => (webp::PixelLayout::Rgb, other.to_rgb8()),
    };
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY);
    opaque
        .write_with_encoder(encoder)
        .map_err(|error| PictureError::Encoding(error.to_string()))?;
    let webp = webp::Encoder::new(picture.as_bytes(), layout, width, height)
        .encode_simple(false, WEBP_QUALITY)
        .map_err(|error| PictureError::Encoding(format!("{error:?}")))?;
    Ok(Size { width, height, jpeg, webp: webp.to_vec() })
}

/// JPEG knows no transparency.
fn on_white(pixels: &image::RgbaImage) -> RgbImage {
    RgbImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let [red, green, blue, alpha] = pixels.get_pixel(x, y).0.map(u32::from);
        let mix = |channel: u32| ((channel * alpha + 255 * (255 - alpha)) / 255) as u8;
        image::Rgb([mix(red), mix(green), mix(blue)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::metadata::Orientation;

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encoded");
        bytes.into_inner()
    }

    /// Red above, blue below.
    fn flag(width: u32, height: u32) -> DynamicImage {
        let colour =
            |y| if y < height / 2 { image::Rgb([255, 0, 0]) } else { image::Rgb([0, 0, 255]) };
        RgbImage::from_fn(width, height, |_, y| colour(y)).into()
    }

    fn sizes(made: &Made) -> Vec<(u32, u32)> {
        made.sizes.iter().map(|size| (size.width, size.height)).collect()
    }

    #[test]
    fn pictures_are_made_smaller_and_never_larger() {
        for (from, expected) in [
            ((2000, 1000), vec![(300, 150), (800, 400), (1920, 960)]),
            ((1920, 10), vec![(300, 1), (800, 4), (1920, 10)]),
            ((500, 250), vec![(300, 150), (500, 250)]),
            ((300, 300), vec![(300, 300)]),
            ((1, 1), vec![(1, 1)]),
            ((7, 12_000), vec![(7, 12_000)]),
        ] {
            let made = make(&encoded(&flag(from.0, from.1), ImageFormat::Png)).expect("made");
            assert_eq!(sizes(&made), expected);
            for size in &made.sizes {
                for (bytes, format) in
                    [(&size.jpeg, ImageFormat::Jpeg), (&size.webp, ImageFormat::WebP)]
                {
                    assert_eq!(image::guess_format(bytes).ok(), Some(format));
                    let shown = image::load_from_memory(bytes).expect("a picture");
                    assert_eq!((shown.width(), shown.height()), (size.width, size.height));
                }
            }
        }
    }

    #[test]
    fn the_same_picture_has_the_same_digest_and_another_one_another() {
        let digest =
            |height| make(&encoded(&flag(40, height), ImageFormat::Png)).expect("made").digest;
        assert_eq!(digest(30), digest(30));
        assert_ne!(digest(30), digest(32));
    }

    #[test]
    fn pictures_are_turned_upright_and_their_metadata_is_gone() {
        // TIFF, little-endian, one entry: orientation (0x112), a short, 6: turn right by 90 degrees.
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let jpeg = encoded(&flag(40, 20), ImageFormat::Jpeg);
        let length = u16::try_from(exif.len() + 2).expect("short").to_be_bytes();
        let turned = [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat();
        let mut decoder = ImageReader::new(Cursor::new(&turned))
            .with_guessed_format()
            .and_then(|reader| reader.into_decoder().map_err(std::io::Error::other))
            .expect("decoder");
        assert_eq!(decoder.orientation().ok(), Some(Orientation::Rotate90));
        let made = make(&turned).expect("made");
        assert_eq!(sizes(&made), [(20, 40)]);
        for bytes in [&made.sizes[0].jpeg, &made.sizes[0].webp] {
            let shown = image::load_from_memory(bytes).expect("a picture").into_rgb8();
            // What was above is at the right now.
            assert!(shown.get_pixel(18, 20).0[0] > 200 && shown.get_pixel(2, 20).0[2] > 200);
            assert!(!bytes.windows(4).any(|window| window == b"Exif"));
        }
    }

    #[test]
    fn transparency_is_kept_by_webp_and_white_in_jpeg() {
        let clear =
            DynamicImage::from(image::RgbaImage::from_pixel(8, 8, image::Rgba([9, 9, 9, 0])));
        let made = make(&encoded(&clear, ImageFormat::Png)).expect("made");
        let shown = |bytes| image::load_from_memory(bytes).expect("a picture").into_rgba8();
        assert_eq!(shown(&made.sizes[0].webp).get_pixel(4, 4).0[3], 0);
        assert_eq!(shown(&made.sizes[0].jpeg).get_pixel(4, 4).0, [255; 4]);
    }

    #[test]
    fn grey_and_deep_pictures_are_pictures() {
        for picture in [
            DynamicImage::new_luma8(20, 10),
            DynamicImage::new_luma_a16(20, 10),
            DynamicImage::new_rgb16(20, 10),
        ] {
            let made = make(&encoded(&picture, ImageFormat::Png)).expect("made");
            assert_eq!(sizes(&made), [(20, 10)]);
        }
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        for wrong in [
            &b""[..],
            b"GIF89a\x01\0\x01\0\0\0\0;",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        ] {
            assert!(matches!(check(wrong), Err(PictureError::NoPicture(_))));
        }
        let grey =
            |width, height| encoded(&DynamicImage::new_luma8(width, height), ImageFormat::Png);
        // A megabyte of nothing for 576 of pixels, and four bytes or eight for each pixel.
        let bomb = encoded(&DynamicImage::new_rgba8(7_000, 7_000), ImageFormat::Png);
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        let deep = encoded(&DynamicImage::new_rgba16(5_001, 4_000), ImageFormat::Png);
        // Only a header: a claim of 2^62 pixels.
        let claim = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\0\0\0\0\x31\xa2\x54\xba";
        for large in [grey(SIDE_MAX + 1, 1), grey(8_000, 5_001), bomb, deep, claim.to_vec()] {
            for refused in [check(&large).err(), make(&large).err()] {
                assert!(matches!(refused, Some(PictureError::TooLarge)), "{refused:?}");
            }
        }
        assert!(check(&grey(8_000, 5_000)).is_ok());
    }

    #[test]
    fn what_is_cut_off_is_damaged_and_never_shown_in_part() {
        let noise = RgbImage::from_fn(200, 200, |x, y| {
            image::Rgb([(x * y) as u8, (x * 7 + y * y) as u8, (x * x) as u8])
        });
        let noise = DynamicImage::from(noise);
        let lossy = webp::Encoder::new(noise.as_bytes(), webp::PixelLayout::Rgb, 200, 200);
        for whole in [
            encoded(&noise, ImageFormat::Jpeg),
            encoded(&noise, ImageFormat::Png),
            encoded(&noise, ImageFormat::WebP),
            lossy.encode_simple(false, 80.0).expect("encoded").to_vec(),
        ] {
            assert!(make(&whole).is_ok());
            for kept in [16, 40, whole.len() / 4, whole.len() / 2, whole.len() - 60] {
                let refused = make(&whole[..kept]).err();
                assert!(matches!(refused, Some(PictureError::Damaged(_))), "{kept}: {refused:?}");
            }
        }
    }
}
