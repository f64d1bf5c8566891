//! The part of the ledger that snapshots of earlier versions stored.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ids::{Attempt, ChargeIndex, Lsn, UnixMillis, UserIndex};
use crate::money::charge::{Charge, ChargeState, Refund, RefundState, TrailLine};
use crate::money::ledger::{Ledger, StoredLedger, add_line};
use crate::money::points::{Account, PointsRow};
use crate::record::{BankAccount, Captured, Deposit, ProviderCall, ProviderName, Purpose, Split};

/// The stored fields of a [`Ledger`] in snapshots of versions 4 and 5: before what providers do on
/// their own was written down, and accounts had debts.
#[derive(Deserialize)]
pub(crate) struct StoredLedger5 {
    without_refund_accounts: StoredLedger3,
    refund_accounts: BTreeMap<ChargeIndex, BankAccount>,
}

/// The stored fields of a [`Ledger`] as they were before buyers gave accounts for refunds, in
/// snapshots of version 3.
#[derive(Deserialize)]
pub(crate) struct StoredLedger3 {
    charges: Vec<Charge5>,
    refunds: Vec<Refund5>,
    accounts: BTreeMap<UserIndex, Account5>,
    lsn: Lsn,
}

/// The stored fields of a [`Charge`] up to version 5.
#[derive(Deserialize)]
struct Charge5 {
    user: UserIndex,
    purpose: Purpose,
    provider: ProviderName,
    amount: Split,
    tag: u64,
    opened_at: UnixMillis,
    started_at: Option<UnixMillis>,
    state: ChargeState,
    payment_key: String,
    attempt: Attempt,
    deposit: Option<Deposit>,
    captured: Option<Captured>,
    returned: Split,
    trail: Vec<TrailLine5>,
}

/// The stored fields of a [`TrailLine`] up to version 5.
#[derive(Deserialize)]
struct TrailLine5 {
    call: ProviderCall,
    status: u16,
    code: String,
    at: UnixMillis,
    by: Option<UserIndex>,
}

/// The stored fields of a [`Refund`] up to version 5.
#[derive(Deserialize)]
struct Refund5 {
    charge: ChargeIndex,
    card: u64,
    /// What was left before it; each call counts that anew.
    #[expect(dead_code, reason = "stored, and derived since")]
    balance: u64,
    at: UnixMillis,
    state: RefundState,
}

/// The stored fields of an [`Account`] up to version 5.
#[derive(Deserialize)]
struct Account5 {
    balance: u64,
    history: Vec<PointsRow>,
}

impl TryFrom<StoredLedger5> for Ledger {
    type Error = String;

    fn try_from(stored: StoredLedger5) -> Result<Ledger, String> {
        let StoredLedger5 { without_refund_accounts, refund_accounts } = stored;
        let StoredLedger3 { charges, refunds, accounts, lsn } = without_refund_accounts;
        let accounts = accounts.into_iter().map(|(user, account)| (user, account.into()));
        StoredLedger {
            charges: charges.into_iter().map(|charge| Some(Box::new(charge.into()))).collect(),
            refunds: refunds.into_iter().map(Refund::from).collect(),
            accounts: accounts.collect(),
            lsn,
            refund_accounts,
            compared: BTreeMap::new(),
        }
        .try_into()
    }
}

impl TryFrom<StoredLedger3> for Ledger {
    type Error = String;

    fn try_from(stored: StoredLedger3) -> Result<Ledger, String> {
        let refund_accounts = BTreeMap::new();
        StoredLedger5 { without_refund_accounts: stored, refund_accounts }.try_into()
    }
}

impl From<Charge5> for Charge {
    fn from(stored: Charge5) -> Charge {
        let mut trail = Vec::with_capacity(stored.trail.len());
        stored.trail.into_iter().for_each(|line| add_line(&mut trail, line.into()));
        Charge {
            user: stored.user,
            purpose: stored.purpose,
            provider: stored.provider,
            amount: stored.amount,
            tag: stored.tag,
            opened_at: stored.opened_at,
            started_at: stored.started_at,
            state: stored.state,
            payment_key: stored.payment_key,
            attempt: stored.attempt,
            deposit: stored.deposit,
            captured: stored.captured,
            returned: stored.returned,
            trail,
            elsewhere: Vec::new(),
            dispute: None,
        }
    }
}

impl From<TrailLine5> for TrailLine {
    fn from(stored: TrailLine5) -> TrailLine {
        let TrailLine5 { call, status, code, at, by } = stored;
        TrailLine { call, status, code, at, by, times: 1, last_at: at }
    }
}

impl From<Refund5> for Refund {
    fn from(stored: Refund5) -> Refund {
        let Refund5 { charge, card, at, state, balance: _ } = stored;
        Refund { charge, card, at, state, failures: 0 }
    }
}

impl From<Account5> for Account {
    fn from(stored: Account5) -> Account {
        Account { balance: stored.balance, history: stored.history, debt: 0 }
    }
}
