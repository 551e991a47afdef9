use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use sanqu_dataset::{filter, sql};
use sanqu_store::{Decision, DecisionKind, JournalWriter, Store};

use crate::recording::{Camera, Recording, id, store};

fn recorded(store: &Store) {
    let with = |number| Recording { number, cameras: vec![], secs: 1, ..Recording::default() };
    let first = with(1).seal(store);
    with(2).seal(store);
    let decide =
        |kind, reason: &str| first.append_decision(&Decision { kind, who: "op-07".into(), reason: reason.into(), at_ns: 1 }).unwrap();
    decide(DecisionKind::Keep, "good");
    decide(DecisionKind::Discard, "wrong door");
    decide(DecisionKind::Outcome, "failure");
}

async fn one(store: &Store, query: &str) -> RecordBatch {
    sql(store, query).await.unwrap().into_iter().find(|batch| batch.num_rows() > 0).unwrap_or_else(|| panic!("{query}: no rows"))
}

#[tokio::test]
async fn episodes_and_streams_can_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    recorded(&store);
    let found = one(&store, "SELECT state, outcome, reason, verdict, robots, start FROM episodes ORDER BY episode").await;
    let text = |column: usize, row: usize| found.column(column).as_string::<i32>().value(row).to_owned();
    assert_eq!(
        (text(0, 0), text(1, 0), text(2, 0), text(4, 0)),
        ("discarded".into(), "failure".into(), "wrong door".into(), "walker-s-01".into())
    );
    assert_eq!((text(0, 1), found.column(1).is_null(1), found.column(3).null_count()), ("sealed".into(), true, 2));
    let found = one(&store, "SELECT sum(rows) AS rows, sum(received) FROM streams WHERE stream = 'joint'").await;
    assert_eq!(found.column(0).as_primitive::<UInt64Type>().value(0), 2 * 300);
    let found = one(&store, "SELECT name, text FROM events LIMIT 1").await;
    assert_eq!(found.column(1).as_string::<i32>().value(0), "a mark");
}

#[tokio::test]
async fn joints_have_a_long_form() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    recorded(&store);
    let found = one(&store, "SELECT joint, count(*) AS n, max(pos) FROM joint GROUP BY joint ORDER BY joint").await;
    assert_eq!(found.num_rows(), 3);
    assert_eq!(found.column(0).as_string::<i32>().value(1), "l_hip");
    assert_eq!(found.column(1).as_primitive::<Int64Type>().value(0), 600);
    assert!(found.column(2).as_primitive::<Float64Type>().value(0) <= 1.0);
    let found = sql(&store, "SELECT * FROM motor").await.unwrap();
    assert_eq!((found.len(), found[0].num_rows(), found[0].num_columns()), (1, 0, 14));
}

#[tokio::test]
async fn rows_of_robots_with_wrong_clocks_meet_on_the_field_timeline() {
    const FIVE_MINUTES_NS: i64 = 300_000_000_000;
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let head = Camera { name: "head", phase_ns: 0, lost: vec![] };
    Recording { wrong_ns: -FIVE_MINUTES_NS, cameras: vec![head], secs: 1, ..Recording::default() }.seal(&store);
    for table in ["joint", "frames"] {
        let moved = "CAST(t_field AS BIGINT) - CAST(t AS BIGINT)";
        let query = format!("SELECT min({moved}), max({moved}) FROM {table}");
        let found = one(&store, &query).await;
        for column in 0..2 {
            // A sample of ten rows is there 44 ms before its last row is due.
            assert_eq!(found.column(column).as_primitive::<Int64Type>().value(0), FIVE_MINUTES_NS - 44_000_000, "{table}");
        }
        let query = format!("SELECT count(*) FROM {table}, episodes WHERE t_field >= start AND t_field < stop");
        let rows = one(&store, "SELECT stream, rows_in_episode FROM streams ORDER BY stream").await;
        let (of_camera, of_joint) =
            (rows.column(1).as_primitive::<UInt64Type>().value(0), rows.column(1).as_primitive::<UInt64Type>().value(1));
        let expect = if table == "joint" { 3 * of_joint } else { of_camera };
        assert!(expect > 25, "{rows:?}");
        assert_eq!(one(&store, &query).await.column(0).as_primitive::<Int64Type>().value(0).unsigned_abs(), expect, "{table}");
    }
}

#[tokio::test]
async fn conditions_choose_episodes() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    recorded(&store);
    let start = sanqu_store::EpisodeStart {
        episode: sanqu_model::EpisodeId::new(1, 9),
        field: id("desk"),
        zone: None,
        station: id("a01"),
        task: None,
        prompt: String::new(),
        operator: None,
        robots: vec![],
        start_ns: 1,
        pre_roll_ns: 1,
        recorder: "test".into(),
        facts: Default::default(),
    };
    drop(JournalWriter::create(&store, &start).unwrap());
    assert_eq!(filter(&store, "station = 'a01' AND state <> 'discarded'").await.unwrap().len(), 1);
    assert_eq!(filter(&store, "true -- all").await.unwrap().len(), 2, "sealed ones only");
    assert_eq!(one(&store, "SELECT count(*) FROM episodes WHERE state = 'open'").await.column(0).as_primitive::<Int64Type>().value(0), 1);
    let error = filter(&store, "statoin = 'a01'").await.unwrap_err().to_string();
    assert!(error.contains("statoin"), "{error}");
}

#[tokio::test]
async fn queries_cannot_write_and_wrong_ones_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let target = dir.path().join("out.csv");
    let copy = format!("COPY (SELECT 1) TO '{}'", target.display());
    for (query, part) in [
        ("SELECT * FROM episode", "episode"),
        ("SELEC 1", "SELEC"),
        ("CREATE TABLE x AS SELECT 1", "DDL"),
        ("SET datafusion.execution.batch_size = 1", "not supported"),
        (copy.as_str(), "DML"),
    ] {
        let error = sql(&store, query).await.unwrap_err().to_string();
        assert!(error.contains(part), "{query}: {error}");
    }
    assert!(!target.exists());
}
