use bevy::math::primitives::Annulus;
use bevy::prelude::{
    Assets, Circle, Color, Commands, Handle, Image, Mesh, Mesh3d, MeshBuilder, MeshMaterial3d, Meshable, Plane3d, Res, ResMut, Sphere,
    StandardMaterial, Transform, Vec2, Vec3,
};
use nalgebra::{Isometry3, Translation3, UnitQuaternion};

use super::Quality;
use super::furniture::{Form, Piece, furniture};
use super::layout::{Area, world_from_station, zone_areas};
use super::round::{block, loft, tube};
use super::tile::{TILE_M, tile};
use crate::frame::{bevy_from_world, bevy_point, bevy_size, narrow};
use crate::replay::Replay;

/// The floor outside the zones, sRGB.
pub(super) const FLOOR_RGB: [f32; 3] = [0.74, 0.755, 0.77];
const FLOOR_HALF_M: f32 = 120.0;
/// Layers above each other, so that none flickers through the next, m.
const ZONE_LIFT_M: f64 = 0.004;
const PAD_LIFT_M: f64 = 0.008;
const PAD_RADIUS_M: f32 = 0.52;
const PAD_RING_M: f32 = 0.035;
const BORDER_M: f64 = 0.06;
const FACETS: u32 = 64;
/// Edges of furniture are this round, m.
const EDGE_RADIUS_M: f32 = 0.008;

/// The scene's bodies by their looks: everything that looks the same becomes one mesh, because each costs a draw.
#[derive(Default)]
struct Builder(Vec<(Look, Mesh)>);

/// What a body looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Look {
    rgb: [f32; 3],
    roughness: f32,
    metallic: f32,
    glow: f32,
    /// Part of the floor: matt, and without shading where pictures must be cheap.
    floor: bool,
}

impl Look {
    fn floor(rgb: [f32; 3]) -> Self {
        Self { rgb, roughness: 0.55, metallic: 0.0, glow: 0.0, floor: true }
    }

    /// The material; floors are tiled where pictures need not be cheap.
    fn material(&self, quality: Quality, tile: Handle<Image>) -> StandardMaterial {
        let unlit = self.floor && !quality.shadows;
        let [r, g, b] = if unlit { sunlit(self.rgb) } else { self.rgb };
        let base_color = Color::srgb(r, g, b);
        StandardMaterial {
            base_color,
            emissive: base_color.to_linear() * self.glow,
            base_color_texture: (self.floor && !unlit).then_some(tile),
            perceptual_roughness: self.roughness,
            metallic: self.metallic,
            reflectance: if self.floor { 0.22 } else { 0.5 },
            unlit,
            ..Default::default()
        }
    }
}

/// About how bright the sun makes a colour of the floor, sRGB.
pub(super) fn sunlit(rgb: [f32; 3]) -> [f32; 3] {
    rgb.map(|channel| (channel * 1.14).min(1.0))
}

impl Builder {
    fn put(&mut self, mesh: Mesh, look: Look, transform: Transform) {
        let mesh = mesh.transformed_by(transform);
        let same = self.0.iter_mut().find(|(other, _)| *other == look);
        // Meshes of our own making always have the same attributes; one that does not fit stays by itself.
        if same.is_none_or(|(_, all)| all.merge(&mesh).is_err()) {
            self.0.push((look, mesh));
        }
    }

    fn flat(&mut self, area: &Area, lift_m: f64, rgb: [f32; 3]) {
        let [x, y] = area.centre();
        let [dx, dy] = area.size();
        let mesh = Plane3d::new(Vec3::Y, Vec2::new(narrow(dx), narrow(dy)) / 2.0).mesh().build();
        self.put(mesh, Look::floor(rgb), Transform::from_translation(bevy_point([x, y, lift_m])));
    }

    fn piece(&mut self, world_from_station: &Isometry3<f64>, piece: &Piece) {
        let [roll, pitch, yaw] = piece.rpy;
        let local = Isometry3::from_parts(Translation3::from(piece.at), UnitQuaternion::from_euler_angles(roll, pitch, yaw));
        let mut transform = bevy_from_world(&(world_from_station * local));
        let mesh = match piece.form {
            Form::Block(size) => block(bevy_size(size), EDGE_RADIUS_M),
            Form::Cushion(size, radius) => block(bevy_size(size), narrow(radius)),
            Form::Tube(radius, length) => tube(narrow(radius), narrow(length), EDGE_RADIUS_M),
            Form::Loft(sections, exponent) => loft(sections, narrow(exponent)),
            Form::Ball(half) => {
                transform.scale = bevy_size(half);
                Sphere::new(1.0).mesh().uv(FACETS / 2, FACETS / 4)
            }
        };
        let look = Look { rgb: piece.rgb, roughness: piece.roughness, metallic: piece.metallic, glow: piece.glow, floor: false };
        self.put(mesh, look, transform);
    }
}

/// Lays the floor, the zones and the stations with their furniture.
pub(super) fn build_floor(
    mut commands: Commands<'_, '_>,
    replay: Res<'_, Replay>,
    quality: Res<'_, Quality>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<StandardMaterial>>,
    mut images: ResMut<'_, Assets<Image>>,
) {
    let mut builder = Builder::default();
    // Cheap pictures get the floor's colour as their background: shading it would cost more than everything else.
    if quality.shadows {
        builder.put(Plane3d::new(Vec3::Y, Vec2::splat(FLOOR_HALF_M)).mesh().build(), Look::floor(FLOOR_RGB), Transform::default());
    }
    for (zone, area) in replay.field.zones.iter().zip(zone_areas(&replay.field)) {
        let inner = Area { min: area.min.map(|v| v + BORDER_M), max: area.max.map(|v| v - BORDER_M) };
        builder.flat(&area, ZONE_LIFT_M / 2.0, zone.colour.map(|c| c * 0.75));
        builder.flat(&inner, ZONE_LIFT_M, zone.colour.map(|c| 0.66 * c + 0.24));
    }
    for place in replay.field.stations() {
        let frame = world_from_station(place.station);
        pad(&mut builder, &frame, place.zone.colour);
        for piece in furniture(place.scene.id.as_str()) {
            builder.piece(&frame, &piece);
        }
    }
    for record in &replay.robots {
        if replay.field.station(&record.station).is_none() {
            pad(&mut builder, &record.world_from_station, [0.5, 0.5, 0.5]);
        }
    }
    let tile = images.add(tile());
    for (look, mesh) in builder.0 {
        let mesh = if look.floor { tiled(mesh) } else { mesh };
        commands.spawn((Mesh3d(meshes.add(mesh)), MeshMaterial3d(materials.add(look.material(*quality, tile.clone())))));
    }
}

/// A floor whose tiles lie on one grid, whatever it is cut into.
fn tiled(mesh: Mesh) -> Mesh {
    let positions = mesh.attribute(Mesh::ATTRIBUTE_POSITION).and_then(|values| values.as_float3()).unwrap_or_default();
    let uvs: Vec<[f32; 2]> = positions.iter().map(|[x, _, z]| [x / TILE_M, z / TILE_M]).collect();
    mesh.with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, uvs)
}

fn pad(builder: &mut Builder, frame: &Isometry3<f64>, rgb: [f32; 3]) {
    let flat = Transform::from_rotation(bevy::math::Quat::from_rotation_x(-std::f32::consts::FRAC_PI_2));
    let at = |lift: f64| flat.with_translation(bevy_from_world(frame).translation + bevy_point([0.0, 0.0, lift]));
    builder.put(Circle::new(PAD_RADIUS_M).mesh().resolution(FACETS).build(), Look::floor(rgb.map(|c| 0.25 * c + 0.68)), at(PAD_LIFT_M));
    let ring = Annulus::new(PAD_RADIUS_M - PAD_RING_M, PAD_RADIUS_M).mesh().resolution(FACETS).build();
    builder.put(ring, Look::floor(rgb.map(|c| c * 0.6)), at(PAD_LIFT_M + 0.002));
}
