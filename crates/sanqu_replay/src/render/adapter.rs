use bevy::render::settings::{Backends, InstanceFlags, WgpuSettings};
use bevy::tasks::block_on;
use wgpu::{DeviceType, Instance, InstanceDescriptor};

use crate::ReplayError;

/// The graphics adapter that pictures are drawn with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its name as the driver says it.
    pub name: String,
    /// Whether the processor does the drawing (llvmpipe, SwiftShader): correct, but slow.
    pub software: bool,
}

/// Vulkan only: the one backend that also draws without a display. No validation: it costs and is for bevy's authors.
pub(crate) fn settings() -> WgpuSettings {
    WgpuSettings { backends: Some(Backends::VULKAN), instance_flags: InstanceFlags::empty(), ..Default::default() }
}

/// Finds the adapter that the renderer will take: one that is hardware if there is any.
///
/// # Errors
/// [`ReplayError::NoAdapter`]; asking first is needed because the renderer itself would panic.
pub fn find_adapter() -> Result<Adapter, ReplayError> {
    let descriptor = InstanceDescriptor {
        backends: Backends::VULKAN,
        flags: InstanceFlags::empty(),
        ..InstanceDescriptor::new_without_display_handle()
    };
    let instance = Instance::new(descriptor);
    let options = wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    let Ok(adapter) = block_on(instance.request_adapter(&options)) else { return Err(ReplayError::NoAdapter) };
    let info = adapter.get_info();
    Ok(Adapter { name: info.name, software: info.device_type == DeviceType::Cpu })
}
