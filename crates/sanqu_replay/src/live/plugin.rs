//! The live replay on the stage.

use bevy::app::{App, Plugin, Update};
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::log::warn;
use bevy::prelude::{IntoScheduleConfigs, Query, Res, ResMut, Resource, Time, Visibility, With};
use bevy::time::Real;

use super::field::oldest_ns;
use super::{Child, Follow, Inbox, LiveField};
use crate::replay::Replay;
use crate::robots::{ReplayRobot, RobotLink};
use crate::timeline::{Playhead, ReplaySystems};
use crate::xray::Subject;

/// Where the field comes from, and what is known of it.
#[derive(Resource, Debug)]
pub struct LiveSource {
    feed: Feed,
    /// What is known of the field.
    pub field: LiveField,
    /// Why nothing more comes; none while it does.
    pub ended: Option<String>,
}

#[derive(Debug)]
enum Feed {
    Child(Child),
    Inbox(Inbox),
}

impl LiveSource {
    /// From the program that subscribes.
    pub fn of_child(child: Child, field: LiveField) -> Self {
        Self { feed: Feed::Child(child), field, ended: None }
    }

    /// From any pipe.
    pub fn of_inbox(inbox: Inbox, field: LiveField) -> Self {
        Self { feed: Feed::Inbox(inbox), field, ended: None }
    }

    fn take(&mut self, replay: &mut Replay) {
        let items = match &self.feed {
            Feed::Child(child) => child.inbox().take(),
            Feed::Inbox(inbox) => inbox.take(),
        };
        self.field.apply(items, replay);
        for note in self.field.take_notes() {
            warn!("{note}");
        }
        if self.ended.is_none() {
            self.ended = match &mut self.feed {
                Feed::Child(child) => child.ended(),
                Feed::Inbox(inbox) => inbox.ended(),
            };
            if let Some(why) = &self.ended {
                warn!("{why}; the last state is shown");
            }
        }
    }
}

/// Fills the [`Replay`] from the [`LiveSource`] and leads the playhead by [`Follow`]. Needs both, and the plugins of timeline and
/// robots.
pub struct LivePlugin;

impl Plugin for LivePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<ButtonInput<KeyCode>>();
        app.add_systems(Update, (take_in, notice).chain().after(ReplaySystems::Input).before(ReplaySystems::Advance));
        app.add_systems(Update, lead.after(ReplaySystems::Advance).before(ReplaySystems::Apply));
        app.add_systems(Update, reveal.in_set(ReplaySystems::Apply));
    }
}

/// Takes what came; the joint that is looked into gets its new rows at once.
fn take_in(mut source: ResMut<'_, LiveSource>, mut replay: ResMut<'_, Replay>, mut subject: Option<ResMut<'_, Subject>>) {
    if let Some(subject) = &mut subject {
        subject.let_go();
    }
    source.take(&mut replay);
    if let Some(subject) = &mut subject {
        subject.look_again(&replay);
    }
}

/// Hears keys and mouse: whoever moves the playhead wants to look; `End` and `F` follow again.
fn notice(keys: Res<'_, ButtonInput<KeyCode>>, playhead: Res<'_, Playhead>, mut follow: ResMut<'_, Follow>) {
    follow.notice(&playhead);
    if keys.any_just_pressed([KeyCode::End, KeyCode::KeyF]) {
        follow.on = true;
    }
}

fn lead(
    (source, time): (Res<'_, LiveSource>, Res<'_, Time<Real>>),
    (mut follow, mut playhead, mut replay): (ResMut<'_, Follow>, ResMut<'_, Playhead>, ResMut<'_, Replay>),
) {
    let viewer_ns = i64::try_from(time.elapsed().as_nanos()).unwrap_or(i64::MAX);
    follow.hear(source.field.newest_ns(), viewer_ns);
    follow.lead(&mut playhead, oldest_ns(&replay));
    (replay.start_ns, replay.end_ns) = (playhead.start_ns, playhead.end_ns);
}

/// Robots appear when they come.
fn reveal(replay: Res<'_, Replay>, robots: Query<'_, '_, &ReplayRobot>, mut links: Query<'_, '_, &mut Visibility, With<RobotLink>>) {
    for robot in &robots {
        let came = replay.lanes.iter().any(|lane| lane.robot == robot.index && !lane.instants.as_slice().is_empty());
        let wanted = if came { Visibility::Inherited } else { Visibility::Hidden };
        for link in &robot.links {
            if let Ok(mut visibility) = links.get_mut(*link)
                && *visibility != wanted
            {
                *visibility = wanted;
            }
        }
    }
}
