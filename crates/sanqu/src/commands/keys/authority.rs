//! The field's certificate authority and what it makes.

use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use sanqu_ingest::{CA_FILE, CERT_FILE, Certificate, Holder, KEY_FILE, Role, field_organisation};
use sanqu_model::{Id, now_ns};
use time::{Duration, OffsetDateTime};

/// The authority's folder, and its private key in it.
const CA_DIR: &str = "ca";
const CA_KEY_FILE: &str = "ca-key.pem";
/// The names that recorders of this authority may have beside private addresses, one a line.
const NAMES_FILE: &str = "names.txt";

/// Host names that no public authority certifies.
const PRIVATE_DOMAINS: [&str; 5] = ["localhost", "lan", "local", "internal", "home.arpa"];
/// Addresses that are nobody's on the Internet: loopback, private, link-local, shared.
const PRIVATE_NETS: [(&str, u8); 9] = [
    ("127.0.0.0", 8),
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("169.254.0.0", 16),
    ("100.64.0.0", 10),
    ("::1", 128),
    ("fc00::", 7),
    ("fe80::", 10),
];

/// Computers of a field do not agree on the time to the minute.
const CLOCKS_APART: Duration = Duration::hours(24);

/// The authority of a field, ready to sign.
pub(crate) struct Authority {
    dir: PathBuf,
    field: Id,
    domains: Vec<String>,
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority in `dir/ca`.
    ///
    /// # Errors
    /// When there is one (and not `force`), or the folder cannot be written.
    pub(crate) fn create(dir: &Path, field: &Id, domains: &[String], days: u32, force: bool) -> Result<Self> {
        let mut params = ca_params(field);
        (params.not_before, params.not_after) = validity(days)?;
        let domains: Vec<String> = PRIVATE_DOMAINS.iter().map(|name| (*name).to_owned()).chain(domains.iter().cloned()).collect();
        params.name_constraints = Some(permitted(&domains)?);
        let key = KeyPair::generate().context("cannot make a private key")?;
        let ca_pem = params.self_signed(&key).context("cannot sign the authority's certificate")?.pem();
        let files = [(CA_FILE, ca_pem.clone(), 0o644), (CA_KEY_FILE, key.serialize_pem(), 0o600), (NAMES_FILE, lines(&domains), 0o644)];
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.with_context(|| format!("cannot make the folder {}", dir.display()))?;
        write_folder(&dir.join(CA_DIR), &files, force)?;
        Ok(Self { dir: dir.to_path_buf(), field: field.clone(), domains, ca_pem, issuer: Issuer::new(params, key) })
    }

    /// Opens the authority in `dir/ca`.
    ///
    /// # Errors
    /// When there is none, or its private key is not here or another's.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let folder = dir.join(CA_DIR);
        let path = folder.join(CA_FILE);
        if !path.is_file() {
            bail!("there is no certificate authority in {}: make one with `sanqu keys init --dir {}`", folder.display(), dir.display());
        }
        let certificate = Certificate::read(&path)?;
        let field = certificate.field.clone().with_context(|| format!("{} was not made by `sanqu keys`", path.display()))?;
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let ca_pem = read(CA_FILE)?;
        let key = KeyPair::from_pem(&read(CA_KEY_FILE)?)
            .with_context(|| format!("{} holds no private key", folder.join(CA_KEY_FILE).display()))?;
        ensure!(
            certificate.public_key == key.public_key_raw(),
            "{} is not the private key of {}",
            folder.join(CA_KEY_FILE).display(),
            path.display()
        );
        let domains = read(NAMES_FILE)?.lines().map(str::to_owned).collect();
        let issuer = Issuer::new(ca_params(&field), key);
        Ok(Self { dir: dir.to_path_buf(), field, domains, ca_pem, issuer })
    }

    /// The field.
    pub(crate) fn field(&self) -> &Id {
        &self.field
    }

    /// Makes a folder of keys; `hosts` are for recorders only.
    ///
    /// # Errors
    /// When there is one (and not `force`), a host lies outside of what the authority may name, or the folder cannot be
    /// written.
    pub(crate) fn issue(&self, holder: &Holder, hosts: &[String], days: u32, force: bool) -> Result<PathBuf> {
        let mut params = CertificateParams::new(self.allowed(hosts)?).context("a host name is not valid")?;
        params.distinguished_name = name(&self.field, &holder.to_string());
        (params.not_before, params.not_after) = validity(days)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if holder.role == Role::Recorder {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate().context("cannot make a private key")?;
        let certificate = params.signed_by(&key, &self.issuer).with_context(|| format!("cannot sign the certificate of {holder}"))?;
        let files = [(CA_FILE, self.ca_pem.clone(), 0o644), (CERT_FILE, certificate.pem(), 0o644), (KEY_FILE, key.serialize_pem(), 0o600)];
        let folder = self.dir.join(holder.folder());
        write_folder(&folder, &files, force)?;
        Ok(folder)
    }

    /// The hosts, if the authority may name them.
    fn allowed(&self, hosts: &[String]) -> Result<Vec<String>> {
        for host in hosts {
            let fine = match host.parse::<IpAddr>() {
                Ok(address) => PRIVATE_NETS.iter().any(|(net, bits)| within(address, net, *bits)),
                Err(_) => self.domains.iter().any(|domain| host == domain || host.ends_with(&format!(".{domain}"))),
            };
            ensure!(
                fine,
                "the authority of field {} may not name {host}: it is limited to private addresses and to {}. Make one with `sanqu keys init --domain NAME` to name others",
                self.field,
                self.domains.join(", ")
            );
        }
        Ok(hosts.to_vec())
    }
}

fn name(field: &Id, common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, field_organisation(field));
    name.push(DnType::CommonName, common_name);
    name
}

fn ca_params(field: &Id) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(field, &format!("sanqu CA of field {field}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn permitted(domains: &[String]) -> Result<NameConstraints> {
    let mut subtrees: Vec<GeneralSubtree> = domains.iter().cloned().map(GeneralSubtree::DnsName).collect();
    for (net, bits) in PRIVATE_NETS {
        let address: IpAddr = net.parse().with_context(|| format!("{net} is no address"))?;
        subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits)));
    }
    Ok(NameConstraints { permitted_subtrees: subtrees, excluded_subtrees: Vec::new() })
}

fn within(address: IpAddr, net: &str, bits: u8) -> bool {
    match (address, net.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(net))) => (u32::from(address) ^ u32::from(net)).leading_zeros() >= u32::from(bits),
        (IpAddr::V6(address), Ok(IpAddr::V6(net))) => (u128::from(address) ^ u128::from(net)).leading_zeros() >= u32::from(bits),
        _ => false,
    }
}

fn validity(days: u32) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let now = OffsetDateTime::from_unix_timestamp(now_ns() / 1_000_000_000).context("this computer's clock is far off")?;
    Ok((now - CLOCKS_APART, now + Duration::days(i64::from(days))))
}

fn lines(domains: &[String]) -> String {
    domains.iter().map(|domain| format!("{domain}\n")).collect()
}

/// Writes a folder that appears with all its files or not at all. One that is there stays unless `force`.
fn write_folder(folder: &Path, files: &[(&str, String, u32)], force: bool) -> Result<()> {
    ensure!(force || !folder.exists(), "{} is there already; --force replaces it (and its private key is gone)", folder.display());
    let (new, old) = (beside(folder, "new"), beside(folder, "old"));
    for left in [&new, &old] {
        if left.exists() {
            std::fs::remove_dir_all(left).with_context(|| format!("cannot remove {}", left.display()))?;
        }
    }
    std::fs::DirBuilder::new().mode(0o700).create(&new).with_context(|| format!("cannot make the folder {}", new.display()))?;
    for (name, text, mode) in files {
        let path = new.join(name);
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(*mode).open(&path);
        let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if folder.exists() {
        std::fs::rename(folder, &old).with_context(|| format!("cannot move {} away", folder.display()))?;
    }
    std::fs::rename(&new, folder).with_context(|| format!("cannot put {} in place", folder.display()))?;
    if old.exists() {
        std::fs::remove_dir_all(&old).with_context(|| format!("cannot remove {}", old.display()))?;
    }
    Ok(())
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    folder.with_file_name(format!(".{name}.{what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::new("id", text).unwrap()
    }

    #[test]
    fn an_authority_names_private_hosts_only() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path(), &id("desk"), &["field.example".to_owned()], 10, false).unwrap();
        for (host, allowed) in [
            ("10.0.3.1", true),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("2001:db8::1", false),
            ("rec-1.lan", true),
            ("lan", true),
            ("rec-1.plan", false),
            ("rec.field.example", true),
            ("example.com", false),
        ] {
            assert_eq!(authority.allowed(&[host.to_owned()]).is_ok(), allowed, "{host}");
        }
    }

    #[test]
    fn an_authority_is_opened_again_and_signs_the_same() {
        let folder = tempfile::tempdir().unwrap();
        Authority::create(folder.path(), &id("desk"), &[], 10, false).unwrap();
        let authority = Authority::open(folder.path()).unwrap();
        assert_eq!(authority.field(), &id("desk"));
        let holder: Holder = "robot:kuavo-01".parse().unwrap();
        let made = authority.issue(&holder, &[], 10, false).unwrap();
        let keys = sanqu_ingest::Keys::load(&made, now_ns()).unwrap();
        assert_eq!((keys.holder(), keys.field()), (&holder, &id("desk")));
        let ca = Certificate::read(&folder.path().join("ca/ca.pem")).unwrap();
        assert!(keys.certificate().is_of(&ca));
        assert!(authority.issue(&holder, &[], 10, false).unwrap_err().to_string().contains("--force"));
        authority.issue(&holder, &[], 10, true).unwrap();

        let other = tempfile::tempdir().unwrap();
        Authority::create(other.path(), &id("desk"), &[], 10, false).unwrap();
        assert!(!keys.certificate().is_of(&Certificate::read(&other.path().join("ca/ca.pem")).unwrap()));
        std::fs::copy(other.path().join("ca/ca-key.pem"), folder.path().join("ca/ca-key.pem")).unwrap();
        assert!(Authority::open(folder.path()).err().unwrap().to_string().contains("is not the private key of"));
    }
}
