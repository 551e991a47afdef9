use std::fmt::Write as _;
use std::path::Path;

use crate::episode::open_parquet;
use crate::journal::Contents;
use crate::mp4::Mp4Reader;
use crate::{Control, StoreError};

/// What a single file of a store holds, in lines for people: a journal's streams, a Parquet file's columns with their
/// units, a video's frames. Reads a journal once; of the others only their index.
///
/// # Errors
/// [`StoreError::Damaged`] for another kind of file, or one that cannot be read; [`StoreError::Io`].
pub fn describe_file(path: &Path) -> Result<String, StoreError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("mcap") => journal(path),
        Some("parquet") => parquet(path),
        Some("mp4") => video(path),
        _ => Err(StoreError::damaged(path, "expected a journal (.mcap), a Parquet file (.parquet) or a video (.mp4)")),
    }
}

fn journal(path: &Path) -> Result<String, StoreError> {
    let contents = Contents::read(path)?;
    let mut text = String::from("journal\n");
    for control in &contents.controls {
        if let Control::Start(start) = control {
            line(&mut text, format_args!("  episode {} at station {}, robots {}", start.episode, start.station, start.robots.len()));
        }
    }
    for (topic, (samples, encoding)) in &contents.topics {
        line(&mut text, format_args!("  {topic}: {samples} samples, {encoding}"));
    }
    let closed = contents.controls.iter().any(|control| matches!(control, Control::Stop { .. }));
    let (torn_bytes, bad_chunks) = (contents.damage.torn_bytes, contents.damage.bad_chunks);
    line(&mut text, format_args!("  closed: {closed}; torn at the end: {torn_bytes} bytes; bad chunks: {bad_chunks}"));
    Ok(text)
}

fn parquet(path: &Path) -> Result<String, StoreError> {
    let builder = open_parquet(path)?;
    let mut text = format!("Parquet, {} rows\n", builder.metadata().file_metadata().num_rows());
    for field in builder.schema().fields() {
        let unit = field.metadata().get("unit").map(|unit| format!(" [{unit}]")).unwrap_or_default();
        line(&mut text, format_args!("  {}: {}{unit}", field.name(), field.data_type()));
    }
    Ok(text)
}

fn video(path: &Path) -> Result<String, StoreError> {
    let reader = Mp4Reader::open(path)?;
    let [width, height] = reader.size();
    let keyframes = reader.samples().iter().filter(|sample| sample.keyframe).count();
    Ok(format!("H.264 video, {width}x{height}, {} frames, {keyframes} key frames\n", reader.len()))
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{content}");
}
