//! Meshes and paints of the parts, the grey of gaps, the translucent body, a lamp at the camera.

use std::collections::HashMap;

use bevy::asset::AssetId;
use bevy::camera::ShadowLodOrigin;
use bevy::light::{NotShadowCaster, NotShadowReceiver, PointLight};
use bevy::prelude::{
    Added, AlphaMode, Assets, ChildOf, Color, Commands, Component, Entity, Handle, Mesh, Mesh3d, MeshMaterial3d, Query, Res, ResMut,
    Resource, StandardMaterial, Transform, With, Without,
};

use super::moment::Moment;
use super::part::{Paint, PartName, XrayPart};
use super::subject::Subject;
use crate::body::LinkVisual;
use crate::camera::{Orbit, ReplayCamera};
use crate::robots::ReplayRobot;

/// Opacity of the body while one looks through it.
const GHOST_ALPHA: f32 = 0.095;
/// What its colours are mixed with.
const GHOST_RGB: [f32; 3] = [0.36, 0.46, 0.58];
/// How brightly the lamp lights the gear, lux.
const LAMP_LUX: f32 = 2400.0;

/// Materials of the paints, live and grey.
#[derive(Resource, Default)]
pub(super) struct Paints(HashMap<(Paint, bool), Handle<StandardMaterial>>);

impl Paints {
    fn handle(&mut self, paint: Paint, stale: bool, materials: &mut Assets<StandardMaterial>) -> Handle<StandardMaterial> {
        self.0.entry((paint, stale)).or_insert_with(|| materials.add(material(paint, stale))).clone()
    }
}

fn material(paint: Paint, stale: bool) -> StandardMaterial {
    let [r, g, b, a] = paint.rgba();
    let grey = 0.3 + 0.4 * (0.3 * r + 0.59 * g + 0.11 * b);
    let [r, g, b] = if stale { [grey; 3] } else { [r, g, b] };
    StandardMaterial {
        base_color: Color::srgba(r, g, b, a),
        perceptual_roughness: if stale { 0.95 } else { 0.55 },
        metallic: if matches!(paint, Paint::Race | Paint::Steel) && !stale { 0.35 } else { 0.0 },
        reflectance: if stale { 0.1 } else { 0.22 },
        alpha_mode: if a < 1.0 { AlphaMode::Blend } else { AlphaMode::Opaque },
        double_sided: a < 1.0,
        ..Default::default()
    }
}

/// Something painted: changes its coat when the drive goes grey.
#[derive(Component)]
pub(super) struct Coated {
    drive: usize,
    paint: Paint,
    stale: bool,
}

/// Parts of one shape share a mesh, so that they are drawn at once.
fn shape_of(part: PartName) -> PartName {
    match part {
        PartName::FlexsplineTooth(number) => PartName::FlexsplineTooth(number.min(1)),
        PartName::Ball(_) => PartName::Ball(0),
        PartName::Planet(stage, planet) => PartName::Planet(stage, planet.min(1)),
        PartName::Roller(number) => PartName::Roller(number.min(1)),
        PartName::RodEnd(_) => PartName::RodEnd(0),
        other => other,
    }
}

/// Gives new parts their meshes, paints and marks.
pub(super) fn dress(
    mut commands: Commands<'_, '_>,
    subject: Res<'_, Subject>,
    parts: Query<'_, '_, (Entity, &XrayPart), Added<XrayPart>>,
    mut paints: ResMut<'_, Paints>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<StandardMaterial>>,
) {
    let Some(shown) = &subject.shown else { return };
    let mut shapes: HashMap<(usize, PartName), Option<Handle<Mesh>>> = HashMap::new();
    for (entity, part) in &parts {
        let Some(layout) = shown.layouts.get(part.drive) else { continue };
        let shape = shapes.entry((part.drive, shape_of(part.name))).or_insert_with(|| layout.mesh(part.name).map(|mesh| meshes.add(mesh)));
        let Some(mesh) = shape.clone() else { continue };
        let mut coat = |paint: Paint| {
            let coated = Coated { drive: part.drive, paint, stale: false };
            (coated, MeshMaterial3d(paints.handle(paint, false, &mut materials)), NotShadowCaster, NotShadowReceiver)
        };
        commands.entity(entity).insert((Mesh3d(mesh), coat(layout.paint(part.name))));
        if let Some((mark, paint)) = layout.mark(part.name) {
            commands.spawn((Mesh3d(meshes.add(mark)), coat(paint), Transform::default(), ChildOf(entity)));
        }
    }
}

/// Greys drives that are not in the state that is drawn.
pub(super) fn grey(
    moment: Res<'_, Moment>,
    mut paints: ResMut<'_, Paints>,
    mut materials: ResMut<'_, Assets<StandardMaterial>>,
    mut coated: Query<'_, '_, (&mut Coated, &mut MeshMaterial3d<StandardMaterial>)>,
) {
    for (mut coat, mut material) in &mut coated {
        let stale = moment.is_stale(coat.drive);
        if coat.stale != stale {
            coat.stale = stale;
            material.0 = paints.handle(coat.paint, stale, &mut materials);
        }
    }
}

/// Translucent twins of the bodies' materials.
#[derive(Resource, Default)]
pub(super) struct Ghosts {
    of: HashMap<AssetId<StandardMaterial>, Handle<StandardMaterial>>,
    all: std::collections::HashSet<AssetId<StandardMaterial>>,
}

impl Ghosts {
    fn twin(&mut self, solid: &Handle<StandardMaterial>, materials: &mut Assets<StandardMaterial>) -> Option<Handle<StandardMaterial>> {
        if let Some(twin) = self.of.get(&solid.id()) {
            return Some(twin.clone());
        }
        let mut twin = materials.get(solid)?.clone();
        let colour = twin.base_color.to_srgba();
        let mixed = |own: f32, glass: f32| 0.4 * own + 0.6 * glass;
        let [r, g, b] = GHOST_RGB;
        twin.base_color = Color::srgba(mixed(colour.red, r), mixed(colour.green, g), mixed(colour.blue, b), GHOST_ALPHA * colour.alpha);
        twin.alpha_mode = AlphaMode::Blend;
        // Many layers lie over each other: light on each would cost much and hide what is inside.
        twin.unlit = true;
        let twin = materials.add(twin);
        self.all.insert(twin.id());
        self.of.insert(solid.id(), twin.clone());
        Some(twin)
    }
}

/// A body that one looks through, and its own material.
#[derive(Component)]
pub(super) struct Ghosted(Handle<StandardMaterial>);

type Body = (Entity, &'static LinkVisual, &'static mut MeshMaterial3d<StandardMaterial>, Option<&'static Ghosted>);

/// Makes the body of the robot that is looked into translucent, and solid again. It runs after whatever paints bodies.
pub(super) fn ghost(
    mut commands: Commands<'_, '_>,
    subject: Res<'_, Subject>,
    robots: Query<'_, '_, (Entity, &ReplayRobot)>,
    mut ghosts: ResMut<'_, Ghosts>,
    mut materials: ResMut<'_, Assets<StandardMaterial>>,
    mut bodies: Query<'_, '_, Body, Without<Coated>>,
) {
    let shown = subject.shown.as_ref().map(|shown| shown.joint.robot);
    let wanted = robots.iter().find(|(_, robot)| Some(robot.index) == shown).map(|(entity, _)| entity);
    for (entity, visual, mut material, ghosted) in &mut bodies {
        let is_ghost = ghosts.all.contains(&material.0.id());
        match (wanted == Some(visual.robot), ghosted) {
            (true, _) if !is_ghost => {
                let Some(twin) = ghosts.twin(&material.0, &mut materials) else { continue };
                commands.entity(entity).insert((Ghosted(material.0.clone()), NotShadowCaster, NotShadowReceiver));
                material.0 = twin;
            }
            (false, Some(solid)) => {
                if is_ghost {
                    material.0 = solid.0.clone();
                }
                commands.entity(entity).remove::<(Ghosted, NotShadowCaster, NotShadowReceiver)>();
            }
            _ => {}
        }
    }
}

/// The lamp at the camera.
#[derive(Component)]
pub(super) struct HeadLamp;

type Lamps<'w, 's> = Query<'w, 's, (Entity, &'static mut Transform, &'static mut PointLight), (With<HeadLamp>, Without<ReplayCamera>)>;

/// Lights what is looked into from beside the camera, whatever the sun does.
pub(super) fn head_lamp(
    mut commands: Commands<'_, '_>,
    subject: Res<'_, Subject>,
    orbit: Option<Res<'_, Orbit>>,
    cameras: Query<'_, '_, (Entity, &Transform), With<ReplayCamera>>,
    mut lamps: Lamps<'_, '_>,
) {
    let (Some(orbit), Ok((viewer, camera))) = (orbit, cameras.single()) else { return };
    let lit = subject.shown.is_some();
    let place = camera.translation + (camera.left() * 0.55 + camera.up() * 0.6) * orbit.distance_m;
    let reach = place.distance(orbit.target).max(0.05);
    let intensity = LAMP_LUX * 4.0 * std::f32::consts::PI * reach * reach;
    match lamps.single_mut() {
        Ok((entity, ..)) if !lit => commands.entity(entity).despawn(),
        Ok((_, mut transform, mut lamp)) => {
            transform.translation = place;
            (lamp.intensity, lamp.range) = (intensity, reach * 2.5);
        }
        Err(_) if lit => {
            let lamp = PointLight { intensity, range: reach * 2.5, shadow_maps_enabled: false, ..Default::default() };
            commands.spawn((HeadLamp, lamp, Transform::from_translation(place)));
            // bevy asks for it as soon as there is a lamp that is no sun.
            commands.entity(viewer).insert(ShadowLodOrigin);
        }
        Err(_) => {}
    }
}
