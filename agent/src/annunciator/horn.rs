//! From what is to be heard and lit ([`andon_core::annunciate::horn`]) to what sounds and shines.
//!
//! The engine's task tells ([`Teller`]); each driver follows one horn by itself ([`Follow`]) and holds
//! nobody up. Only what holds now counts: a driver that is late takes the newest and misses the rest.

use andon_core::annunciate::horn::Horn;
use std::sync::Arc;
use tokio::sync::watch;

/// Where the engine's task tells what is to be heard and lit.
#[derive(Debug)]
pub struct Teller(watch::Sender<Arc<[Horn]>>);

impl Teller {
    /// This is what all horns do from now on.
    pub fn tell(&self, horns: &[Horn]) {
        self.0.send_replace(horns.into());
    }
}

/// All horns of the gateway, in the order of [`andon_core::plant::Plant::horns`].
#[derive(Debug, Clone)]
pub struct Horns(watch::Receiver<Arc<[Horn]>>);

impl Horns {
    /// So many horns, all off and dark until the engine's task tells something else.
    pub fn new(count: usize) -> (Teller, Horns) {
        let (tell, told) = watch::channel(vec![Horn::default(); count].into());
        (Teller(tell), Horns(told))
    }

    /// Follows the horn at `index`.
    pub fn follow(&self, index: usize) -> Follow {
        Follow {
            told: self.0.clone(),
            index,
            now: Horn::default(),
        }
    }
}

/// One horn, followed by a driver.
#[derive(Debug)]
pub struct Follow {
    told: watch::Receiver<Arc<[Horn]>>,
    index: usize,
    now: Horn,
}

/// The engine's task has ended: whatever sounds is to be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

impl Follow {
    /// What the horn does now.
    pub const fn now(&self) -> Horn {
        self.now
    }

    /// Waits until it does something else, and says what. May be dropped and waited for again.
    pub async fn changed(&mut self) -> Result<Horn, Ended> {
        loop {
            let told = self.told.borrow_and_update().get(self.index).copied();
            let told = told.unwrap_or_default();
            if told != self.now {
                self.now = told;
                return Ok(told);
            }
            self.told.changed().await.map_err(|_| Ended)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::annunciate::horn::Lamp;

    #[tokio::test]
    async fn a_driver_sees_the_newest_of_its_own_horn() {
        let (teller, horns) = Horns::new(2);
        let (mut first, mut second) = (horns.follow(0), horns.follow(1));
        let red = |red| Horn {
            red,
            ..Horn::default()
        };
        teller.tell(&[red(Lamp::On), Horn::default()]);
        teller.tell(&[red(Lamp::Flash), Horn::default()]);
        assert_eq!(first.changed().await, Ok(red(Lamp::Flash)));
        assert_eq!(first.now(), red(Lamp::Flash));
        drop(teller);
        assert_eq!(first.changed().await, Err(Ended));
        assert_eq!(second.changed().await, Err(Ended), "it did nothing else");
    }
}
