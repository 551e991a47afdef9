//! Sees zenoh's silent denials where zenoh traces them.
//!
//! zenoh 1.10 tells of a denied message in two trace events on the same thread: which peer, message and key (by the access
//! rules), then `Msg intercepted!`. Of a message that is too large only the second comes. Permissions are also worked out
//! in advance for each key that a peer declares, with the same events and nothing denied: `caching permissions` begins
//! those. The words are zenoh's; the tests with real sessions fail when they change.
//!
//! What is allowed is traced at callsites of its own: each is read once and then switched off, so that an allowed message
//! costs one load of an atomic, as without this layer.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber, callsite};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use crate::refusals::{RefusalKind, Refusals};

const RULES: &str = "zenoh::net::routing::interceptor::access_control";
const CHAIN: &str = "zenoh::net::routing::interceptor";
const ACCEPT: &str = "zenoh_link_tls::unicast";
const EXPIRY: &str = "zenoh_link_commons::tls::expiration";
const FRAGMENTS: &str = "zenoh_transport::unicast::universal::rx";
const TARGETS: [&str; 5] = [RULES, CHAIN, ACCEPT, EXPIRY, FRAGMENTS];

/// The most callsites that are switched off one by one; the watched modules have fewer.
const SILENCED_MAX: usize = 256;

/// The longest event text that is read, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// Callsites that tell nothing of refusals. One list for the process, as the callsites are the process's.
static SILENCED: Mutex<Vec<callsite::Identifier>> = Mutex::new(Vec::new());
/// The list has grown since the callsites were last asked.
static STALE: AtomicBool = AtomicBool::new(false);

thread_local! {
    static HEARD: RefCell<Heard> = const { RefCell::new(Heard { caching: None, denied: None }) };
}

/// What this thread last heard of the access rules.
struct Heard {
    /// The key whose permissions are worked out in advance, and for whom once that is known.
    caching: Option<(String, Option<String>)>,
    denied: Option<Denied>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Denied {
    peer: String,
    what: String,
    key: String,
}

/// One event in our words.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// Permissions of this key are worked out in advance.
    Caching(String),
    /// Not allowed; `cached` when it was known in advance, so that it is surely about a message.
    Denied { denied: Denied, cached: bool },
    /// The message that this thread handles goes no further.
    Dropped,
    /// This peer's certificate is nobody's whom the field file names.
    Stranger(String),
    /// To be counted as it is.
    Refused { kind: RefusalKind, what: String },
    /// Nothing of ours, now and always.
    Nothing,
}

fn told(target: &str, text: &str) -> Told {
    match target {
        RULES => told_by_rules(text),
        CHAIN if text == "Msg intercepted!" => Told::Dropped,
        ACCEPT => match text.split_once(". Hint: ") {
            Some((reason, _)) => Told::Refused { kind: RefusalKind::Connection, what: reason.to_owned() },
            None if text.starts_with("Error getting client cert") => Told::Refused { kind: RefusalKind::Connection, what: text.to_owned() },
            None => Told::Nothing,
        },
        EXPIRY if text.contains("certificate chain expired") => {
            Told::Refused { kind: RefusalKind::Connection, what: "a certificate expired while connected".to_owned() }
        }
        FRAGMENTS if text.starts_with("Defragmentation buffer full") => {
            let what = format!("larger than {} bytes, from whom and on which key is not known", crate::access::MESSAGE_BYTES_MAX);
            Told::Refused { kind: RefusalKind::TooLarge, what }
        }
        _ => Told::Nothing,
    }
}

fn told_by_rules(text: &str) -> Told {
    if let Some((_, rest)) = text.split_once("caching permissions for `") {
        return Told::Caching(rest.split('`').next().unwrap_or_default().to_owned());
    }
    if let Some((peer, _)) = text.split_once(" did not match any configured ACL subject") {
        return Told::Stranger(peer.to_owned());
    }
    let Some((head, tail)) = text.split_once(" is unauthorized to ") else { return Told::Nothing };
    let (what, key) = tail.split_once(" on ").unwrap_or((tail, ""));
    let (head, cached) = match head.strip_prefix("Using cached result: ") {
        Some(head) => (head, true),
        None => (head, false),
    };
    let peer = head.split(' ').next().unwrap_or_default().to_owned();
    Told::Denied { denied: Denied { peer, what: message(what), key: key.to_owned() }, cached }
}

/// zenoh's name of a message and direction in the words of its access rules: `put`, `receive query`.
fn message(what: &str) -> String {
    let (name, outwards) = match what.strip_suffix(" (egress)") {
        Some(name) => (name, true),
        None => (what.trim_end_matches(" (ingress)"), false),
    };
    let name = name.trim_start_matches("Declare/Undeclare ").to_ascii_lowercase();
    if outwards { format!("receive {name}") } else { name }
}

/// The text of an event's message.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // A full buffer ends the writing; the beginning is what is read.
            let _ = write!(Bounded(&mut self.0), "{value:?}");
        }
    }
}

struct Bounded<'a>(&'a mut String);

impl std::fmt::Write for Bounded<'_> {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let room = TEXT_BYTES_MAX.saturating_sub(self.0.len());
        if part.len() <= room {
            self.0.push_str(part);
            return Ok(());
        }
        self.0.push_str(&part[..part.floor_char_boundary(room)]);
        Err(std::fmt::Error)
    }
}

struct RefusalLayer(Refusals);

impl<S: Subscriber> Layer<S> for RefusalLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        match told(event.metadata().target(), &text.0) {
            Told::Caching(key) => with_heard(|heard| *heard = Heard { caching: Some((key, None)), denied: None }),
            Told::Denied { denied, cached } => with_heard(|heard| heard.hear(denied, cached)),
            Told::Dropped => match with_heard(Heard::take) {
                Some(Denied { peer, what, key }) => self.0.count(RefusalKind::Access, &peer, &what, &key),
                None => {
                    self.0.count(RefusalKind::TooLarge, "", "larger than its key allows, or of a stranger; zenoh does not say which", "");
                }
            },
            Told::Stranger(peer) => self.0.stranger(&peer),
            Told::Refused { kind, what } => self.0.count(kind, "", &what, ""),
            Told::Nothing => self.silence(event.metadata()),
        }
    }
}

fn with_heard<T>(tell: impl FnOnce(&mut Heard) -> T) -> T {
    HEARD.with_borrow_mut(tell)
}

impl Heard {
    fn hear(&mut self, denied: Denied, cached: bool) {
        if let Some((key, peer)) = self.caching.as_mut().filter(|_| !cached)
            && *key == denied.key
            && peer.as_ref().is_none_or(|peer| *peer == denied.peer)
        {
            *peer = Some(denied.peer);
            return;
        }
        *self = Self { caching: None, denied: Some(denied) };
    }

    fn take(&mut self) -> Option<Denied> {
        self.caching = None;
        self.denied.take()
    }
}

impl RefusalLayer {
    fn silence(&self, metadata: &Metadata<'_>) {
        let mut silenced = SILENCED.lock().unwrap_or_else(PoisonError::into_inner);
        if silenced.len() < SILENCED_MAX && !silenced.contains(&metadata.callsite()) {
            silenced.push(metadata.callsite());
            STALE.store(true, Ordering::Release);
            self.0.shared.changed.notify_one();
        }
    }
}

/// Asks all callsites again when some are to be silent.
pub(crate) fn forget_silenced() {
    if STALE.swap(false, Ordering::AcqRel) {
        callsite::rebuild_interest_cache();
    }
}

struct RefusalFilter(Refusals);

impl RefusalFilter {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let armed = self.0.shared.armed.load(Ordering::Acquire);
        armed && metadata.is_event() && TARGETS.contains(&metadata.target()) && !is_silenced(metadata)
    }
}

fn is_silenced(metadata: &Metadata<'_>) -> bool {
    SILENCED.lock().unwrap_or_else(PoisonError::into_inner).contains(&metadata.callsite())
}

impl<S> Filter<S> for RefusalFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.0.shared.armed.load(Ordering::Acquire) { LevelFilter::TRACE } else { LevelFilter::OFF })
    }
}

impl Refusals {
    /// The layer that sees zenoh's denials, to be put into the program's tracing subscriber; it logs nothing itself and
    /// is asleep until a secured router is opened. Filters of other layers must be their own (`with_filter`): a filter over
    /// the whole subscriber would hide the denials.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        self.shared.installed.store(true, Ordering::Release);
        RefusalLayer(self.clone()).with_filter(RefusalFilter(self.clone()))
    }

    /// From now on denials are seen.
    pub(crate) fn arm(&self) {
        self.shared.armed.store(true, Ordering::Release);
        callsite::rebuild_interest_cache();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, text: &str, expect: Told) {
        assert_eq!(told(target, text), expect, "{text}");
    }

    fn denied(what: &str) -> Denied {
        Denied { peer: "a1".to_owned(), what: what.to_owned(), key: "sanqu/desk/kuavo-01/joint".to_owned() }
    }

    #[test]
    fn zenohs_words_are_understood() {
        check(
            RULES,
            "a1 on lo+robot:kuavo-02+tls+a1 is unauthorized to Put (ingress) on sanqu/desk/kuavo-01/joint",
            Told::Denied { denied: denied("put"), cached: false },
        );
        check(
            RULES,
            "Using cached result: a1 is unauthorized to Declare Subscriber (egress) on sanqu/desk/kuavo-01/joint",
            Told::Denied { denied: denied("receive declare subscriber"), cached: true },
        );
        check(RULES, "Using cached result: a1 is authorized to Put (ingress) on sanqu/desk/kuavo-01/joint", Told::Nothing);
        check(RULES, "ACL (ingress): caching permissions for `sanqu/desk/**` ...", Told::Caching("sanqu/desk/**".to_owned()));
        check(CHAIN, "Msg intercepted!", Told::Dropped);
        let connection = |what: &str| Told::Refused { kind: RefusalKind::Connection, what: what.to_owned() };
        check(ACCEPT, "peer sent no certificates. Hint: increase the system open file limit.", connection("peer sent no certificates"));
    }

    #[test]
    fn permissions_worked_out_in_advance_are_no_refusals() {
        let mut heard = Heard { caching: Some((denied("put").key, None)), denied: None };
        heard.hear(denied("query"), false);
        assert_eq!(heard.take(), None, "nothing was denied yet");
        heard.caching = Some((denied("put").key, Some("a1".to_owned())));
        heard.hear(denied("query"), true);
        assert_eq!(heard.take(), Some(denied("query")), "what was known in advance is about a message");
        heard.caching = Some((denied("put").key, Some("b2".to_owned())));
        heard.hear(denied("put"), false);
        assert_eq!(heard.take(), Some(denied("put")), "another peer's message");
    }

    #[test]
    fn long_texts_are_cut() {
        let mut text = String::new();
        assert!(write!(Bounded(&mut text), "{}", "夸".repeat(TEXT_BYTES_MAX)).is_err());
        assert!(text.len() <= TEXT_BYTES_MAX && text.len() > TEXT_BYTES_MAX - 3);
    }
}
