//! A link's visuals as rerun shapes.

use nalgebra::{Isometry3, Translation3};
use re_sdk::{EntityPath, RecordingStream, RecordingStreamResult};
use re_sdk_types::archetypes::{Boxes3D, Capsules3D, CoordinateFrame, Cylinders3D, Ellipsoids3D};
use re_sdk_types::components::{Color, FillMode};
use sanqu_robot::{Shape, Visual};

/// Colour of a visual without one.
const DEFAULT_RGBA: [f32; 4] = [0.78, 0.79, 0.81, 1.0];

/// Poses, colours and sizes of all shapes of one kind.
struct Kind<S> {
    centres: Vec<[f32; 3]>,
    quaternions: Vec<[f32; 4]>,
    colours: Vec<Color>,
    sizes: Vec<S>,
}

impl<S> Kind<S> {
    fn of(visuals: &[Visual], pick: impl Fn(&Visual) -> Option<(Isometry3<f64>, S)>) -> Option<Self> {
        let mut kind = Self { centres: Vec::new(), quaternions: Vec::new(), colours: Vec::new(), sizes: Vec::new() };
        for visual in visuals {
            let Some((pose, size)) = pick(visual) else { continue };
            kind.centres.push(translation(&pose));
            kind.quaternions.push(quaternion(&pose));
            kind.colours.push(colour(visual.rgba.unwrap_or(DEFAULT_RGBA)));
            kind.sizes.push(size);
        }
        if kind.sizes.is_empty() { None } else { Some(kind) }
    }
}

/// Logs `visuals` at `path` in the coordinate frame `frame`, once and for all times. Mesh files are left out.
pub(crate) fn log_link(stream: &RecordingStream, path: &EntityPath, frame: &str, visuals: &[Visual]) -> RecordingStreamResult<()> {
    stream.log_static(path.clone(), &CoordinateFrame::new(frame))?;
    let boxes = Kind::of(visuals, |visual| match visual.shape {
        Shape::Box { size_m } => Some((visual.link_from_visual, size_m.map(|edge| narrow(edge / 2.0)))),
        _ => None,
    });
    if let Some(kind) = boxes {
        let shapes = Boxes3D::from_centers_and_half_sizes(kind.centres, kind.sizes).with_quaternions(kind.quaternions);
        stream.log_static(path.clone(), &shapes.with_colors(kind.colours).with_fill_mode(FillMode::Solid))?;
    }
    let cylinders = Kind::of(visuals, |visual| match visual.shape {
        Shape::Cylinder { radius_m, length_m } => Some((visual.link_from_visual, (narrow(length_m), narrow(radius_m)))),
        _ => None,
    });
    if let Some(kind) = cylinders {
        let (lengths, radii): (Vec<f32>, Vec<f32>) = kind.sizes.into_iter().unzip();
        let shapes = Cylinders3D::from_lengths_and_radii(lengths, radii).with_centers(kind.centres).with_quaternions(kind.quaternions);
        stream.log_static(path.clone(), &shapes.with_colors(kind.colours).with_fill_mode(FillMode::Solid))?;
    }
    let capsules = Kind::of(visuals, |visual| match visual.shape {
        Shape::Capsule { radius_m, length_m } => {
            // rerun's capsule begins at its frame, ours is centred on it.
            let begin = visual.link_from_visual * Translation3::new(0.0, 0.0, -length_m / 2.0);
            Some((begin, (narrow(length_m), narrow(radius_m))))
        }
        _ => None,
    });
    if let Some(kind) = capsules {
        let (lengths, radii): (Vec<f32>, Vec<f32>) = kind.sizes.into_iter().unzip();
        let shapes = Capsules3D::from_lengths_and_radii(lengths, radii).with_translations(kind.centres).with_quaternions(kind.quaternions);
        stream.log_static(path.clone(), &shapes.with_colors(kind.colours).with_fill_mode(FillMode::Solid))?;
    }
    let balls = Kind::of(visuals, |visual| match visual.shape {
        Shape::Sphere { radius_m } => Some((visual.link_from_visual, narrow(radius_m))),
        _ => None,
    });
    if let Some(kind) = balls {
        let shapes = Ellipsoids3D::from_centers_and_radii(kind.centres, kind.sizes);
        stream.log_static(path.clone(), &shapes.with_colors(kind.colours).with_fill_mode(FillMode::Solid))?;
    }
    Ok(())
}

/// Metres for rerun.
pub(crate) fn translation(pose: &Isometry3<f64>) -> [f32; 3] {
    [pose.translation.x, pose.translation.y, pose.translation.z].map(narrow)
}

/// x, y, z, w for rerun.
pub(crate) fn quaternion(pose: &Isometry3<f64>) -> [f32; 4] {
    let q = pose.rotation.coords;
    [q.x, q.y, q.z, q.w].map(narrow)
}

#[expect(clippy::cast_possible_truncation, reason = "rerun draws in f32; the recorder keeps the f64 values")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255 before")]
fn colour(rgba: [f32; 4]) -> Color {
    let [r, g, b, a] = rgba.map(|part| (part.clamp(0.0, 1.0) * 255.0).round() as u8);
    Color::from_unmultiplied_rgba(r, g, b, a)
}
