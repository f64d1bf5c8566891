//! `Idempotency-Key`: what the engine remembers a request by.

use tiketi_engine::record::IdempotencyKey;

use crate::error::ApiError;
use crate::http::Request;

/// The key of a request, if it came with one, and the hash of its content. The same key on another
/// route is another key. `content` is what the request means, so that another spelling of the same
/// JSON is the same request.
///
/// # Errors
/// 400 for a key that is empty, too long or not ASCII.
pub(crate) fn key(
    request: &Request,
    content: impl FnOnce(&mut Content),
) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(key) = request.idempotency_key()? else { return Ok(None) };
    let mut hasher = blake3::Hasher::new();
    // Templates hold no zero byte.
    hasher.update(request.route.template.as_bytes()).update(&[0]).update(key.as_bytes());
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    let mut of_content = Content(blake3::Hasher::new());
    content(&mut of_content);
    Ok(Some(IdempotencyKey { key: u128::from_be_bytes(hash), content: of_content.finish() }))
}

/// The same, and for a request without a key one of what it means: it finds an equal request of the
/// same user for a few seconds, as two clicks on one button are one.
///
/// # Errors
/// As [`key`].
pub(crate) fn key_or_click(
    request: &Request,
    content: impl Fn(&mut Content),
) -> Result<IdempotencyKey, ApiError> {
    if let Some(key) = key(request, &content)? {
        return Ok(key);
    }
    let mut of_click = Content(blake3::Hasher::new());
    // No key of a client begins with a zero byte.
    of_click.0.update(request.route.template.as_bytes()).update(&[0, 0]);
    content(&mut of_click);
    let mut hash = [0; 16];
    of_click.0.finalize_xof().fill(&mut hash);
    Ok(IdempotencyKey::of_content(u128::from_be_bytes(hash)))
}

/// The hash of what a request means.
pub(crate) struct Content(blake3::Hasher);

impl Content {
    /// Adds a number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(&number.to_be_bytes());
        self
    }

    /// Adds a text, with its length, so that neighbours cannot run together.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
        self
    }

    fn finish(&self) -> u64 {
        let mut hash = [0; 8];
        self.0.finalize_xof().fill(&mut hash);
        u64::from_be_bytes(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_differ_by_meaning() {
        let hash = |fill: &dyn Fn(&mut Content)| {
            let mut content = Content(blake3::Hasher::new());
            fill(&mut content);
            content.finish()
        };
        let all = [
            hash(&|_| {}),
            hash(&|content| {
                content.number(1);
            }),
            hash(&|content| {
                content.number(1).number(2);
            }),
            hash(&|content| {
                content.number(2).number(1);
            }),
            hash(&|content| {
                content.text("ab").text("c");
            }),
            hash(&|content| {
                content.text("a").text("bc");
            }),
        ];
        let distinct: std::collections::HashSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0], hash(&|_| {}));
    }
}
