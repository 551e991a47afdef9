//! Lines over the picture: which episode, when, how fast, what is shown between samples, how old the samples are.

use bevy::app::{App, Plugin, Startup, Update};
use bevy::prelude::{
    BackgroundColor, BorderRadius, Color, Commands, Component, IntoScheduleConfigs, Node, PositionType, Query, Res, Text, TextColor,
    TextFont, UiRect, Val,
};
use bevy::text::FontSize;

use crate::compare::{CompareView, hud_line};
use crate::lang::Lang;
use crate::live::{Follow, LiveSource};
use crate::replay::{Replay, RobotRecord};
use crate::robots::ReplayRobot;
use crate::scene::{ReplayFont, ScenePlugin};
use crate::timeline::{Playhead, ReplaySystems, seconds};
use crate::track::{Blend, Held};

/// Most robots with a line of their own; the others are counted.
const LINES_MAX: usize = 4;
/// Most episodes that are named; the others are counted.
const EPISODES_MAX: usize = 2;
/// How long after it happened a mark's text is shown, ns.
const MARK_SHOWN_NS: i64 = 2_000_000_000;

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
    (playhead, replay, lang): (Res<'_, Playhead>, Res<'_, Replay>, Res<'_, Lang>),
    compare: Option<Res<'_, CompareView>>,
    (follow, source): (Option<Res<'_, Follow>>, Option<Res<'_, LiveSource>>),
    robots: Query<'_, '_, &ReplayRobot>,
    mut line: Query<'_, '_, (&HudLine, &mut Text)>,
) {
    let mut shown: Vec<(usize, Option<Held>)> = robots.iter().map(|robot| (robot.index, robot.held)).collect();
    shown.sort_by_key(|(index, _)| *index);
    let mut lines = match (&follow, &source) {
        (Some(follow), Some(source)) => {
            shown.retain(|(index, _)| replay.robots[*index].track.rows() > 0);
            live_head(&playhead, follow, source, *lang)
        }
        _ => vec![head(&playhead, &replay, *lang)],
    };
    lines.extend(shown.iter().take(LINES_MAX).map(|(index, held)| robot_line(&replay.robots[*index], *held, *lang)));
    if let Some(rest) = shown.get(LINES_MAX..).filter(|rest| !rest.is_empty()) {
        let stale = rest.iter().filter(|(_, held)| held.is_some_and(|held| held.is_stale())).count();
        lines.push(format!("+{} {}, {stale} {}", rest.len(), lang.pick("robots", "台机器人"), lang.pick("without state", "无状态")));
    }
    lines.extend(replay.comparison.as_ref().zip(compare).map(|(comparison, view)| hud_line(comparison, &view, *lang)));
    lines.extend(mark_line(&playhead, &replay));
    let text = lines.join("\n");
    for (_, mut shown) in &mut line {
        if shown.0 != text {
            shown.0.clone_from(&text);
        }
    }
}

/// How far behind the field the picture is, and what is wrong.
fn live_head(playhead: &Playhead, follow: &Follow, source: &LiveSource, lang: Lang) -> Vec<String> {
    let behind = follow.behind_secs(playhead.t_ns).unwrap_or(0.0);
    let delay = lang.pick("delay", "延迟");
    let mut lines = vec![match (follow.age_secs(), follow.on) {
        (None, _) => lang.pick("LIVE  waiting for the first robot", "直播  等待第一台机器人").to_owned(),
        (Some(age), true) => format!("LIVE  {delay} {behind:.2} s  {} {:.0} ms", lang.pick("newest row", "最新数据"), age * 1e3),
        (Some(_), false) => {
            let state = if playhead.playing { ">" } else { "||" };
            let hint = lang.pick("End or F: follow", "End 或 F：跟随");
            format!("{state} {behind:.1} s {}  ×{}  ({hint})", lang.pick("behind live", "落后于直播"), playhead.speed)
        }
    }];
    if source.field.dropped() > 0 {
        let what = lang.pick("samples dropped: this viewer or its line is too slow", "样本被丢弃：本查看器或其网络过慢");
        lines.push(format!("{} {what}", source.field.dropped()));
    }
    lines.extend(source.ended.as_ref().map(|why| format!("{}: {why}", lang.pick("NOT LIVE", "直播已断"))));
    lines
}

fn head(playhead: &Playhead, replay: &Replay, lang: Lang) -> String {
    let mut episodes: Vec<&str> = replay.robots.iter().map(|robot| robot.episode.as_str()).collect();
    episodes.dedup();
    let state = if playhead.playing { ">" } else { "||" };
    let blend = match playhead.blend {
        Blend::Hold => lang.pick("hold", "保持"),
        Blend::Interpolate => lang.pick("interpolate", "插值"),
    };
    let repeat = playhead.repeat.map_or_else(String::new, |span| {
        let at = |t_ns: i64| seconds(t_ns - playhead.start_ns);
        format!("  A–B {:.2}–{:.2} s", at(span.from_ns), at(span.to_ns))
    });
    let (now, length) = (playhead.seconds(), playhead.length_secs());
    let more = episodes.len().saturating_sub(EPISODES_MAX);
    let more = if more == 0 { String::new() } else { format!(" +{more} {}", lang.pick("episodes", "条数据")) };
    let named = episodes.iter().take(EPISODES_MAX).copied().collect::<Vec<_>>().join(" + ");
    format!("{state} {now:.3} s / {length:.1} s  ×{}  {blend}{repeat}  {named}{more}", playhead.speed)
}

fn robot_line(record: &RobotRecord, held: Option<Held>, lang: Lang) -> String {
    let ms = |age: i64| seconds(age) * 1e3;
    let age = match held {
        None => String::new(),
        Some(Held { unreadable: true, .. }) => {
            let reason = record.problem().unwrap_or_default();
            format!("{}: {reason}", lang.pick("rows cannot be read", "数据无法读取"))
        }
        Some(Held { not_finite: Some(joint), .. }) => {
            format!("{}: {}", record.model.joints()[joint].name, lang.pick("not a number", "不是数字"))
        }
        Some(Held { age_ns: None, .. }) => lang.pick("no sample yet", "尚无数据").to_owned(),
        Some(Held { in_gap: true, age_ns: Some(age), .. }) => match lang {
            Lang::En => format!("gap, last sample {:.1} ms ago", ms(age)),
            Lang::Zh => format!("缺失，上一样本 {:.1} ms 前", ms(age)),
        },
        Some(Held { base_stale: true, .. }) => lang.pick("base unknown", "底座位姿未知").to_owned(),
        Some(Held { age_ns: Some(age), .. }) => format!("{} {:.1} ms", lang.pick("age", "时延"), ms(age)),
    };
    let lost = match (record.lost_rows, lang) {
        (0, _) => String::new(),
        (rows, Lang::En) => format!("  lost {rows} rows"),
        (rows, Lang::Zh) => format!("  丢失 {rows} 行"),
    };
    format!("{}  {}  {age}{lost}", record.name, record.robot)
}

/// What was marked a short time before the playhead.
fn mark_line(playhead: &Playhead, replay: &Replay) -> Option<String> {
    let before = replay.marks.partition_point(|mark| mark.t_ns <= playhead.t_ns);
    let mark = replay.marks.get(before.checked_sub(1)?)?;
    (playhead.t_ns - mark.t_ns <= MARK_SHOWN_NS).then(|| format!("◆ {}", mark.text))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nalgebra::Isometry3;
    use sanqu_model::FieldConfig;
    use sanqu_robot::RobotModel;

    use super::*;
    use crate::body::Looks;
    use crate::mark::{Mark, MarkKind};
    use crate::timeline::Span;
    use crate::track::Track;

    const MS: i64 = 1_000_000;

    /// Robots of these episodes.
    fn replay(episodes: &[&str]) -> Replay {
        let model = RobotModel::from_urdf_str("<robot name=\"tin\"><link name=\"base\"/></robot>").unwrap();
        let record = |episode: &&str| RobotRecord {
            robot: "tin-01".parse().unwrap(),
            name: "Tin".to_owned(),
            station: "a01".parse().unwrap(),
            episode: (*episode).to_owned(),
            looks: Arc::new(Looks::default()),
            track: Track::growing(&model, Vec::new(), Vec::new()),
            model: model.clone(),
            drives: None,
            base: None,
            world_from_station: Isometry3::identity(),
            shift_ns: 0,
            lost_rows: 0,
        };
        let field = FieldConfig::parse("field = \"f\"\nname = \"f\"\ntime_zone = \"UTC\"\n").unwrap();
        Replay::new(field, episodes.iter().map(record).collect(), 5000 * MS, 15_000 * MS)
    }

    #[track_caller]
    fn names(episodes: &[&str], expect: &str) {
        let lines = head(&Playhead::new(5000 * MS, 15_000 * MS), &replay(episodes), Lang::En);
        assert!(lines.ends_with(&format!("  {expect}")), "{lines}");
    }

    #[test]
    fn two_episodes_are_named_and_the_others_counted() {
        names(&["A"], "A");
        names(&["A", "A", "A"], "A");
        names(&["A", "A", "B"], "A + B");
        names(&["A", "B", "C"], "A + B +1 episodes");
        names(&["A", "A", "B", "C", "C", "D"], "A + B +2 episodes");
    }

    #[test]
    fn a_span_that_repeats_is_told_from_the_start_on() {
        let mut playhead = Playhead::new(5000 * MS, 15_000 * MS);
        (playhead.t_ns, playhead.repeat) = (7500 * MS, Some(Span { from_ns: 6000 * MS, to_ns: 8500 * MS }));
        let line = head(&playhead, &replay(&["A"]), Lang::En);
        assert!(line.contains(" 2.500 s / 10.0 s ") && line.contains("  A–B 1.00–3.50 s  A"), "{line}");
    }

    #[test]
    fn a_mark_is_shown_from_its_instant_on_for_two_seconds() {
        let mut replay = replay(&["A"]);
        let mark = |t_ms: i64, text: &str| Mark { t_ns: t_ms * MS, kind: MarkKind::Event, text: text.to_owned() };
        replay.marks = vec![mark(6000, "first"), mark(7000, "second")];
        let mut shown = |t_ns: i64| {
            let playhead = Playhead { t_ns, ..Playhead::new(5000 * MS, 15_000 * MS) };
            mark_line(&playhead, &replay)
        };
        assert_eq!([6000 * MS - 1, 9000 * MS + 1].map(&mut shown), [None, None]);
        assert_eq!([6000 * MS, 7000 * MS - 1].map(&mut shown), [Some("◆ first".to_owned()), Some("◆ first".to_owned())]);
        assert_eq!([7000 * MS, 9000 * MS].map(&mut shown), [Some("◆ second".to_owned()), Some("◆ second".to_owned())]);
    }
}
