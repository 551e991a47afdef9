//! A thread that reads the pipe, so that drawing never waits for it.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanqu_wire::WireError;
use sanqu_wire::pipe::{PipeDecoder, PipeEncoder, PipeItem};

/// What may wait to be taken, bytes. With more, the pipe is not read until some is taken: whoever writes it drops the oldest.
pub const INBOX_BYTES_MAX: usize = 64 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;

/// Items as they come. Ends its thread when it goes.
#[derive(Debug)]
pub struct Inbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    items: Vec<PipeItem>,
    bytes: usize,
    /// How the pipe ended, in words.
    ended: Option<String>,
    closing: bool,
}

impl Inbox {
    /// Reads from `pipe` until it ends.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn read(pipe: impl Read + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let work = move || {
            let how = match theirs.fill(pipe) {
                Ok(()) => "the pipe has ended".to_owned(),
                Err(reason) => reason,
            };
            theirs.lock().ended = Some(how);
            theirs.changed.notify_all();
        };
        std::thread::Builder::new().name("live pipe".to_owned()).spawn(work)?;
        Ok(Self(shared))
    }

    /// What has come since the last call.
    pub fn take(&self) -> Vec<PipeItem> {
        self.0.lock().take(&self.0.changed)
    }

    /// As [`Inbox::take`], but waits for something, or the end, up to `wait`.
    pub fn wait(&self, wait: Duration) -> Vec<PipeItem> {
        let nothing = |desk: &mut Desk| desk.items.is_empty() && desk.ended.is_none();
        let (mut desk, _) = self.0.changed.wait_timeout_while(self.0.lock(), wait, nothing).unwrap_or_else(PoisonError::into_inner);
        desk.take(&self.0.changed)
    }

    /// How the pipe ended, in words; none while it lives.
    pub fn ended(&self) -> Option<String> {
        self.0.lock().ended.clone()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.lock().closing = true;
        self.0.changed.notify_all();
    }
}

impl Desk {
    fn take(&mut self, changed: &Condvar) -> Vec<PipeItem> {
        self.bytes = 0;
        changed.notify_all();
        std::mem::take(&mut self.items)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// In words: the pipe cannot be read, or what comes out of it.
    fn fill(&self, mut pipe: impl Read) -> Result<(), String> {
        let wrong = |error: WireError| error.to_string();
        let (mut decoder, mut bytes) = (PipeDecoder::new().map_err(wrong)?, vec![0; READ_BYTES]);
        loop {
            let count = match pipe.read(&mut bytes) {
                Ok(0) => return decoder.finish().map_err(wrong),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("the pipe cannot be read: {error}")),
            };
            decoder.feed(bytes.get(..count).unwrap_or_default());
            while let Some(items) = decoder.next_items().map_err(wrong)? {
                if !self.put(items) {
                    return Ok(());
                }
            }
        }
    }

    /// Lays items down; waits while too much lies there. False when nobody will take them.
    fn put(&self, items: Vec<PipeItem>) -> bool {
        let full = |desk: &mut Desk| desk.bytes > INBOX_BYTES_MAX && !desk.closing;
        let mut desk = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        desk.bytes += items.iter().map(PipeEncoder::cost).sum::<usize>();
        desk.items.extend(items);
        let closing = desk.closing;
        drop(desk);
        self.changed.notify_all();
        !closing
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn pipe(items: &[PipeItem]) -> Vec<u8> {
        let mut encoder = PipeEncoder::new().unwrap();
        let mut bytes = encoder.encode(items).unwrap();
        bytes.extend(encoder.finish().unwrap());
        bytes
    }

    /// Everything that comes, and how it ended.
    fn all(inbox: &Inbox) -> (Vec<PipeItem>, String) {
        let mut items = Vec::new();
        loop {
            items.extend(inbox.wait(Duration::from_secs(60)));
            if let Some(how) = inbox.ended() {
                items.extend(inbox.take());
                return (items, how);
            }
        }
    }

    #[test]
    fn what_is_written_is_taken_and_the_end_is_told() {
        let items = vec![PipeItem::default(), PipeItem { dropped: 3, ..PipeItem::default() }];
        let whole = pipe(&items);
        let inbox = Inbox::read(std::io::Cursor::new(whole.clone())).unwrap();
        assert_eq!(all(&inbox), (items.clone(), "the pipe has ended".to_owned()));
        let (reader, mut writer) = std::io::pipe().unwrap();
        let inbox = Inbox::read(reader).unwrap();
        writer.write_all(&whole[..whole.len() - 8]).unwrap();
        assert_eq!(inbox.wait(Duration::from_secs(60)), items);
        assert_eq!((inbox.wait(Duration::ZERO), inbox.ended()), (Vec::new(), None));
        writer.write_all(&[0xff, 0xff, 0xff, 0xff, 0, 1]).unwrap();
        drop(writer);
        let (_, how) = all(&inbox);
        assert!(how.contains("breaks off"), "{how}");
        let (_, how) = all(&Inbox::read(&b"sanqu-live: error"[..]).unwrap());
        assert!(how.contains("no pipe"), "{how}");
    }

    /// A pipe that is always ahead of its reader.
    struct Endless {
        message: Vec<u8>,
        at: usize,
    }

    impl Read for Endless {
        fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
            let rest = &self.message[self.at..];
            let count = rest.len().min(bytes.len());
            bytes[..count].copy_from_slice(&rest[..count]);
            self.at = (self.at + count) % self.message.len();
            Ok(count)
        }
    }

    #[test]
    fn what_nobody_takes_is_not_read() {
        let picture = PipeItem { payload: vec![0; 8 << 20], ..PipeItem::default() };
        let mut encoder = PipeEncoder::new().unwrap();
        let first = encoder.encode(std::slice::from_ref(&picture)).unwrap();
        let message = encoder.encode(std::slice::from_ref(&picture)).unwrap();
        let inbox = Inbox::read(std::io::Cursor::new(first).chain(Endless { message, at: 0 })).unwrap();
        let too_few = |desk: &mut Desk| desk.bytes <= INBOX_BYTES_MAX;
        drop(inbox.0.changed.wait_while(inbox.0.lock(), too_few).unwrap());
        // Nothing has to happen now, and for as long as this does not.
        let not_more = |desk: &mut Desk| desk.items.len() <= 9;
        drop(inbox.0.changed.wait_timeout_while(inbox.0.lock(), Duration::from_millis(300), not_more).unwrap());
        assert!((8..=9).contains(&inbox.take().len()), "64 MiB and the one that made them more");
        assert!(!inbox.wait(Duration::from_secs(60)).is_empty(), "what was taken makes room");
    }
}
