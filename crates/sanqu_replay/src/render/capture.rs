//! From the renderer's picture to bytes.

use std::sync::{Arc, Mutex, PoisonError};

use bevy::app::SubApp;
use bevy::asset::Handle;
use bevy::ecs::schedule::IntoScheduleConfigs;
use bevy::image::Image;
use bevy::math::UVec2;
use bevy::prelude::{Res, Resource};
use bevy::render::render_asset::RenderAssets;
use bevy::render::render_resource::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoderDescriptor, MapMode, PollType, TexelCopyBufferInfo, TexelCopyBufferLayout,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::render::{Render, RenderSystems};

/// Bytes of a pixel: red, green, blue, opacity.
pub(super) const PIXEL_BYTES: usize = 4;

/// One picture: rows from the top, 4 bytes a pixel (sRGB and opacity).
pub(super) type Pixels = Vec<u8>;

/// Asks for a picture of the next frame and takes it.
#[derive(Clone, Default)]
pub(super) struct Shutter(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Wanted,
    Taken(Result<Pixels, String>),
}

impl Shutter {
    fn swap(&self, next: State) -> State {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), next)
    }

    pub(super) fn press(&self) {
        self.swap(State::Wanted);
    }

    pub(super) fn take(&self) -> Option<Result<Pixels, String>> {
        match self.swap(State::Idle) {
            State::Taken(picture) => Some(picture),
            State::Idle | State::Wanted => None,
        }
    }
}

#[derive(Resource)]
struct Copier {
    shutter: Shutter,
    image: Handle<Image>,
    buffer: Buffer,
    size: UVec2,
}

/// Has `image` copied out of the render world whenever the shutter is pressed.
pub(super) fn install(render_app: &mut SubApp, image: Handle<Image>, size: UVec2) -> Shutter {
    let shutter = Shutter::default();
    let device = render_app.world().resource::<RenderDevice>();
    let bytes = u64::from(row_bytes(size)) * u64::from(size.y);
    let buffer = device.create_buffer(&BufferDescriptor {
        label: Some("replay picture"),
        size: bytes,
        usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    render_app.insert_resource(Copier { shutter: shutter.clone(), image, buffer, size });
    render_app.add_systems(Render, copy_picture.after(RenderSystems::Render).before(RenderSystems::Cleanup));
    shutter
}

/// Bytes of a row in the buffer: the GPU copies only rows of a multiple of 256 bytes.
fn row_bytes(size: UVec2) -> u32 {
    u32::try_from(RenderDevice::align_copy_bytes_per_row(size.x as usize * PIXEL_BYTES)).unwrap_or(u32::MAX)
}

fn copy_picture(
    copier: Res<'_, Copier>,
    images: Res<'_, RenderAssets<GpuImage>>,
    device: Res<'_, RenderDevice>,
    queue: Res<'_, RenderQueue>,
) {
    match copier.shutter.swap(State::Idle) {
        State::Wanted => {}
        other => {
            copier.shutter.swap(other);
            return;
        }
    }
    let Some(source) = images.get(&copier.image) else {
        copier.shutter.swap(State::Taken(Err("its target does not exist yet".to_owned())));
        return;
    };
    let mut encoder = device.create_command_encoder(&CommandEncoderDescriptor::default());
    let layout = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row_bytes(copier.size)), rows_per_image: None };
    encoder.copy_texture_to_buffer(
        source.texture.as_image_copy(),
        TexelCopyBufferInfo { buffer: &copier.buffer, layout },
        source.texture_descriptor.size,
    );
    queue.submit([encoder.finish()]);
    let picture = read_back(&copier, &device);
    copier.shutter.swap(State::Taken(picture));
}

fn read_back(copier: &Copier, device: &RenderDevice) -> Result<Pixels, String> {
    let slice = copier.buffer.slice(..);
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    slice.map_async(MapMode::Read, move |mapped| {
        // The receiver lives until the poll below has run this.
        let _ = sender.send(mapped);
    });
    device.poll(PollType::wait_indefinitely()).map_err(|error| error.to_string())?;
    receiver.try_recv().map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let row = copier.size.x as usize * PIXEL_BYTES;
    let picture = slice.get_mapped_range().chunks(row_bytes(copier.size) as usize).flat_map(|padded| &padded[..row]).copied().collect();
    copier.buffer.unmap();
    Ok(picture)
}
