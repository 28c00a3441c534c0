//! How many are let in: in all, and from one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// The most connections at once; one more is closed at once.
const CONNECTIONS_MAX: usize = 256;
/// The most of one client: half of them, so that nobody alone keeps everybody else out.
const CONNECTIONS_EACH_MAX: usize = CONNECTIONS_MAX / 2;
/// Whoever has one address of IPv6 has a network of this many bits.
const NETWORK_BITS: u32 = 64;

/// Whom a connection comes from: an address, and of IPv6 its network, as whoever has one address there has all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (u128::BITS - NETWORK_BITS))))
            }
            address => address,
        })
    }
}

/// The connections there are, of all ports.
#[derive(Default)]
pub(super) struct Room {
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    each: HashMap<Client, usize>,
}

impl Room {
    /// A place for a connection, until it is dropped; `None` where all are taken, or all that one client may have.
    pub(super) fn place(self: &Arc<Self>, client: Client) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= CONNECTIONS_MAX || taken.each.get(&client).is_some_and(|taken| *taken >= CONNECTIONS_EACH_MAX) {
            return None;
        }
        taken.all += 1;
        *taken.each.entry(client).or_default() += 1;
        Some(Place { room: Arc::clone(self), client })
    }
}

pub(super) struct Place {
    room: Arc<Room>,
    client: Client,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_client) = taken.each.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                taken.each.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::from(address.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn one_client_takes_half_and_all_together_take_all() {
        let room = Arc::new(Room::default());
        let mut places: Vec<_> = (0..CONNECTIONS_EACH_MAX).map(|_| room.place(client("2001:db8::1")).expect("a place")).collect();
        assert!(room.place(client("2001:db8::ffff")).is_none(), "another address of the same network");
        places.extend((0..CONNECTIONS_EACH_MAX).map(|_| room.place(client("192.0.2.1")).expect("a place")));
        assert!(room.place(client("192.0.2.2")).is_none(), "all are taken");
        drop(places.pop());
        assert!(room.place(client("2001:db8::1")).is_none() && room.place(client("192.0.2.2")).is_some());
        places.clear();
        let taken = room.taken.lock().expect("nobody panicked");
        assert_eq!((taken.all, taken.each.len()), (0, 0));
    }

    #[test]
    fn an_address_of_the_old_internet_is_the_same_however_it_is_written() {
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
    }
}
