//! How often one person or address may call, by class of route.
//!
//! Each class is a keyed GCRA: the quota of a minute may be used at once, then refills evenly.
//! Keys that have recovered are forgotten by `RateLimits::forget_recovered`, which the app calls
//! every few seconds: what is kept is bounded by the calls of the last minute.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use tiketi_engine::ids::UserIndex;

use crate::error::{Allowance, ApiError, Code};

/// What a route counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateClass {
    /// Health and metrics: never refused.
    Unlimited,
    /// Pictures, which browsers ask for without a token: per address.
    Image,
    /// Login and registration: per address here, per account in the handler.
    Login,
    /// Claims seats or tickets: per user.
    Booking,
    /// Queue status, and sockets that say whose they are: per user.
    Queue,
    /// Public pages, which cards of the frontend ask for again and again: per user, or per address
    /// without a token.
    Browse,
    /// Everything else: per user, or per address without a token.
    Other,
}

/// Calls a minute, or none at all where limits are off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitConfig {
    limits: Option<PerMinute>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PerMinute {
    login: NonZeroU32,
    login_address: NonZeroU32,
    booking: NonZeroU32,
    user: NonZeroU32,
    queue: NonZeroU32,
    browse: NonZeroU32,
    address: NonZeroU32,
    image: NonZeroU32,
}

const fn per_minute(calls: u32) -> NonZeroU32 {
    match NonZeroU32::new(calls) {
        Some(calls) => calls,
        None => NonZeroU32::MIN,
    }
}

const DEFAULTS: PerMinute = PerMinute {
    login: per_minute(5),
    login_address: per_minute(20),
    booking: per_minute(10),
    user: per_minute(100),
    queue: per_minute(300),
    // One view of a search is up to 21 calls (contract/flows.md), and nobody is to be refused one.
    browse: per_minute(600),
    // Many people share one address.
    address: per_minute(600),
    // A page shows ten, and keeps them for a year.
    image: per_minute(3_000),
};

const CALLS_MAX: u32 = 10_000_000;

impl Default for RateLimitConfig {
    fn default() -> Self {
        RateLimitConfig { limits: Some(DEFAULTS) }
    }
}

impl RateLimitConfig {
    /// No limits, for load tests.
    pub const OFF: RateLimitConfig = RateLimitConfig { limits: None };
}

impl FromStr for RateLimitConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on" => return Ok(RateLimitConfig::default()),
            "off" => return Ok(RateLimitConfig::OFF),
            _ => {}
        }
        let wrong = || {
            "expected on, off, or calls a minute such as booking=30,user=1000 \
             (login, login-address, booking, user, queue, browse, address, image; 1 to 10000000)"
                .to_owned()
        };
        let mut limits = DEFAULTS;
        for part in text.split(',') {
            let (name, calls) = part.split_once('=').ok_or_else(wrong)?;
            let calls: NonZeroU32 = calls.trim().parse().map_err(|_| wrong())?;
            if calls.get() > CALLS_MAX {
                return Err(wrong());
            }
            *match name.trim() {
                "login" => &mut limits.login,
                "login-address" => &mut limits.login_address,
                "booking" => &mut limits.booking,
                "user" => &mut limits.user,
                "queue" => &mut limits.queue,
                "browse" => &mut limits.browse,
                "address" => &mut limits.address,
                "image" => &mut limits.image,
                _ => return Err(wrong()),
            } = calls;
        }
        Ok(RateLimitConfig { limits: Some(limits) })
    }
}

type Limiter<K> =
    RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// The counters of one process.
pub(crate) struct RateLimits {
    classes: Option<Classes>,
}

struct Classes {
    login: Limiter<Box<str>>,
    login_address: Limiter<IpAddr>,
    booking: Limiter<UserIndex>,
    user: Limiter<UserIndex>,
    queue: Limiter<UserIndex>,
    browse: Limiter<UserIndex>,
    address: Limiter<IpAddr>,
    image: Limiter<IpAddr>,
}

impl RateLimits {
    pub(crate) fn new(config: RateLimitConfig) -> Self {
        fn keyed<K: Hash + Eq + Clone>(calls: NonZeroU32) -> Limiter<K> {
            RateLimiter::keyed(Quota::per_minute(calls)).with_middleware()
        }
        let classes = config.limits.map(|limits| Classes {
            login: keyed(limits.login),
            login_address: keyed(limits.login_address),
            booking: keyed(limits.booking),
            user: keyed(limits.user),
            queue: keyed(limits.queue),
            browse: keyed(limits.browse),
            address: keyed(limits.address),
            image: keyed(limits.image),
        });
        RateLimits { classes }
    }

    /// Counts a call to a route of `class`, and says what is left where there is a limit.
    ///
    /// # Errors
    /// 429 once the quota is used up.
    pub(crate) fn check(
        &self,
        class: RateClass,
        user: Option<UserIndex>,
        address: IpAddr,
    ) -> Result<Option<Allowance>, ApiError> {
        let Some(classes) = &self.classes else {
            return Ok(None);
        };
        let allowance = match (class, user) {
            (RateClass::Unlimited, _) => return Ok(None),
            (RateClass::Image, _) => take(&classes.image, &site(address)),
            (RateClass::Login, _) => take(&classes.login_address, &site(address)),
            (RateClass::Booking, Some(user)) => take(&classes.booking, &user),
            (RateClass::Queue, Some(user)) => take(&classes.queue, &user),
            (RateClass::Browse, Some(user)) => take(&classes.browse, &user),
            (RateClass::Other, Some(user)) => take(&classes.user, &user),
            (
                RateClass::Booking | RateClass::Queue | RateClass::Browse | RateClass::Other,
                None,
            ) => take(&classes.address, &site(address)),
        };
        allowance.map(Some)
    }

    /// Counts a login with a normalised e-mail address, and says what is left of them; call it before
    /// any password is hashed.
    ///
    /// # Errors
    /// 429 once the quota is used up.
    pub(crate) fn check_login(&self, email: &str) -> Result<Option<Allowance>, ApiError> {
        match &self.classes {
            Some(classes) => take(&classes.login, &email.into()).map(Some),
            None => Ok(None),
        }
    }

    /// Drops the keys whose quota is whole again.
    pub(crate) fn forget_recovered(&self) {
        fn forget<K: Hash + Eq + Clone>(limiter: &Limiter<K>) {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let Some(classes) = &self.classes else { return };
        forget(&classes.login);
        forget(&classes.login_address);
        forget(&classes.booking);
        forget(&classes.user);
        forget(&classes.queue);
        forget(&classes.browse);
        forget(&classes.address);
        forget(&classes.image);
    }
}

/// What is left of a quota.
fn allowance_of(quota: Quota, remaining: u32) -> Allowance {
    let limit = quota.burst_size().get();
    let used = limit.saturating_sub(remaining);
    let reset = quota.replenish_interval().saturating_mul(used).as_millis().div_ceil(1000);
    Allowance { limit, remaining, reset_s: u32::try_from(reset).unwrap_or(u32::MAX) }
}

fn take<K: Hash + Eq + Clone>(limiter: &Limiter<K>, key: &K) -> Result<Allowance, ApiError> {
    match limiter.check_key(key) {
        Ok(state) => Ok(allowance_of(state.quota(), state.remaining_burst_capacity())),
        Err(refused) => {
            let wait = refused.wait_time_from(MonotonicClock.now()).max(Duration::from_millis(1));
            let error = ApiError::new(Code::RateLimited).retry_after(wait);
            Err(error.with_allowance(Some(allowance_of(refused.quota(), 0))))
        }
    }
}

/// One IPv6 customer owns a whole /64: counting single addresses would count nothing.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            std::net::Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        assert_eq!("on".parse(), Ok(RateLimitConfig::default()));
        assert_eq!("off".parse(), Ok(RateLimitConfig::OFF));
        let own: RateLimitConfig = "booking=30, user=1000".parse().expect("valid");
        let limits = own.limits.expect("on");
        assert_eq!((limits.booking.get(), limits.user.get(), limits.login.get()), (30, 1000, 5));
        for wrong in ["", "yes", "booking", "booking=0", "booking=x", "seats=5", "user=10000001"] {
            assert!(wrong.parse::<RateLimitConfig>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_key_has_its_own_quota_and_the_refusal_says_when_to_retry() {
        let limits = RateLimits::new("booking=2,address=1,login=1".parse().expect("valid"));
        let address = IpAddr::from([192, 0, 2, 1]);
        let book = |user| limits.check(RateClass::Booking, Some(UserIndex(user)), address);
        let left = |remaining, reset_s| Some(Allowance { limit: 2, remaining, reset_s });
        assert_eq!((book(1).ok(), book(1).ok()), (Some(left(1, 30)), Some(left(0, 60))));
        let refused = book(1).expect_err("third call");
        assert_eq!(refused.code(), Code::RateLimited);
        assert!(refused.retry_after_s().is_some_and(|wait| (1..=30).contains(&wait)));
        assert_eq!(refused.allowance(), left(0, 60));
        assert!(book(2).is_ok());
        assert!(limits.check(RateClass::Other, None, address).is_ok());
        assert!(limits.check(RateClass::Other, None, address).is_err());
        assert!(limits.check(RateClass::Unlimited, None, address).is_ok());
        // Who reads a lot can go on to buy.
        let browse = |limits: &RateLimits| {
            limits.check(RateClass::Browse, Some(UserIndex(1)), address).is_ok()
        };
        let few = RateLimits::new("browse=3".parse().expect("valid"));
        assert_eq!([(); 4].map(|()| browse(&few)), [true, true, true, false]);
        assert!(few.check(RateClass::Other, Some(UserIndex(1)), address).is_ok());
        assert!(limits.check_login("a@example.com").is_ok());
        assert!(limits.check_login("a@example.com").is_err());
        limits.forget_recovered();
        assert!(limits.check_login("a@example.com").is_err(), "still recovering");
    }

    #[test]
    fn addresses_of_one_customer_share_a_quota() {
        for (a, b, same) in [
            ("2001:db8::1", "2001:db8::2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let site_of = |text: &str| site(text.parse().expect("address"));
            assert_eq!(site_of(a) == site_of(b), same, "{a} {b}");
        }
    }
}
