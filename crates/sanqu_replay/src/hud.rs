//! One line over the picture: which episode, when, how fast, how old the samples are.

use bevy::app::{App, Plugin, Startup, Update};
use bevy::prelude::{
    BackgroundColor, BorderRadius, Color, Commands, Component, IntoScheduleConfigs, Node, PositionType, Query, Res, Text, TextColor,
    TextFont, UiRect, Val,
};
use bevy::text::FontSize;

use crate::replay::{Replay, RobotRecord};
use crate::robots::ReplayRobot;
use crate::scene::{ReplayFont, ScenePlugin};
use crate::timeline::{Playhead, ReplaySystems, seconds};
use crate::track::Held;

#[derive(Component)]
struct HudLine;

/// Shows the line; needs [`ScenePlugin`] for its font.
pub struct HudPlugin;

impl Plugin for HudPlugin {
    fn build(&self, app: &mut App) {
        debug_assert!(app.is_plugin_added::<ScenePlugin>(), "the font comes from the scene");
        app.add_systems(Startup, build.after(crate::scene::load_font));
        app.add_systems(Update, write.in_set(ReplaySystems::Follow));
    }
}

fn build(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>) {
    commands.spawn((
        Node {
            position_type: PositionType::Absolute,
            left: Val::Px(12.0),
            top: Val::Px(10.0),
            padding: UiRect::axes(Val::Px(9.0), Val::Px(5.0)),
            border_radius: BorderRadius::all(Val::Px(5.0)),
            ..Default::default()
        },
        BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.72)),
        Text::default(),
        TextFont { font: font.0.clone().into(), font_size: FontSize::Px(14.0), ..Default::default() },
        TextColor(Color::srgb(0.94, 0.95, 0.96)),
        HudLine,
    ));
}

fn write(
    playhead: Res<'_, Playhead>,
    replay: Res<'_, Replay>,
    robots: Query<'_, '_, &ReplayRobot>,
    mut line: Query<'_, '_, (&HudLine, &mut Text)>,
) {
    let mut shown: Vec<(usize, Option<Held>)> = robots.iter().map(|robot| (robot.index, robot.held)).collect();
    shown.sort_by_key(|(index, _)| *index);
    let mut text = head(&playhead, &replay);
    for (index, held) in shown {
        text += "\n";
        text += &robot_line(&replay.robots[index], held);
    }
    for (_, mut shown) in &mut line {
        if shown.0 != text {
            shown.0.clone_from(&text);
        }
    }
}

fn head(playhead: &Playhead, replay: &Replay) -> String {
    let mut episodes: Vec<&str> = replay.robots.iter().map(|robot| robot.episode.as_str()).collect();
    episodes.dedup();
    let state = if playhead.playing { ">" } else { "||" };
    format!("{state} {:.3} s / {:.1} s  ×{}  {}", playhead.seconds(), playhead.length_secs(), playhead.speed, episodes.join(" + "))
}

fn robot_line(record: &RobotRecord, held: Option<Held>) -> String {
    let age = match held {
        None => String::new(),
        Some(Held { not_finite: Some(joint), .. }) => format!("{}: not a number", record.model.joints()[joint].name),
        Some(Held { age_ns: None, .. }) => "no sample yet".to_owned(),
        Some(Held { in_gap: true, age_ns: Some(age), .. }) => format!("gap, last sample {:.1} ms ago", seconds(age) * 1e3),
        Some(Held { age_ns: Some(age), .. }) => format!("age {:.1} ms", seconds(age) * 1e3),
    };
    let lost = if record.lost_rows == 0 { String::new() } else { format!("  lost {} rows", record.lost_rows) };
    format!("{}  {}  {age}{lost}", record.name, record.robot)
}
