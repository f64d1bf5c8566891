//! Accounts, as far as commands decide on them: who exists and what they may do.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::append_vec::AppendVec;
use crate::ids::{UserId, UserIndex};
use crate::record::Role;
use crate::sync::{AtomicU8, AtomicU64, Ordering};

/// All accounts. Looking one up is lock-free.
#[derive(Debug)]
pub(crate) struct Accounts {
    accounts: AppendVec<Account>,
    /// Users by normalised address, and so how many there are. Held while an account is made, so
    /// that accounts are numbered in the order of their records.
    pub(crate) by_email: Mutex<HashMap<Box<str>, UserIndex>>,
}

/// What an account is and may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it may do.
    pub role: Role,
    /// Whether it is shut out and may do nothing at all.
    pub is_suspended: bool,
}

#[derive(Debug, Default)]
struct Account {
    tag: AtomicU64,
    /// A [`Standing`] in bits; 0 for no account.
    standing: AtomicU8,
}

const USER: u8 = 1;
const ADMIN: u8 = 2;
const SUSPENDED: u8 = 4;

impl Accounts {
    pub(crate) fn new() -> Accounts {
        Accounts { accounts: AppendVec::new(), by_email: Mutex::new(HashMap::new()) }
    }

    /// Makes an account visible, after its record.
    pub(crate) fn publish(&self, user: UserId, role: Role) {
        let account = self.accounts.at(user.index.0);
        account.tag.store(user.tag, Ordering::Relaxed);
        self.set(user.index, Standing { role, is_suspended: false });
    }

    /// Changes what an existing account is, after the record. Callers hold `by_email` since they
    /// looked, so that no two changes overlap.
    pub(crate) fn set(&self, user: UserIndex, standing: Standing) {
        let role = match standing.role {
            Role::User => USER,
            Role::Admin => ADMIN,
        };
        let bits = role | if standing.is_suspended { SUSPENDED } else { 0 };
        // ORDERING: Release publishes the tag to the Acquire in `account`.
        self.accounts.at(user.0).standing.store(bits, Ordering::Release);
    }

    /// What a user is, or `None` where there is no such account.
    pub(crate) fn standing(&self, user: UserId) -> Option<Standing> {
        let (standing, tag) = self.account(user.index)?;
        (tag == user.tag).then_some(standing)
    }

    /// The same by index alone.
    pub(crate) fn at(&self, user: UserIndex) -> Option<Standing> {
        self.account(user).map(|(standing, _)| standing)
    }

    fn account(&self, user: UserIndex) -> Option<(Standing, u64)> {
        let account = self.accounts.get(user.0)?;
        // ORDERING: Acquire pairs with the Release in `set`.
        let bits = account.standing.load(Ordering::Acquire);
        let role = match bits & (USER | ADMIN) {
            0 => return None,
            USER => Role::User,
            _ => Role::Admin,
        };
        let standing = Standing { role, is_suspended: bits & SUSPENDED != 0 };
        Some((standing, account.tag.load(Ordering::Relaxed)))
    }
}
