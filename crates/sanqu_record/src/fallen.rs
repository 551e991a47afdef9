//! A station whose thread panicked: it records no more, and says so.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use tracing::error;

use crate::station::{INBOX_MAX, Message, PUBLISH_PERIOD, Station};
use crate::{ControlRequest, Verb};

impl Station {
    /// The thread. A panic ends what the station does, not what it says: until the recorder ends it shows itself as failed,
    /// and refuses operators with the reason. What it had open is left as by a crash, for the next start or `repair`.
    pub(crate) fn serve(mut self) {
        match catch_unwind(AssertUnwindSafe(|| self.run())) {
            Ok(()) => self.end(),
            Err(panic) => self.fall(said(&*panic)),
        }
    }

    fn fall(&mut self, panic: &str) {
        let problem = format!("the station's thread panicked: {panic}; restart the recorder, which then goes on with what is open");
        error!(station = %self.id, panic, "a station's thread panicked; it records no more");
        // Nothing of it is touched again but for what cannot be half done.
        let open = self.take.take();
        if catch_unwind(AssertUnwindSafe(|| drop(open))).is_err() {
            error!(station = %self.id, "what it had open could not be put away either");
        }
        self.robots.clear();
        self.fallen = Some(problem.clone());
        let queue = Arc::clone(&self.desk.queue);
        loop {
            self.publish(Instant::now());
            // Room that its robots fill would be missing to the other stations.
            let batch = queue.take(PUBLISH_PERIOD);
            self.refused_samples += batch.iter().filter(|sample| sample.key.stream.kind().is_recorded()).count() as u64;
            queue.give_back(batch);
            let refused = queue.take_refused().into_iter().filter(|refused| refused.key.stream.kind().is_recorded());
            self.refused_samples += refused.map(|refused| refused.samples).sum::<u64>();
            let messages: Vec<Message> = self.inbox.try_iter().take(INBOX_MAX).collect();
            for message in messages {
                match message {
                    // Whoever waits for the station's last word hears that there is none.
                    Message::Abandon | Message::Shutdown(_) => return,
                    Message::Control(request) => match ControlRequest::parse(&request.payload()) {
                        Ok(asked) if asked.verb == Verb::Status => self.reply_status(request),
                        _ => self.reply(request, Err(problem.clone())),
                    },
                    Message::Sealed { episode, result, took } => self.sealed(episode, result, took),
                    Message::Decided { episode, result, request } => self.decided(episode, result, request),
                    Message::Described { .. } | Message::Settled { .. } | Message::Resent(_) => {}
                }
            }
        }
    }
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it does not say why")
}
