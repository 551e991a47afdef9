//! The list of episodes without a window: typing, moving, marking and opening; and what is remembered.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bevy::MinimalPlugins;
use bevy::app::{App, AppExit};
use bevy::asset::{AssetApp as _, AssetPlugin};
use bevy::ecs::message::Messages;
use bevy::input::keyboard::{Key, KeyCode, KeyboardInput};
use bevy::input::{ButtonState, InputPlugin};
use bevy::math::{IVec2, UVec2};
use bevy::prelude::{Entity, Font, Text};
use bevy::time::TimeUpdateStrategy;
use bevy::window::{Monitor, PrimaryWindow, Window, WindowPosition, WindowResolution};
use sanqu_replay::lang::Lang;
use sanqu_replay::picker::{Board, Picked, PickerPlugin, read, stores_below};
use sanqu_replay::settings::{SettingsFile, WindowPlace};
use sanqu_replay::timeline::Playhead;
use sanqu_replay::track::Blend;
use sanqu_replay::window::RememberPlugin;
use sanqu_store::EpisodeStart;

use crate::episodes::{self, sealed};
use crate::synthetic::START_NS;

/// A store with one empty episode at each of `stations`, ten seconds apart.
fn store(root: &Path, stations: &[&str]) -> PathBuf {
    let store = episodes::store(root);
    for (index, station) in (0_i64..).zip(stations) {
        let start_ns = START_NS + 10_000_000_000 * index;
        let start = EpisodeStart { robots: Vec::new(), ..episodes::start(station, start_ns) };
        sealed(&store, &start, |_| start_ns + 4_000_000_000);
    }
    root.to_path_buf()
}

/// The page of a store with episodes at a01, b01, a02 (the newest).
struct Page {
    app: App,
    window: Entity,
    picked: Picked,
    _folder: tempfile::TempDir,
}

impl Page {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let entries = read(&[store(&folder.path().join("s"), &["a01", "b01", "a02"])]).unwrap();
        let picked = Picked::default();
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, InputPlugin, AssetPlugin::default()))
            .init_asset::<Font>()
            .insert_resource(Board::new(entries))
            .insert_resource(picked.clone())
            .insert_resource(Lang::En)
            .add_plugins(PickerPlugin);
        let window = app.world_mut().spawn((Window::default(), PrimaryWindow)).id();
        app.update();
        Self { app, window, picked, _folder: folder }
    }

    fn press(&mut self, logical_key: Key) {
        let text = if let Key::Character(text) = &logical_key { Some(text.clone()) } else { None };
        let (key_code, state, window) = (KeyCode::KeyA, ButtonState::Pressed, self.window);
        self.app.world_mut().write_message(KeyboardInput { key_code, logical_key, state, text, repeat: false, window });
        self.app.update();
    }

    fn type_in(&mut self, text: &str) {
        text.chars().for_each(|char| self.press(Key::Character(char.to_string().into())));
    }

    fn texts(&mut self) -> Vec<String> {
        self.app.world_mut().query::<&Text>().iter(self.app.world()).map(|text| text.0.clone()).collect()
    }

    fn ended(&self) -> bool {
        !self.app.world().resource::<Messages<AppExit>>().is_empty()
    }

    /// The stations of the episodes that were opened, from the names of their folders.
    fn opened(&self) -> Option<Vec<String>> {
        let station = |dir: PathBuf| dir.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        self.picked.take().map(|episodes| episodes.into_iter().map(station).collect())
    }
}

#[test]
fn enter_opens_the_newest_that_the_filter_lets_through() {
    let mut page = Page::open();
    assert!(page.texts().iter().any(|text| text.contains("3 of 3 episodes")), "{:?}", page.texts());
    page.type_in("B0");
    let texts = page.texts();
    assert!(texts.iter().any(|text| text.contains("1 of 3 episodes")) && texts.iter().any(|text| text == "b01"), "{texts:?}");
    assert!(!page.ended());
    page.press(Key::Enter);
    assert_eq!((page.opened(), page.ended()), (Some(vec!["station=b01".to_owned()]), true));
}

#[test]
fn marked_episodes_are_opened_together_and_escape_closes() {
    let mut page = Page::open();
    page.press(Key::Tab);
    page.press(Key::ArrowDown);
    page.press(Key::Tab);
    page.press(Key::Enter);
    assert_eq!(page.opened(), Some(vec!["station=a02".to_owned(), "station=a01".to_owned()]));
    let mut page = Page::open();
    page.type_in("zzz");
    page.press(Key::Enter);
    assert_eq!((page.opened(), page.ended()), (None, false), "nothing is listed, nothing is opened");
    page.press(Key::Escape);
    assert!(!page.ended(), "the filter goes first");
    page.press(Key::Escape);
    assert_eq!((page.opened(), page.ended()), (None, true));
}

#[test]
fn stores_are_found_below_a_folder_but_not_in_hidden_ones() {
    let folder = tempfile::tempdir().unwrap();
    let found = store(&folder.path().join("recordings/demo/store"), &["a01"]);
    store(&folder.path().join(".hidden/store"), &[]);
    store(&folder.path().join("1/2/3/4/5/far"), &[]);
    assert_eq!(stores_below(folder.path()), [found]);
}

#[test]
fn window_and_settings_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replay.toml");
    let corner = Some((40, 50));
    std::fs::write(&path, "[window]\nwidth = 800\nheight = 600\ncorner = [40, 50]\n").unwrap();
    let stage = || {
        let (file, warning) = SettingsFile::open(Some(path.clone()));
        assert!(warning.is_none(), "{warning:?}");
        let mut app = App::new();
        app.add_plugins(MinimalPlugins)
            .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_millis(20)))
            .insert_resource(Playhead::new(0, 1_000_000_000))
            .insert_resource(file)
            .add_plugins(RememberPlugin);
        let window = Window { resolution: WindowResolution::new(800, 600), ..Window::default() };
        let window = app.world_mut().spawn((window, PrimaryWindow)).id();
        app.update();
        (app, window)
    };
    let monitor = |position: IVec2| Monitor {
        name: None,
        physical_width: 1920,
        physical_height: 1080,
        physical_position: position,
        refresh_rate_millihertz: None,
        scale_factor: 1.0,
        video_modes: Vec::new(),
    };
    let (mut app, window) = stage();
    let position = |app: &App| app.world().entity(window).get::<Window>().unwrap().position;
    assert_eq!(position(&app), WindowPosition::Automatic, "before the monitors are known it stays where it is");
    app.world_mut().spawn(monitor(IVec2::ZERO));
    app.update();
    assert_eq!(position(&app), WindowPosition::At(IVec2::new(40, 50)));
    app.world_mut().entity_mut(window).get_mut::<Window>().unwrap().resolution.set_physical_resolution(1000, 700);
    app.world_mut().resource_mut::<Playhead>().blend = Blend::Interpolate;
    app.update();
    app.world_mut().write_message(AppExit::Success);
    app.update();
    let (again, _) = SettingsFile::open(Some(path.clone()));
    assert_eq!(again.settings.window, Some(WindowPlace { width: 1000, height: 700, corner }));
    assert!(again.settings.interpolate && again.settings.window.unwrap().size() == UVec2::new(1000, 700));

    let (mut app, window) = stage();
    app.world_mut().spawn(monitor(IVec2::new(3000, 0)));
    app.update();
    let position = app.world().entity(window).get::<Window>().unwrap().position;
    assert_eq!(position, WindowPosition::Automatic, "nobody would see a corner that is on no monitor");
}
