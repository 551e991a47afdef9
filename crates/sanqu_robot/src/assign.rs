use crate::{RobotError, RobotModel};

/// How far a mimic joint's given value may be from what its master makes it, rad or m.
const MIMIC_TOLERANCE: f64 = 1e-9;

/// Reads `name=value,name=value` into joint positions in the order of [`RobotModel::joints`].
///
/// Joints that are not named stay at 0, the zero pose. A mimic joint may be named if its value is the one that its
/// master's position makes it. Empty text is the zero pose. Limits are not applied.
///
/// # Errors
/// [`RobotError::BadAssignment`] naming the item: no `=`, a value that is not a finite number, an unknown or fixed
/// joint, a joint named twice, or a mimic joint with a contradicting value.
pub fn parse_q(model: &RobotModel, text: &str) -> Result<Vec<f64>, RobotError> {
    let mut q: Vec<Option<f64>> = vec![None; model.joints().len()];
    let mut followers = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let bad = |reason: String| RobotError::BadAssignment { text: item.to_owned(), reason };
        let (name, value) = item.split_once('=').ok_or_else(|| bad("expected name=value".to_owned()))?;
        let (name, value) = (name.trim(), value.trim());
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = number.ok_or_else(|| bad(format!("{value:?} is not a finite number")))?;
        if let Some(index) = model.joint_index(name) {
            if q[index].replace(number).is_some() {
                return Err(bad("this joint is named twice".to_owned()));
            }
        } else if let Some(mimic) = model.mimics().iter().find(|mimic| mimic.name == name) {
            followers.push((item, mimic, number));
        } else {
            return Err(bad(format!("robot {:?} has no movable joint {name:?}", model.name())));
        }
    }
    let q: Vec<f64> = q.into_iter().map(Option::unwrap_or_default).collect();
    for (item, mimic, number) in followers {
        let expected = mimic.multiplier * q[mimic.joint] + mimic.offset;
        if (number - expected).abs() > MIMIC_TOLERANCE {
            let master = &model.joints()[mimic.joint].name;
            let reason = format!("this joint follows {master:?}, which makes it {expected}");
            return Err(RobotError::BadAssignment { text: item.to_owned(), reason });
        }
    }
    Ok(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAND: &str = r#"<robot name="hand">
        <link name="palm"/><link name="near"/><link name="far"/><link name="tip"/>
        <joint name="mcp" type="revolute"><parent link="palm"/><child link="near"/><axis xyz="1 0 0"/>
          <limit lower="0" upper="1.5" velocity="1" effort="1"/></joint>
        <joint name="pip" type="revolute"><parent link="near"/><child link="far"/><axis xyz="1 0 0"/>
          <limit lower="0" upper="3" velocity="1" effort="1"/><mimic joint="mcp" multiplier="2" offset="0.1"/></joint>
        <joint name="nail" type="fixed"><parent link="far"/><child link="tip"/></joint>
      </robot>"#;

    fn check(text: &str, expect: Result<f64, &str>) {
        let model = RobotModel::from_urdf_str(HAND).unwrap();
        let found = parse_q(&model, text).map(|q| q[0]).map_err(|error| error.to_string());
        match (found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect, "{text}"),
            (Err(found), Err(expect)) => assert!(found.contains(expect), "{text}: {found}"),
            (found, expect) => panic!("{text}: found {found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn joint_values_are_read_and_refused() {
        check("", Ok(0.0));
        check(" mcp = -1e-1 ,", Ok(-0.1));
        check("pip=1.1,mcp=0.5", Ok(0.5));
        check("pip=1,mcp=0.5", Err("follows \"mcp\", which makes it 1.1"));
        check("mcp", Err("expected name=value"));
        check("mcp=one", Err("\"one\" is not a finite number"));
        check("mcp=NaN", Err("not a finite number"));
        check("mcp=1,mcp=1", Err("named twice"));
        check("nail=1", Err("no movable joint \"nail\""));
    }
}
