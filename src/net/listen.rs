//! Takes connections, as many as may be there in all and from one address, and hands each to a session of its own.

use smol::Timer;
use smol::net::unix::{UnixListener, UnixStream};
use smol::net::{TcpListener, TcpStream};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who is connected. A household behind one address must fit into `each_max`.
#[derive(Debug)]
pub struct Crowd {
    all_max: usize,
    each_max: usize,
    present: Mutex<HashMap<IpAddr, usize>>,
}

/// A place in the crowd; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    crowd: Arc<Crowd>,
    peer: IpAddr,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(all_max: usize, each_max: usize) -> Arc<Self> {
        Arc::new(Self { all_max, each_max, present: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this peer, if there is one.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admission> {
        self.admit_up_to(self.each_max, peer)
    }

    /// A place for a proxy, until it has said who stands behind it: it brings many.
    pub fn admit_proxy(self: &Arc<Self>, proxy: IpAddr) -> Option<Admission> {
        self.admit_up_to(self.all_max, proxy)
    }

    fn admit_up_to(self: &Arc<Self>, each_max: usize, peer: IpAddr) -> Option<Admission> {
        let mut present = self.lock();
        if present.values().sum::<usize>() >= self.all_max {
            return None;
        }
        let count = present.entry(peer).or_default();
        if *count >= each_max {
            return None;
        }
        *count += 1;
        drop(present);
        Some(Admission { crowd: self.clone(), peer })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut present = self.crowd.lock();
        if let Some(count) = present.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.peer);
            }
        }
    }
}

/// When no file handle is left, a moment of patience lets sessions end; asking at once would spin.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(200);

/// Takes connections for ever. `taken` gets the connection and the peer, whose place in the crowd is for it to find.
pub async fn listen(listener: &TcpListener, taken: impl Fn(TcpStream, IpAddr)) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let peer = address.ip().to_canonical();
                // Small answers must not wait for each other; where it cannot be set, it is only slower.
                let _ = stream.set_nodelay(true);
                taken(stream, peer);
            }
            Err(error) => {
                log::warn!("accept failed, tried again in a moment: {error}");
                Timer::after(EXHAUSTED_WAIT).await;
            }
        }
    }
}

/// Takes connections to a Unix socket for ever.
pub async fn listen_locally(listener: &UnixListener, taken: impl Fn(UnixStream)) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => taken(stream),
            Err(error) => {
                log::warn!("accept failed, tried again in a moment: {error}");
                Timer::after(EXHAUSTED_WAIT).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Crowd;

    #[test]
    fn a_place_is_given_back() {
        let crowd = Crowd::new(3, 2);
        let (one, two) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let first = crowd.admit(one);
        let _second = crowd.admit(one);
        assert!(first.is_some() && crowd.admit(one).is_none());
        let _third = crowd.admit(two);
        assert!(crowd.admit(two).is_none());
        drop(first);
        assert!(crowd.admit(one).is_some());
    }

    #[test]
    fn a_proxy_brings_as_many_as_there_are_places() {
        let crowd = Crowd::new(3, 1);
        let proxy = [10, 0, 0, 1].into();
        let places: Vec<_> = (0..3).filter_map(|_| crowd.admit_proxy(proxy)).collect();
        assert!(places.len() == 3 && crowd.admit_proxy(proxy).is_none());
        drop(places);
        assert!(crowd.admit(proxy).is_some());
    }
}
