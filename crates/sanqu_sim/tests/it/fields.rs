use sanqu_model::FieldConfig;

use crate::support::assets;

fn read(name: &str) -> FieldConfig {
    let path = assets().join("field").join(name);
    FieldConfig::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_desk_has_one_robot_for_each_of_the_two_tasks() {
    let field = read("desk.toml");
    assert_eq!(field.field.as_str(), "desk");
    assert_eq!(field.zones.iter().map(|zone| zone.name.as_str()).collect::<Vec<_>>(), ["工业智造", "智慧家庭", "商业服务"]);
    let stations: Vec<_> =
        field.stations().map(|place| (place.station.id.as_str(), place.scene.id.as_str(), place.station.robots[0].as_str())).collect();
    assert_eq!(stations, [("a01", "vehicle-inspection", "walker-s-01"), ("c01", "guided-tour", "kuavo-01")]);
    assert!(field.tasks.iter().all(|task| !task.prompt.is_empty() && !task.prompt_zh.is_empty()));
    assert!(field.robots.iter().any(|robot| robot.name.contains("夸父")));
}

#[test]
fn the_full_field_has_the_public_numbers_and_fits_its_floor() {
    let field = read("qingdao.toml");
    let scenes: usize = field.zones.iter().map(|zone| zone.scenes.len()).sum();
    assert_eq!((field.zones.len(), scenes, field.stations().count(), field.robots.len()), (3, 7, 28, 31));
    let ids: Vec<String> = field.stations().map(|place| place.station.id.to_string()).collect();
    let expected = [("a", 12), ("b", 8), ("c", 8)].iter().flat_map(|(zone, count)| (1..=*count).map(move |n| format!("{zone}{n:02}")));
    assert_eq!(ids, expected.collect::<Vec<_>>());
    for robot in &field.robots {
        assert!(field.station_of(&robot.id).is_some(), "{} stands nowhere", robot.id);
        assert!(assets().join("robots").join(&robot.model).is_dir(), "{} has no description", robot.model);
    }
    let places: Vec<[f64; 2]> = field.stations().map(|place| place.station.position_m).collect();
    for (index, [x, y]) in places.iter().enumerate() {
        assert!((1.0..=49.0).contains(x) && (1.0..=29.0).contains(y), "{} is outside 50 m x 30 m", ids[index]);
        for (other, [x2, y2]) in places.iter().enumerate().skip(index + 1) {
            let distance_m = (x - x2).hypot(y - y2);
            assert!(distance_m >= 3.0, "{} and {} are {distance_m} m apart", ids[index], ids[other]);
        }
    }
}
