//! The open questions of Appendix D, each a switch. What nobody could confirm is answered both ways
//! in tests.

use serde::{Deserialize, Serialize};

/// The answers in force. The defaults are those of the appendix.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Questions {
    #[serde(rename = "1")]
    pub(super) mismatch: Mismatch,
    #[serde(rename = "2")]
    pub(super) unknown_key: UnknownKey,
    #[serde(rename = "3")]
    pub(super) other_body: OtherBody,
    #[serde(rename = "4")]
    pub(super) rate_limit: RateLimit,
    #[serde(rename = "5")]
    pub(super) webhook_taken: WebhookTaken,
    #[serde(rename = "6")]
    pub(super) webhook_secret: WebhookSecret,
    #[serde(rename = "7")]
    pub(super) failed_post: FailedPost,
    #[serde(rename = "8")]
    pub(super) early_webhook: EarlyWebhook,
    #[serde(rename = "9")]
    pub(super) test_code_on_cancel: TestCodeOnCancel,
    /// Section 1.13: whether `PAYMENT_STATUS_CHANGED` tells of `WAITING_FOR_DEPOSIT`.
    #[serde(rename = "waitingWebhook")]
    pub(super) waiting_webhook: WaitingWebhook,
    /// Which payment of an order with several a query by order answers with.
    #[serde(rename = "queryByOrder")]
    pub(super) query_by_order: QueryByOrder,
}

/// New answers; the others stay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAnswers {
    #[serde(rename = "1")]
    mismatch: Option<Mismatch>,
    #[serde(rename = "2")]
    unknown_key: Option<UnknownKey>,
    #[serde(rename = "3")]
    other_body: Option<OtherBody>,
    #[serde(rename = "4")]
    rate_limit: Option<RateLimit>,
    #[serde(rename = "5")]
    webhook_taken: Option<WebhookTaken>,
    #[serde(rename = "6")]
    webhook_secret: Option<WebhookSecret>,
    #[serde(rename = "7")]
    failed_post: Option<FailedPost>,
    #[serde(rename = "8")]
    early_webhook: Option<EarlyWebhook>,
    #[serde(rename = "9")]
    test_code_on_cancel: Option<TestCodeOnCancel>,
    #[serde(rename = "waitingWebhook")]
    waiting_webhook: Option<WaitingWebhook>,
    #[serde(rename = "queryByOrder")]
    query_by_order: Option<QueryByOrder>,
}

impl Questions {
    pub(super) fn answer(&mut self, new: NewAnswers) {
        fn set<T>(answer: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *answer = new;
            }
        }
        set(&mut self.mismatch, new.mismatch);
        set(&mut self.unknown_key, new.unknown_key);
        set(&mut self.other_body, new.other_body);
        set(&mut self.rate_limit, new.rate_limit);
        set(&mut self.webhook_taken, new.webhook_taken);
        set(&mut self.webhook_secret, new.webhook_secret);
        set(&mut self.failed_post, new.failed_post);
        set(&mut self.early_webhook, new.early_webhook);
        set(&mut self.test_code_on_cancel, new.test_code_on_cancel);
        set(&mut self.waiting_webhook, new.waiting_webhook);
        set(&mut self.query_by_order, new.query_by_order);
    }
}

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident { $default:ident = $default_wire:literal
        $(, $other:ident = $wire:literal)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub(super) enum $name {
            #[default]
            #[serde(rename = $default_wire)]
            $default,
            $(#[serde(rename = $wire)] $other,)*
        }
    )*};
}

answers! {
    /// 1: the code where amount or order differ at confirm.
    Mismatch { InvalidRequest = "INVALID_REQUEST", ForbiddenRequest = "FORBIDDEN_REQUEST" }
    /// 2: the code of a confirm with an unknown key.
    UnknownKey { Session = "NOT_FOUND_PAYMENT_SESSION", Payment = "NOT_FOUND_PAYMENT" }
    /// 3: an idempotency key that comes with another body.
    OtherBody { Replayed = "replayed", Refused = "refused" }
    /// 4: the answer to too many calls.
    RateLimit { TooMany = "429", Consecutive = "403" }
    /// 5: which statuses acknowledge a webhook.
    WebhookTaken { Only200 = "only200", Any2xx = "any2xx" }
    /// 6: `data.secret` of `PAYMENT_STATUS_CHANGED`.
    WebhookSecret { Present = "present", NullWhenEnded = "nullWhenEnded", Absent = "absent" }
    /// 7: an idempotency key whose first answer was a 5xx.
    FailedPost { Replayed = "replayed", Executed = "executed" }
    /// 8: whether the webhook comes before the confirm's answer.
    EarlyWebhook { Sometimes = "sometimes", Before = "before", After = "after" }
    /// 9: the test code header on a cancel.
    TestCodeOnCancel { Works = "works", Ignored = "ignored" }
    /// Whether waiting for a deposit is told of.
    WaitingWebhook { NotSent = "notSent", Sent = "sent" }
    /// Which of an order's payments is shown: the one whose money moved last (else the newest), the
    /// newest, or the newest that has money left (else the newest).
    QueryByOrder { MovedLast = "movedLast", Newest = "newest", WithMoney = "withMoney" }
}
