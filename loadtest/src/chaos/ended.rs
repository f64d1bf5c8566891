//! What started processes does not simply vanish when it is asked to end.

use std::future::Future;

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

/// Lets something happen unless this process is asked to end: nothing of it stays behind then.
///
/// # Errors
/// Its own, or that it was interrupted.
pub(crate) async fn or_ended<T>(
    course: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let twice = async {
        // The first one ends the run in order.
        interrupt.recv().await;
        interrupt.recv().await;
    };
    tokio::select! {
        ended = course => ended,
        _ = terminate.recv() => bail!("interrupted"),
        _ = hangup.recv() => bail!("interrupted"),
        () = twice => bail!("interrupted"),
    }
}
