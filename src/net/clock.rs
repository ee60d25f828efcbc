//! The clock of the I/O wing; the pure wing gets the time as an argument.

use crate::base::Timestamp;
use smol::{Timer, future};
use std::time::{Duration, SystemTime};

/// The time now.
pub fn now() -> Timestamp {
    SystemTime::now().into()
}

/// What the work brings, if it is done in so much time; else it is dropped.
pub async fn within<T>(most: Duration, work: impl Future<Output = T>) -> Option<T> {
    future::or(async { Some(work.await) }, async {
        Timer::after(most).await;
        None
    })
    .await
}
