use super::*;

const PERIOD: i64 = 33_333_333;
const SPEC: GridSpec = GridSpec { start_ns: 0, stop_ns: 4_000_000_000, fps: 30 };

/// Frames `0..count` with a keyframe every 15, `phase_ns` behind the grid, from one second before the start.
fn camera(name: &str, count: u64, phase_ns: i64) -> CameraFrames {
    let frames =
        (0..count).map(|seq| Frame { t_ns: (seq as i64 - 30) * PERIOD + phase_ns, run: 0, seq, keyframe: seq % 15 == 0 }).collect();
    CameraFrames { name: name.into(), frames }
}

fn check(cameras: &[CameraFrames], parts: &[(usize, usize, Vec<usize>)], notes: &[&str]) {
    let grid = camera_grid(SPEC, cameras, |_| Ok(()));
    let found: Vec<_> = grid.parts.iter().map(|p| (p.first_row, p.row_t_ns.len(), p.first_frame.clone())).collect();
    assert_eq!(found, parts, "{:#?}", grid.notes);
    assert_eq!(grid.notes.len(), notes.len(), "{:#?}", grid.notes);
    for (note, part) in grid.notes.iter().zip(notes) {
        assert!(note.contains(part), "{note} should say {part}");
    }
}

#[test]
fn rows_are_the_first_cameras_frames_within_the_span() {
    check(&[camera("head", 200, 0)], &[(0, 121, vec![30])], &[]);
}

#[test]
fn a_second_camera_is_paired_by_the_nearest_frame() {
    check(&[camera("head", 200, 0), camera("wrist", 200, 10_000_000)], &[(0, 121, vec![30, 30])], &[]);
    check(&[camera("head", 200, 0), camera("wrist", 200, 20_000_000)], &[(0, 121, vec![30, 29])], &[]);
}

#[test]
fn a_lost_frame_splits_until_pictures_can_be_decoded_again() {
    let mut wrist = camera("wrist", 200, 0);
    wrist.frames.remove(80); // its row is 50; the next keyframe is number 90, row 60
    check(
        &[camera("head", 200, 0), wrist],
        &[(0, 50, vec![30, 30]), (60, 61, vec![90, 89])],
        &["split, rows 50..=59 dropped: camera wrist lost frames between number 79 and 81"],
    );
}

#[test]
fn a_short_rest_is_dropped_and_said() {
    let mut head = camera("head", 200, 0);
    head.frames.remove(50); // row 20
    // Row 20 is now what was row 21; the next keyframe is number 60, then row 29.
    check(&[head], &[(29, 91, vec![59])], &["rows 0..=19 dropped: 20 rows", "split, rows 20..=28 dropped: camera head lost frames"]);
}

#[test]
fn a_camera_that_ends_with_the_episode_is_trimmed_without_alarm() {
    let grid = camera_grid(SPEC, &[camera("head", 200, 0), camera("wrist", 150, 0)], |_| Ok(()));
    assert!(
        !grid.is_lossy && grid.notes[0].contains("rows 120..=120 trimmed at the edge: camera wrist has no further"),
        "{:?}",
        grid.notes
    );
    let grid = camera_grid(SPEC, &[camera("head", 200, 0), camera("wrist", 140, 0)], |_| Ok(()));
    assert!(grid.is_lossy && grid.notes[0].contains("rows 110..=120 dropped: camera wrist has no further"), "{:?}", grid.notes);
}

#[test]
fn a_drifting_camera_is_paired_again() {
    let mut wrist = camera("wrist", 200, 0);
    for (n, frame) in wrist.frames.iter_mut().enumerate() {
        frame.t_ns += n as i64 * 200_000;
    }
    let grid = camera_grid(SPEC, &[camera("head", 200, 0), wrist], |_| Ok(()));
    assert_eq!(grid.parts.len(), 2, "{:#?}", grid.notes);
    assert!(grid.notes[0].contains("from the row, more than 17.0 ms"), "{:#?}", grid.notes);
}

#[test]
fn rows_without_state_are_noted_once() {
    let grid = camera_grid(SPEC, &[camera("head", 200, 0)], |t| if t < 1_000_000_000 { Err(format!("no state at {t}")) } else { Ok(()) });
    assert_eq!((grid.parts.len(), grid.parts[0].first_row), (1, 31));
    assert_eq!(grid.notes.len(), 1, "{:#?}", grid.notes);
    assert!(grid.notes[0].contains("rows 0..=30 dropped"), "{:#?}", grid.notes);
}

#[test]
fn the_fixed_grid_does_not_drift() {
    let grid = fixed_grid(GridSpec { start_ns: 7, stop_ns: 7 + 100_000_000_000, fps: 30 }, |_| Ok(()));
    assert_eq!(grid.parts[0].row_t_ns.len(), 3000);
    assert_eq!(grid.parts[0].row_t_ns[2997], 7 + 99_900_000_000);
}

#[test]
fn another_run_and_a_long_pause_split_although_the_numbers_go_on() {
    let mut head = camera("head", 200, 0);
    head.frames[80..].iter_mut().for_each(|frame| frame.run = 1); // its row is 50; the next keyframe is number 90, row 60
    let note = "split, rows 50..=59 dropped: camera head lost frames between number 79 and 80";
    check(&[head], &[(0, 50, vec![30]), (60, 61, vec![90])], &[note]);
    let mut head = camera("head", 200, 0);
    head.frames[90..].iter_mut().for_each(|frame| frame.t_ns += PERIOD / 2 + 1);
    check(&[head], &[(0, 60, vec![30]), (60, 60, vec![90])], &["split before row 60: camera head took frame 90 50.0 ms after"]);
}
