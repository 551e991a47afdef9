//! The cameras of a robot: where their pictures are and where they sit.

use std::collections::BTreeMap;

use sanqu_model::StreamEntry;
use sanqu_robot::{CameraMount, RobotModel};
use sanqu_wire::{ENCODING_AV1, ENCODING_H264, ENCODING_JPEG, ENCODING_PNG};

use super::Source;
use crate::cameras::{CameraRecord, FrameSource, Mount};
use crate::lane::Lane;

/// Width by height of pictures whose size nobody says.
const ASPECT: f32 = 4.0 / 3.0;
/// Aspects outside are taken for mistakes.
const ASPECT_RANGE: (f32, f32) = (0.2, 5.0);

/// The cameras among the lanes of robot `robot`, which begin at `first_lane`.
pub(super) fn find(source: &Source<'_>, (model, mounts): (&RobotModel, &[CameraMount]), lanes: (usize, &[Lane])) -> Vec<CameraRecord> {
    let (first_lane, lanes) = lanes;
    let cameras = lanes.iter().enumerate().filter_map(|(index, lane)| Some((index, lane, lane.stream.strip_prefix("camera/")?)));
    cameras
        .filter_map(|(index, lane, name)| {
            let stream = source.episode.stream(&source.entry.robot, &lane.stream)?;
            let mount = mounts.iter().find(|mount| mount.name == name).and_then(|mount| placed(&stream.facts, model, mount));
            Some(CameraRecord {
                robot: lane.robot,
                lane: first_lane + index,
                source: pictures(source, stream),
                mount,
                aspect: aspect(&stream.facts),
            })
        })
        .collect()
}

fn pictures(source: &Source<'_>, stream: &StreamEntry) -> FrameSource {
    let rows = || Box::new((source.episode.clone(), stream.clone()));
    match (stream.encoding.as_str(), source.episode.file(stream, "mp4")) {
        (ENCODING_H264, Some(path)) => FrameSource::Film(path),
        (ENCODING_AV1, _) => FrameSource::Av1(rows()),
        (ENCODING_JPEG | ENCODING_PNG, _) => FrameSource::Stills(rows()),
        (other, _) => FrameSource::Unreadable(format!("{other}: this version shows H.264, AV1, JPEG and PNG")),
    }
}

/// The mount of the description, with the field of view that the stream itself says, if it does.
pub(crate) fn placed(facts: &BTreeMap<String, String>, model: &RobotModel, mount: &CameraMount) -> Option<Mount> {
    let said = facts.get("fov_rad").and_then(|text| text.parse().ok());
    let fov_rad: f64 = said.unwrap_or(mount.fov_rad);
    let sensible = fov_rad > 0.0 && fov_rad < std::f64::consts::PI;
    let link = model.link_index(&mount.link).filter(|_| sensible)?;
    Some(Mount { link, link_from_camera: mount.link_from_camera(), fov_rad, assumed: !mount.assumed.is_empty() })
}

/// Width by height of a camera's pictures, as far as its stream says.
pub(crate) fn aspect(facts: &BTreeMap<String, String>) -> f32 {
    let fact = |name: &str| facts.get(name).and_then(|text| text.parse::<f32>().ok());
    let aspect = fact("width").zip(fact("height")).map(|(width, height)| width / height);
    aspect.filter(|aspect| (ASPECT_RANGE.0..=ASPECT_RANGE.1).contains(aspect)).unwrap_or(ASPECT)
}
