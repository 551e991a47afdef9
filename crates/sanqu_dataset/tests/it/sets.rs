//! Small LeRobot datasets of form v2.1, as other people write them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use sanqu_store::mp4::{Mp4Reader, Mp4Writer};
use sanqu_wire::h264;
use serde_json::json;

use crate::recording::{Camera, HEIGHT, Recording, WIDTH};

pub(crate) const ROWS: usize = 30;
pub(crate) const CAMERA: &str = "observation.images.cam_high";

/// A dataset of three joints (two of a G1's) and one camera.
pub(crate) struct Set {
    pub(crate) root: PathBuf,
    units: Vec<Vec<u8>>,
}

/// The value of a row's joint.
pub(crate) fn value(episode: usize, row: usize, joint: usize) -> f32 {
    (episode * 1000 + row * 10 + joint) as f32 / 7.0
}

impl Set {
    /// A folder below `dir` with `episodes` episodes of [`ROWS`] rows.
    pub(crate) fn new(dir: &Path, episodes: usize) -> Self {
        // Frames of a recording, from a keyframe on.
        let cameras = vec![Camera { name: "head", phase_ns: 0, lost: vec![] }];
        let recorded =
            Recording { cameras, secs: 1, number: 90, ..Recording::default() }.seal(&crate::recording::store(&dir.join("frames")));
        let manifest = recorded.manifest();
        let camera = manifest.streams.iter().find(|stream| stream.stream.as_str() == "camera/head").unwrap();
        let film = Mp4Reader::open(&recorded.file(camera, "mp4").unwrap()).unwrap();
        let units = (0..ROWS).map(|index| film.frame(index).unwrap()).collect();
        let set = Self { root: dir.join("set"), units };
        std::fs::create_dir_all(set.root.join("meta")).unwrap();
        set.info(|_| ());
        set.text("meta/tasks.jsonl", "{\"task_index\": 0, \"task\": \"fold the cloth\"}\n{\"task_index\": 1, \"task\": \"wave\"}\n");
        let line = |episode| format!("{{\"episode_index\": {episode}, \"tasks\": [\"fold the cloth\"], \"length\": {ROWS}}}\n");
        set.text("meta/episodes.jsonl", &(0..episodes).map(line).collect::<String>());
        for episode in 0..episodes {
            set.rows(episode, |_| ());
            set.film(episode, ROWS);
        }
        set
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn text(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes `meta/info.json`, changed by `change`.
    pub(crate) fn info(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let vector = json!({"dtype": "float32", "shape": [3], "names": [["kLeftElbow", "kWaistYaw", "kLeftHandPinky"]]});
        let scalar = |dtype: &str| json!({"dtype": dtype, "shape": [1], "names": null});
        let mut info = json!({
            "codebase_version": "v2.1", "robot_type": "Unitree_G1_Inspire", "fps": 30, "chunks_size": 1000,
            "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
            "features": {
                "observation.state": vector, "action": vector, "next.reward": scalar("float32"), "subtask": scalar("string"),
                "timestamp": scalar("float32"), "frame_index": scalar("int64"), "episode_index": scalar("int64"),
                "index": scalar("int64"), "task_index": scalar("int64"),
            },
        });
        info["features"][CAMERA] = json!({"dtype": "video", "shape": [HEIGHT, WIDTH, 3], "info": {"video.codec": "h264"}});
        change(&mut info);
        self.text("meta/info.json", &info.to_string());
    }

    /// Writes an episode's rows, its columns changed by `change`.
    pub(crate) fn rows(&self, episode: usize, change: impl FnOnce(&mut Vec<(&'static str, ArrayRef)>)) {
        let vector = |offset: usize| -> ArrayRef {
            let rows = (0..ROWS).map(|row| Some((0..3).map(|joint| Some(value(episode, row + offset, joint))).collect::<Vec<_>>()));
            Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, 3))
        };
        let integers =
            |f: &dyn Fn(usize) -> usize| -> ArrayRef { Arc::new((0..ROWS).map(|row| i64::try_from(f(row)).ok()).collect::<Int64Array>()) };
        let floats = |f: &dyn Fn(usize) -> f32| -> ArrayRef { Arc::new((0..ROWS).map(|row| Some(f(row))).collect::<Float32Array>()) };
        let mut columns = vec![
            ("observation.state", vector(0)),
            ("action", vector(1)),
            ("next.reward", floats(&|row| row as f32)),
            ("subtask", Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| if row < 9 { "reach" } else { "lift" }))) as ArrayRef),
            ("timestamp", floats(&|row| row as f32 / 30.0)),
            ("frame_index", integers(&|row| row)),
            ("episode_index", integers(&|_| episode)),
            ("index", integers(&|row| episode * ROWS + row)),
            ("task_index", integers(&|_| 0)),
        ];
        change(&mut columns);
        let path = self.path(&format!("data/chunk-000/episode_{episode:06}.parquet"));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    /// The file of an episode's film.
    pub(crate) fn film_path(&self, episode: usize) -> PathBuf {
        self.path(&format!("videos/chunk-000/{CAMERA}/episode_{episode:06}.mp4"))
    }

    /// Writes an episode's film of `frames` frames.
    pub(crate) fn film(&self, episode: usize, frames: usize) {
        let (sps, pps) = h264::parameter_sets(&self.units[0]).unwrap();
        let [width, height] = [WIDTH, HEIGHT].map(|n| u32::try_from(n).unwrap());
        let mut writer = Mp4Writer::create(&self.film_path(episode), width, height, sps, pps, 15360).unwrap();
        for (unit, n) in self.units.iter().take(frames).zip(0..) {
            writer.push(unit, n * 512, h264::is_keyframe(unit)).unwrap();
        }
        writer.finish().unwrap();
    }

    /// The access units of every film.
    pub(crate) fn units(&self) -> &[Vec<u8>] {
        &self.units
    }
}
