//! Ctrl-C and SIGTERM, for commands that hold open files.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Becomes true at the first SIGINT or SIGTERM. A second one ends the program at once: whatever state the store is in
/// then, `sanqu repair` recovers it.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn stop_on_signal() -> Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () };
        sender.send_replace(true);
        tracing::warn!("stopping: closing what is open (a second signal ends at once)");
        tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () };
        crate::commands::say("ended at once; if something was being recorded, `sanqu repair` seals what is on disk");
        #[expect(clippy::exit, reason = "the user asked twice; the journal on disk is valid at any moment")]
        std::process::exit(1);
    });
    Ok(receiver)
}

/// Waits until the receiver is true; for ever if the sender is gone.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}
