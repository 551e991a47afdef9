use std::fs;

use sanqu_store::{Decision, DecisionKind, JournalWriter, Store, StoreError};

use crate::fixture::{BOOT, Bench, Message, contents, id, record, start};

#[test]
fn episodes_are_found_by_prefix() {
    let bench = Bench::new();
    for number in [1, 2, u128::MAX] {
        bench.seal(&record(&bench, number, &[Message::joint(BOOT, 0, 1)], 1));
    }
    let open = bench.journal(3);
    let ids: Vec<String> = bench.store.episodes().unwrap().iter().map(|e| e.manifest().episode.to_string()).collect();
    assert_eq!(bench.store.find("last").unwrap().manifest().episode.to_string(), ids[2]);
    assert_eq!(bench.store.find(&ids[2][..11].to_lowercase()).unwrap().manifest().episode.to_string(), ids[2]);
    let ambiguous = bench.store.find(&ids[0][..20]).unwrap_err().to_string();
    assert!(ambiguous.contains(&ids[0]) && ambiguous.contains(&ids[1]) && !ambiguous.contains(&ids[2]), "{ambiguous}");
    assert!(matches!(bench.store.find("7ZZ"), Err(StoreError::NoEpisode { .. })));
    let newest = bench.store.newest_of_stations().unwrap();
    assert_eq!(newest.iter().map(|episode| episode.manifest().episode.to_string()).collect::<Vec<_>>(), [ids[2].clone()]);
    let manifest = bench.store.find(&ids[1]).unwrap().dir().join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for name in ["../loss.parquet", "/loss.parquet", "..", "a/../loss.parquet"] {
        fs::write(&manifest, text.replace("\"loss.parquet\"", &format!("{name:?}"))).unwrap();
        assert!(bench.store.find(&ids[1]).unwrap_err().to_string().contains(name), "a name that leads out of the folder");
    }
    fs::write(&manifest, text).unwrap();
    // An episode that cannot be read is not taken for one that is not there.
    fs::write(bench.store.find(&ids[0]).unwrap().dir().join("manifest.json"), "{").unwrap();
    assert!(bench.store.find(&ids[0]).unwrap_err().to_string().contains("manifest.json"));
    let states: Vec<bool> = bench.store.episode_states().unwrap().iter().map(|state| state.open).collect();
    assert_eq!(states, [false, true, false]);
    drop(open);
}

#[test]
fn a_store_belongs_to_one_field() {
    let bench = Bench::new();
    let error = Store::open_or_create(bench.store.root(), &id("qingdao"), "Asia/Shanghai").unwrap_err().to_string();
    assert!(error.contains("belongs to field desk, not qingdao"), "{error}");
    let elsewhere = bench.folder.path().join("elsewhere");
    assert!(Store::open_or_create(&elsewhere, &id("desk"), "Asia/Qingdao").is_err() && !elsewhere.exists());
    assert!(Store::open(&elsewhere).unwrap_err().to_string().contains("elsewhere"));
}

#[test]
fn decisions_are_only_added() {
    let bench = Bench::new();
    bench.seal(&record(&bench, 1, &[Message::joint(BOOT, 0, 1)], 1));
    let episode = bench.last();
    let (keep, undo) = (decide(DecisionKind::Keep, 5), decide(DecisionKind::Undo, 6));
    episode.append_decision(&keep).unwrap();
    // A crash in the middle of a line: never acknowledged, so it may go.
    let path = episode.dir().join("decisions.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{{\"kind\":\"disc")).unwrap();
    assert_eq!(episode.decisions().unwrap(), std::slice::from_ref(&keep));
    episode.append_decision(&undo).unwrap();
    assert_eq!(episode.decisions().unwrap(), [keep, undo]);
    fs::write(&path, "{}\n").unwrap();
    assert!(episode.decisions().unwrap_err().to_string().contains("line 1"));
}

fn decide(kind: DecisionKind, at_ns: i64) -> Decision {
    Decision { kind, who: "op-07".to_owned(), reason: "三".to_owned(), at_ns }
}

#[test]
fn decisions_about_an_open_episode_are_in_its_folder_once_it_is_sealed() {
    let bench = Bench::new();
    let episode = start(1).episode;
    let first = [decide(DecisionKind::Keep, 1), decide(DecisionKind::Undo, 2)];
    assert!(matches!(bench.store.append_decision(episode, &first[0]), Err(StoreError::NoEpisode { .. })));
    let journal = record(&bench, 1, &[Message::joint(BOOT, 0, 1)], 1);
    for decision in &first {
        bench.store.append_decision(episode, decision).unwrap();
    }
    assert_eq!(bench.store.decisions(episode).unwrap(), first);
    let waiting = bench.store.root().join(format!("journals/{episode}.decisions.jsonl"));
    let (journal_bytes, waiting_bytes) = (fs::read(&journal).unwrap(), fs::read(&waiting).unwrap());
    bench.seal(&journal);
    assert!(!waiting.exists());
    let last = decide(DecisionKind::Discard, 3);
    bench.store.append_decision(episode, &last).unwrap();
    let all = [first[0].clone(), first[1].clone(), last];
    assert_eq!(bench.last().decisions().unwrap(), all);
    // As after a kill before the journal was removed; a line without its end was never acknowledged.
    fs::write(&journal, journal_bytes).unwrap();
    fs::write(&waiting, [waiting_bytes.as_slice(), b"{\"kind\":"].concat()).unwrap();
    bench.seal(&journal);
    assert_eq!(bench.store.decisions(episode).unwrap(), all);
    assert!(!waiting.exists());
    // As after a power loss that kept the removal of the journal only.
    let late = decide(DecisionKind::Keep, 4);
    fs::write(&waiting, format!("{}\n", serde_json::to_string(&late).unwrap())).unwrap();
    let repaired = sanqu_store::repair(&bench.store).unwrap();
    assert_eq!((repaired.len(), repaired[0].path.as_path()), (1, waiting.as_path()));
    assert_eq!(bench.last().decisions().unwrap()[3], late);
    assert!(!waiting.exists() && sanqu_store::repair(&bench.store).unwrap().is_empty());
}

#[test]
fn a_decision_while_its_episode_is_sealed_is_not_lost() {
    let bench = Bench::new();
    let (episode, mut decisions) = (start(1).episode, Vec::new());
    let journal = record(&bench, 1, &[Message::joint(BOOT, 0, 1)], 1);
    let at = |count: usize| i64::try_from(count).unwrap();
    sanqu_store::seal(&bench.store, &journal, &mut |_| {
        let decision = decide(DecisionKind::Keep, at(decisions.len()));
        bench.store.append_decision(episode, &decision).unwrap();
        decisions.push(decision);
    })
    .unwrap();
    assert!(decisions.len() > 3);
    assert_eq!(bench.last().decisions().unwrap(), decisions);
}

#[test]
fn robot_descriptions_are_kept_by_content() {
    let bench = Bench::new();
    let source = bench.folder.path().join("walker-s");
    fs::create_dir_all(source.join("meshes")).unwrap();
    fs::write(source.join("robot.urdf"), "<robot name=\"w\"/>").unwrap();
    fs::write(source.join("meshes/leg.stl"), [1, 2, 3]).unwrap();
    let hash = bench.store.snapshot_robot(&source).unwrap();
    assert_eq!(bench.store.snapshot_robot(&source).unwrap(), hash);
    assert_eq!(fs::read(bench.store.robot_folder(&hash).join("meshes/leg.stl")).unwrap(), [1, 2, 3]);
    fs::write(source.join("robot.urdf"), "<robot name=\"v\"/>").unwrap();
    assert_ne!(bench.store.snapshot_robot(&source).unwrap(), hash);
    assert!(sanqu_store::verify(bench.store.root()).unwrap().is_sound());
    fs::write(bench.store.robot_folder(&hash).join("robot.urdf"), "changed").unwrap();
    assert!(!sanqu_store::verify(bench.store.root()).unwrap().is_sound());
    assert!(bench.store.snapshot_robot(&bench.folder.path().join("missing")).is_err());
}

#[test]
fn a_journal_that_cannot_be_begun_leaves_nothing() {
    let bench = Bench::new();
    let start = sanqu_store::EpisodeStart { prompt: "x".repeat(sanqu_store::Control::BYTES_MAX), ..start(1) };
    assert!(JournalWriter::create(&bench.store, &start).is_err());
    assert!(bench.store.journals().unwrap().is_empty());
    assert!(contents(&bench.store.root().join("journals")).is_empty(), "nor a file without a name");
}
