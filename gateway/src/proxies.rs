//! Whose word is taken for where a request comes from: the reverse proxies in front of this server.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Addresses and networks of proxies; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether many people's requests come from this address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who sent a request that came from `peer`: the last address of `X-Forwarded-For` that is no
    /// trusted proxy's. What stands before it anybody may have written.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        if !self.contains(client) {
            return client;
        }
        for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
            for part in value.to_str().unwrap_or_default().rsplit(',') {
                let Some(address) = address(part.trim()) else { return client };
                client = address;
                if !self.contains(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip()).ok();
    text.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = |part: &str| {
            let part = part.trim();
            part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                "expected addresses and networks, such as 127.0.0.1,10.0.0.0/8".to_owned()
            })
        };
        text.split(',').map(network).collect::<Result<_, _>>().map(TrustedProxies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_of_trusted_proxies_counts() {
        let proxies: TrustedProxies = "127.0.0.1, 10.0.0.0/8,fd00::/8".parse().expect("networks");
        let nobody = TrustedProxies::default();
        for (peer, forwarded, client) in [
            ("127.0.0.1", &["203.0.113.7"][..], "203.0.113.7"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("192.0.2.1", &["203.0.113.7"], "192.0.2.1"),
            // Written by the caller; the proxy appended who called it.
            ("10.1.2.3", &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("10.1.2.3", &["198.51.100.1", "203.0.113.7, 10.9.9.9"], "203.0.113.7"),
            ("10.1.2.3", &["203.0.113.7:5100"], "203.0.113.7"),
            ("fd00::1", &["[2001:db8::5]:443"], "2001:db8::5"),
            ("127.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
            ("127.0.0.1", &["203.0.113.7, nonsense"], "127.0.0.1"),
            ("127.0.0.1", &["nonsense, 10.0.0.1"], "10.0.0.1"),
            ("127.0.0.1", &["10.0.0.2, 10.0.0.1"], "10.0.0.2"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(X_FORWARDED_FOR, value.parse().expect("a header"));
            }
            let peer: IpAddr = peer.parse().expect("an address");
            let found = proxies.client(peer, &headers);
            assert_eq!(found.to_string(), client, "{peer} {forwarded:?}");
            assert_eq!(nobody.client(peer, &headers), peer);
        }
    }

    #[test]
    fn wrong_networks_are_refused() {
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0.0/8,", "*"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
    }
}
