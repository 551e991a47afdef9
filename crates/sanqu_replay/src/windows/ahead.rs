//! The thread that reads the next windows while a recording plays.

use std::sync::PoisonError;

use super::cache::Shared;

/// Reads what is wanted until the cache closes.
pub(super) fn work(shared: &Shared) {
    let _closing = Closing(shared);
    loop {
        let mut desk = shared.lock();
        let (place, file) = loop {
            if desk.closing {
                return;
            }
            match desk.next_wanted() {
                Some(wanted) => break wanted,
                None => desk = shared.changed.wait(desk).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(desk);
        let read = file.read(place.1);
        shared.put_ahead(place, read);
    }
}

/// Tells those who wait when the thread has ended, however it ended.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().closing = true;
        self.0.changed.notify_all();
    }
}
