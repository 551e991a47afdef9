//! What the panel and the status line say.

use super::delay::{Delay, DelaySearch};
use super::pair::{Pair, Sides};
use super::table::Walk;
use super::{Align, CompareView, Comparison, GhostKind};
use crate::lang::Lang;
use crate::replay::RobotRecord;
use crate::timeline::{Playhead, seconds};
use crate::track::short_name;

/// Columns of the panel: joint, RMS, max, when, now, delay.
pub(super) const COLUMNS: usize = 6;
/// Most joints and tips of the panel.
const JOINTS_MAX: usize = 10;
const TIPS_MAX: usize = 4;
/// What stands where there is no difference.
const NONE: &str = "—";

/// What a line of the panel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Robot,
    Ghost,
    Note,
    Heading,
    Value,
    /// The joint whose curve is drawn.
    Chosen,
}

/// A line of the panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) level: Level,
    pub(super) cells: [String; COLUMNS],
}

/// A line with one text.
fn one(level: Level, text: String) -> Line {
    let mut cells: [String; COLUMNS] = Default::default();
    cells[0] = text;
    Line { level, cells }
}

/// What the panel is about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) comparison: &'a Comparison,
    pub(super) robot: &'a RobotRecord,
    pub(super) pair: &'a Pair,
    pub(super) walk: &'a Walk,
    pub(super) delays: Option<&'a DelaySearch>,
    pub(super) view: &'a CompareView,
    pub(super) lang: Lang,
}

impl About<'_> {
    /// The joint whose curve is drawn, by its index in the pair.
    pub(super) fn chosen(&self) -> Option<usize> {
        let order = self.walk.table().order(self.pair);
        order.get(self.view.place.min(order.len().saturating_sub(1))).copied()
    }

    /// The lines of the panel at an instant of the timeline.
    pub(super) fn lines(&self, playhead: &Playhead) -> Vec<Line> {
        let lang = self.lang;
        let mut lines = self.head();
        let heading = [("joint", "关节"), ("RMS", "均方根"), ("max", "最大"), ("at s", "时刻 s"), ("now", "此刻")];
        let mut cells: [String; COLUMNS] = Default::default();
        for (cell, (en, zh)) in cells.iter_mut().zip(heading) {
            lang.pick(en, zh).clone_into(cell);
        }
        if self.delays.is_some() {
            lang.pick("delay", "滞后").clone_into(&mut cells[COLUMNS - 1]);
        }
        lines.push(Line { level: Level::Heading, cells });
        lines.extend(self.joints(playhead));
        if !self.pair.tips.is_empty() {
            let text = lang.pick("links farthest apart now", "此刻相距最远的末端").to_owned();
            lines.push(one(Level::Heading, text));
            lines.extend(self.tips(playhead.t_ns));
        }
        lines
    }

    fn head(&self) -> Vec<Line> {
        let lang = self.lang;
        let (robot, ghost) = (self.robot, &self.pair.ghost);
        let what = match self.pair.kind {
            GhostKind::Recording => format!("{} {}", ghost.name, ghost.episode),
            GhostKind::Command => lang.pick("what it was commanded", "指令").to_owned(),
        };
        let own = match self.pair.kind {
            GhostKind::Recording => robot.episode.as_str(),
            GhostKind::Command => lang.pick("as measured", "实测"),
        };
        let mut lines = vec![
            one(Level::Robot, format!("■ {} {} {own}", lang.pick("robot:", "机器人："), robot.name)),
            one(Level::Ghost, format!("■ {} {what}", lang.pick("ghost:", "虚影："))),
        ];
        let table = self.walk.table();
        let (known, span) = (seconds(table.compared_ns), seconds(table.span_ns()));
        let percent = if span > 0.0 { known / span * 100.0 } else { 0.0 };
        let covered = match (lang, self.walk.is_done()) {
            (Lang::En, true) => format!("both known {known:.1} of {span:.1} s ({percent:.0} %)"),
            (Lang::Zh, true) => format!("双方有效 {known:.1} / {span:.1} s（{percent:.0} %）"),
            (Lang::En, false) => format!("comparing, {:.0} % so far", self.walk.share(self.robot) * 100.0),
            (Lang::Zh, false) => format!("比较中，已完成 {:.0} %", self.walk.share(self.robot) * 100.0),
        };
        let stop = lang.pick(", ", "，");
        lines.push(one(Level::Note, format!("{}{stop}{covered}", alignment(self.comparison, self.view.nudge_ns, lang))));
        if let Some((ms, joints)) = self.delays.filter(|delays| delays.is_done()).and_then(|delays| delays.overall_ms(self.pair)) {
            lines.push(one(
                Level::Note,
                match lang {
                    Lang::En => format!("follows its commands {ms:.0} ms later (middle of {joints} joints)"),
                    Lang::Zh => format!("比指令滞后 {ms:.0} ms（{joints} 个关节的中位数）"),
                },
            ));
        }
        lines
    }

    fn joints(&self, playhead: &Playhead) -> Vec<Line> {
        let mut sides = Sides::default();
        let known = self.pair.sides_at(self.robot, playhead.t_ns, self.view.nudge_ns, &mut sides);
        let table = self.walk.table();
        let order = table.order(self.pair);
        let chosen = self.chosen();
        // A chosen joint that is farther down takes the last line.
        let mut shown: Vec<usize> = order.iter().copied().take(JOINTS_MAX).collect();
        if let (Some(chosen), Some(last)) = (chosen, shown.last_mut())
            && self.view.place >= JOINTS_MAX
        {
            *last = chosen;
        }
        let line = |index: usize| {
            let joint = &self.pair.joints[index];
            let unit = joint.unit();
            let written = |value: f64| if joint.linear { format!("{value:.1} {unit}") } else { format!("{value:.2}{unit}") };
            let difference = &table.joints[index];
            let now = known.then(|| written(joint.shown(joint.difference(&sides.robot_q, &sides.ghost_q))));
            let max = difference.max();
            let cells = [
                short_name(&joint.name).to_owned(),
                difference.rms().map(|rms| written(joint.shown(rms))).unwrap_or(NONE.to_owned()),
                max.map(|(max, _)| written(joint.shown(max))).unwrap_or(NONE.to_owned()),
                max.map(|(_, t_ns)| format!("{:.2}", seconds(t_ns - playhead.start_ns))).unwrap_or_default(),
                now.unwrap_or(NONE.to_owned()),
                self.delays.map(|delays| delay(delays, self.pair, index, self.lang)).unwrap_or_default(),
            ];
            Line { level: if chosen == Some(index) { Level::Chosen } else { Level::Value }, cells }
        };
        let mut lines: Vec<Line> = shown.iter().map(|index| line(*index)).collect();
        if let Some(more) = order.len().checked_sub(JOINTS_MAX).filter(|more| *more > 0) {
            lines.push(one(
                Level::Note,
                match self.lang {
                    Lang::En => format!("{more} more differ less"),
                    Lang::Zh => format!("另有 {more} 个关节差值更小"),
                },
            ));
        }
        lines
    }

    fn tips(&self, t_ns: i64) -> Vec<Line> {
        let Some(distances) = self.pair.tips_at(self.robot, t_ns, self.view.nudge_ns) else {
            return vec![one(Level::Value, NONE.to_owned())];
        };
        let mut tips: Vec<(&str, f64)> = self.pair.tips.iter().map(|tip| tip.name.as_str()).zip(distances).collect();
        tips.sort_by(|a, b| b.1.total_cmp(&a.1));
        let line = |(name, distance): &(&str, f64)| {
            let mut line = one(Level::Value, (*name).to_owned());
            line.cells[COLUMNS - 2] = format!("{:.1} mm", distance * 1e3);
            line
        };
        tips.iter().take(TIPS_MAX).map(line).collect()
    }

    /// What the curve shows.
    pub(super) fn caption(&self) -> String {
        let Some(index) = self.chosen() else { return String::new() };
        let joint = &self.pair.joints[index];
        let range = self.walk.table().joints[index].curve().iter().flatten();
        let range = range.fold(None, |range: Option<[f32; 2]>, [low, high]| {
            Some(range.map_or([*low, *high], |[least, most]| [least.min(*low), most.max(*high)]))
        });
        let words = self.lang.pick("ghost - robot", "虚影 - 机器人");
        let Some([low, high]) = range.map(|range| range.map(|value| joint.shown(f64::from(value)))) else {
            return format!("{} {words} {NONE}", short_name(&joint.name));
        };
        format!("{} {words}: {low:.2} … {high:.2} {}", short_name(&joint.name), joint.unit())
    }
}

fn delay(delays: &DelaySearch, pair: &Pair, joint: usize, lang: Lang) -> String {
    match delays.delay(pair, joint) {
        _ if !delays.is_done() => String::new(),
        Delay::Follows(ms) => format!("{ms:.0} ms"),
        Delay::Still => lang.pick("still", "不动").to_owned(),
        Delay::Unclear => lang.pick("unclear", "不明").to_owned(),
    }
}

/// How the ghosts are aligned and nudged.
fn alignment(comparison: &Comparison, nudge_ns: i64, lang: Lang) -> String {
    let by = match (&comparison.align, lang) {
        (Align::Start, Lang::En) => "from both starts".to_owned(),
        (Align::Start, Lang::Zh) => "按起点对齐".to_owned(),
        (Align::Time, Lang::En) => "by time".to_owned(),
        (Align::Time, Lang::Zh) => "按时间对齐".to_owned(),
        (event, Lang::En) => format!("from event {event}"),
        (event, Lang::Zh) => format!("按事件 {event} 对齐"),
    };
    match nudge_ns {
        0 => by,
        _ => format!("{by}{} {:+} ms", lang.pick(", nudged", "，微调"), seconds(nudge_ns) * 1e3),
    }
}

/// The line of the status text.
pub(crate) fn hud_line(comparison: &Comparison, view: &CompareView, lang: Lang) -> String {
    let ghost = match comparison.kind {
        GhostKind::Command => lang.pick("commands", "指令").to_owned(),
        GhostKind::Recording => comparison.pairs.first().map_or_else(String::new, |pair| pair.ghost.episode.clone()),
    };
    let hidden = if view.ghosts { "" } else { lang.pick("  (hidden: K)", "  （已隐藏：K）") };
    format!("{} {ghost}  {}{hidden}", lang.pick("ghost:", "虚影："), alignment(comparison, view.nudge_ns, lang))
}
