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

#[derive(Debug, Default)]
struct Account {
    tag: AtomicU64,
    /// 0 for no account.
    role: AtomicU8,
}

impl Accounts {
    pub(crate) fn new() -> Accounts {
        Accounts { accounts: AppendVec::new(), by_email: Mutex::new(HashMap::new()) }
    }

    /// Makes an account visible, after its record.
    pub(crate) fn publish(&self, user: UserId, role: Role) {
        let account = self.accounts.at(user.index.0);
        account.tag.store(user.tag, Ordering::Relaxed);
        self.set_role(user.index, role);
    }

    /// Changes what an existing account may do, after the record.
    pub(crate) fn set_role(&self, user: UserIndex, role: Role) {
        // ORDERING: Release publishes the tag to the Acquire in `role_of`.
        self.accounts.at(user.0).role.store(role_byte(role), Ordering::Release);
    }

    /// What a user may do, or `None` where there is no such account.
    pub(crate) fn role(&self, user: UserId) -> Option<Role> {
        let account = self.accounts.get(user.index.0)?;
        let role = match account.role.load(Ordering::Acquire) {
            0 => return None,
            1 => Role::User,
            _ => Role::Admin,
        };
        (account.tag.load(Ordering::Relaxed) == user.tag).then_some(role)
    }
}

fn role_byte(role: Role) -> u8 {
    match role {
        Role::User => 1,
        Role::Admin => 2,
    }
}
