//! What this machine gives: file descriptors and ports. Whether they are enough is said before the
//! run and not found out in the middle of it.

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside the connections: the runtime's, the files', the terminal's.
const OWN_FILES: u64 = 64;

/// Makes room for so many connections at once, from so many local addresses.
///
/// # Errors
/// In this order: the process may not have so many files, the addresses not so many ports.
pub(crate) fn make_room(connections: u64, sources: u64) -> anyhow::Result<()> {
    let wanted = connections + OWN_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let raised = Rlimit { current: Some(current), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).context("cannot raise RLIMIT_NOFILE")?;
    }
    if let Some(files) = limit.maximum {
        ensure!(
            files >= wanted,
            "{connections} connections need {wanted} file descriptors and RLIMIT_NOFILE allows \
             {files}: raise it (ulimit -n), or ask for fewer"
        );
    }
    let (from, to) = port_range(&std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range"));
    let ports = (to.saturating_sub(from) + 1) * sources;
    ensure!(
        ports >= connections,
        "{connections} connections are more than the {ports} ports of {sources} local address(es) \
         ({from} to {to}): ask for fewer, or for more sources"
    );
    Ok(())
}

/// What the system says, or its default where it says nothing.
fn port_range(text: &std::io::Result<String>) -> (u64, u64) {
    const DEFAULT: (u64, u64) = (32_768, 60_999);
    let Ok(text) = text else { return DEFAULT };
    let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(from), Some(to)) => (from, to),
        _ => DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_is_said_beforehand() {
        let files = make_room(1 << 40, 1).expect_err("files").to_string();
        assert!(files.contains("RLIMIT_NOFILE allows"), "{files}");
        assert!(make_room(10, 1).is_ok());
        let ports = make_room(10, 0).expect_err("ports").to_string();
        assert!(ports.contains("more than the 0 ports"), "{ports}");
    }

    #[test]
    fn ranges() {
        assert_eq!(port_range(&Ok("10\t20\n".to_owned())), (10, 20));
        assert_eq!(port_range(&Ok("no".to_owned())), (32_768, 60_999));
        assert_eq!(port_range(&Err(std::io::Error::other("no"))), (32_768, 60_999));
    }
}
