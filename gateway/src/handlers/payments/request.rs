//! Asks to be paid: opens a charge and tells what a payment window needs.

use std::sync::Arc;

use rand::Rng;
use tiketi_engine::engine::NewCharge;
use tiketi_engine::error::{CommandError, MoneyRefusal};
use tiketi_engine::ids::{ExternalId, UserId, UserIndex};
use tiketi_engine::money::{Purpose, Split};
use tiketi_engine::record::ProviderName;

use super::least;
use crate::api::Id;
use crate::api::amount::Amount;
use crate::api::toss::{TossOrder, TossRequest};
use crate::app::App;
use crate::auth::email;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::order_view::OrderView;
use crate::orders::{explain, unless_busy};
use crate::payments::{names, opening};
use crate::refusals;

const ORDER_NAME_CHARS_MAX: usize = 100;
const CUSTOMER_CHARS_MAX: usize = 100;

/// What the payment window shows of the buyer. It goes through the browser alone: the log has no
/// use for it.
#[derive(Default)]
pub(super) struct Customer {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
}

impl Customer {
    /// # Errors
    /// A name that is too long, an address that is none.
    pub(super) fn new(name: Option<String>, email: Option<String>) -> Result<Customer, ApiError> {
        let is_short = |name: &String| name.chars().count() <= CUSTOMER_CHARS_MAX;
        if !name.as_ref().is_none_or(is_short) {
            return Err(refusals::invalid("이름이 너무 길어요."));
        }
        if email.as_ref().is_some_and(|email| email::normalise(email).is_none()) {
            return Err(refusals::invalid("이메일 주소가 올바르지 않아요."));
        }
        Ok(Customer { name, email })
    }

    /// As a page's address takes it.
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [(CUSTOMER_NAME, &self.name), (CUSTOMER_EMAIL, &self.email)];
        for (name, value) in fields {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

/// A charge that is asked for.
pub(super) struct Wanted {
    pub(super) purpose: Purpose,
    pub(super) provider: ProviderName,
    pub(super) amount: Split,
    pub(super) order_name: String,
    pub(super) customer: Customer,
}

/// The parameters of the payment page.
pub(super) const CUSTOMER_NAME: &str = "customerName";
pub(super) const CUSTOMER_EMAIL: &str = "customerEmail";

/// `POST /api/payments/toss/request`.
pub(crate) async fn toss(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    request_of(ProviderName::Toss, app, request).await
}

/// `POST /api/payments/stripe/request`.
pub(crate) async fn stripe(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    request_of(ProviderName::Stripe, app, request).await
}

async fn request_of(
    provider: ProviderName,
    app: &Arc<App>,
    request: &Request,
) -> Result<Response, ApiError> {
    let user = request.user()?.user;
    let body: TossRequest = request.json()?;
    let Some(ExternalId::Reservation(id)) = ExternalId::decode(body.reservation_id.0) else {
        return Err(refusals::unknown_order());
    };
    let customer = Customer::new(body.customer_name, body.customer_email)?;
    app.seen(request, id.event);
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let order = OrderView::own(state, id, user.index)?;
        Some((order.total_amount(), order_name(&order)))
    });
    let (total, name) = found.ok_or_else(refusals::unknown_order)?;
    let points = body.point_used.map_or(0, |Amount(won)| won);
    let card = total
        .checked_sub(points)
        .ok_or_else(|| refusals::invalid("결제 금액보다 많은 포인트는 쓸 수 없어요."))?;
    let (purpose, amount) = (Purpose::Order(id), Split { card, points });
    open(app, user, Wanted { purpose, provider, amount, order_name: name, customer }).await
}

/// Opens a charge and answers with what a payment window needs.
pub(super) async fn open(
    app: &Arc<App>,
    user: UserId,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    let Wanted { purpose, provider, amount, order_name, customer } = wanted;
    let provider = match amount.card {
        0 => ProviderName::None,
        card => {
            least::check(provider, card)?;
            provider
        }
    };
    let client_key = match (provider, app.payments.client_key(provider)) {
        (ProviderName::None, _) => String::new(),
        (_, Some(key)) => key.to_owned(),
        (_, None) => {
            return Err(ApiError::new(Code::Unavailable).message("지금은 결제할 수 없어요."));
        }
    };
    let new =
        NewCharge { user: user.index, purpose, provider, amount, tag: rand::rng().next_u64() };
    let open = || app.engine.open_charge(&new, app.clock.now());
    let opened = match unless_busy(open).await {
        Ok(opened) => opened,
        Err(error) => return Err(refused(app, Some(user.index), purpose, error).await),
    };
    let lsn = opened.lsn();
    let index = app.durable(opened).await?;
    app.shown(lsn).await?;
    let order_id = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        names::order_id(index, charge)
    });
    let order_id = order_id.ok_or_else(|| ApiError::new(Code::Internal).cause("no such charge"))?;
    let order_id = order_id.as_str().to_owned();
    let client_secret = opening::prepare(app, index).await?;
    let answer = TossOrder {
        payment_id: order_id.clone(),
        amount: amount.card,
        order_name: order_name.chars().take(ORDER_NAME_CHARS_MAX).collect(),
        client_key,
        customer_key: Id::from(user).to_string(),
        client_secret: client_secret.map(|secret| secret.expose().to_owned()),
        success_url: success_url(app, provider, &order_id, amount.card),
        fail_url: app.payments.page("fail"),
        payment_url: match customer.query().as_str() {
            "" => app.payments.page(&format!("pay/{order_id}")),
            query => app.payments.page(&format!("pay/{order_id}?{query}")),
        },
        order_id,
    };
    Ok(app.written(Response::created(&answer), lsn))
}

/// Where the window goes once the buyer has agreed. What Toss adds itself has to be there for Stripe.
pub(super) fn success_url(app: &App, provider: ProviderName, order_id: &str, card: u64) -> String {
    let page = app.payments.page("success");
    match provider {
        ProviderName::Stripe => format!("{page}?provider=stripe&orderId={order_id}&amount={card}"),
        ProviderName::Toss | ProviderName::None => page,
    }
}

fn order_name(order: &OrderView<'_>) -> String {
    format!("{} ({})", order.event.details.title, order.number())
}

/// The answer to a refused command about money.
pub(super) async fn refused(
    app: &App,
    by: Option<UserIndex>,
    purpose: Purpose,
    error: CommandError<MoneyRefusal>,
) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    match (refusal, purpose) {
        (MoneyRefusal::Order(order), Purpose::Order(id)) => {
            explain(app, id, by, CommandError::Refused(order)).await
        }
        (MoneyRefusal::NotEnoughPoints { left }, _) => {
            refusals::invalid("포인트가 부족해요.").with("balance", left)
        }
        (MoneyRefusal::WrongPaymentKey, _) => refusals::invalid("결제 정보가 올바르지 않아요."),
        (MoneyRefusal::WrongAmount, _) => refusals::invalid("결제할 수 없는 금액이에요."),
        (MoneyRefusal::UnknownCharge(_), _) => refusals::unknown("결제를 찾을 수 없어요."),
        (other, _) => ApiError::new(Code::Unavailable).cause(other),
    }
}
