use bevy::prelude::{Assets, Commands, Font, Handle, ResMut, Resource};

/// Noto Sans SC, cut to ASCII and GB 2312; see `assets/fonts/SOURCE.md`.
const FONT_BYTES: &[u8] = include_bytes!("../../../../assets/fonts/NotoSansSC-Regular-subset.otf");

/// The font of all texts.
#[derive(Resource, Clone, Debug)]
pub struct ReplayFont(pub Handle<Font>);

pub(crate) fn load_font(mut commands: Commands<'_, '_>, mut fonts: ResMut<'_, Assets<Font>>) {
    commands.insert_resource(ReplayFont(fonts.add(Font::from_bytes(FONT_BYTES.to_vec()))));
}
