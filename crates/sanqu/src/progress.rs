//! Progress of long work, on stderr: a moving line on a terminal, a line every two seconds elsewhere.

use std::cell::Cell;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is printed when stderr is no terminal.
const LINE_PERIOD: Duration = Duration::from_secs(2);

/// One piece of long work.
pub(crate) struct Progress {
    bar: ProgressBar,
    last_line: Cell<Instant>,
}

impl Progress {
    /// Shows nothing until the first [`Progress::show`].
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self { bar: ProgressBar::new_spinner().with_style(style), last_line: Cell::new(Instant::now()) }
    }

    /// What is being done now.
    pub(crate) fn show(&self, text: &str) {
        if self.bar.is_hidden() {
            if self.last_line.get().elapsed() >= LINE_PERIOD {
                self.last_line.set(Instant::now());
                crate::commands::say(text);
            }
        } else {
            self.bar.set_message(text.to_owned());
            self.bar.tick();
        }
    }

    /// Removes the moving line.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Long work that does not say how far it is: its name and the time it has taken so far, from the second second on,
/// until this is dropped.
pub(crate) struct Waiting {
    _done: SyncSender<()>,
}

impl Waiting {
    /// `what` is said with the elapsed time.
    pub(crate) fn new(what: String) -> Self {
        let (done, ended) = sync_channel::<()>(1);
        let since = Instant::now();
        let ticker = move || {
            let progress = Progress::new();
            while ended.recv_timeout(LINE_PERIOD) == Err(RecvTimeoutError::Timeout) {
                progress.show(&format!("{what}: {} s so far", since.elapsed().as_secs()));
            }
            progress.finish();
        };
        // Without a thread to spare the work goes on in silence.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(ticker);
        Self { _done: done }
    }
}
