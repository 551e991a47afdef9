use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sanqu_model::{Id, date_in_zone};
use x509_parser::pem::Pem;
use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate};

use crate::IngestError;

/// The file of the field's certificate authority, in every folder of keys.
pub const CA_FILE: &str = "ca.pem";
/// The holder's certificate.
pub const CERT_FILE: &str = "cert.pem";
/// The holder's private key.
pub const KEY_FILE: &str = "key.pem";

/// The longest certificate file that is read, in bytes.
const PEM_BYTES_MAX: u64 = 64 * 1024;

const ORGANISATION_PREFIX: &str = "sanqu field ";

const SECOND_NS: i64 = 1_000_000_000;

/// What the holder of a certificate is to the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs the router and records.
    Recorder,
    /// Publishes its own streams and answers for them.
    Robot,
    /// Controls the stations that the field file gives to them.
    Operator,
    /// Reads everything, changes nothing.
    Viewer,
}

impl Role {
    /// All, in the order in which people meet them.
    pub const ALL: [Self; 4] = [Self::Recorder, Self::Robot, Self::Operator, Self::Viewer];

    /// The word in common names and folder names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorder => "recorder",
            Self::Robot => "robot",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }
}

/// Who a certificate is for; its text is the certificate's common name: `robot:kuavo-01`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// What the holder is.
    pub role: Role,
    /// Which one.
    pub id: Id,
}

impl Holder {
    /// The name of the folder with the holder's keys: `robot-kuavo-01`.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.role.as_str(), self.id)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role.as_str(), self.id)
    }
}

impl FromStr for Holder {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let bad = || format!("{name:?} is not <role>:<id> with the role recorder, robot, operator or viewer");
        let (role, id) = name.split_once(':').ok_or_else(bad)?;
        let role = Role::ALL.into_iter().find(|known| known.as_str() == role).ok_or_else(bad)?;
        Ok(Self { role, id: Id::new(role.as_str(), id).map_err(|e| e.to_string())? })
    }
}

/// The organisation in every certificate of a field, so that keys of one field are not taken for another's.
pub fn field_organisation(field: &Id) -> String {
    format!("{ORGANISATION_PREFIX}{field}")
}

/// What a certificate file says; nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The common name.
    pub common_name: String,
    /// The field in its organisation.
    pub field: Option<Id>,
    /// Valid from, ns since the Unix epoch.
    pub not_before_ns: i64,
    /// Valid until, ns since the Unix epoch.
    pub not_after_ns: i64,
    /// Host names and addresses that it stands for.
    pub hosts: Vec<String>,
    /// Its public key, as the certificate holds it.
    pub public_key: Vec<u8>,
    key_id: Option<Vec<u8>>,
    authority_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads the first certificate of a PEM file.
    ///
    /// # Errors
    /// [`IngestError::Keys`] naming the file.
    pub fn read(path: &Path) -> Result<Self, IngestError> {
        let bad = |reason: String| IngestError::Keys { path: path.to_path_buf(), reason };
        let length = std::fs::metadata(path).map_err(|e| bad(e.to_string()))?.len();
        if length > PEM_BYTES_MAX {
            return Err(bad(format!("{length} bytes are no certificate; at most {PEM_BYTES_MAX} are read")));
        }
        let text = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        let pem = Pem::iter_from_buffer(&text).find(|pem| pem.as_ref().map_or(true, |pem| pem.label == "CERTIFICATE"));
        let pem = pem.ok_or_else(|| bad("it holds no certificate".to_owned()))?.map_err(|e| bad(e.to_string()))?;
        let parsed = pem.parse_x509().map_err(|e| bad(format!("not an X.509 certificate: {e}")))?;
        Self::of(&parsed).map_err(bad)
    }

    fn of(parsed: &X509Certificate<'_>) -> Result<Self, String> {
        let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let organisation = parsed.subject().iter_organization().next().and_then(|name| name.as_str().ok());
        let field = organisation.and_then(|text| text.strip_prefix(ORGANISATION_PREFIX)).and_then(|id| Id::new("field", id).ok());
        let hosts = parsed.subject_alternative_name().map_err(|e| e.to_string())?;
        let hosts = hosts.map(|names| names.value.general_names.iter().filter_map(host).collect()).unwrap_or_default();
        Ok(Self {
            common_name: name.ok_or("it has no common name")?.to_owned(),
            field,
            not_before_ns: parsed.validity().not_before.timestamp().saturating_mul(SECOND_NS),
            not_after_ns: parsed.validity().not_after.timestamp().saturating_mul(SECOND_NS),
            hosts,
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            key_id: parsed.iter_extensions().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                _ => None,
            }),
            authority_id: parsed.iter_extensions().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
                _ => None,
            }),
        })
    }

    /// Whether it says that `authority` made it. The signature is checked where it counts, when a connection is made.
    pub fn is_of(&self, authority: &Self) -> bool {
        self.authority_id.is_some() && self.authority_id == authority.key_id
    }

    /// The last day on which it is valid, UTC.
    pub fn last_day(&self) -> String {
        day(self.not_after_ns)
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
        },
        _ => None,
    }
}

fn day(time_ns: i64) -> String {
    // The zone UTC always exists.
    date_in_zone(time_ns, "UTC").unwrap_or_default()
}

/// A holder's folder of keys, as `sanqu keys` makes it: the field's authority, the certificate, the private key.
#[derive(Clone, Debug)]
pub struct Keys {
    dir: PathBuf,
    holder: Holder,
    field: Id,
    certificate: Certificate,
}

impl Keys {
    /// Reads and checks one holder's folder. The private key is not read here, only that nobody else can.
    ///
    /// # Errors
    /// [`IngestError::Keys`] naming the file: absent, no certificate of ours, not valid at `now_ns`, a private key that
    /// others can read, or a path that zenoh cannot be told.
    pub fn load(dir: &Path, now_ns: i64) -> Result<Self, IngestError> {
        let bad = |path: &Path, reason: String| IngestError::Keys { path: path.to_path_buf(), reason };
        let dir = dir.canonicalize().map_err(|e| bad(dir, e.to_string()))?;
        // zenoh hands paths on as `name=value;name=value`.
        if dir.to_str().is_none_or(|text| text.contains([';', '|', '#', '?'])) {
            return Err(bad(&dir, "the path must be UTF-8 without any of ; | # ?".to_owned()));
        }
        let certificate = Certificate::read(&dir.join(CERT_FILE))?;
        Certificate::read(&dir.join(CA_FILE))?;
        let path = dir.join(CERT_FILE);
        let holder = certificate.common_name.parse().map_err(|reason| bad(&path, format!("the common name {reason}")))?;
        let field = certificate.field.clone().ok_or_else(|| bad(&path, "it names no field: it was not made by `sanqu keys`".to_owned()))?;
        if now_ns < certificate.not_before_ns {
            return Err(bad(&path, format!("it is not valid before {}: is this computer's clock right?", day(certificate.not_before_ns))));
        }
        if now_ns >= certificate.not_after_ns {
            return Err(bad(&path, format!("it expired on {}; make a new one with `sanqu keys renew`", certificate.last_day())));
        }
        let key = dir.join(KEY_FILE);
        let mode = std::fs::metadata(&key).map_err(|e| bad(&key, e.to_string()))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(bad(&key, format!("others can read this private key (mode {mode:03o}): chmod 600 it")));
        }
        Ok(Self { dir, holder, field, certificate })
    }

    /// The keys of a holder: `dir` is the folder itself, or has it as `<role>-<id>`; without an id, the only one of its
    /// role.
    ///
    /// # Errors
    /// As [`Keys::load`]; also when the keys are somebody else's, or the choice is not clear.
    pub fn find(dir: &Path, role: Role, id: Option<&Id>, now_ns: i64) -> Result<Self, IngestError> {
        let bad = |reason: String| IngestError::Keys { path: dir.to_path_buf(), reason };
        let wanted = id.map_or_else(|| format!("a {}", role.as_str()), |id| format!("{} {id}", role.as_str()));
        if dir.join(CERT_FILE).exists() {
            let keys = Self::load(dir, now_ns)?;
            if keys.holder.role != role || id.is_some_and(|id| &keys.holder.id != id) {
                return Err(bad(format!("these are the keys of {}; needed are those of {wanted}", keys.holder)));
            }
            return Ok(keys);
        }
        let folders = holders_in(dir).map_err(|e| bad(e.to_string()))?;
        let fitting: Vec<&Holder> = folders.iter().filter(|holder| holder.role == role && id.is_none_or(|id| &holder.id == id)).collect();
        match fitting.as_slice() {
            [holder] => Self::load(&dir.join(holder.folder()), now_ns),
            [] => Err(bad(format!("there are no keys of {wanted} in it; make them with `sanqu keys {}`", role.as_str()))),
            several => {
                let names: Vec<String> = several.iter().map(|holder| holder.folder()).collect();
                Err(bad(format!("several {}s have keys in it: name one of the folders {}", role.as_str(), names.join(", "))))
            }
        }
    }

    /// Whose they are.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The field that they belong to.
    pub fn field(&self) -> &Id {
        &self.field
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn refused(&self, reason: String) -> IngestError {
        IngestError::Keys { path: self.dir.clone(), reason }
    }

    /// The path of one of the three files.
    pub(crate) fn file(&self, name: &str) -> String {
        // Checked to be UTF-8 when they were loaded.
        self.dir.join(name).to_string_lossy().into_owned()
    }
}

/// The holders that have a folder of keys in `dir`, sorted.
///
/// # Errors
/// When the folder cannot be listed.
pub fn holders_in(dir: &Path) -> std::io::Result<Vec<Holder>> {
    let mut holders = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().replacen('-', ":", 1);
        holders.extend(name.parse::<Holder>().ok());
    }
    holders.retain(|holder| dir.join(holder.folder()).join(CERT_FILE).is_file());
    holders.sort();
    Ok(holders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_tell_role_and_id() {
        let holder: Holder = "robot:kuavo-01".parse().unwrap();
        assert_eq!((holder.role, holder.id.as_str()), (Role::Robot, "kuavo-01"));
        assert_eq!((holder.to_string(), holder.folder()), ("robot:kuavo-01".to_owned(), "robot-kuavo-01".to_owned()));
        for bad in ["robot", "robot:", "robot:Kuavo", "admin:kuavo-01", "robot:a:b"] {
            assert!(bad.parse::<Holder>().is_err(), "{bad}");
        }
    }
}
