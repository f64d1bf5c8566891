//! Connections that are kept: the one used last is used next, and no more are open than allowed.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Semaphore;

use crate::http::connection::Connection;
use crate::http::{Broken, Dialer};

/// The connections of a client.
pub(crate) struct Pool {
    dialer: Rc<Dialer>,
    idle: RefCell<Vec<Connection>>,
    /// One for each request that may be under way; who comes first waits no longer than others.
    permits: Semaphore,
}

/// A connection lent to one request.
pub(crate) struct Lease {
    pool: Rc<Pool>,
    /// Always there until it is dropped.
    connection: Option<Connection>,
}

impl Pool {
    pub(crate) fn new(dialer: Rc<Dialer>, connections: usize) -> Rc<Pool> {
        let idle = RefCell::default();
        Rc::new(Pool { dialer, idle, permits: Semaphore::new(connections) })
    }

    /// Waits until a connection is free or may be opened.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) async fn lease(self: &Rc<Self>) -> Result<Lease, Broken> {
        // The semaphore is never closed.
        let permit = self.permits.acquire().await.map_err(|_| Broken::Unreachable)?;
        let connection = match self.idle() {
            Some(connection) => connection,
            None => Connection::new(self.dialer.dial().await?),
        };
        permit.forget();
        Ok(Lease { pool: Rc::clone(self), connection: Some(connection) })
    }

    fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop()).find(Connection::is_usable)
    }
}

impl Lease {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("a lease has its connection until it is dropped"),
        }
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.connection.as_ref().map_or(&[], Connection::body)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.tidy();
            if connection.is_clean() {
                self.pool.idle.borrow_mut().push(connection);
            }
        }
        self.pool.permits.add_permits(1);
    }
}
