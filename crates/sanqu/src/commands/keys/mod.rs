//! `sanqu keys`: the certificates of a field.

mod authority;
mod show;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use sanqu_ingest::{CERT_FILE, Certificate, Holder, Role, holders_in};
use sanqu_model::{FieldConfig, Id};

use crate::assets::Assets;
use crate::cli::{Keys, KeysHolders, KeysInit, KeysRecorder, KeysRenew};
use crate::outcome::Outcome;
use authority::Authority;

/// A recorder on the same computer is always dialled by these.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes, renews or shows keys.
///
/// # Errors
/// When a name is not the field's, keys are there already, or a file cannot be written.
pub(crate) fn run(args: &Keys, assets: impl Fn() -> Result<Assets>) -> Result<Outcome> {
    match args {
        Keys::Init(args) => init(args, &assets()?),
        Keys::Recorder(args) => recorder(args),
        Keys::Robot(args) => holders(Role::Robot, args, &assets()?),
        Keys::Operator(args) => holders(Role::Operator, args, &assets()?),
        Keys::Viewer(args) => holders(Role::Viewer, args, &assets()?),
        Keys::Renew(args) => renew(args),
        Keys::Show(args) => show::run(args, &assets()?),
    }
}

fn init(args: &KeysInit, assets: &Assets) -> Result<Outcome> {
    let field = assets.field(&args.field)?;
    for domain in &args.domain {
        let plain = !domain.is_empty() && domain.split('.').all(|part| !part.is_empty()) && domain.bytes().all(is_host_byte);
        ensure!(plain, "--domain {domain:?} is no host name");
    }
    Authority::create(&args.dir, &field.field, &args.domain, args.days, args.force)?;
    let dir = args.dir.display();
    super::print(&format!(
        "made the certificate authority of field {} in {dir}/ca\n\
         {dir}/ca/ca-key.pem makes keys of this field: keep it away from recorder and robots, and a copy in a safe place\n\
         next: sanqu keys recorder rec-1 --dir {dir} --host <its address>, then robot, operator, viewer",
        field.field
    ))?;
    Ok(Outcome::Ok)
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'
}

fn recorder(args: &KeysRecorder) -> Result<Outcome> {
    let authority = Authority::open(&args.made.dir)?;
    let holder = Holder { role: Role::Recorder, id: Id::new("recorder", &args.id)? };
    let mut hosts = args.host.clone();
    hosts.extend(LOCAL_HOSTS.iter().filter(|host| !args.host.iter().any(|given| given == *host)).map(|host| (*host).to_owned()));
    let folder = authority.issue(&holder, &hosts, args.made.days, args.force)?;
    tell(&folder, &holder)?;
    Ok(Outcome::Ok)
}

fn holders(role: Role, args: &KeysHolders, assets: &Assets) -> Result<Outcome> {
    let authority = Authority::open(&args.made.dir)?;
    let field = field_of(authority.field(), args.field.as_deref(), assets)?;
    let known = named(&field, role);
    let ids = match args.ids.as_slice() {
        [all] if all == "all" => known.clone(),
        ids => ids.iter().map(|id| Ok(Id::new(role.as_str(), id)?)).collect::<Result<Vec<_>>>()?,
    };
    ensure!(!ids.is_empty(), "field {} names no {}s", field.field, role.as_str());
    for id in &ids {
        if !known.contains(id) {
            let known: Vec<&str> = known.iter().map(Id::as_str).collect();
            bail!(
                "field {} has no {} {id}; it has {}. Who is not in the field file is allowed nothing",
                field.field,
                role.as_str(),
                known.join(", ")
            );
        }
    }
    for id in ids {
        let holder = Holder { role, id };
        let folder = authority.issue(&holder, &[], args.made.days, args.force)?;
        tell(&folder, &holder)?;
        if role == Role::Operator && field.stations_of(&holder.id).next().is_none() {
            super::say(&format!("warning: the field file gives {} no station to control", holder.id));
        }
    }
    Ok(Outcome::Ok)
}

/// Those of a role that the field file names; recorders are in none.
fn named(field: &FieldConfig, role: Role) -> Vec<Id> {
    match role {
        Role::Recorder => Vec::new(),
        Role::Robot => field.robots.iter().map(|robot| robot.id.clone()).collect(),
        Role::Operator => field.operators.iter().map(|operator| operator.id.clone()).collect(),
        Role::Viewer => field.viewers.iter().map(|viewer| viewer.id.clone()).collect(),
    }
}

fn field_of(field: &Id, given: Option<&str>, assets: &Assets) -> Result<FieldConfig> {
    let config = assets.field(given.unwrap_or(field.as_str()));
    let config = config.with_context(|| format!("the keys are of field {field}; name its file with --field"))?;
    ensure!(&config.field == field, "the keys are of field {field}, not of {}", config.field);
    Ok(config)
}

fn renew(args: &KeysRenew) -> Result<Outcome> {
    let dir = &args.made.dir;
    let authority = Authority::open(dir)?;
    let present = holders_in(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let chosen: Vec<&Holder> = match args.names.as_slice() {
        [all] if all == "all" => present.iter().collect(),
        names => names.iter().map(|name| by_folder(&present, name, dir)).collect::<Result<_>>()?,
    };
    for holder in chosen {
        let hosts = Certificate::read(&dir.join(holder.folder()).join(CERT_FILE))?.hosts;
        let folder = authority.issue(holder, &hosts, args.made.days, true)?;
        tell(&folder, holder)?;
    }
    Ok(Outcome::Ok)
}

fn by_folder<'a>(present: &'a [Holder], name: &str, dir: &Path) -> Result<&'a Holder> {
    let found = present.iter().find(|holder| holder.folder() == name || holder.to_string() == name);
    found.with_context(|| {
        let names: Vec<String> = present.iter().map(Holder::folder).collect();
        format!("there are no keys {name} in {}; there are {}", dir.display(), names.join(", "))
    })
}

/// What was made, and where it goes.
fn tell(folder: &Path, holder: &Holder) -> Result<()> {
    let certificate = Certificate::read(&folder.join(CERT_FILE))?;
    let (path, id) = (folder.display(), &holder.id);
    let next = match holder.role {
        Role::Recorder => format!(
            "copy the folder to the recorder and start: sanqu record --keys {path} --listen tls/0.0.0.0:7447 … (dialled as {})",
            certificate.hosts.join(", ")
        ),
        Role::Robot => format!("copy the folder to robot {id} and publish with: --keys {path} --connect tls/<recorder>:7447"),
        Role::Operator => {
            format!("copy the folder to the computer of {id} and use: sanqu episode … --keys {path} --connect tls/<recorder>:7447")
        }
        Role::Viewer => format!("copy the folder to {id} and watch with: sanqu live --keys {path} --connect tls/<recorder>:7447"),
    };
    super::print(&format!("made {path}: {holder}, valid until {}\n  {next}", certificate.last_day()))
}
