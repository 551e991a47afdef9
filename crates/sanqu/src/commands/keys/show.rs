//! `sanqu keys show`: who has keys, and whether they are good.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sanqu_ingest::{CA_FILE, CERT_FILE, Certificate, Holder, Keys, Role, holders_in};
use sanqu_model::{FieldConfig, now_ns};
use serde_json::{Value, json};

use crate::assets::Assets;
use crate::cli::KeysShow;
use crate::outcome::Outcome;
use crate::table::table;

/// Keys that end within this time are to be renewed.
const RENEW_DAYS: i64 = 30;

const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// Shows every holder's keys in a folder; exit code 3 when any of them is not good.
///
/// # Errors
/// When the folder holds no keys.
pub(crate) fn run(args: &KeysShow, assets: &Assets) -> Result<Outcome> {
    let folders = folders(&args.dir)?;
    let now_ns = now_ns();
    let mut rows = Vec::with_capacity(folders.len());
    for folder in &folders {
        rows.push(Row::of(folder, args, assets, now_ns)?);
    }
    if args.json {
        super::super::print(&serde_json::to_string_pretty(&rows.iter().map(Row::json).collect::<Vec<_>>())?)?;
    } else {
        let lines = rows.iter().map(|row| {
            let days = row.days_left.to_string();
            vec![row.name.clone(), row.certificate.last_day(), days, row.certificate.hosts.join(" "), row.problems.join("; ")]
        });
        super::super::print(&table(&["keys of", "valid until", "days", "hosts", "what is wrong"], &["days"], lines).to_string())?;
    }
    Ok(Outcome::defects(rows.iter().any(|row| !row.problems.is_empty())))
}

/// The authority's folder first, then the holders'; or the one holder's.
fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    if dir.join(CERT_FILE).is_file() {
        return Ok(vec![dir.to_path_buf()]);
    }
    let holders = holders_in(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut folders: Vec<PathBuf> = holders.iter().map(|holder| dir.join(holder.folder())).collect();
    let authority = dir.join("ca");
    if authority.join(CA_FILE).is_file() {
        folders.insert(0, authority);
    }
    if folders.is_empty() {
        bail!("{} holds no keys; `sanqu keys init --dir {}` begins", dir.display(), dir.display());
    }
    Ok(folders)
}

struct Row {
    name: String,
    folder: PathBuf,
    certificate: Certificate,
    days_left: i64,
    problems: Vec<String>,
}

impl Row {
    fn of(folder: &Path, args: &KeysShow, assets: &Assets, now_ns: i64) -> Result<Self> {
        let own = folder.join(CERT_FILE);
        let is_authority = !own.is_file();
        let authority = Certificate::read(&folder.join(CA_FILE))?;
        let certificate = if is_authority { authority.clone() } else { Certificate::read(&own)? };
        let days_left = (certificate.not_after_ns - now_ns).div_euclid(DAY_NS);
        let mut problems = Vec::new();
        if is_authority {
            if days_left < 0 {
                problems.push("expired".to_owned());
            }
        } else {
            problems.extend(Keys::load(folder, now_ns).err().map(|error| error.to_string()));
            if !certificate.is_of(&authority) {
                problems.push(format!("not made by the authority in its {CA_FILE}"));
            }
            problems.extend(unnamed(&certificate, args, assets)?);
        }
        if problems.is_empty() && days_left < RENEW_DAYS {
            problems.push(format!("ends within {RENEW_DAYS} days: sanqu keys renew"));
        }
        Ok(Self { name: certificate.common_name.clone(), folder: folder.to_path_buf(), certificate, days_left, problems })
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "folder": self.folder.display().to_string(),
            "field": self.certificate.field,
            "not_before_ns": self.certificate.not_before_ns,
            "not_after_ns": self.certificate.not_after_ns,
            "days_left": self.days_left,
            "hosts": self.certificate.hosts,
            "problems": self.problems,
        })
    }
}

/// Says so when the field file does not name the holder; nothing where the file is not known.
fn unnamed(certificate: &Certificate, args: &KeysShow, assets: &Assets) -> Result<Option<String>> {
    let (Ok(holder), Some(field)) = (certificate.common_name.parse::<Holder>(), &certificate.field) else { return Ok(None) };
    let config: FieldConfig = match &args.field {
        Some(given) => super::field_of(field, Some(given), assets)?,
        None => match assets.field(field.as_str()) {
            Ok(config) => config,
            Err(_) => return Ok(None),
        },
    };
    let known = holder.role == Role::Recorder || super::named(&config, holder.role).contains(&holder.id);
    Ok((!known).then(|| format!("the field file names no {} {}: it is allowed nothing", holder.role.as_str(), holder.id)))
}
