//! Whether all of an upload came: decoders of JPEG and WebP fill up with grey what is missing.

use image::ImageFormat;

/// The RIFF header of a WebP file: four letters and the length of what follows, little-endian.
const RIFF_HEADER_BYTES: usize = 8;

/// Whether a picture has its end; what comes after it is nobody's business. Of other formats than JPEG
/// and WebP the decoder says.
pub(super) fn has_end(format: ImageFormat, upload: &[u8]) -> bool {
    match format {
        ImageFormat::Jpeg => jpeg_has_end(upload),
        ImageFormat::WebP => webp_has_end(upload),
        _ => true,
    }
}

/// Looks for the end of image (T.81, table B.1) where a marker may stand: what segments hold is
/// skipped, as a thumbnail in one has an end of its own.
fn jpeg_has_end(mut rest: &[u8]) -> bool {
    // Past the pixels of a scan, in which no marker stands.
    while let Some(place) = rest.iter().position(|byte| *byte == 0xff) {
        rest = &rest[place + 1..];
        let skipped = match *rest {
            [0xd9, ..] => return true,
            // A byte of pixels, restarts, and the other markers without a length.
            [0x00 | 0x01 | 0xd0..=0xd8, ..] => 1,
            // Any number of them may stand before a marker.
            [0xff, ..] => 0,
            [_, high, low, ..] => 1 + usize::from(u16::from_be_bytes([high, low])),
            _ => return false,
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    false
}

fn webp_has_end(upload: &[u8]) -> bool {
    let length = upload.get(4..RIFF_HEADER_BYTES).and_then(|length| length.try_into().ok());
    let length = length.map(u32::from_le_bytes).and_then(|length| usize::try_from(length).ok());
    length.is_some_and(|length| upload.len() - RIFF_HEADER_BYTES >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_ends_where_a_marker_may_stand() {
        for (jpeg, expected) in [
            (&b"\xff\xd8\xff\xd9"[..], true),
            (b"\xff\xd8\xff\xda\0\x03x\x12\xff\0\xff\xd0\x34\xff\xd9", true),
            (b"\xff\xd8\xff\xda\0\x03x\x12\xff\xff\xff\xd9 and more", true),
            // Two scans, with tables between them.
            (b"\xff\xd8\xff\xda\0\x02\x12\xff\xc4\0\x04\xff\xd9\xff\xda\0\x02\x34\xff\xd9", true),
            (b"\xff\xd8\xff\xda\0\x02\x12\xff\xc4\0\x04\xff\xd9\xff\xda\0\x02\x34", false),
            // The thumbnail's end.
            (b"\xff\xd8\xff\xe1\0\x06\xff\xd8\xff\xd9\xff\xda\0\x02\x12", false),
            (b"\xff\xd8\xff\xe1\0\xff\xff\xd9", false),
            (b"\xff\xd8\xff\xda\0\x02\xff\0\xd9", false),
            (b"\xff\xd8\xff\xda\0", false),
            (b"\xff\xd8\xff", false),
            (b"", false),
        ] {
            assert_eq!(has_end(ImageFormat::Jpeg, jpeg), expected, "{jpeg:x?}");
        }
    }
}
