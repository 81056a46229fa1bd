//! Which addresses are one client's.

use core::net::{IpAddr, Ipv6Addr};

/// The address that stands for all those that a client is likely to have: an IPv6 network of 64 bits,
/// which is what a home or a host gets, or the IPv4 address, also if it is mapped into IPv6.
///
/// ```
/// use sansocket::policy::address_group;
///
/// let group = |address: &str| address_group(address.parse().unwrap()).to_string();
/// assert_eq!(group("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
/// assert_eq!(group("192.0.2.7"), "192.0.2.7");
/// assert_eq!(group("::ffff:192.0.2.7"), "192.0.2.7");
/// ```
pub const fn address_group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
