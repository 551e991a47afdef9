//! A recorded episode back onto the bus: `sanqu sim --from`.
//!
//! Samples are sent at the pace at which they were captured, on the field timeline of the recording: robots whose clocks
//! were wrong stay together. The times are moved by one constant, so that the first of them is now: a recorder that listens
//! cuts episodes by time, and its clock runs today. Every stream says in its facts which episode it is from, by how much it
//! was moved, and how many rows the recording had lost: rows are numbered afresh, so that a new recording of them cannot
//! see those gaps.

use std::iter::Peekable;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, FixedSizeListArray, RecordBatch, UInt64Array};
use arrow_select::concat::concat;
use arrow_select::take::take;
use sanqu_ingest::RobotPublisher;
use sanqu_model::{Id, Quantity, RUN, SEQ, StreamDescription, StreamEntry, T, VIDEO_DATA, VIDEO_KEYFRAME, now_ns};
use sanqu_sim::{EpisodeFeed, FeedItem};
use sanqu_store::Episode;
use sanqu_store::mp4::Mp4Reader;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::commands::sim::fresh_boot;
use crate::commands::{find_episode, print, say};
use crate::link::Router;
use crate::outcome::Outcome;

/// How much time one payload of rows covers, as live robots send them.
const PAYLOAD_NS: i64 = 20_000_000;
/// Time between declaring the streams and the first sample, so that recorders and viewers know them.
const LEAD_NS: i64 = 1_000_000_000;

type Items = Box<dyn Iterator<Item = Result<FeedItem>> + Send>;

/// Publishes every recorded stream of an episode until its end or `stop`.
///
/// # Errors
/// When the episode cannot be read or the router does not answer.
pub(crate) async fn run(what: &Path, store: &Path, router: &Router, stop: watch::Receiver<bool>) -> Result<Outcome> {
    let episode = find_episode(what, store)?;
    let manifest = episode.manifest();
    let firsts = manifest.streams.iter().map(|entry| first_field_ns(&episode, entry)).collect::<Result<Vec<_>>>()?;
    let first_t_ns = firsts.into_iter().flatten().min();
    let first_t_ns = first_t_ns.with_context(|| format!("episode {} has no rows to publish", manifest.episode))?;
    let shift_ns = now_ns() + LEAD_NS - first_t_ns;
    say(&format!("publishing episode {} on {}; capture times moved by {shift_ns} ns", manifest.episode, router.endpoint));
    for entry in manifest.streams.iter().filter(|entry| is_incomplete(entry)) {
        say(&format!("warning: {} {} is published without the rows that the recording lost ({})", entry.robot, entry.stream, lost(entry)));
    }
    let mut running = JoinSet::new();
    for robot in &manifest.robots {
        let entries: Vec<&StreamEntry> = manifest.streams.iter().filter(|entry| entry.robot == robot.robot).collect();
        let descriptions = entries.iter().map(|entry| describe(&episode, entry, shift_ns)).collect();
        let streams = entries.iter().map(|entry| stream(&episode, entry, shift_ns)).collect::<Result<Vec<_>>>()?;
        running.spawn(publish(router.clone(), manifest.field.clone(), robot.robot.clone(), descriptions, merge(streams), stop.clone()));
    }
    while let Some(report) = running.join_next().await {
        print(&report.context("a publisher's task broke")??)?;
    }
    Ok(Outcome::Ok)
}

async fn publish(
    router: Router,
    field: Id,
    robot: Id,
    descriptions: Vec<StreamDescription>,
    items: Items,
    stop: watch::Receiver<bool>,
) -> Result<String> {
    let node = router.dial(&robot).await?;
    let publisher = RobotPublisher::declare(&node, &field, &robot, fresh_boot(), descriptions).await?;
    let report = EpisodeFeed::new(items).run(&publisher, stop).await?;
    publisher.close().await?;
    node.close().await?;
    Ok(format!("{robot}: {report}"))
}

fn is_incomplete(entry: &StreamEntry) -> bool {
    entry.lost.total() > 0 || entry.lost.open_ended
}

fn lost(entry: &StreamEntry) -> String {
    let more = if entry.lost.open_ended { " or more" } else { "" };
    format!("{}{more}", entry.lost.total())
}

fn describe(episode: &Episode, entry: &StreamEntry, shift_ns: i64) -> StreamDescription {
    let mut facts = entry.facts.clone();
    // What was uncertain about the recorded clock says nothing about the times that are sent now.
    facts.remove("timeline");
    facts.insert("published_from".to_owned(), episode.manifest().episode.to_string());
    facts.insert("capture_times_moved_by_ns".to_owned(), shift_ns.to_string());
    if is_incomplete(entry) {
        facts.insert("rows_lost_in_source".to_owned(), lost(entry));
    }
    StreamDescription {
        stream: entry.stream.clone(),
        encoding: entry.encoding.clone(),
        rate_hz: entry.nominal_rate_hz,
        clock: entry.clock.id,
        quantities: entry.quantities.clone(),
        facts,
    }
}

/// The time of a stream's first row on the field timeline.
fn first_field_ns(episode: &Episode, entry: &StreamEntry) -> Result<Option<i64>> {
    let first = episode.read(entry, Some(&[T, SEQ, RUN]))?.next().transpose()?;
    let times = first.map(|batch| episode.field_times(entry, &batch)).transpose()?;
    Ok(times.and_then(|times| times.first().copied()))
}

/// The payloads of one stream in file order.
fn stream(episode: &Episode, entry: &StreamEntry, shift_ns: i64) -> Result<Items> {
    let path = episode.file(entry, "parquet").with_context(|| format!("stream {} has no Parquet file", entry.stream))?;
    let batches = episode.read(entry, None)?;
    let description = Arc::new(describe(episode, entry, shift_ns));
    let (source, of) = (episode.clone(), entry.clone());
    let moved = move |batch: &RecordBatch| -> Result<Vec<i64>> {
        Ok(source.field_times(&of, batch)?.iter().map(|field_ns| field_ns.saturating_add(shift_ns)).collect())
    };
    if let Some(video) = episode.file(entry, "mp4") {
        let mut frames = Frames { reader: Mp4Reader::open(&video)?, next: 0 };
        let items = batches.map(move |batch| {
            let batch = batch?;
            video_items(&batch, &path, &mut frames, &description, &moved(&batch)?)
        });
        return Ok(flatten(items));
    }
    let kind = entry.stream.kind();
    let items = batches.map(move |batch| {
        let batch = batch?;
        let t_ns = moved(&batch)?;
        if kind.is_picture() || description.quantities.is_empty() {
            verbatim_items(&batch, &path, &description, &t_ns)
        } else {
            row_items(&batch, &path, &description, &t_ns)
        }
    });
    Ok(flatten(items))
}

fn flatten(batches: impl Iterator<Item = Result<Vec<FeedItem>>> + Send + 'static) -> Items {
    Box::new(batches.flat_map(|batch| match batch {
        Ok(items) => items.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    }))
}

struct Frames {
    reader: Mp4Reader,
    next: usize,
}

fn video_items(
    batch: &RecordBatch,
    path: &Path,
    frames: &mut Frames,
    description: &StreamDescription,
    t_ns: &[i64],
) -> Result<Vec<FeedItem>> {
    let keyframes = column(batch, path, VIDEO_KEYFRAME)?
        .as_boolean_opt()
        .with_context(|| format!("{}: column keyframe is not boolean", path.display()))?
        .clone();
    t_ns.iter()
        .enumerate()
        .map(|(row, t_ns)| {
            let payload = frames.reader.frame(frames.next)?;
            frames.next += 1;
            Ok(item(description, 1, *t_ns, keyframes.value(row), payload))
        })
        .collect()
}

fn verbatim_items(batch: &RecordBatch, path: &Path, description: &StreamDescription, t_ns: &[i64]) -> Result<Vec<FeedItem>> {
    let data = column(batch, path, VIDEO_DATA)?;
    t_ns.iter()
        .enumerate()
        .map(|(row, t_ns)| {
            let bytes = data
                .as_binary_opt::<i32>()
                .map(|data| data.value(row))
                .or_else(|| data.as_string_opt::<i32>().map(|data| data.value(row).as_bytes()));
            let bytes = bytes.with_context(|| format!("{}: column data has type {}", path.display(), data.data_type()))?;
            Ok(item(description, 1, *t_ns, true, bytes.to_vec()))
        })
        .collect()
}

fn row_items(batch: &RecordBatch, path: &Path, description: &StreamDescription, t_ns: &[i64]) -> Result<Vec<FeedItem>> {
    let runs = column(batch, path, RUN)?;
    let runs = runs
        .as_primitive_opt::<arrow_array::types::UInt32Type>()
        .with_context(|| format!("{}: column run is not UInt32", path.display()))?;
    let columns = description.quantities.iter().map(|quantity| rows_of(batch, path, quantity)).collect::<Result<Vec<_>>>()?;
    let mut items = Vec::new();
    let mut first = 0;
    while first < t_ns.len() {
        let belongs = |row: usize| (0..PAYLOAD_NS).contains(&(t_ns[row] - t_ns[first])) && runs.value(row) == runs.value(first);
        let rows = (first..t_ns.len()).take_while(|row| belongs(*row)).count();
        let payload = sanqu_wire::encode_rows(
            description,
            &t_ns[first..first + rows],
            columns.iter().map(|column| column.slice(first, rows)).collect(),
        )?;
        items.push(item(description, u32::try_from(rows)?, t_ns[first], false, payload));
        first += rows;
    }
    Ok(items)
}

/// A quantity's columns, one per element, turned back into one fixed-size list a row; values are moved, not converted.
fn rows_of(batch: &RecordBatch, path: &Path, quantity: &Quantity) -> Result<ArrayRef> {
    let schema = batch.schema();
    let meta = |field: &arrow_schema::Field, key: &str| field.metadata().get(key).cloned();
    let columns: Vec<&dyn Array> = quantity
        .elements
        .iter()
        .map(|element| {
            let wanted = |field: &arrow_schema::Field| {
                meta(field, "quantity").as_ref() == Some(&quantity.name) && meta(field, "element").as_ref() == Some(element)
            };
            let index = schema.fields().iter().position(|field| wanted(field));
            let index = index.with_context(|| format!("{}: no column for {}.{}", path.display(), element, quantity.name))?;
            Ok(batch.column(index).as_ref())
        })
        .collect::<Result<_>>()?;
    let (rows, width) = (batch.num_rows() as u64, columns.len() as u64);
    let order = UInt64Array::from_iter_values((0..rows).flat_map(|row| (0..width).map(move |element| element * rows + row)));
    let values = take(&concat(&columns)?, &order, None)?;
    let arrow_schema::DataType::FixedSizeList(item, size) = quantity.field().data_type().clone() else {
        anyhow::bail!("quantity {} is no list", quantity.name);
    };
    Ok(Arc::new(FixedSizeListArray::try_new(item, size, values, None)?))
}

fn item(description: &StreamDescription, rows: u32, capture_ns: i64, keyframe: bool, payload: Vec<u8>) -> FeedItem {
    FeedItem { due_ns: capture_ns, stream: description.stream.clone(), rows, capture_ns, keyframe, payload }
}

fn column<'a>(batch: &'a RecordBatch, path: &Path, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).with_context(|| format!("{}: no column {name}", path.display()))
}

/// All streams in order of due time; each stream keeps its own order.
fn merge(streams: Vec<Items>) -> Items {
    let mut streams: Vec<Peekable<Items>> = streams.into_iter().map(Iterator::peekable).collect();
    Box::new(std::iter::from_fn(move || {
        // An error is due at once.
        let due = |stream: &mut Peekable<Items>| stream.peek().map(|item| item.as_ref().map_or(i64::MIN, |item| item.due_ns));
        let next = streams.iter_mut().enumerate().filter_map(|(index, stream)| Some((due(stream)?, index))).min()?.1;
        streams[next].next()
    }))
}

#[cfg(test)]
mod tests {
    use sanqu_model::{ClockOffset, canonical_json};
    use sanqu_wire::RowsReader;

    use super::*;

    /// The committed episode, as if the clock of 夸父 had been five minutes ahead, and right again from sequence 60 on.
    fn wrong(golden: &Episode, dir: &Path) -> Episode {
        for file in std::fs::read_dir(golden.dir()).unwrap() {
            let path = file.unwrap().path();
            std::fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
        }
        let mut manifest = golden.manifest().clone();
        let offset = |from_seq, offset_ns| ClockOffset { run: 0, from_seq, offset_ns, uncertainty_ns: Some(0) };
        for stream in manifest.streams.iter_mut().filter(|stream| stream.robot.as_str() == "kuavo-01") {
            stream.timeline = vec![offset(0, -300_000_000_000), offset(60, 0)];
            stream.facts.insert("timeline".to_owned(), "unverified".to_owned());
        }
        std::fs::write(dir.join("manifest.json"), canonical_json(&manifest).unwrap()).unwrap();
        Episode::open(dir).unwrap()
    }

    #[test]
    fn rows_are_sent_as_the_field_timeline_has_them() {
        const SHIFT_NS: i64 = 1000;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recordings/golden/v1/store");
        let golden = sanqu_store::Store::open(&root).unwrap().find("last").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let wrong = wrong(&golden, folder.path());
        for (plain, moved) in golden.manifest().streams.iter().zip(&wrong.manifest().streams) {
            let is_moved = moved.robot.as_str() == "kuavo-01";
            let at = |seq: u64| if is_moved && seq < 60 { -300_000_000_000 } else { 0 };
            assert_eq!(first_field_ns(&wrong, moved).unwrap(), plain.first_t_ns.map(|t_ns| t_ns + at(0)));
            assert!(!describe(&wrong, moved, 0).facts.contains_key("timeline"));
            let times = |episode: &Episode, entry: &StreamEntry| -> Vec<i64> {
                let mut reader = RowsReader::default();
                let items = stream(episode, entry, SHIFT_NS).unwrap().map(Result::unwrap);
                let rows = items.flat_map(|item| match entry.quantities.is_empty() {
                    true => vec![item.capture_ns],
                    false => {
                        let times: Vec<i64> = reader.read(&item.payload).unwrap().t_ns().collect();
                        assert_eq!((times[0], times.len()), (item.capture_ns, item.rows as usize));
                        times
                    }
                });
                rows.collect()
            };
            let expect: Vec<i64> = (0..).zip(times(&golden, plain)).map(|(seq, t_ns)| t_ns + at(seq)).collect();
            assert_eq!(times(&wrong, moved), expect, "{}/{}", moved.robot, moved.stream);
        }
    }
}
