//! Whose word is believed.

use std::net::IpAddr;

use ipnet::IpNet;

/// Ranges of addresses, in which one is looked for in the logarithm of how many they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    /// The first and the last of each, in order and apart from each other.
    ranges: Box<[(IpAddr, IpAddr)]>,
}

impl Ranges {
    pub(crate) fn new(nets: &[IpNet]) -> Self {
        // IPv4 is before IPv6, so that no range has addresses of both.
        let mut nets: Vec<_> = nets
            .iter()
            .map(|net| (net.network(), net.broadcast()))
            .collect();
        nets.sort_unstable();
        let mut ranges: Vec<(IpAddr, IpAddr)> = Vec::new();
        for (first, last) in nets {
            match ranges.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Self {
            ranges: ranges.into(),
        }
    }

    /// An IPv4 address of a socket for both families is the IPv4 address that it stands for.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let at = self.ranges.partition_point(|(first, _)| *first <= address);
        let below = at.checked_sub(1).and_then(|at| self.ranges.get(at));
        below.is_some_and(|(_, last)| address <= *last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(nets: &[&str]) -> Ranges {
        let nets: Vec<IpNet> = nets.iter().map(|net| net.parse().unwrap()).collect();
        Ranges::new(&nets)
    }

    #[test]
    fn an_address_is_in_its_range_alone() {
        let trusted = ranges(&["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "10.1.0.0/16"]);
        for (address, want) in [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("10.2.0.1", true),
            ("9.255.255.255", false),
            ("11.0.0.0", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.0.0.1", true),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
            ("::1", false),
        ] {
            assert_eq!(
                trusted.contains(address.parse().unwrap()),
                want,
                "{address}"
            );
        }
        assert!(!ranges(&[]).contains("10.0.0.1".parse().unwrap()));
        assert!(!ranges(&["::/0"]).contains("10.0.0.1".parse().unwrap()));
    }

    fn net() -> impl Strategy<Value = IpNet> {
        let four = (any::<[u8; 4]>(), 0..=32_u8);
        let six = (any::<[u8; 16]>(), 0..=128_u8);
        prop_oneof![
            four.prop_map(|(address, length)| IpNet::new(address.into(), length).unwrap()),
            six.prop_map(|(address, length)| IpNet::new(address.into(), length).unwrap()),
        ]
    }

    proptest! {
        #[test]
        fn is_what_a_search_of_each_says(nets in prop::collection::vec(net(), 0..20), other in net()) {
            let trusted = Ranges::new(&nets);
            let near = nets.iter().flat_map(|net| [net.addr(), net.network(), net.broadcast()]);
            for address in near.chain([other.addr()]) {
                let address = address.to_canonical();
                let want = nets.iter().any(|net| net.contains(&address));
                prop_assert_eq!(trusted.contains(address), want, "{}", address);
            }
        }
    }
}
