use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanqu_model::now_ns;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::warn;

/// How often refusals that repeat are logged again.
const REPORT_PERIOD: Duration = Duration::from_secs(10);

/// The most lines logged at once.
const LINES_MAX: usize = 16;

/// The most peers whose names are remembered; those that left are forgotten first.
const NAMES_MAX: usize = 4096;

/// The most strangers whose names are waited for.
const STRANGERS_MAX: usize = 64;

/// The longest key or reason that is kept, in characters: peers choose them.
const TEXT_CHARS_MAX: usize = 200;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalKind {
    /// A connection without a valid certificate of the field's authority. Who it was is not known.
    Connection,
    /// A valid certificate whose holder the field file does not name: connected, and allowed nothing.
    Stranger,
    /// A message that the access rules do not allow.
    Access,
    /// A message larger than its key allows. zenoh says neither whose nor which.
    TooLarge,
}

/// One thing that was refused, as often as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub kind: RefusalKind,
    /// The certificate's common name (`robot:kuavo-02`), else the zenoh id; empty when not known.
    pub who: String,
    /// The message in zenoh's words (`put`, `query`, `receive put`), or why a connection failed.
    pub what: String,
    /// The key; empty when there is none.
    pub key: String,
    /// How often.
    pub count: u64,
    /// The first time, ns since the Unix epoch.
    pub first_ns: i64,
    /// The last time, ns since the Unix epoch.
    pub last_ns: i64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, what, key, .. } = self;
        match self.kind {
            RefusalKind::Connection => write!(f, "a connection was refused: {what}")?,
            RefusalKind::Stranger => write!(f, "{who} has a certificate, but the field file does not name it: it is allowed nothing")?,
            RefusalKind::Access => write!(f, "{who} may not {what} {key}")?,
            RefusalKind::TooLarge => write!(f, "a message was dropped: {what}")?,
        }
        if self.count > 1 { write!(f, " ({} times)", self.count) } else { Ok(()) }
    }
}

/// What a secured router refused since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReport {
    /// All refusals.
    pub total: u64,
    /// The most frequent first; at most [`Refusals::ROWS_MAX`].
    pub rows: Vec<Refusal>,
    /// Refusals that found no room in `rows`.
    pub unlisted: u64,
}

/// Counts what a secured router refuses: zenoh itself drops silently. A handle; clones count into the same table.
///
/// The program puts [`Refusals::layer`] into its tracing subscriber, where it sees zenoh's own denials; each kind is
/// logged as a warning when it first happens and again, with its count, every ten seconds while it goes on.
#[derive(Clone, Default)]
pub struct Refusals {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Default)]
pub(crate) struct Shared {
    table: Mutex<Table>,
    /// Something new to log, or a callsite that need not be seen again.
    pub(crate) changed: Notify,
    /// A secured router is open: denials are to be seen.
    pub(crate) armed: AtomicBool,
    /// The layer is in the program's subscriber.
    pub(crate) installed: AtomicBool,
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<(RefusalKind, String, String, String), Count>,
    unlisted: u64,
    names: HashMap<String, Peer>,
    /// Strangers whose certificate is not known yet: zenoh tells of their links a moment later.
    strangers: Vec<String>,
}

#[derive(Clone, Copy)]
struct Count {
    count: u64,
    logged: u64,
    first_ns: i64,
    last_ns: i64,
}

struct Peer {
    name: String,
    left: bool,
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").finish_non_exhaustive()
    }
}

impl Refusals {
    /// The most rows that are kept apart.
    pub const ROWS_MAX: usize = 256;

    /// What was refused so far.
    pub fn report(&self) -> RefusalReport {
        let table = self.shared.lock();
        let mut rows: Vec<Refusal> = table.rows.iter().map(|(row, count)| refusal(row, count)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        let listed: u64 = rows.iter().map(|row| row.count).sum();
        RefusalReport { total: listed + table.unlisted, rows, unlisted: table.unlisted }
    }

    /// Counts one refusal of `peer` (a zenoh id, or empty), which may hold it until now.
    pub(crate) fn count(&self, kind: RefusalKind, peer: &str, what: &str, key: &str) {
        let now = now_ns();
        let mut table = self.shared.lock();
        let who = table.names.get(peer).map_or_else(|| short(peer), |peer| peer.name.clone());
        let row = (kind, who, short(what), short(key));
        let room = table.rows.len() < Self::ROWS_MAX;
        match table.rows.get_mut(&row) {
            Some(count) => {
                count.count += 1;
                count.last_ns = now;
            }
            None if room => {
                table.rows.insert(row, Count { count: 1, logged: 0, first_ns: now, last_ns: now });
                self.shared.changed.notify_one();
            }
            None => table.unlisted += 1,
        }
    }

    /// A peer has a certificate whose holder may do nothing; its name may come later.
    pub(crate) fn stranger(&self, peer: &str) {
        let mut table = self.shared.lock();
        if !table.names.contains_key(peer) && table.strangers.len() < STRANGERS_MAX {
            table.strangers.push(peer.to_owned());
            return;
        }
        drop(table);
        self.count(RefusalKind::Stranger, peer, "", "");
    }

    /// A peer came (with the common name of its certificate) or left.
    pub(crate) fn peer(&self, zenoh_id: String, name: Option<&str>, left: bool) {
        let mut table = self.shared.lock();
        if table.names.len() >= NAMES_MAX {
            table.names.retain(|_, peer| !peer.left);
        }
        if table.names.len() < NAMES_MAX || table.names.contains_key(&zenoh_id) {
            let name = name.map_or_else(|| short(&zenoh_id), short);
            table.names.insert(zenoh_id.clone(), Peer { name, left });
        }
        let Some(stranger) = table.strangers.iter().position(|stranger| *stranger == zenoh_id) else { return };
        table.strangers.swap_remove(stranger);
        drop(table);
        self.count(RefusalKind::Stranger, &zenoh_id, "", "");
    }

    /// What to log now: rows never logged, and with `again` also those that went on.
    fn fresh(&self, again: bool) -> Vec<Refusal> {
        let mut table = self.shared.lock();
        let due = table.rows.iter_mut().filter(|(_, count)| count.logged == 0 || (again && count.logged < count.count));
        let take = |(row, count): (&_, &mut Count)| {
            count.logged = count.count;
            refusal(row, count)
        };
        due.map(take).collect()
    }
}

impl Shared {
    /// Nothing under this lock can panic half-way, so a poisoned lock still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal((kind, who, what, key): &(RefusalKind, String, String, String), count: &Count) -> Refusal {
    Refusal {
        kind: *kind,
        who: who.clone(),
        what: what.clone(),
        key: key.clone(),
        count: count.count,
        first_ns: count.first_ns,
        last_ns: count.last_ns,
    }
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// Logs what is refused, away from zenoh's threads, until it is aborted.
pub(crate) async fn log(refusals: Refusals) {
    let mut again = tokio::time::interval(REPORT_PERIOD);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let repeated = tokio::select! {
            _ = again.tick() => true,
            () = refusals.shared.changed.notified() => false,
        };
        // Callsites that turned out to tell nothing of refusals cost nothing from here on.
        if refusals.shared.armed.load(Ordering::Acquire) {
            crate::refusal_layer::forget_silenced();
        }
        let fresh = refusals.fresh(repeated);
        for refusal in fresh.iter().take(LINES_MAX) {
            warn!("{refusal}");
        }
        if fresh.len() > LINES_MAX {
            warn!("{} more kinds of refusals; the recorder's status lists them", fresh.len() - LINES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_apart_by_name_and_bounded() {
        let refusals = Refusals::default();
        refusals.peer("a1".to_owned(), Some("robot:kuavo-02"), false);
        for _ in 0..3 {
            refusals.count(RefusalKind::Access, "a1", "put", "sanqu/desk/kuavo-01/joint");
        }
        refusals.count(RefusalKind::Connection, "", "no certificate", "");
        let report = refusals.report();
        assert_eq!((report.total, report.rows.len(), report.rows[0].count), (4, 2, 3));
        assert_eq!(report.rows[0].to_string(), "robot:kuavo-02 may not put sanqu/desk/kuavo-01/joint (3 times)");
        for key in 0..2 * Refusals::ROWS_MAX {
            refusals.count(RefusalKind::Access, "b2", "put", &format!("{key}{}", "k".repeat(TEXT_CHARS_MAX)));
        }
        let report = refusals.report();
        assert_eq!(report.rows.len(), Refusals::ROWS_MAX);
        assert_eq!(report.total, 4 + 2 * Refusals::ROWS_MAX as u64, "none is forgotten");
        assert!(report.rows.iter().all(|row| row.key.len() <= TEXT_CHARS_MAX));
    }

    #[test]
    fn strangers_are_named_as_soon_as_they_are_known() {
        let refusals = Refusals::default();
        refusals.stranger("a1");
        assert_eq!(refusals.report().total, 0);
        refusals.peer("a1".to_owned(), Some("robot:kuavo-99"), false);
        refusals.peer("b2".to_owned(), Some("robot:kuavo-98"), false);
        refusals.stranger("b2");
        let rows = refusals.report().rows;
        assert_eq!(rows.iter().map(|row| row.who.as_str()).collect::<Vec<_>>(), ["robot:kuavo-98", "robot:kuavo-99"]);
    }

    #[test]
    fn what_goes_on_is_logged_again_with_its_count() {
        let refusals = Refusals::default();
        refusals.count(RefusalKind::Access, "a1", "query", "k");
        assert_eq!(refusals.fresh(false).len(), 1);
        refusals.count(RefusalKind::Access, "a1", "query", "k");
        assert!(refusals.fresh(false).is_empty(), "not at once");
        assert_eq!(refusals.fresh(true)[0].count, 2);
        assert!(refusals.fresh(true).is_empty(), "nothing went on");
    }
}
