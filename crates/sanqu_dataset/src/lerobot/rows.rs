//! Joint state and action on the row grid.

use sanqu_store::{Cursor, Sampled, Series};

use super::grid::GridSpec;
use super::source::median_step_ns;

/// Why a row before the first command has no action.
pub(super) const NO_COMMAND: &str = "no command yet";

/// Looks up what is held at a row's time.
pub(super) struct RowSource<'a> {
    state: Cursor<'a>,
    command: Option<Cursor<'a>>,
    state_names: &'a [String],
    period_ns: i64,
    state_age_max_ns: i64,
}

/// State and action of some rows, row-major float32, with their ages.
#[derive(Debug, Default)]
pub(super) struct StateRows {
    /// Joint positions.
    pub(super) state: Vec<f32>,
    /// Commanded positions, or the next row's state.
    pub(super) action: Vec<f32>,
    /// How much older each state is than its row, ns.
    pub(super) state_age_ns: Vec<i64>,
    /// How much older each command is than its row, ns; empty without commands.
    pub(super) action_age_ns: Vec<i64>,
}

impl<'a> RowSource<'a> {
    /// Over the joint positions and, where there are any, the commanded ones.
    ///
    /// A state may be at most half a row older than its row, or two of its own sample periods where that is more.
    pub(super) fn new(state: &'a Series, command: Option<&'a Series>, spec: GridSpec) -> Self {
        let sample_ns = median_step_ns(state.t_ns.iter().copied()).unwrap_or(0);
        Self {
            state: state.cursor(),
            command: command.map(Series::cursor),
            state_names: &state.names,
            period_ns: spec.period_ns(),
            state_age_max_ns: spec.skew_max_ns().max(2 * sample_ns),
        }
    }

    /// Whether a row at `t_ns` has a state and an action, or why not.
    pub(super) fn fits(&self, t_ns: i64) -> Result<(), String> {
        let state = self.state.at(t_ns).ok_or("no joint state yet")?;
        if state.age_ns > self.state_age_max_ns {
            return Err(format!("the last joint state is {} ms old", state.age_ns / 1_000_000));
        }
        self.finite("joint", &state)?;
        if let Some(command) = &self.command {
            self.finite("command", &command.at(t_ns).ok_or(NO_COMMAND)?)?;
        }
        Ok(())
    }

    fn finite(&self, stream: &str, sampled: &Sampled<'_>) -> Result<(), String> {
        match sampled.values.iter().position(|value| !value.is_finite()) {
            Some(at) => {
                let name = self.state_names.get(at).map_or("?", String::as_str);
                Err(format!("stream {stream}, {name}: the position is no number"))
            }
            None => Ok(()),
        }
    }

    /// State and action of rows that [`fits`](Self::fits) has accepted.
    pub(super) fn rows(&self, row_t_ns: &[i64]) -> StateRows {
        let mut out = StateRows::default();
        for (row, t_ns) in row_t_ns.iter().enumerate() {
            if let Some(state) = self.state.at(*t_ns) {
                out.state.extend(state.values.iter().map(|v| narrow(*v)));
                out.state_age_ns.push(state.age_ns);
            }
            let action = match &self.command {
                Some(command) => command.at(*t_ns),
                None => self.state.at(row_t_ns.get(row + 1).copied().unwrap_or(t_ns + self.period_ns)),
            };
            if let Some(action) = action {
                out.action.extend(action.values.iter().map(|v| narrow(*v)));
                if self.command.is_some() {
                    out.action_age_ns.push(action.age_ns);
                }
            }
        }
        out
    }
}

/// To the precision that LeRobot stores.
#[expect(clippy::cast_possible_truncation, reason = "LeRobot stores float32")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: GridSpec = GridSpec { start_ns: 0, stop_ns: 1_000_000_000, fps: 10 };

    fn series(step_ns: i64, rows: i64) -> Series {
        let t_ns: Vec<i64> = (0..rows).map(|i| 1000 + i * step_ns).collect();
        Series { values: t_ns.iter().map(|t| *t as f64).collect(), t_ns, names: vec!["l_knee_joint".into()] }
    }

    #[test]
    fn state_is_held_and_says_its_age() {
        let state = series(2_000_000, 300);
        let rows = RowSource::new(&state, None, SPEC).rows(&[100_001_000, 200_000_999]);
        assert_eq!(rows.state, [100_001_000.0, 198_001_000.0]);
        assert_eq!(rows.state_age_ns, [0, 1_999_999]);
        assert_eq!(rows.action, [198_001_000.0, 300_001_000.0 - 2_000_000.0], "the next row's state");
        assert!(rows.action_age_ns.is_empty());
    }

    #[test]
    fn rows_without_state_or_command_do_not_fit() {
        let (state, late) = (series(2_000_000, 100), Series { t_ns: vec![50_000_000], values: vec![1.0], names: vec!["a".into()] });
        let source = RowSource::new(&state, Some(&late), SPEC);
        assert_eq!(source.fits(0).unwrap_err(), "no joint state yet");
        assert_eq!(source.fits(40_000_000).unwrap_err(), NO_COMMAND);
        assert_eq!(source.fits(60_000_000), Ok(()));
        assert_eq!(source.fits(300_000_000).unwrap_err(), "the last joint state is 101 ms old");
        let broken = Series { values: vec![f64::NAN], t_ns: vec![0], names: vec!["knee".into()] };
        assert!(RowSource::new(&broken, None, SPEC).fits(0).unwrap_err().contains("knee"));
    }
}
