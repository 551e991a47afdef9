use bevy::math::primitives::Annulus;
use bevy::prelude::{
    Assets, Circle, Color, Commands, Cuboid, Cylinder, Mesh, Mesh3d, MeshBuilder, MeshMaterial3d, Meshable, Plane3d, Res, ResMut, Sphere,
    StandardMaterial, Transform, Vec2, Vec3,
};
use nalgebra::{Isometry3, Translation3, UnitQuaternion};

use super::furniture::{Form, Piece, furniture};
use super::layout::{Area, world_from_station, zone_areas};
use crate::frame::{bevy_from_world, bevy_point, bevy_size, narrow};
use crate::replay::Replay;

const FLOOR_RGB: [f32; 3] = [0.80, 0.81, 0.82];
const FLOOR_HALF_M: f32 = 120.0;
/// Layers above each other, so that none flickers through the next, m.
const ZONE_LIFT_M: f64 = 0.004;
const PAD_LIFT_M: f64 = 0.008;
const PAD_RADIUS_M: f32 = 0.52;
const PAD_RING_M: f32 = 0.035;
const BORDER_M: f64 = 0.06;
const FACETS: u32 = 64;

/// Meshes and materials while the scene is built.
pub(super) struct Builder<'a, 'w, 's> {
    pub(super) commands: &'a mut Commands<'w, 's>,
    pub(super) meshes: &'a mut Assets<Mesh>,
    pub(super) materials: &'a mut Assets<StandardMaterial>,
}

impl Builder<'_, '_, '_> {
    fn put(&mut self, mesh: Mesh, material: StandardMaterial, transform: Transform) {
        let (mesh, material) = (self.meshes.add(mesh), self.materials.add(material));
        self.commands.spawn((Mesh3d(mesh), MeshMaterial3d(material), transform));
    }

    fn flat(&mut self, area: &Area, lift_m: f64, rgb: [f32; 3]) {
        let [x, y] = area.centre();
        let [dx, dy] = area.size();
        let mesh = Plane3d::new(Vec3::Y, Vec2::new(narrow(dx), narrow(dy)) / 2.0).mesh().build();
        self.put(mesh, matt(rgb), Transform::from_translation(bevy_point([x, y, lift_m])));
    }

    fn piece(&mut self, world_from_station: &Isometry3<f64>, piece: &Piece) {
        let [roll, pitch, yaw] = piece.rpy;
        let local = Isometry3::from_parts(Translation3::from(piece.at), UnitQuaternion::from_euler_angles(roll, pitch, yaw));
        let mut transform = bevy_from_world(&(world_from_station * local));
        let mesh = match piece.form {
            Form::Block(size) => Cuboid::from_size(bevy_size(size)).mesh().build(),
            Form::Tube(radius, length) => Cylinder::new(narrow(radius), narrow(length)).mesh().resolution(FACETS / 2).build(),
            Form::Ball(half) => {
                transform.scale = bevy_size(half);
                Sphere::new(1.0).mesh().uv(FACETS / 2, FACETS / 4)
            }
        };
        let [r, g, b] = piece.rgb;
        let base_color = Color::srgb(r, g, b);
        let emissive = base_color.to_linear() * piece.glow;
        self.put(mesh, StandardMaterial { base_color, perceptual_roughness: piece.roughness, emissive, ..Default::default() }, transform);
    }
}

fn matt([r, g, b]: [f32; 3]) -> StandardMaterial {
    StandardMaterial { base_color: Color::srgb(r, g, b), perceptual_roughness: 0.95, reflectance: 0.15, ..Default::default() }
}

/// Lays the floor, the zones and the stations with their furniture.
pub(super) fn build_floor(
    mut commands: Commands<'_, '_>,
    replay: Res<'_, Replay>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<StandardMaterial>>,
) {
    let mut builder = Builder { commands: &mut commands, meshes: &mut meshes, materials: &mut materials };
    builder.put(Plane3d::new(Vec3::Y, Vec2::splat(FLOOR_HALF_M)).mesh().build(), matt(FLOOR_RGB), Transform::default());
    for (zone, area) in replay.field.zones.iter().zip(zone_areas(&replay.field)) {
        let inner = Area { min: area.min.map(|v| v + BORDER_M), max: area.max.map(|v| v - BORDER_M) };
        builder.flat(&area, ZONE_LIFT_M / 2.0, zone.colour.map(|c| c * 0.75));
        builder.flat(&inner, ZONE_LIFT_M, zone.colour.map(|c| 0.55 * c + 0.38));
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
}

fn pad(builder: &mut Builder<'_, '_, '_>, frame: &Isometry3<f64>, rgb: [f32; 3]) {
    let flat = Transform::from_rotation(bevy::math::Quat::from_rotation_x(-std::f32::consts::FRAC_PI_2));
    let at = |lift: f64| flat.with_translation(bevy_from_world(frame).translation + bevy_point([0.0, 0.0, lift]));
    builder.put(Circle::new(PAD_RADIUS_M).mesh().resolution(FACETS).build(), matt(rgb.map(|c| 0.25 * c + 0.68)), at(PAD_LIFT_M));
    let ring = Annulus::new(PAD_RADIUS_M - PAD_RING_M, PAD_RADIUS_M).mesh().resolution(FACETS).build();
    builder.put(ring, matt(rgb.map(|c| c * 0.6)), at(PAD_LIFT_M + 0.002));
}
