//! Parameters: form encoded, nested keys in brackets.

use std::collections::BTreeMap;

use super::super::reply::Request;
use super::errors::StripeError;

/// Parameters of one request; more are not read.
const PARAMS_MAX: usize = 200;
const METADATA_PAIRS_MAX: usize = 50;
const METADATA_KEY_CHARS_MAX: usize = 40;
const METADATA_CHARS_MAX: usize = 500;

/// Names as they came, `metadata[order_id]`, with their values.
#[derive(Clone, Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The body of a request.
    ///
    /// # Errors
    /// A body that is no form.
    pub(super) fn of_body(request: &Request) -> Result<Form, StripeError> {
        let kind = request.header("content-type").unwrap_or_default();
        if !request.body.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(StripeError::no_form());
        }
        Ok(Form::parse(&request.body))
    }

    pub(super) fn of_query(request: &Request) -> Form {
        Form::parse(request.query.as_bytes())
    }

    fn parse(bytes: &[u8]) -> Form {
        let pairs = form_urlencoded::parse(bytes).take(PARAMS_MAX);
        Form(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A whole number, such as an amount in won, where it is there.
    ///
    /// # Errors
    /// It is no whole number.
    pub(super) fn won(&self, name: &str) -> Result<Option<u64>, StripeError> {
        let number = |text: &str| text.parse().map_err(|_| StripeError::no_integer(name));
        self.text(name).map(number).transpose()
    }

    /// Refuses what is neither one of `names` nor nested below one of them.
    ///
    /// # Errors
    /// The first one unknown.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), StripeError> {
        let is_known = |given: &str| {
            let root = given.split('[').next().unwrap_or_default();
            root == "expand" || names.contains(&root)
        };
        match self.0.iter().find(|(given, _)| !is_known(given)) {
            Some((given, _)) => Err(StripeError::unknown(given)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// Too many pairs, or one that is too long.
    pub(super) fn metadata(&self) -> Result<BTreeMap<String, String>, StripeError> {
        let key =
            |given: &str| given.strip_prefix("metadata[")?.strip_suffix(']').map(str::to_owned);
        let pairs = self.0.iter().filter_map(|(given, value)| Some((key(given)?, value.clone())));
        let metadata: BTreeMap<String, String> = pairs.collect();
        let fits = |(key, value): (&String, &String)| {
            key.chars().count() <= METADATA_KEY_CHARS_MAX
                && value.chars().count() <= METADATA_CHARS_MAX
        };
        match metadata.len() <= METADATA_PAIRS_MAX && metadata.iter().all(fits) {
            true => Ok(metadata),
            false => Err(StripeError::invalid("metadata")),
        }
    }

    /// Whether an object is to come along in place of its id.
    pub(super) fn expands(&self, what: &str) -> bool {
        let is_expand = |name: &str| name == "expand" || name.starts_with("expand[");
        self.0.iter().any(|(name, value)| is_expand(name) && value == what)
    }
}
