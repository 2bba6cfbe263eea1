//! The way up against a real broker (mosquitto) and against one that misbehaves as told.

#[cfg(test)]
#[path = "../support/authority.rs"]
mod authority;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod current;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod hostile;
#[cfg(test)]
#[path = "../support/mosquitto.rs"]
mod mosquitto;
#[cfg(test)]
#[path = "../support/relay.rs"]
mod relay;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod sparkplug;
#[cfg(test)]
#[path = "../support/subscriber.rs"]
mod subscriber;
#[cfg(test)]
mod twins;
