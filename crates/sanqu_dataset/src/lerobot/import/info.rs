//! `meta/info.json`: what a dataset says about itself.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use crate::DatasetError;

/// Bytes of one JSON file under `meta/` that are read.
pub(super) const JSON_BYTES_MAX: u64 = 64 << 20;
/// Features of one dataset.
const FEATURES_MAX: usize = 1024;
/// Values of one feature and row that a shape may speak of.
const WIDTH_MAX: u64 = 1 << 40;
/// Rows a second.
const FPS_MAX: f64 = 100_000.0;
/// Digits of a number in a path.
const DIGITS_MAX: usize = 20;

/// The form of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// One Parquet and one mp4 an episode.
    V21,
    /// Many episodes a file.
    V30,
}

/// One feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Feature {
    /// `observation.state`, `timestamp`, …
    pub(super) key: String,
    /// `float32`, `video`, `string`, …
    pub(super) dtype: String,
    /// Values a row, as the shape says.
    pub(super) width: u64,
    /// Names of the elements, however they were nested; empty without any.
    pub(super) names: Vec<String>,
    /// Plain values of `info`: codec, size, ….
    pub(super) info: BTreeMap<String, String>,
}

/// A dataset's description of itself.
#[derive(Clone, Debug)]
pub(super) struct Info {
    /// The dataset's folder.
    pub(super) root: PathBuf,
    /// The form of its files.
    pub(super) version: Version,
    /// `codebase_version`, as it stands there.
    pub(super) codebase_version: String,
    /// The kind of robot, if it is named.
    pub(super) robot_type: Option<String>,
    /// Rows a second.
    pub(super) fps: f64,
    /// Features by name.
    pub(super) features: Vec<Feature>,
    /// How many episodes and rows there should be, where it says so.
    pub(super) totals: [Option<u64>; 2],
    chunks_size: u64,
    data_path: String,
    video_path: Option<String>,
}

/// Reads a small file.
pub(super) fn read_text(path: &Path) -> Result<String, DatasetError> {
    let io = |source| DatasetError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(JSON_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > JSON_BYTES_MAX {
        return Err(DatasetError::dataset(path, format!("more than {JSON_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|e| DatasetError::dataset(path, format!("no UTF-8 text: {e}")))
}

impl Info {
    /// Reads `meta/info.json` below `root`.
    ///
    /// # Errors
    /// [`DatasetError::Dataset`] naming the key that is missing or not as it must be, or the unknown version.
    pub(super) fn read(root: &Path) -> Result<Self, DatasetError> {
        let path = root.join("meta/info.json");
        let bad = |reason: String| DatasetError::dataset(&path, reason);
        let value: Value = serde_json::from_str(&read_text(&path)?).map_err(|source| DatasetError::Json { path: path.clone(), source })?;
        let info = value.as_object().ok_or_else(|| bad("expected an object".to_owned()))?;
        Self::parse(root, info).map_err(bad)
    }

    fn parse(root: &Path, info: &Map<String, Value>) -> Result<Self, String> {
        let text = |key: &str| info.get(key).and_then(Value::as_str).map(str::to_owned);
        let codebase_version = text("codebase_version").ok_or("codebase_version is missing")?;
        let version = match codebase_version.as_str() {
            "v2.1" => Version::V21,
            "v3.0" => Version::V30,
            other => return Err(format!("codebase_version {other:?}: this program reads v2.1 and v3.0")),
        };
        if let Some(format) = text("storage_format").filter(|format| format != "parquet") {
            return Err(format!("storage_format {format:?}: this program reads Parquet"));
        }
        let fps = info.get("fps").and_then(Value::as_f64).filter(|fps| *fps > 0.0 && *fps <= FPS_MAX);
        let features = info.get("features").and_then(Value::as_object).ok_or("features are missing")?;
        if features.len() > FEATURES_MAX {
            return Err(format!("{} features; at most {FEATURES_MAX} are read", features.len()));
        }
        let count = |key: &str| info.get(key).and_then(Value::as_u64);
        let chunks_size = match version {
            Version::V21 => count("chunks_size").filter(|size| *size > 0).ok_or("chunks_size: expected a whole number from 1 on")?,
            Version::V30 => 1,
        };
        Ok(Self {
            root: root.to_owned(),
            version,
            codebase_version,
            robot_type: text("robot_type").filter(|text| !text.is_empty()),
            fps: fps.ok_or_else(|| format!("fps: expected a number above 0 and up to {FPS_MAX}"))?,
            features: features.iter().map(|(key, value)| Feature::parse(key, value)).collect::<Result<_, _>>()?,
            totals: [count("total_episodes"), count("total_frames")],
            chunks_size,
            data_path: text("data_path").ok_or("data_path is missing")?,
            video_path: text("video_path"),
        })
    }

    /// The data file of an episode: `place` is its number, or chunk and file number.
    pub(super) fn data_file(&self, place: Place) -> Result<PathBuf, DatasetError> {
        self.file("data_path", &self.data_path, place, "")
    }

    /// The video file of a camera.
    pub(super) fn video_file(&self, place: Place, key: &str) -> Result<PathBuf, DatasetError> {
        let template = self.video_path.as_ref().ok_or_else(|| self.bad(format!("video_path is missing, but {key} is a video")))?;
        self.file("video_path", template, place, key)
    }

    fn bad(&self, reason: String) -> DatasetError {
        DatasetError::dataset(&self.root.join("meta/info.json"), reason)
    }

    fn file(&self, what: &str, template: &str, place: Place, key: &str) -> Result<PathBuf, DatasetError> {
        let numbers = match place {
            Place::Episode(index) => [("episode_chunk", index / self.chunks_size), ("episode_index", index)],
            Place::File { chunk, file } => [("chunk_index", chunk), ("file_index", file)],
        };
        fill(template, &numbers, key).map(|path| self.root.join(path)).map_err(|reason| self.bad(format!("{what} {template:?}: {reason}")))
    }
}

/// What a file's name is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// v2.1: the episode's number.
    Episode(u64),
    /// v3.0: chunk and file.
    File {
        /// Number of the chunk.
        chunk: u64,
        /// Number of the file within it.
        file: u64,
    },
}

/// Fills a path template: `{name}` and `{name:03d}`. The path may not lead out of the dataset.
fn fill(template: &str, numbers: &[(&str, u64)], key: &str) -> Result<PathBuf, String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (field, tail) = after.split_once('}').ok_or("a { without }")?;
        let (name, format) = field.split_once(':').unwrap_or((field, ""));
        let digits: usize = match format.strip_suffix('d') {
            Some(digits) => {
                digits.parse().ok().filter(|n| *n <= DIGITS_MAX).ok_or_else(|| format!("the format {format:?} is not known"))?
            }
            None if format.is_empty() => 0,
            None => return Err(format!("the format {format:?} is not known")),
        };
        let number = numbers.iter().find(|(known, _)| *known == name).map(|(_, number)| format!("{number:0digits$}"));
        let text = number.or_else(|| (name == "video_key").then(|| key.to_owned())).ok_or_else(|| format!("{{{name}}} is not known"))?;
        out.push_str(before);
        out.push_str(&text);
        rest = tail;
    }
    out.push_str(rest);
    let path = PathBuf::from(out);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(path)
    } else {
        Err(format!("{} leads out of the dataset", path.display()))
    }
}

impl Feature {
    fn parse(key: &str, value: &Value) -> Result<Self, String> {
        let bad = |what: &str| format!("feature {key}: {what}");
        let dtype = value.get("dtype").and_then(Value::as_str).ok_or_else(|| bad("dtype is missing"))?;
        let shape = value.get("shape").and_then(Value::as_array).ok_or_else(|| bad("shape is missing"))?;
        let width = shape.iter().try_fold(1u64, |width, size| width.checked_mul(size.as_u64()?).filter(|width| *width <= WIDTH_MAX));
        let mut names = Vec::new();
        flatten(value.get("names").unwrap_or(&Value::Null), &mut names);
        let info = value.get("info").or_else(|| value.get("video_info")).and_then(Value::as_object);
        let info = info.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), plain(value)?))).collect();
        Ok(Self {
            key: key.to_owned(),
            dtype: dtype.to_owned(),
            width: width.ok_or_else(|| bad("shape: expected whole numbers"))?,
            names,
            info,
        })
    }

    /// Whether its pictures are in mp4 files.
    pub(super) fn is_video(&self) -> bool {
        self.dtype == "video"
    }

    /// Whether its pictures are distances.
    pub(super) fn is_depth(&self) -> bool {
        ["is_depth_map", "video.is_depth_map"].iter().any(|key| self.info.get(*key).is_some_and(|text| text == "true"))
    }
}

/// Names stand in a list, in a list of lists, or under keys (`{"motors": [...]}`).
fn flatten(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(name) => out.push(name.clone()),
        Value::Array(list) => list.iter().for_each(|value| flatten(value, out)),
        // Several lists would have to be in an order that JSON does not have.
        Value::Object(map) if map.len() == 1 => map.values().for_each(|value| flatten(value, out)),
        _ => {}
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expect: Result<&str, &str>) {
        let found = fill(template, &[("chunk_index", 2), ("file_index", 1234)], "observation.images.head");
        match (found, expect) {
            (Ok(path), Ok(expect)) => assert_eq!(path, Path::new(expect)),
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (found, expect) => panic!("{template}: {found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn paths_are_filled_and_stay_inside() {
        check("data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet", Ok("data/chunk-002/file-1234.parquet"));
        check("videos/{video_key}/{chunk_index}.mp4", Ok("videos/observation.images.head/2.mp4"));
        check("../{file_index}", Err("leads out"));
        check("/etc/{file_index}", Err("leads out"));
        check("{file_index:99d}", Err("format"));
        check("{file_index:x}", Err("format"));
        check("{episode_index}", Err("{episode_index} is not known"));
        check("{file_index", Err("without }"));
    }

    #[track_caller]
    fn check_info(text: &str, part: &str) {
        let value: Value = serde_json::from_str(text).unwrap();
        let error = Info::parse(Path::new("d"), value.as_object().unwrap()).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        check_info(r#"{}"#, "codebase_version is missing");
        check_info(r#"{"codebase_version": "v4.0"}"#, r#""v4.0": this program reads v2.1 and v3.0"#);
        check_info(r#"{"codebase_version": "v3.0", "storage_format": "lance"}"#, "lance");
        check_info(r#"{"codebase_version": "v3.0", "fps": 30}"#, "features are missing");
        check_info(r#"{"codebase_version": "v2.1", "fps": 30, "features": {}}"#, "chunks_size");
        check_info(r#"{"codebase_version": "v3.0", "fps": 0, "features": {}}"#, "fps");
        check_info(
            r#"{"codebase_version": "v3.0", "fps": 30, "features": {"a": {"dtype": "float32", "shape": [-1]}}}"#,
            "feature a: shape",
        );
        check_info(r#"{"codebase_version": "v3.0", "fps": 30, "features": {"a": {"dtype": "f", "shape": [1099511627776, 9]}}}"#, "shape");
    }

    #[test]
    fn names_are_found_however_they_are_nested() {
        for names in [r#"["a", "b"]"#, r#"[["a", "b"]]"#, r#"{"motors": ["a", "b"]}"#] {
            let value = format!(r#"{{"dtype": "float32", "shape": [2], "names": {names}}}"#);
            let feature = Feature::parse("x", &serde_json::from_str(&value).unwrap()).unwrap();
            assert_eq!((feature.names.join(" ").as_str(), feature.width), ("a b", 2));
        }
        let unordered = r#"{"dtype": "float32", "shape": [2], "names": {"right": ["a"], "left": ["b"]}}"#;
        assert!(Feature::parse("x", &serde_json::from_str(unordered).unwrap()).unwrap().names.is_empty());
    }
}
