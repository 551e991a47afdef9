use crate::lane::Lane;
use crate::replay::Replay;

/// Most robots beside the one in focus that have a row of their own; more share one.
const OTHERS_MAX: usize = 3;
/// Most rows of the robot in focus.
const ROWS_MAX: usize = 12;

/// One line of the bar: a stream, or what is left of all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarRow {
    /// What it is called: the stream, or another robot's id before it.
    pub name: String,
    /// The lanes that it shows, as indices in [`Replay::lanes`].
    pub lanes: Vec<usize>,
}

/// The rows for a robot in focus: all its streams, and the joints of the others.
pub fn bar_rows(replay: &Replay, focus: usize) -> Vec<BarRow> {
    let lanes = || replay.lanes.iter().enumerate();
    let mut mine: Vec<BarRow> = lanes()
        .filter(|(_, lane)| lane.robot == focus)
        .map(|(index, lane)| BarRow { name: lane.stream.clone(), lanes: vec![index] })
        .collect();
    // As recordings have them; live, streams come in any order.
    mine.sort_by(|a, b| a.name.cmp(&b.name));
    if mine.len() > ROWS_MAX {
        let rest = mine.split_off(ROWS_MAX - 1);
        mine.push(BarRow { name: format!("+{}", rest.len()), lanes: rest.into_iter().flat_map(|row| row.lanes).collect() });
    }
    let joints = |lane: &Lane| lane.robot != focus && lane.stream == "joint";
    let mut others: Vec<usize> = lanes().filter(|(_, lane)| joints(lane)).map(|(index, _)| index).collect();
    others.sort_by_key(|index| replay.lanes[*index].robot);
    if others.len() > OTHERS_MAX {
        mine.push(BarRow { name: format!("{} × joint", others.len()), lanes: others });
    } else {
        let name = |index: usize| replay.robots.get(replay.lanes[index].robot).map_or_else(String::new, |record| record.robot.to_string());
        mine.extend(others.into_iter().map(|index| BarRow { name: format!("{} joint", name(index)), lanes: vec![index] }));
    }
    mine
}
