use std::collections::BTreeMap;
use std::path::PathBuf;

use sanqu_model::{EpisodeId, Id, StreamKey, now_ns};
use sanqu_store::{Control, Store, StoreError, Survey, survey};
use tracing::{info, warn};

use crate::RecorderConfig;
use crate::share::Share;
use crate::station::{Station, nanos};
use crate::take::Take;

/// What an earlier recorder left behind at the stations of this one.
#[derive(Default)]
pub(crate) struct LeftBehind {
    /// Journals to be sealed, oldest first.
    pub(crate) closed: BTreeMap<Id, Vec<(EpisodeId, PathBuf)>>,
    /// The episode of each station that goes on.
    pub(crate) open: BTreeMap<Id, Survey>,
}

impl LeftBehind {
    /// Looks at every journal that is not sealed. One that is nobody's, or cannot be read, is left to `sanqu repair`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the journals cannot be listed.
    pub(crate) fn find(config: &RecorderConfig) -> Result<Self, StoreError> {
        let mut found = Self::default();
        for (episode, journal) in journals(&config.store)? {
            match survey(&config.store, episode) {
                Ok(survey) if config.field.station(&survey.start.station).is_some() => found.sort_in(config, survey, journal),
                Ok(survey) => {
                    warn!(%episode, station = %survey.start.station, "a journal of a station that is not ours waits for `sanqu repair`");
                }
                Err(error) => warn!(%episode, %error, "a journal of an earlier crash waits for `sanqu repair`"),
            }
        }
        Ok(found)
    }

    fn sort_in(&mut self, config: &RecorderConfig, survey: Survey, journal: PathBuf) {
        let (episode, station) = (survey.start.episode, survey.start.station.clone());
        let last_ns = survey.last_recv_ns.unwrap_or(survey.start.start_ns);
        let is_fresh = now_ns().saturating_sub(last_ns) < nanos(config.resume_within);
        // Only the newest of a station can have been open to the last; they come in order.
        if let Some(earlier) = self.open.remove(&station) {
            warn!(%station, episode = %earlier.start.episode, "an older episode of the station was left open as well; it is closed");
            let path = journals(&config.store).ok().and_then(|found| found.get(&earlier.start.episode).cloned());
            self.closed.entry(station.clone()).or_default().extend(path.map(|path| (earlier.start.episode, path)));
        }
        if survey.stop.is_none() && is_fresh {
            self.open.insert(station, survey);
        } else {
            self.closed.entry(station).or_default().push((episode, journal));
        }
    }
}

/// The first segment of every episode that is not sealed.
fn journals(store: &Store) -> Result<BTreeMap<EpisodeId, PathBuf>, StoreError> {
    let mut found = BTreeMap::new();
    for path in store.journals()? {
        let episode = path.file_name().and_then(|name| name.to_str()?.split('.').next()?.parse::<EpisodeId>().ok());
        if let Some(episode) = episode {
            found.entry(episode).or_insert(path);
        }
    }
    Ok(found)
}

impl Station {
    /// Takes up what an earlier recorder left behind here: seals what is over, goes on with what is not.
    pub(crate) fn take_over(&mut self, closed: Vec<(EpisodeId, PathBuf)>, open: Option<Survey>) {
        for (episode, journal) in closed {
            warn!(station = %self.id, %episode, "an episode that a crash left behind is sealed");
            // Refusals are logged and in the status.
            let _ = self.seal(episode, journal, None);
        }
        let Some(survey) = open else { return };
        let episode = survey.start.episode;
        if let Err(error) = self.resume(survey) {
            // What operators decide now is about this one.
            let _ = self.keep_unsealed(episode, format!("the episode cannot be resumed: {error}"));
        }
    }

    /// Goes on with an episode in a new segment of its journal. What was missed meanwhile is asked for like anything else.
    fn resume(&mut self, survey: Survey) -> Result<(), StoreError> {
        let now_ns = now_ns();
        let gap_ms = survey.last_recv_ns.map_or(0, |last_ns| now_ns.saturating_sub(last_ns) / 1_000_000);
        let episode = survey.start.episode;
        let mut take = Take::begin(&self.context.config.store, survey.start, self.rhythm())?;
        take.recall(&survey.controls);
        let text = format!(
            "the recorder was started again; nothing was recorded for about {gap_ms} ms, {} bytes were torn off",
            survey.torn_bytes
        );
        take.control(Control::Event { t_ns: now_ns, name: "recorder_restarted".to_owned(), text });
        take.resumed_ns = Some(now_ns);
        let begins = begins(&survey.controls, &take.start.field);
        for ((key, boot), rows) in survey.rows {
            let begin = begins.get(&(key.clone(), boot)).copied().or(rows.start()).unwrap_or(0);
            self.admit(&key.robot);
            let Some(watch) = self.robots.get_mut(&key.robot) else { continue };
            let boot = watch.track(&key, &key.stream).recall(boot, begin, &rows);
            boot.share = Some(Share::resumed(begin, rows));
        }
        info!(station = %self.id, %episode, gap_ms, "recording goes on");
        self.take = Some(take);
        Ok(())
    }
}

/// Where the boots of streams begin in the episode, as its journal says.
fn begins(controls: &[Control], field: &Id) -> BTreeMap<(StreamKey, u64), u64> {
    let mut begins = BTreeMap::new();
    for control in controls {
        let Control::Baseline { robot, stream, boot, next_seq } = control else { continue };
        let key = StreamKey { field: field.clone(), robot: robot.clone(), stream: stream.clone() };
        let begin = begins.entry((key, *boot)).or_insert(*next_seq);
        *begin = (*begin).min(*next_seq);
    }
    begins
}
