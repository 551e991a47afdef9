use bevy::light::{CascadeShadowConfigBuilder, DirectionalLight, DirectionalLightShadowMap, GlobalAmbientLight};
use bevy::prelude::{ClearColor, Color, Commands, Res, Transform, Vec3};

use super::Quality;
use super::floor::{FLOOR_RGB, sunlit};

/// The sky behind everything, sRGB.
pub const SKY_RGB: [f32; 3] = [0.74, 0.83, 0.91];

pub(super) fn build_light(mut commands: Commands<'_, '_>, quality: Res<'_, Quality>) {
    let [r, g, b] = if quality.shadows { SKY_RGB } else { sunlit(FLOOR_RGB) };
    commands.insert_resource(ClearColor(Color::srgb(r, g, b)));
    commands.insert_resource(GlobalAmbientLight { color: Color::srgb(0.88, 0.93, 1.0), brightness: 520.0, ..Default::default() });
    commands.insert_resource(DirectionalLightShadowMap { size: 2048 });
    // Sun from the front left, in full quality a weak light from the other side, so that no face is flat.
    let shadows =
        CascadeShadowConfigBuilder { num_cascades: 2, maximum_distance: 26.0, first_cascade_far_bound: 9.0, ..Default::default() };
    commands.spawn((
        DirectionalLight {
            illuminance: 7_200.0,
            color: Color::srgb(1.0, 0.97, 0.92),
            shadow_maps_enabled: quality.shadows,
            ..Default::default()
        },
        shadows.build(),
        Transform::from_translation(Vec3::new(3.0, 6.5, 3.5)).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    if quality.shadows {
        commands.spawn((
            DirectionalLight { illuminance: 1_600.0, color: Color::srgb(0.86, 0.92, 1.0), ..Default::default() },
            Transform::from_translation(Vec3::new(-4.0, 3.0, -2.0)).looking_at(Vec3::ZERO, Vec3::Y),
        ));
    }
}
