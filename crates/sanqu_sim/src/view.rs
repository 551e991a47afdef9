//! A pinhole camera that draws solids onto a canvas, farthest first.

use nalgebra::{Isometry3, Point3, Vector3};

use crate::canvas::{Canvas, Yuv};
use crate::solid::Solid;

/// Nothing nearer to the camera is drawn, m.
const NEAR_M: f64 = 0.02;

/// Direction towards the light, in the world.
const LIGHT: Vector3<f64> = Vector3::new(-0.36, 0.30, 0.88);

/// Something to draw, placed in the world.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'a> {
    /// The body.
    pub(crate) solid: &'a Solid,
    /// Where it is.
    pub(crate) world_from_solid: Isometry3<f64>,
    /// Lower layers are drawn first whatever their distance; layer 0 is the room that the camera is in.
    pub(crate) layer: u8,
}

/// Buffers that are reused from picture to picture.
#[derive(Default)]
pub(crate) struct Painter {
    order: Vec<(u8, f64, usize)>,
    seen: Vec<Point3<f64>>,
    clipped: Vec<Point3<f64>>,
    pixels: Vec<[f32; 2]>,
}

impl Painter {
    /// Draws all things.
    ///
    /// * `camera_from_world`: the camera's own frame has x right, y down, z forward.
    /// * `focal_px`: focal length in pixels; the optical axis meets the middle of the picture.
    pub(crate) fn draw(&mut self, canvas: &mut Canvas, things: &[Placed<'_>], camera_from_world: &Isometry3<f64>, focal_px: f64) {
        self.order.clear();
        for (index, thing) in things.iter().enumerate() {
            let middle = camera_from_world * (thing.world_from_solid * thing.solid.centre);
            let inside = thing.layer > 0 && middle.coords.norm() < thing.solid.radius * 0.9;
            if middle.z + thing.solid.radius > NEAR_M && !inside {
                self.order.push((thing.layer, middle.coords.norm(), index));
            }
        }
        self.order.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
        for place in 0..self.order.len() {
            let (_, _, index) = self.order[place];
            self.solid(canvas, &things[index], camera_from_world, focal_px);
        }
    }

    fn solid(&mut self, canvas: &mut Canvas, thing: &Placed<'_>, camera_from_world: &Isometry3<f64>, focal_px: f64) {
        let camera_from_solid = camera_from_world * thing.world_from_solid;
        let eye = camera_from_solid.inverse_transform_point(&Point3::origin());
        let light = thing.world_from_solid.inverse_transform_vector(&LIGHT);
        // The room is lit from everywhere, or its ceiling would be black.
        let (ambient, direct) = if thing.layer == 0 { (0.92, 0.08) } else { (0.6, 0.4) };
        for face in &thing.solid.faces {
            if face.normal.dot(&(eye - face.corners[0])) <= 0.0 {
                continue;
            }
            self.seen.clear();
            self.seen.extend(face.corners.iter().map(|corner| camera_from_solid * corner));
            self.clip_near();
            self.project(canvas, focal_px);
            #[expect(clippy::cast_possible_truncation, reason = "a brightness between 0 and 1")]
            let shade = (ambient + direct * face.normal.dot(&light)).max(0.35) as f32;
            canvas.fill_convex(&self.pixels, Yuv::from_rgb(face.rgb.map(|c| c * shade)));
        }
    }

    /// Cuts what lies behind the near plane off the polygon in `seen`; the rest is in `clipped`.
    fn clip_near(&mut self) {
        self.clipped.clear();
        let Some(mut from) = self.seen.last().copied() else { return };
        for to in &self.seen {
            if (from.z < NEAR_M) != (to.z < NEAR_M) {
                let part = (NEAR_M - from.z) / (to.z - from.z);
                self.clipped.push(from + (to - from) * part);
            }
            if to.z >= NEAR_M {
                self.clipped.push(*to);
            }
            from = *to;
        }
    }

    fn project(&mut self, canvas: &Canvas, focal_px: f64) {
        self.pixels.clear();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "pixels of a picture; f32 is enough to fill polygons"
        )]
        self.pixels.extend(self.clipped.iter().map(|p| {
            let (x, y) = (p.x / p.z * focal_px, p.y / p.z * focal_px);
            [(x + canvas.width() as f64 / 2.0) as f32, (y + canvas.height() as f64 / 2.0) as f32]
        }));
    }
}
