//! E-mail addresses: what is accepted and the one spelling it is stored in (contract/http.md 2.1).
//!
//! Providers treat several spellings as one mailbox; normalising at registration and login alike
//! keeps one person from holding several accounts by accident.

use tiketi_engine::limits::TEXT_CHARS_MAX;

const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The address as it is stored, or `None` where it is none.
pub(crate) fn normalise(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    if !is_local(local) || !is_domain(domain) || address.chars().count() > TEXT_CHARS_MAX {
        return None;
    }
    let mut local = local.to_lowercase();
    let mut domain = domain.to_ascii_lowercase();
    match provider(&domain) {
        Provider::Gmail => {
            cut_at_plus(&mut local);
            local = without_single_dots(&local);
            "gmail.com".clone_into(&mut domain);
        }
        Provider::Icloud | Provider::Outlook => cut_at_plus(&mut local),
        Provider::Yahoo => {
            if let Some(hyphen) = local.rfind('-') {
                local.truncate(hyphen);
            }
        }
        Provider::Yandex => "yandex.ru".clone_into(&mut domain),
        Provider::Other => {}
    }
    // Nothing but a tag: no mailbox.
    if local.is_empty() {
        return None;
    }
    let address = format!("{local}@{domain}");
    (address.chars().count() <= TEXT_CHARS_MAX).then_some(address)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    Gmail,
    Icloud,
    Outlook,
    Yahoo,
    Yandex,
    Other,
}

fn provider(domain: &str) -> Provider {
    match domain {
        "gmail.com" | "googlemail.com" => return Provider::Gmail,
        "icloud.com" | "me.com" => return Provider::Icloud,
        "rocketmail.com" | "ymail.com" => return Provider::Yahoo,
        "ya.ru" => return Provider::Yandex,
        _ => {}
    }
    match domain.split_once('.') {
        Some(("outlook" | "hotmail" | "live" | "msn" | "passport", rest)) if is_ending(rest) => {
            Provider::Outlook
        }
        Some(("yahoo", rest)) if is_ending(rest) => Provider::Yahoo,
        Some(("yandex", rest)) if is_ending(rest) => Provider::Yandex,
        _ => Provider::Other,
    }
}

/// A country's or general ending (`com`, `kr`, `co.uk`, `com.tr`), not somebody's own domain under a
/// provider's name such as `live.example.com`.
fn is_ending(rest: &str) -> bool {
    let country = rest.strip_prefix("co.").or_else(|| rest.strip_prefix("com."));
    match country {
        Some(country) => country.len() == 2,
        None => matches!(rest.len(), 2..=3) && !rest.contains('.'),
    }
}

fn cut_at_plus(local: &mut String) {
    if let Some(plus) = local.find('+') {
        local.truncate(plus);
    }
}

/// Drops dots that stand alone; runs of dots stay.
fn without_single_dots(local: &str) -> String {
    let bytes = local.as_bytes();
    let dot_at = |at: Option<usize>| at.and_then(|at| bytes.get(at)) == Some(&b'.');
    let keeps = |&(at, c): &(usize, char)| {
        c != '.' || dot_at(at.checked_sub(1)) || dot_at(at.checked_add(1))
    };
    local.char_indices().filter(keeps).map(|(_, c)| c).collect()
}

/// Dot-separated, none of the parts empty.
fn is_local(local: &str) -> bool {
    let allowed = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        c if c.is_ascii() => "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => c.is_alphanumeric(),
    };
    local.len() <= LOCAL_BYTES_MAX
        && local.split('.').all(|part| !part.is_empty() && part.chars().all(allowed))
}

/// At least two labels of letters, digits and inner hyphens; the last one is no number.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let Some((_, last)) = domain.rsplit_once('.') else {
        return false;
    };
    let is_last = last.len() >= 2
        && (last.bytes().all(|byte| byte.is_ascii_alphabetic()) || last.starts_with("xn--"));
    domain.len() <= DOMAIN_BYTES_MAX && domain.split('.').all(is_label) && is_last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised() {
        for (address, expected) in [
            ("Buyer@Example.COM", "buyer@example.com"),
            ("a.b+tag@example.com", "a.b+tag@example.com"),
            ("First.Last+news@gmail.com", "firstlast@gmail.com"),
            ("f.i.r.s.t@googlemail.com", "first@gmail.com"),
            ("A+tag@icloud.com", "a@icloud.com"),
            ("a.b+tag@me.com", "a.b@me.com"),
            ("a.b+tag@outlook.com", "a.b@outlook.com"),
            ("a+b@hotmail.co.uk", "a@hotmail.co.uk"),
            ("a+b@live.com.ar", "a@live.com.ar"),
            ("a+b@msn.com", "a@msn.com"),
            ("a+b@passport.com", "a@passport.com"),
            ("a+b@live.example.com", "a+b@live.example.com"),
            ("a-b-c@yahoo.com", "a-b@yahoo.com"),
            ("a-b@yahoo.co.uk", "a@yahoo.co.uk"),
            ("a-b@rocketmail.com", "a@rocketmail.com"),
            ("a-b@ymail.com", "a@ymail.com"),
            ("a+b@yahoo.com", "a+b@yahoo.com"),
            ("a@ya.ru", "a@yandex.ru"),
            ("a-b+c@yandex.com", "a-b+c@yandex.ru"),
            ("a@yandex.com.tr", "a@yandex.ru"),
            ("표@example.kr", "표@example.kr"),
            ("a@xn--3e0b707e.xn--3e0b707e", "a@xn--3e0b707e.xn--3e0b707e"),
        ] {
            assert_eq!(normalise(address).as_deref(), Some(expected), "{address}");
            // At yahoo every pass drops one more hyphen; elsewhere the result is stable.
            if !expected.ends_with("@yahoo.com") {
                assert_eq!(normalise(expected).as_deref(), Some(expected), "{expected}");
            }
        }
    }

    #[test]
    fn runs_of_dots_stay() {
        for (local, expected) in
            [("a.b", "ab"), ("a..b", "a..b"), (".a.", "a"), ("a...b.c", "a...bc"), ("", "")]
        {
            assert_eq!(without_single_dots(local), expected);
        }
    }

    #[test]
    fn refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}.com", "b.".repeat(126));
        for address in [
            "",
            "@",
            "a",
            "a@",
            "@b.kr",
            "a@b",
            "a@b.",
            "a@.kr",
            "a@b..kr",
            "a b@c.kr",
            "a@b c.kr",
            "a..b@c.kr",
            ".a@c.kr",
            "a.@c.kr",
            "a@-b.kr",
            "a@b-.kr",
            "a@b.1",
            "a@b.k",
            "a@1.2.3.4",
            "a@b_c.kr",
            "a@@b.kr",
            "\"a\"@b.kr",
            "a\u{0}@b.kr",
            "a\n@b.kr",
            "<a@b.kr>",
            " a@b.kr",
            "+tag@gmail.com",
            "-x@yahoo.com",
            &long,
            &longer,
        ] {
            assert_eq!(normalise(address), None, "{address:?}");
        }
    }
}
