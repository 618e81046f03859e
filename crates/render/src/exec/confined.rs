//! What the kernel keeps from a tool: Landlock, which a thread lays upon itself, and what it starts inherits.
//!
//! *Guarantees*: as far as the kernel goes, and [`Tools::find`](crate::Tools::find) warns of what it lacks: a tool reads its
//! programs and libraries, the source and its home, writes at home and where it is told to, opens no port, connects to those
//! that it is given, and reaches no process but its own children.
//!
//! *Caveats*: of the network, TCP alone is held back; sockets that are files are left to their permissions.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    RestrictSelf, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
};

use super::{May, Tool};

/// The rights that were tried here. What a later kernel knows besides is left alone, and what an earlier one lacks is left
/// out.
const FILES: ABI = ABI::V5;
const NETWORK: ABI = ABI::V4;
const PROCESSES: ABI = ABI::V6;

/// What a program needs to begin.
const PROGRAMS: [&str; 6] = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/nix/store"];
const DEVICES: [&str; 3] = ["/dev/null", "/dev/random", "/dev/urandom"];
/// What it needs to find a host, and to know that it is the one. None of them holds a key.
const HOSTS: [&str; 9] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted",
];

/// Restricts this thread for ever, and what it starts.
pub(super) fn restrict(tool: &Tool<'_>) -> Result<(), RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = read | AccessFs::Execute;
    let all = AccessFs::from_all(FILES) & !(AccessFs::IoctlDev | AccessFs::Execute);
    let (dir, ports) = match tool.may {
        May::Read => (read, [].as_slice()),
        May::Write => (all, [].as_slice()),
        May::Fetch(ports) => (all, ports),
    };
    let hosts = HOSTS.iter().filter(|_| !ports.is_empty());
    let rules = PROGRAMS
        .iter()
        .map(|path| (Path::new(path), run))
        .chain([(tool.program, run), (tool.source, read), (tool.dir, dir), (tool.home, all)])
        .chain(DEVICES.iter().map(|path| (Path::new(path), read | AccessFs::WriteFile)))
        .chain(hosts.map(|path| (Path::new(path), read)))
        .filter_map(|(path, access)| beneath(path, access));
    Ruleset::default()
        .handle_access(AccessFs::from_all(FILES))?
        .handle_access(AccessNet::from_all(NETWORK))?
        .scope(Scope::from_all(PROCESSES))?
        .create()?
        .add_rules(rules.map(Ok::<_, RulesetError>))?
        .add_rules(
            ports
                .iter()
                .map(|port| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))),
        )?
        .restrict_self()?;
    Ok(())
}

/// What is not there is not allowed either.
fn beneath(path: &Path, access: BitFlags<AccessFs>) -> Option<PathBeneath<PathFd>> {
    Some(PathBeneath::new(PathFd::new(path).ok()?, access))
}

/// What this machine does not keep from a tool, each with what would change that.
pub(crate) fn gaps() -> Vec<String> {
    let status = RestrictSelf::default().no_new_privs(false).apply().map(|status| status.landlock);
    let known = match status {
        Ok(LandlockStatus::Available { effective_abi, .. }) => effective_abi,
        _ => ABI::Unsupported,
    };
    let temporary = std::env::temp_dir();
    let temporary = temporary.canonicalize().unwrap_or(temporary);
    of(known).map(str::to_owned).into_iter().chain(within_programs(&temporary)).collect()
}

fn of(known: ABI) -> Option<&'static str> {
    if known == ABI::Unsupported {
        Some("neither files nor the network: the kernel has no Landlock, or it is off")
    } else if known < NETWORK {
        Some("the network: that takes Linux 6.7 or later")
    } else if known < PROCESSES {
        Some("signals to other processes: that takes Linux 6.12 or later")
    } else {
        None
    }
}

/// Each tool's folders are among the temporary ones, and no rule takes back what another allows.
fn within_programs(temporary: &Path) -> Option<String> {
    let within = |path: &&str| {
        let programs = Path::new(path).canonicalize().unwrap_or_else(|_| PathBuf::from(path));
        temporary.starts_with(programs)
    };
    let programs = PROGRAMS.into_iter().find(within)?;
    Some(format!("each other's files: TMPDIR, {}, is in {programs}", temporary.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_told() {
        let part = |known| of(known).unwrap_or_default();
        assert!(part(ABI::Unsupported).contains("no Landlock"));
        for known in [ABI::V1, ABI::V2, ABI::V3] {
            assert!(part(known).contains("6.7"), "{known}");
        }
        for known in [ABI::V4, ABI::V5] {
            assert!(part(known).contains("signals"), "{known}");
        }
        assert_eq!(of(ABI::V6), None);
        assert_eq!(of(ABI::V10), None);
    }

    #[test]
    fn temporary_folders_among_the_programs_are_told() {
        assert_eq!(within_programs(Path::new("/tmp")), None);
        let told = within_programs(Path::new("/usr/tmp/x")).unwrap_or_default();
        assert!(told.contains("/usr/tmp/x, is in /usr"), "{told}");
    }
}
