//! A bare zenoh -> MCAP writer, ours, to compare with: callback, append, flush and fdatasync at the same periods as the
//! recorder, nothing else. No accounting, no stations, no pre-roll. Shown in `docs/benchmarks.md`; not tuned later.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use mcap::records::MessageHeader;
use mcap::write::NoSeek;
use sanqu_model::now_ns;
use zenoh::sample::Sample;

use crate::histogram::Histogram;
use crate::talk::{Lags, Measured};

pub(crate) struct Bare {
    writer: Mutex<Writer>,
    file: File,
    /// Capture to durable, and fdatasync.
    measured: Mutex<(Histogram, Histogram)>,
}

struct Writer {
    mcap: mcap::Writer<NoSeek<BufWriter<File>>>,
    channels: HashMap<String, u16>,
    message: Vec<u8>,
    /// Capture times of what is not yet durable.
    waiting: Vec<i64>,
    finished: bool,
}

impl Bare {
    pub(crate) fn create(path: &Path) -> Result<Arc<Self>> {
        let file = File::create_new(path)?;
        // MCAP's defaults: chunks of 1 MiB with message index and checksum. Uncompressed, written without seeking.
        let options = mcap::WriteOptions::new().compression(None).disable_seeking(true);
        let mcap = options.create(NoSeek::new(BufWriter::new(file.try_clone()?)))?;
        let writer = Writer { mcap, channels: HashMap::new(), message: Vec::new(), waiting: Vec::new(), finished: false };
        Ok(Arc::new(Self { writer: Mutex::new(writer), file, measured: Mutex::default() }))
    }

    /// zenoh's callback.
    pub(crate) fn take(&self, sample: &Sample) -> Result<()> {
        let Some(header) = sample.attachment().map(zenoh::bytes::ZBytes::to_bytes) else { return Ok(()) };
        self.append(sample.key_expr().as_str(), &header, &sample.payload().to_bytes())
    }

    /// Header and payload become one message.
    pub(crate) fn append(&self, key: &str, header: &[u8], payload: &[u8]) -> Result<()> {
        let recv_ns = now_ns();
        let capture_ns = header.get(24..32).and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_le_bytes);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Writer { mcap, channels, message, waiting, .. } = &mut *writer;
        let channel_id = match channels.get(key) {
            Some(id) => *id,
            None => {
                let id = mcap.add_channel(0, key, "sanqu", &BTreeMap::new())?;
                channels.insert(key.to_owned(), id);
                id
            }
        };
        message.clear();
        message.extend_from_slice(header);
        message.extend_from_slice(payload);
        let (log_time, publish_time) = (recv_ns.cast_unsigned(), capture_ns.cast_unsigned());
        mcap.write_to_known_channel(&MessageHeader { channel_id, sequence: 0, log_time, publish_time }, message)?;
        waiting.push(capture_ns);
        Ok(())
    }

    pub(crate) fn flush(&self) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if !writer.finished {
            writer.mcap.flush()?;
        }
        Ok(())
    }

    /// Flushes, then fdatasyncs without holding anybody up.
    pub(crate) fn sync(&self) -> Result<()> {
        let waiting = {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            if writer.finished {
                return Ok(());
            }
            writer.mcap.flush()?;
            std::mem::take(&mut writer.waiting)
        };
        let begun = Instant::now();
        self.file.sync_data()?;
        let (took, durable_ns) = (begun.elapsed(), now_ns());
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().for_each(|capture_ns| measured.0.add(durable_ns - capture_ns));
        measured.1.add(i64::try_from(took.as_nanos())?);
        Ok(())
    }

    /// Calls `work` every `period` on a thread of its own.
    pub(crate) fn every(self: &Arc<Self>, period: Duration, work: fn(&Self) -> Result<()>) -> Result<()> {
        let bare = Arc::clone(self);
        let run = move || -> Result<()> {
            let mut due = Instant::now();
            loop {
                due += period;
                while let Some(left) = due.checked_duration_since(Instant::now()) {
                    std::thread::park_timeout(left);
                }
                work(&bare)?;
            }
        };
        std::thread::Builder::new().name("bare".to_owned()).spawn(run)?;
        Ok(())
    }

    pub(crate) fn finish(&self) -> Result<()> {
        self.sync()?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.finished = true;
        writer.mcap.finish()?;
        Ok(self.file.sync_all()?)
    }

    pub(crate) fn measured(&self) -> Measured {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        Measured { stations: vec![Lags { durable: measured.0.quantiles(), fdatasync: measured.1.quantiles() }] }
    }
}
