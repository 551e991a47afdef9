//! The features of a dataset: what `meta/info.json` and the Parquet schema both say.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// The number types that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    /// 32-bit float.
    Float32,
    /// 64-bit integer.
    Int64,
    /// A camera; its pictures are in mp4 files.
    Video,
}

impl Dtype {
    fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Int64 => "int64",
            Self::Video => "video",
        }
    }
}

/// One feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Feature {
    /// `observation.state`, `timestamp`, …
    pub(super) key: String,
    /// Its number type.
    pub(super) dtype: Dtype,
    /// Its shape: `[n]`, or height, width, channels.
    pub(super) shape: Vec<usize>,
    /// Names of the elements.
    pub(super) names: Option<Vec<String>>,
    /// What is said about a video.
    pub(super) info: Option<Value>,
}

impl Feature {
    /// A vector of float32 with named elements.
    pub(super) fn vector(key: &str, names: &[String]) -> Self {
        Self { key: key.into(), dtype: Dtype::Float32, shape: vec![names.len()], names: Some(names.to_vec()), info: None }
    }

    /// One number a row.
    pub(super) fn scalar(key: impl Into<String>, dtype: Dtype) -> Self {
        Self { key: key.into(), dtype, shape: vec![1], names: None, info: None }
    }

    /// A camera of H.264 pictures.
    pub(super) fn camera(name: &str, [width, height]: [u32; 2], fps: u32) -> Self {
        let names = ["height", "width", "channels"].map(str::to_owned).to_vec();
        let shape = [height, width, 3].iter().filter_map(|n| usize::try_from(*n).ok()).collect();
        let info = json!({
            "video.height": height, "video.width": width, "video.codec": "h264", "video.pix_fmt": "yuv420p", "video.fps": fps,
            "video.channels": 3, "has_audio": false, "is_depth_map": false,
        });
        Self { key: camera_key(name), dtype: Dtype::Video, shape, names: Some(names), info: Some(info) }
    }

    /// Values a row.
    pub(super) fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// The Arrow field; none for videos.
    fn field(&self) -> Option<Field> {
        let value = match self.dtype {
            Dtype::Float32 => DataType::Float32,
            Dtype::Int64 => DataType::Int64,
            Dtype::Video => return None,
        };
        let list = |size| DataType::FixedSizeList(Arc::new(Field::new("element", value.clone(), true)), size);
        let arrow = match i32::try_from(self.width()) {
            Ok(1) | Err(_) => value.clone(),
            Ok(size) => list(size),
        };
        Some(Field::new(&self.key, arrow, true))
    }

    /// How Hugging Face's `datasets` names the column's type.
    fn hugging_face(&self) -> HuggingFace {
        let value = ValueType { dtype: self.dtype.name(), r#type: "Value" };
        match self.width() {
            1 => HuggingFace::Scalar(value),
            length => HuggingFace::List { feature: value, length, r#type: "List" },
        }
    }
}

/// The feature of a camera.
pub(super) fn camera_key(name: &str) -> String {
    format!("observation.images.{name}")
}

impl Serialize for Feature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Feature", 3 + usize::from(self.info.is_some()))?;
        out.serialize_field("dtype", self.dtype.name())?;
        out.serialize_field("shape", &self.shape)?;
        out.serialize_field("names", &self.names)?;
        if let Some(info) = &self.info {
            out.serialize_field("info", info)?;
        }
        out.end()
    }
}

#[derive(Serialize)]
struct ValueType {
    dtype: &'static str,
    #[serde(rename = "_type")]
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum HuggingFace {
    Scalar(ValueType),
    List {
        feature: ValueType,
        length: usize,
        #[serde(rename = "_type")]
        r#type: &'static str,
    },
}

/// The features of a dataset in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// All of them, the five fixed ones last.
    pub(super) features: Vec<Feature>,
}

impl Layout {
    /// The features that are Parquet columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Feature> {
        self.features.iter().filter(|feature| feature.dtype != Dtype::Video)
    }

    /// The schema of `data/*.parquet`, with the metadata that `datasets` reads.
    ///
    /// # Errors
    /// Those of `serde_json`, which this content cannot cause.
    pub(super) fn schema(&self) -> Result<Arc<Schema>, serde_json::Error> {
        #[derive(Serialize)]
        struct Info {
            features: Ordered<HuggingFace>,
        }
        #[derive(Serialize)]
        struct Meta {
            info: Info,
        }
        let features = Ordered(self.columns().map(|feature| (feature.key.clone(), feature.hugging_face())).collect());
        let meta = HashMap::from([("huggingface".to_owned(), serde_json::to_string(&Meta { info: Info { features } })?)]);
        Ok(Arc::new(Schema::new_with_metadata(self.columns().filter_map(Feature::field).collect::<Vec<_>>(), meta)))
    }
}

impl Serialize for Layout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.features.iter().map(|feature| (&feature.key, feature)))
    }
}

/// A JSON object that keeps the order of its keys.
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_what_the_loader_expects() {
        let layout = Layout {
            features: vec![
                Feature::vector("observation.state", &["a.pos".into(), "b.pos".into()]),
                Feature::camera("head", [320, 240], 30),
                Feature::scalar("timestamp", Dtype::Float32),
            ],
        };
        let schema = layout.schema().unwrap();
        assert_eq!(schema.fields().len(), 2);
        assert_eq!(
            schema.metadata()["huggingface"],
            r#"{"info":{"features":{"observation.state":{"feature":{"dtype":"float32","_type":"Value"},"length":2,"_type":"List"},"timestamp":{"dtype":"float32","_type":"Value"}}}}"#
        );
        let info = serde_json::to_string(&layout).unwrap();
        assert!(info.contains(r#""shape":[240,320,3],"names":["height","width","channels"]"#), "{info}");
        assert!(info.contains(r#""timestamp":{"dtype":"float32","shape":[1],"names":null}"#), "{info}");
    }
}
