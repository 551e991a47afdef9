//! `sanqu record`: the recorder as a program.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sanqu_ingest::{Node, Refusals, Role};
use sanqu_record::{Recorder, RecorderConfig};
use sanqu_store::Store;

use crate::assets::Assets;
use crate::cli::Record;
use crate::link;
use crate::outcome::Outcome;
use crate::progress::Waiting;
use crate::signals::{stop_on_signal, stopped};

/// Records until SIGINT or SIGTERM, then closes and seals what is open.
///
/// # Errors
/// When the endpoint cannot be opened, the store is locked or cannot be written.
pub(crate) async fn run(args: &Record, assets: &Assets, refusals: Refusals) -> Result<Outcome> {
    ensure!(args.pre_roll.is_finite() && (0.0..=60.0).contains(&args.pre_roll), "--pre-roll {} is not within 0..60 s", args.pre_roll);
    ensure!(args.flush_ms > 0 && args.sync_ms > 0, "--flush-ms and --sync-ms must be at least 1");
    let stop = stop_on_signal()?;
    let field = assets.field(&args.field)?;
    let store = Store::open_or_create(&args.store, &field.field, &field.time_zone)
        .with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let keys = link::keys(&args.keys, Role::Recorder, None)?;
    let node = match (&args.connect, &keys) {
        (Some(endpoint), keys) => link::client(endpoint, keys.as_ref()).await?,
        (None, Some(keys)) => Node::secured_router(&link::endpoint(args.listen.as_deref(), true), keys, &field, refusals.clone()).await?,
        (None, None) => Node::router(&link::endpoint(args.listen.as_deref(), false)).await?,
    };
    if keys.is_none() && node.is_exposed() {
        super::say(
            "warning: everybody who reaches this computer can publish, control and read: make keys (sanqu keys init) and use --keys",
        );
    }
    let stations = field.stations().count();
    let name = field.field.to_string();
    let config = RecorderConfig {
        flush: Duration::from_millis(args.flush_ms),
        sync: Duration::from_millis(args.sync_ms),
        pre_roll: Duration::from_secs_f64(args.pre_roll),
        allow_unknown: args.allow_unknown,
        refusals: refusals.clone(),
        ..RecorderConfig::new(field, assets.robots(), store)
    };
    let recorder = Recorder::start(&node, config).await?;
    let http = match &args.http {
        Some(address) => Some(crate::http::serve(address, recorder.watch()).await?),
        None => None,
    };
    // Scripts wait for this line; it names the real port.
    let reached = match &args.connect {
        Some(endpoint) => format!("connected to {endpoint}"),
        None => format!("listening on {}", node.locators().join(" ")),
    };
    super::print(&format!("recording field {name} ({stations} stations) into {}; {reached}", args.store.display()))?;
    if let Some(http) = &http {
        super::say(&format!("http://{0}/metrics for Prometheus, http://{0}/status for JSON", http.address));
    }
    stopped(stop).await;
    drop(http);
    super::say("closing what is open and sealing; this can take a moment");
    let waiting = Waiting::new("sealing".to_owned());
    let manifests = recorder.shutdown().await?;
    drop(waiting);
    node.close().await?;
    let refused = refusals.report();
    if refused.total > 0 {
        super::say(&format!("refused in all: {}; each kind is in the log above", refused.total));
    }
    for manifest in &manifests {
        super::print(&format!(
            "sealed {} ({} streams), lost: {}",
            manifest.episode,
            manifest.streams.len(),
            super::info::lost_in(manifest)
        ))?;
    }
    Ok(Outcome::defects(manifests.iter().any(super::info::has_loss)))
}
