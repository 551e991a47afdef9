//! The sinks that are programs of ours: each opens the router that the robots connect to, says where it listens, and
//! does what it is told on stdin. When stdin is closed without the word, they end as they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sanqu_ingest::Node;
use sanqu_model::FieldConfig;
use sanqu_record::{Recorder, RecorderConfig};
use sanqu_store::Store;

use crate::bare::Bare;
use crate::talk::{self, Event, Lags, Measured};

/// Any free port of this computer.
const LISTEN: &str = "tcp/127.0.0.1:0";
/// Ask a sink what it has measured so far.
pub(crate) const MEASURED: &str = "measured";

/// How both sinks make durable.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Periods {
    /// Longest time from receiving to writing, ms.
    #[arg(long, default_value_t = 100)]
    pub(crate) flush_ms: u64,
    /// Longest time from writing to fdatasync, ms.
    #[arg(long, default_value_t = 1000)]
    pub(crate) sync_ms: u64,
}

/// The real recorder with its embedded router.
pub(crate) async fn recorder(dir: &Path, field: &Path, robots: PathBuf, periods: Periods) -> Result<()> {
    let mut words = talk::words()?;
    let text = std::fs::read_to_string(field).with_context(|| format!("cannot read {}", field.display()))?;
    let field = FieldConfig::parse(&text)?;
    let store = Store::open_or_create(dir, &field.field, &field.time_zone)?;
    let node = Node::router(LISTEN).await?;
    let mut config = RecorderConfig::new(field, robots, store);
    config.flush = Duration::from_millis(periods.flush_ms);
    config.sync = Duration::from_millis(periods.sync_ms);
    let recorder = Recorder::start(&node, config).await?;
    ready(&node)?;
    while let Some(word) = words.recv().await {
        if word == MEASURED {
            let status = recorder.status();
            let figures = status.iter().map(|station| &station.figures).filter(|figures| figures.durable_lag.count > 0);
            let stations = figures.map(|figures| Lags { durable: figures.durable_lag, fdatasync: figures.sync }).collect();
            talk::say(&Event::Measured(Measured { stations }))?;
        } else if word == talk::STOP {
            recorder.shutdown().await?;
            talk::say(&Event::Finished)?;
            break;
        }
    }
    until_closed(words).await;
    Ok(())
}

/// The bare writer.
pub(crate) async fn bare(dir: &Path, periods: Periods) -> Result<()> {
    let mut words = talk::words()?;
    std::fs::create_dir_all(dir)?;
    let bare = Bare::create(&dir.join("bare.mcap"))?;
    let node = Node::router(LISTEN).await?;
    let taking = Arc::clone(&bare);
    let take = move |sample: zenoh::sample::Sample| {
        if let Err(error) = taking.take(&sample) {
            eprintln!("bare: {error:#}");
        }
    };
    let subscriber = node.session().declare_subscriber("sanqu/**").callback(take).await;
    let subscriber = subscriber.map_err(|e| anyhow::anyhow!("cannot subscribe: {e}"))?;
    bare.every(Duration::from_millis(periods.flush_ms), Bare::flush)?;
    bare.every(Duration::from_millis(periods.sync_ms), Bare::sync)?;
    ready(&node)?;
    while let Some(word) = words.recv().await {
        if word == MEASURED {
            talk::say(&Event::Measured(bare.measured()))?;
        } else if word == talk::STOP {
            bare.finish()?;
            talk::say(&Event::Finished)?;
            break;
        }
    }
    until_closed(words).await;
    drop(subscriber);
    Ok(())
}

/// A program that is gone tells nobody what it has used.
async fn until_closed(mut words: tokio::sync::mpsc::Receiver<String>) {
    while words.recv().await.is_some() {}
}

fn ready(node: &Node) -> Result<()> {
    let endpoint = node.locators().into_iter().next().context("the router listens nowhere")?;
    talk::say(&Event::Ready { endpoint })
}
