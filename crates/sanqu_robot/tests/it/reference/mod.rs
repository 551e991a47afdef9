//! The reference values of the drives' mathematics: `data/drives_reference_values.csv`, row by row.
//!
//! Every output is computed from the row's own inputs by the general formula; a row of a known kind with other inputs is
//! checked without a change here. A row of an unknown kind fails.

mod ankles;
mod estimates;
mod linkages;
mod reducers;
mod units;

use serde_json::Value;

/// One line of the file.
pub(crate) struct Row {
    case: String,
    group: String,
    output: String,
    value: f64,
    tol: f64,
    inputs: Value,
}

impl Row {
    /// A number among the inputs.
    fn get(&self, name: &str) -> Option<f64> {
        self.inputs.get(name)?.as_f64()
    }

    /// A number among the inputs that the row must have.
    fn need(&self, name: &str) -> f64 {
        self.get(name).unwrap_or_else(|| panic!("{} {}: no input {name:?}", self.case, self.output))
    }

    /// A count among the inputs.
    fn count(&self, name: &str) -> u32 {
        let number = self.need(name);
        assert!(number >= 0.0 && number.fract() == 0.0 && number < 1e9, "{}: {name} is {number}", self.case);
        format!("{number:.0}").parse().unwrap()
    }

    fn text(&self, name: &str) -> &str {
        self.inputs.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number that stands in the output's name between two texts: `torque_at_3900N`.
    fn in_name(&self, before: &str, after: &str) -> Option<f64> {
        self.output.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
    }

    /// Two numbers in the output's name: `tau_pitch_for_m(10,6)`.
    fn pair_in_name(&self, before: &str) -> Option<[f64; 2]> {
        let (first, second) = self.output.strip_prefix(before)?.strip_suffix(')')?.split_once(',')?;
        Some([first.trim().parse().ok()?, second.trim().parse().ok()?])
    }

    /// What this crate says.
    fn compute(&self) -> Option<f64> {
        match self.group.as_str() {
            group if group.starts_with("strain_wave") => reducers::strain_wave(self),
            group if group.starts_with("planetary") => reducers::planetary(self),
            "roller_screw" => reducers::roller_screw(self),
            "linear_knee" => linkages::linear_knee(self),
            "four_bar_knee" => linkages::four_bar(self),
            "parallel_ankle_rsu" => ankles::cranks(self),
            "parallel_ankle_spu" => ankles::actuators(self),
            "encoder" if self.output == "windup_sigma_mc" => Some(estimates::scatter(self)),
            "encoder" => units::encoder(self),
            "estimator" => estimates::estimator(self),
            _ => None,
        }
    }
}

/// Fields of a CSV line, quotes doubled inside quoted ones.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut().unwrap();
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(letter),
        }
    }
    fields
}

fn rows() -> Vec<Row> {
    let text = include_str!("../data/drives_reference_values.csv");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("case,group,output,value,unit,tol,inputs,source"));
    let row = |line: &str| {
        let fields = fields(line);
        let [case, group, output, value, _, tol, inputs, _] = &fields[..] else { panic!("not 8 fields: {line}") };
        Row {
            case: case.clone(),
            group: group.clone(),
            output: output.clone(),
            value: value.parse().unwrap(),
            tol: tol.parse().unwrap(),
            inputs: serde_json::from_str(inputs).unwrap(),
        }
    };
    lines.filter(|line| !line.trim().is_empty()).map(row).collect()
}

#[test]
fn every_row_is_met() {
    let rows = rows();
    let (mut met, mut wrong) = (0, Vec::new());
    for row in &rows {
        match row.compute() {
            // Rounding of the last digit is not a difference in the formula where the file asks for equality.
            Some(found) if (found - row.value).abs() <= row.tol => met += 1,
            Some(found) => wrong.push(format!("{} {}: {found}, expected {} ± {}", row.case, row.output, row.value, row.tol)),
            None => wrong.push(format!("{} {} {}: nothing here computes this", row.case, row.group, row.output)),
        }
    }
    assert!(wrong.is_empty(), "{met} rows met, {} not:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(met, 252);
}
